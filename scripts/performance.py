#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/performance.md from the figures of ``make bench``: scripts/performance.py [BENCH_JSON [PAGE]]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bench.figures import Figure, read, rows  # noqa: E402

_MACHINE = ("machine_cores", "machine_memory_gib")
_TEXT = """\
# Performance

This page is generated: `make bench` measures, writes `build/bench.json` and this page, and fails when a figure is
over its budget. Measured on a machine with {cores:.0f} cores and {memory:.0f} GiB of memory, peers in the same
run.

{table}

A value is the median of its runs, the spread is the largest minus the smallest of them. Without a number of its
own, the budget is the peer's value.

- The service is [localstalk](../localstalk/README.md) with simulated instances, so the figures show what the tools
  do (calls, waiting, CPU), not how fast AWS is.
- `deploy_*` and `redeploy_*` are `ansible-playbook deploy.yml` beside `eb deploy` on the same application, at the
  same poll interval of five seconds, with deployments that take the service about 30 seconds. Overhead is the time
  on the wall that the service was not at work. `eb deploy` makes a new version of an unchanged tree, so it is its
  own peer for redeploying.
- `bundle_*` is the time of packing only, without the start of an interpreter, in a fresh process for every run,
  with all files in the page cache. `eb` packs with `git archive`, or by itself where there is an `.ebignore` file
  (`peer_bundle_eb_ebignore_s`).
- `localstalk_p99_ms` and `localstalk_p50_ms` describe one environment while {environments:,.0f} are present.
"""


def page(figures: Sequence[Figure]) -> str:
    """The page in Markdown; KeyError when a figure that the text speaks of was not measured."""
    values = {item.name: item.value for item in figures}
    table = rows([item for item in figures if item.name not in _MACHINE])
    lines = ["| " + " | ".join(row) + " |" for row in table]
    lines.insert(1, "|" + " --- |" * len(table[0]))
    return _TEXT.format(
        cores=values["machine_cores"],
        memory=values["machine_memory_gib"],
        environments=values["localstalk_environments"],
        table="\n".join(lines),
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page."""
    source = Path(arguments[0]) if arguments else ROOT / "build" / "bench.json"
    target = Path(arguments[1]) if len(arguments) > 1 else ROOT / "docs" / "performance.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(page(read(source)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
