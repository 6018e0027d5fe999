# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet's night: ``recreate_and_swap.yml`` for many environments, beside scripts of eb clone, swap and terminate."""

from __future__ import annotations

import json
from pathlib import Path

from bench.figures import Figure, figure
from bench.storms import FleetPlace

_PEER = "eb clone, swap, terminate, one script each"
# So much faster than the wall the clock runs: an environment is created in about two minutes.
_SPEED = 2.0


def measure(folder: Path, quick: bool) -> list[Figure]:
    """All cycles at once, with the default policy but for the age that the live environments must have."""
    count, speed = (4, 20.0) if quick else (100, _SPEED)
    place = FleetPlace(folder / "night", speed, count)
    peer = FleetPlace(folder / "peer", speed, 1)
    try:
        peer.run(peer.ours())
        place.run(place.ours())
        before = {item["id"] for item in place.environments()}
        options = json.dumps({"eb_cycle": {"force": True, "poll_interval": 5}})
        done = place.run(place.ours("recreate_and_swap.yml", "-e", options))
        after = place.environments()
        fresh = sum(item["status"] == "Ready" and item["id"] not in before for item in after)
        by_eb = [
            peer.run(command)
            for command in (
                peer.eb("clone", "fleet-0000", "--clone_name", "fleet-new", "--timeout", "30"),
                peer.eb("swap", "fleet-0000", "--destination_name", "fleet-new"),
                peer.eb("terminate", "fleet-0000", "--force", "--timeout", "30"),
            )
        ]
    finally:
        place.stalk.down()
        peer.stalk.down()
    calls, cpu = sum(run.calls for run in by_eb), sum(run.cpu_s for run in by_eb)
    return [
        figure("night_calls_per_environment", [done.calls / count], "calls", peer=(_PEER, [calls])),
        figure("night_cpu_per_environment_s", [done.cpu_s / count], "s", peer=(_PEER, [cpu])),
        figure("night_environments", [count], "environments"),
        figure("night_finished_ratio", [fresh / max(count, len(after))], "", 1.0),
        figure("night_wall_s", [done.wall_s], "s", peer=(_PEER, [sum(run.wall_s for run in by_eb)])),
    ]
