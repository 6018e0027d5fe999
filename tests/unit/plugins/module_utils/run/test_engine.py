# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and regions of one run."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.effects import Pause, Reconciler
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.engine import Engine, Item, Services
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ItemProgress, ProgressFile

from .simulation import SimulatedClock

ACCOUNTS = [{"access_key": f"AKIA{number}", "secret_key": "not-a-secret"} for number in range(2)]
REGIONS = ["eu-central-1", "us-east-1"]


@dataclass
class Waits:
    """A job that goes on when all others have begun, and then takes so long by the clock of its lane."""

    seconds: float
    others: threading.Barrier

    def reconcile(self, services: Services, progress: ItemProgress) -> Reconciler:
        del progress
        self.others.wait(timeout=60)
        yield Pause(services.clock.now() + self.seconds)
        return {"changed": False, "ended": services.clock.now()}

    def failed(self, error: BaseException) -> dict[str, Any]:
        return {"changed": False, "failed": True, "msg": repr(error)}


def test_accounts_and_regions_together_take_as_long_as_the_slowest_of_them() -> None:
    durations = (60.0, 600.0, 30.0, 5.0)
    others = threading.Barrier(len(durations))
    places = [{**account, "region": region} for account, region in itertools.product(ACCOUNTS, REGIONS)]
    clocks: list[SimulatedClock] = []

    def clock() -> SimulatedClock:
        clocks.append(SimulatedClock())
        return clocks[-1]

    items = [
        Item(f"host-{seconds}", place, 1800.0, 5.0, Waits(seconds, others), ItemProgress(ProgressFile(), "host"))
        for place, seconds in zip(places, durations, strict=True)
    ]
    Engine(clock=clock).run(items)
    ended = [item.result["ended"] for item in items if item.result and "ended" in item.result]
    assert ended == [pytest.approx(seconds, abs=1) for seconds in durations]
    assert max(one.now() for one in clocks) == pytest.approx(600, abs=1), "and not the sum of them"
