# SPDX-License-Identifier: GPL-3.0-or-later
"""What one more environment costs a controller: calls, processor time and memory.

The control loop waits for environments that are simulated in this process, in one account with ever more of them and in
ten accounts with ten thousand. The memory is that of all processes of a real run for a thousand environments.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

from bench.deploys import ROOT
from bench.figures import Figure, figure
from bench.fleet import FleetPlace

_SPEED = 6.0
_MINUTE_S = 60.0
_SAMPLE_S = 0.25
_MESSAGE = "Batch 1: Completed application deployment command execution."


def measure(folder: Path, quick: bool) -> list[Figure]:
    """The control loop with ever more environments, then a real run whose processes are weighed."""
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
    figures = []
    for count in (10, 100) if quick else (10, 100, 1000):
        calls, took = _minute(count)
        figures += [
            figure(f"watch_calls_per_minute_{count}", [calls], "calls"),
            figure(f"watch_cpu_per_minute_{count}", [took], "s"),
        ]
    accounts, count = (2, 10) if quick else (10, 1000)
    minutes = [_minute(count) for _ in range(accounts)]
    figures += [
        figure("sharded_environments", [accounts * count], "environments"),
        figure("sharded_accounts", [accounts], "accounts"),
        figure("sharded_calls_per_minute_and_account", [calls for calls, _took in minutes], "calls"),
        figure("sharded_cpu_per_minute", [sum(took for _calls, took in minutes)], "s"),
    ]
    return [*figures, *_fleet(folder / "fleet", 20 if quick else 1000)]


def _minute(count: int) -> tuple[int, float]:
    """Calls and processor time of a minute in which so many deployments wait, and each environment says something."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.effects import Observe
    from unit.plugins.module_utils.run.simulation import World

    world = World()

    def waits(name: str) -> Iterator[Any]:
        while world.clock.now() < _MINUTE_S:
            yield Observe("shop", world.clock.now() + 1, f"{name} to become Ready")

    for number in range(count):
        name = f"shop-{number:05d}"
        world.service.add(name)
        world.clock.plan(_MINUTE_S * number / count, lambda name=name: world.service.tell(name, _MESSAGE))
        world.lane.add(name, waits(name), 2 * _MINUTE_S)
    started = time.process_time()
    world.lane.run()
    took = time.process_time() - started
    if len(world.heard.results) != count:
        raise RuntimeError(f"{world.heard.errors} while waiting for {count} environments")
    return world.service.calls["environments"] + world.service.calls["events"], took


def _fleet(folder: Path, count: int) -> list[Figure]:
    """One run for so many environments, by a controller that has deployed to them before."""
    place = FleetPlace(folder, _SPEED, count)
    try:
        place.run(place.ours())
        with _weighed() as peak:
            done = place.deploy()
    finally:
        place.localstalk.down()
    return [
        figure("fleet_1000_environments", [count], "environments"),
        figure("fleet_1000_finished_ratio", [done.finished / count], "", 1.0),
        figure("fleet_1000_private_mib", [peak.all_mib], "MiB", 500),
        figure("fleet_1000_engine_mib", [peak.engine_mib], "MiB", 150),
        figure("fleet_1000_calls_per_environment", [done.run.calls / count], "calls", 3),
        figure("fleet_1000_cpu_per_environment_s", [done.run.cpu_s / count], "s"),
        figure("fleet_1000_wall_s", [done.run.wall_s], "s"),
    ]


@dataclass
class _Peak:
    """The largest sums that were seen: of all processes of the run, and of those of the module."""

    all_mib: float = 0.0
    engine_mib: float = 0.0


@contextmanager
def _weighed() -> Iterator[_Peak]:
    """Weigh all processes below this one while the block runs, pages that several share once."""
    peak, over = _Peak(), threading.Event()

    def weigh() -> None:
        while not over.wait(_SAMPLE_S):
            found = [(_mib(pid), _is_ansible(pid)) for pid in _below(os.getpid())]
            peak.all_mib = max(peak.all_mib, sum(mib for mib, _ansible in found))
            peak.engine_mib = max(peak.engine_mib, sum(mib for mib, ansible in found if not ansible))

    thread = threading.Thread(target=weigh)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _below(pid: int) -> list[int]:
    """All processes below one, parents first."""
    found = [pid]
    for one in found:
        try:
            children = [task / "children" for task in Path(f"/proc/{one}/task").iterdir()]
            found += [int(child) for path in children for child in path.read_text().split()]
        except OSError:
            continue
    return found[1:]


def _mib(pid: int) -> float:
    """The process's share of memory (proportional set size); 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _is_ansible(pid: int) -> bool:
    """Whether it is ansible-playbook or one of its workers, and no module."""
    try:
        return b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
