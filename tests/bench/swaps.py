# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that fail while an environment is replaced under load, beside what peers do: swap and terminate at once."""

from __future__ import annotations

import time
from pathlib import Path

from chaos.load_generator import APPLICATION, SPEED, cycle, terminate_at_once, visitors
from chaos.local import deploy, localstalk

from bench.figures import Figure, figure


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Needs containers, thus root. Clients honour DNS's time to live and send 200 requests a second together."""
    runs = 1 if quick else 5
    failed, slow, peer_failed, calm = [], [], [], []
    with localstalk(folder / "localstalk", "container", SPEED) as aws:
        deploy(aws, "swaps", APPLICATION, seconds=180)
        for _run in range(runs):
            with visitors(aws, "swaps") as quiet:
                time.sleep(10)
            calm.append(1000 * float(quiet["p99"]))
            with visitors(aws, "swaps") as through:
                ended = cycle(aws, "swaps")
            if ended["result"] != "done":
                raise RuntimeError(f"a cycle ended with {ended['result']}: {ended['sentence']}")
            failed.append(float(through["failed"]))
            slow.append(1000 * float(through["p99"]))
            with visitors(aws, "swaps") as abrupt:
                terminate_at_once(aws, "swaps")
            peer_failed.append(float(abrupt["failed"]))
    return [
        figure("swap_failed_requests", failed, "requests", 0, ("terminate at once", peer_failed)),
        figure("swap_p99_ms", slow, "ms", None, ("without a cycle", calm)),
    ]
