# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the measurements: ``PYTHONPATH=tests python -m bench [--quick] [--output FILE] [TOPIC...]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import bundles, deploys, emulator, fleet, inventory, lifecycle, recreates, scaling, swaps
from bench.figures import Figure, Series, figure, read, series_file, text_table, write, write_series

TOPICS: dict[str, Callable[[Path, bool], Sequence[Figure | Series]]] = {
    "bundles": bundles.measure,
    "emulator": emulator.measure,
    "growth": emulator.measure_growth,
    "lifecycle": lifecycle.measure,
    "inventory": inventory.measure,
    "deploys": deploys.measure,
    "swaps": swaps.measure,
    "fleet": fleet.measure,
    "throttle": fleet.measure_throttled,
    "recreates": recreates.measure,
    "throttled_recreates": recreates.measure_throttled,
    "scaling": scaling.measure,
}
ROOT = Path(__file__).resolve().parents[2]


def machine() -> list[Figure]:
    """What it was measured on; figures of other machines cannot be compared without that."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return [
        figure("machine_cores", [len(os.sched_getaffinity(0))], "cores"),
        figure("machine_memory_gib", [round(memory / 2**30, 1)], "GiB"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns 1 when a figure is over its budget."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the budgets beside their peers.")
    parser.add_argument(
        "--quick", action="store_true", help="small inputs and few runs: tries the code, proves nothing"
    )
    parser.add_argument("--output", type=Path, help="default: build/bench.json, build/bench-quick.json when quick")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(TOPICS)} (default: all)")
    chosen = parser.parse_args(arguments)
    unknown = [topic for topic in chosen.topics if topic not in TOPICS]
    if unknown:
        parser.error(f"there is no topic {unknown[0]}; there are {', '.join(TOPICS)}")
    output = chosen.output or ROOT / "build" / f"bench{'-quick' if chosen.quick else ''}.json"
    if not chosen.topics:
        output.unlink(missing_ok=True)
    figures: list[Figure] = []
    for topic in chosen.topics or TOPICS:
        print(f"measuring {topic} ...", file=sys.stderr, flush=True)  # noqa: T201
        with tempfile.TemporaryDirectory(prefix=f"bench-{topic}-") as folder:
            measured = TOPICS[topic](Path(folder), chosen.quick)
        figures += [item for item in measured if isinstance(item, Figure)]
        # At once: the next topic may fail.
        _keep(output, figures)
        if series := [item for item in measured if isinstance(item, Series)]:
            write_series(series, series_file(output, topic))
    print(text_table(figures))  # noqa: T201
    return 1 if any(item.verdict in ("over", "under") for item in figures) else 0


def _keep(output: Path, figures: list[Figure]) -> None:
    """Write what was measured; figures of other parts stay as they were measured before."""
    names = {item.name for item in machine() + figures}
    before = [item for item in read(output) if item.name not in names] if output.exists() else []
    write(machine() + before + figures, output)


if __name__ == "__main__":
    sys.exit(main())
