# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and cycles that get a signal at a random moment: the next run ends well, with no promise broken.

A run is what it is with Ansible: a worker does it, and its parent follows what it tells; see ansible_parent.py.
``tests/unit/playbooks/test_signals.py`` has the playbooks themselves.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.process import PROC
from chaos.local import HERE, add_version, deploy, localstalk, run
from chaos.promises import Ended, broken_promises, left_behind

SPEED = 60
"""Slow enough for a run to have many moments."""
SHARES = {"deployment": (15, 15, 15, 15), "cycle": (10, 10, 10, 10)}
"""How many runs of each application are to be stopped by their signals."""
WANTED = 100
assert sum(map(sum, SHARES.values())) >= WANTED
LIMIT = 120
"""Seconds that the next run may take, on a busy machine."""


def whole_group(parent: int, _worker: int, number: signal.Signals) -> None:
    os.killpg(parent, number)


def parent_alone(parent: int, _worker: int, number: signal.Signals) -> None:
    os.kill(parent, number)


def worker_alone(_parent: int, worker: int, number: signal.Signals) -> None:
    os.kill(worker, number)


STRIKES: dict[str, tuple[Callable[[int, int, signal.Signals], None], signal.Signals]] = {
    # A terminal and a service manager send these to all.
    "TERM": (whole_group, signal.SIGTERM),
    "INT": (whole_group, signal.SIGINT),
    "HUP of the parent": (parent_alone, signal.SIGHUP),
    "KILL of the parent": (parent_alone, signal.SIGKILL),
    "KILL of the worker": (worker_alone, signal.SIGKILL),
}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with localstalk(tmp_path_factory.mktemp("slow"), "sim", SPEED) as variables:
        yield variables


def wait_until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def is_over(pid: int) -> bool:
    """Whether a process has ended; nobody may have taken note of it yet."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].startswith(("Z", "X"))
    except FileNotFoundError:
        return True


@dataclass
class Victim:
    """An application whose runs get signals."""

    aws: dict[str, str]
    folder: Path
    kind: str
    application: str
    version: str = "v1"
    length: float = 0.0
    """Seconds from its first step to its end."""
    runs: int = 0
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def options(self) -> tuple[str, ...]:
        return (f"version_label:{self.version}",) if self.kind == "deployment" else ()

    def start(self) -> tuple[subprocess.Popen[bytes], int, Path]:
        """Start a run; returns its parent, the worker and the file of its output, once its first step has begun."""
        self.runs += 1
        self.version = f"v{self.runs % 2 + 1}" if self.kind == "deployment" else "v1"
        progress, output = (self.folder / f"{self.application}-{self.runs}{end}" for end in (".progress", ".output"))
        progress.touch()
        command = [sys.executable, HERE / "ansible_parent.py", progress, self.kind, self.application, *self.options]
        with output.open("wb") as file:
            running = subprocess.Popen(command, env=self.aws, stdout=file, stderr=file, start_new_session=True)
        wait_until(lambda: progress.stat().st_size or running.poll() is not None, "the first step")
        return running, int(output.read_text().split()[0]), output

    def measure(self) -> None:
        running, _worker, output = self.start()
        began = time.monotonic()
        running.wait(timeout=LIMIT)
        self.length = time.monotonic() - began
        assert succeeded(output), output.read_text()

    def strike(self, how: str, moment: float) -> None:
        """A run that gets a signal at a moment of its length, and the next one, after which no promise is broken."""
        send, number = STRIKES[how]
        running, worker, output = self.start()
        time.sleep(moment * self.length)
        if running.poll() is None:
            send(running.pid, worker, number)
        running.wait(timeout=LIMIT)
        problems = broken_promises(Ended("", None), left_behind(self.aws, self.application, self.version))
        began = time.monotonic()
        status, result = run(self.aws, self.application, *self.options, kind=self.kind)
        said = json.dumps(result)
        ended = Ended(said, status == 0 and is_good(result), time.monotonic() - began, LIMIT)
        problems += broken_promises(ended, left_behind(self.aws, self.application, self.version))
        wait_until(lambda: is_over(worker), f"{how}: the worker has not ended")
        where = f"{self.application}, run {self.runs}, {how} at {moment:.2f} of {self.length:.1f} s"
        assert problems == [], f"{where}: {problems}\n{said}\n{output.read_text()}"
        assert ended.succeeded, f"{where}: {said}"
        self.struck[how] += not succeeded(output)


def is_good(result: dict[str, Any]) -> bool:
    return not result.get("failed") and result.get("result", "done") in ("done", "skipped")


def succeeded(output: Path) -> bool:
    """Whether a run came to its end, by what it printed."""
    lines = [line for line in output.read_text().splitlines() if line.startswith("{")]
    return bool(lines) and is_good(json.loads(lines[-1]))


def test_promises_hold_after_signals(slow: dict[str, str], tmp_path: Path, figures: Callable[[str], None]) -> None:
    def strike_all(kind: str, number: int) -> Victim:
        victim = Victim(slow, tmp_path, kind, f"{kind}{number}")
        chance = random.Random(victim.application)  # noqa: S311
        deploy(slow, victim.application)
        add_version(slow, victim.application, "v2")
        victim.measure()
        wanted = SHARES[kind][number]
        while victim.struck.total() < wanted:
            assert victim.runs < 3 * wanted, f"of {victim.runs} signals, only {victim.struck.total()} came in time"
            for how in chance.sample(list(STRIKES), len(STRIKES)):
                victim.strike(how, chance.random())
        return victim

    with ThreadPoolExecutor(4) as pool:
        kinds = [(kind, number) for kind, shares in SHARES.items() for number in range(len(shares))]
        victims = list(pool.map(lambda one: strike_all(*one), kinds))
    struck = sum((victim.struck for victim in victims), Counter())
    assert struck.total() >= WANTED
    assert set(struck) == set(STRIKES)
    by_kind = Counter({kind: sum(one.struck.total() for one in victims if one.kind == kind) for kind in SHARES})
    runs = sum(victim.runs - 1 for victim in victims)
    told = ", ".join(f"{count} {how}" for how, count in struck.items())
    figures(
        f"{runs} signals at random moments, {struck.total()} while work was under way ({told}; "
        f"{by_kind['deployment']} deployments, {by_kind['cycle']} cycles), each followed by a run that ended well"
    )
