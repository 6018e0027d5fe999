#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/performance.md with its graphs and, beside the figures of ``make bench``, a page of plots.

Usage: scripts/performance.py [BENCH_JSON [PAGE]]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bench import page as plots  # noqa: E402
from bench.figures import Figure, read, read_series, rows, series_file  # noqa: E402

_MACHINE = ("machine_cores", "machine_memory_gib")
_TEXT = """\
# Performance

This page is generated: `make bench` measures, writes `build/bench.json` and this page, and fails when a figure is
over its budget. Measured on a machine with {cores:.0f} cores and {memory:.0f} GiB of memory, peers in the same
run.

{table}

A value is the median of its runs, the spread is the largest minus the smallest of them. Without a number of its
own, the budget is the peer's value. `build/bench.html` has the same as plots.
{graphs}
- The service is [localstalk](../localstalk/README.md) with simulated instances, so the figures show what the tools
  do (calls, waiting, CPU), not how fast AWS is.
- `deploy_*` and `redeploy_*` are `ansible-playbook deploy.yml` beside `eb deploy` on the same application, at the
  same poll interval of five seconds, with deployments that take the service about 30 seconds (`deploy_update_s`).
  Overhead is the time on the wall that the service was not at work: by its events it is at work while it looks into a
  version, updates, and pulls logs. `eb deploy` asks for the update only, and makes a
  new version of an unchanged tree, so it is its own peer for redeploying.
  `deploy_api_calls` counts all of `deploy.yml`: version, lock, deployment, verification and the question who was
  elected leader. The logs that answer it come by presigned addresses, one per instance (`deploy_log_downloads`).
- `inventory_*` is `ansible-inventory --list` with the plugin `jack.beanstalk.instances`, `leader_*` the module
  `leader_info` where hooks tag the leader: it reads the application's events back to the deployments in question, a
  thousand with each call, so fifty environments cost more where they are some of many (`leader_of_50_among_many_*`).
- `fleet_*` and `throttle_*` are one run of `deploy.yml` for many environments of one application, all in one process,
  by a controller that has deployed them before, verified on every instance; leaders are not asked for in runs of more
  than ten hosts (docs/guides/fleet.rst says what each call buys). `fleet_*` with operations of ten minutes (each
  stands still for nine, `localstalk fault add stuck`), nine minutes longer than the controller expects;
  `fleet_makespan_ratio` is the time of the run by that of the longest operation. `throttle_*` is the same at a service
  that takes 2 requests a second, burst 15 (`localstalk fault add throttle rate=2 burst=15`), by a controller that
  begins as it does for AWS: there the requests that begin 200 deployments take 92.5 seconds, whoever sends them, and
  `throttle_makespan_ratio` is the time of the run by these and the longest operation; `throttled_request_ratio` is how
  many of the requests were refused. These take one run each. The peer's requests are those of one `eb deploy` at the
  same time, times the environments.
- `fleet_1000_*` is one run for a thousand environments. `fleet_1000_private_mib` is the memory of all processes of the
  run together, Ansible's and ours, pages that several share counted once (proportional set size), at its largest;
  `fleet_1000_engine_mib` is the part of the one process that deploys.
- `watch_*_N` is a minute in which N deployments wait, in the real control loop with a simulated service;
  `sharded_*` is the same for ten accounts with a thousand environments each.
- `recreate_*` is one run of `recreate_and_swap.yml` for many environments, all at once, with the default policy but for
  `force` and a poll interval of five seconds, as `eb` has it; new environments take ten minutes (each stands still
  for more than eight). `recreate_makespan_ratio` is the time of the run by what a cycle cannot do without
  (`recreate_minimum_s`): the longest creation (`recreate_operation_s`), swap and termination, the minute in which the
  candidate must stay healthy, and the 90 seconds until DNS has forgotten the old environment. The peer is a script of
  `eb clone`, `eb swap` and `eb terminate` at the same time, which neither locks nor verifies nor drains nor waits
  between them.
- `throttled_recreate_*` is the same with 60 environments at a service that takes 2 requests a second, burst 15. The
  requests of all cycles take it `throttled_recreate_requests_s`, whoever sends them; a cycle begins when there is room
  for all of its requests, so the last one ends a cycle's own time after that. `throttled_recreate_makespan_ratio` is
  the time of the run by the sum of both.
- `bundle_*` is the time of packing only, without the start of an interpreter, in a fresh process for every run,
  with all files in the page cache. `eb` packs with `git archive`, or by itself where there is an `.ebignore` file
  (`peer_bundle_eb_ebignore_s`).
- `localstalk_life_s` is one instance in real containers, the clock as fast as it goes: create, deploy, swap and
  terminate.
- `localstalk_p99_ms` and `localstalk_p50_ms` describe one environment while {environments} are present;
  `localstalk_growth_*` is what 20,000 such calls add to the memory of a daemon with 5,000.

## What made it quicker

An unchanged `deploy.yml` sends two requests in place of eleven: one task makes the version, deploys it and asks for
the leader. Roles that are not wanted are included, not imported. Where `PYTHONDONTWRITEBYTECODE` is set, every start of
Ansible compiles hundreds of modules anew, so the `Makefile` clears it.

The environments of a batch are deployed to by one process, which polls once per tick for each application, however many
are waited for: starting Python and boto3 for each host was most of the processor time of a fleet. What is left is what
Ansible itself needs for each task of each host, a skipped one included, so `deploy.yml` has few tasks for each host,
and plays for some hosts in place of conditions. Each of these tasks is a process that loads the filters that its
templates name, so the collection's filters import what they work with when they are called.

So are the cycles of a batch: in simulated time (`tests/unit/plugins/module_utils/cycle/test_reconciler.py`) two hundred
of them need 24 requests each and a fiftieth of a second of processor time.

A changed deploy went from 25 requests and two downloads to 12 and two: the lock is
written over what this controller left, the account's bucket is known by name, the settings are known until the
environment changes, and the end of a deployment is expected when the last one ended.
"""


# By topic of the measurement.
_GRAPHS = {
    "fleet": "API calls per second of a fleet's deployment, beside the eb CLI's",
    "recreates": "API calls per second of recreating a fleet, beside the eb CLI's",
}
_BELOW_GRAPHS = """
Calls per second, as a mean over five seconds, from the moment the command is started. The fleet is one process of
ours; what as many processes of `eb` would ask for is what one was seen to ask for, times the environments.
"""


def page(figures: Sequence[Figure], graphs: Mapping[str, str]) -> str:
    """The page in Markdown; parts that were not measured are missing from it. ``graphs`` are files by topic."""
    values = {item.name: item.value for item in figures}
    table = rows([item for item in figures if item.name not in _MACHINE])
    lines = ["| " + " | ".join(row) + " |" for row in table]
    lines.insert(1, "|" + " --- |" * len(table[0]))
    return _TEXT.format(
        cores=values["machine_cores"],
        memory=values["machine_memory_gib"],
        environments=f"{values['localstalk_environments']:,.0f}" if "localstalk_environments" in values else "many",
        table="\n".join(lines),
        graphs="".join(f"\n![{_GRAPHS[topic]}]({file})\n" for topic, file in graphs.items())
        + (_BELOW_GRAPHS if graphs else ""),
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page."""
    source = Path(arguments[0]) if arguments else ROOT / "build" / "bench.json"
    target = Path(arguments[1]) if len(arguments) > 1 else ROOT / "docs" / "performance.md"
    target.parent.mkdir(exist_ok=True)
    figures = read(source)
    series = {topic: found for topic in _GRAPHS if (found := read_series(series_file(source, topic)))}
    graphs = {topic: target.with_name(f"{target.stem}-{topic}.svg") for topic in series}
    for topic, graph in graphs.items():
        graph.write_text(plots.graph(series[topic]), encoding="utf-8")
    target.write_text(page(figures, {topic: graph.name for topic, graph in graphs.items()}), encoding="utf-8")
    source.with_suffix(".html").write_text(plots.page(figures, series), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
