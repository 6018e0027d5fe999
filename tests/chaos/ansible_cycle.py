# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a cycle that can be told to kill itself, or to lose the answer to a call.

Its name begins with "ansible" because the holder of a lease is an Ansible process (_beanstalk/core/process.py).
Usage: ansible_cycle.py APPLICATION [kill:PHASE:N] [lose:ACTION] [goal:GOAL] [keep:SECONDS] [dns:SECONDS]
[verify:SECONDS] [version:LABEL] [force:0] [age:SECONDS] [leader:1] [wait:SECONDS] [probe:URL_SERVICE] [skew:SECONDS]
[stop:ACTION] [drain:SECONDS]
PHASE is before (nothing written), middle (recorded, not done) or after; N counts steps that are not waits.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))

import conftest  # noqa: E402, F401 - makes the collection importable
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import calls  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.account import Account  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.executor import Executor  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.observer import Observer  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (  # noqa: E402
    Action,
    Goal,
    Policy,
    Step,
    World,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.smoke_tests import Check, Prober  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore  # noqa: E402

QUICK = {
    "force": True,
    "poll": 0.5,
    "soak": 1,
    "settle": 4,
    "step_fresh": 2,
    "dns_ttl": 1,
    "dns_margin": 1,
    "lease_ttl": 12,
    "drain_max": 10,
    "probes_in_a_row": 1,
}


SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "version": ("version_label", str),
    "keep": ("keep_retired", float),
    "verify": ("verify_timeout", float),
    "force": ("force", lambda text: text == "1"),
    "age": ("min_age", float),
    "leader": ("require_leader_tasks", lambda text: text == "1"),
    "wait": ("lock_wait", float),
    "drain": ("drain_max", float),
}


class Fragile(Executor):
    """An executor that dies when told to."""

    kill: tuple[str, int] = ("", 0)
    lose: str = ""
    stop: str = ""
    count = 0

    def wait_for_room_once(self) -> None:
        """There is no room for another cycle, and then there is."""
        waits = iter([True])
        self._begin = lambda: next(waits, False)

    def _perform(self, world: World, step: Step) -> bool:
        if step.action not in (Action.WAIT, Action.DRAIN):
            self.count += 1
        self._die("before")
        done = super()._perform(world, step)
        self._die("after")
        return done

    def _write(self, world: World, step: Step) -> None:
        super()._write(world, step)
        if step.action == self.stop:
            self.stop = ""
            os.kill(os.getpid(), signal.SIGSTOP)

    def _act(self, world: World, step: Step) -> None:
        self._die("middle")
        super()._act(world, step)
        if step.action == self.lose:
            self.lose = ""
            raise AnsibleBeanstalkError(message="the answer was lost")

    def _die(self, phase: str) -> None:
        if self.kill == (phase, self.count):
            os.kill(os.getpid(), signal.SIGKILL)


def make(application: str, owner: str, service: str = "", **policy: Any) -> Fragile:
    """A run over the application's only logical environment, at the pace of a fast localstalk."""
    reader = boto3.client("elasticbeanstalk")
    writer = boto3.client("elasticbeanstalk", config=Config(**calls.ONE_ATTEMPT))
    prefix = f"{application}-live"
    store = LockStore(boto3.client("s3"), reader.create_storage_location()["S3Bucket"], application, prefix)
    settings = Policy(**{**QUICK, "base_name": application, **policy})
    observer = Observer(reader, application, prefix, settings.step_fresh)
    prober = Prober([Check()] if service else [], service)
    account = Account(boto3.client)
    return Fragile(reader, writer, store, observer, settings, owner=owner, prober=prober, account=account)


def main(application: str, *options: str) -> None:
    """Run, and say how it ended."""
    given = {name: rest for name, _, rest in (option.partition(":") for option in options)}
    policy: dict[str, Any] = {"goal": Goal(given.get("goal", "recreate"))}
    policy |= {name: kind(given[key]) for key, (name, kind) in SETTINGS.items() if key in given}
    if "skew" in given:
        skewed = time.time
        time.time = lambda: skewed() + float(given["skew"])
    if "dns" in given:
        policy |= {"dns_ttl": float(given["dns"]), "settle": 10, "step_fresh": 8}
    run = make(application, f"run-{uuid.uuid4().hex[:8]}", given.get("probe", ""), **policy)
    if "kill" in given:
        phase, _, number = given["kill"].partition(":")
        run.kill = (phase, int(number))
    if "full" in given:
        run.wait_for_room_once()
    run.lose, run.stop = given.get("lose", ""), given.get("stop", "")
    ended = run.run()
    summary = {
        "result": ended.result,
        "sentence": ended.sentence,
        "steps": [one["action"] for one in ended.steps],
        "reasons": [one["reason"] for one in ended.steps],
        "failure": ended.failure,
    }
    sys.stdout.write(json.dumps(summary, default=str) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
