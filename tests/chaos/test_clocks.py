# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers whose clocks are ten minutes apart: never do both believe that they may write."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Lease, LeaseLostError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from chaos.promises import Ended, Left, broken_promises
from unit.plugins.module_utils.run.simulation import SimulatedBucket, SimulatedClock

TTL, APART = 60.0, 600.0
HISTORIES, STEPS = 200, 60


class Controller:
    """A run that takes, renews and frees a lease by its own clock, and may stand still in between."""

    def __init__(self, name: str, clock: SimulatedClock, bucket: SimulatedBucket, offset: float) -> None:
        self.name = name
        self.lease = Lease()
        self.store = LockStore(
            bucket, "bucket", "shop", "live", monotonic=lambda: clock.now() + offset, sleep=clock.sleep
        )

    @property
    def may_write(self) -> bool:
        return self.lease.owner == self.name and self.lease.valid(self.name, self.store.now)

    def step(self, action: str) -> None:
        try:
            if action == "take":
                self.lease = self.store.acquire(self.name, "chaos", TTL)
            elif action == "free" and self.may_write:
                self.lease = self.store.release(self.lease)
            elif action == "renew" and self.may_write:
                self.lease = self.store.take(self.lease, self.name, "chaos", TTL)
        except LeaseLostError:
            self.lease = Lease()
        except AnsibleBeanstalkError as error:
            assert "holds the lock" in str(error)


@pytest.mark.parametrize("ahead", [APART, -APART])
def test_one_of_two_may_write(ahead: float, figures: Callable[[str], None]) -> None:
    turns = held = 0
    for history in range(HISTORIES):
        chance = random.Random(f"{history} {ahead}")  # noqa: S311
        clock = SimulatedClock()
        clock.at = 1000.0
        bucket = SimulatedBucket(clock)
        two = [Controller("a", clock, bucket, 0.0), Controller("b", clock, bucket, ahead)]
        for _step in range(STEPS):
            who = chance.choice(two)
            who.step(chance.choice(["take", "take", "renew", "free"]))
            clock.sleep(chance.choice([0.0, 0.4, 5.0, 31.0, 80.0]))
            writers = [one.name for one in two if one.may_write]
            held += bool(writers)
            turns += 1
            assert len(writers) < 2, f"history {history}: both may write"
        for one in two:
            one.step("free")
        clock.sleep(TTL + 30)
        two[0].step("take")
        assert two[0].may_write, "what a run left keeps the next one away for good"
        two[0].step("free")
        left = Left(["e-1"], True, 1, ["v1"], "v1", {name: who for name, who in bucket.owners().items() if who})
        assert broken_promises(Ended("", True), left) == []
    figures(
        f"{HISTORIES} histories of two controllers, {ahead:+.0f} seconds apart, {held} of {turns} steps with a writer"
    )
