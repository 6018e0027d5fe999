# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle asks for when many run at once: tags once on this controller, and nothing while EB is at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.common import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle_executor import Executor
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle_record import to_document
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle_tags import TagReader
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle_world import (
    Environment,
    Goal,
    Journal,
    Policy,
    Record,
    Status,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lease import Lease, LeaseLostError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.memory import Memory

START = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)


class Tags:
    """An Elastic Beanstalk that only knows tags, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.tags = {"e-1": {"jack:logical": "blog/live"}, "e-2": {"jack:logical": "blog/other"}, "e-3": {}}

    def list_tags_for_resource(self, ResourceArn: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(ResourceArn)
        return {"ResourceTags": [{"Key": key, "Value": value} for key, value in self.tags[ResourceArn].items()]}


def described(environment_id: str, minutes: int = 0, status: str = "Ready") -> dict[str, Any]:
    changed = START + timedelta(minutes=minutes)
    return {
        "EnvironmentId": environment_id,
        "EnvironmentArn": environment_id,
        "DateUpdated": changed,
        "Status": status,
    }


def test_tags_are_read_once_for_all_cycles_of_a_controller(tmp_path: Path) -> None:
    service = Tags()
    for logical in ("blog/live", "blog/other"):
        for _look in range(2):
            reader = TagReader(service, Memory(tmp_path / "tags.json"), logical)
            assert {name: reader.of(described(name)) for name in service.tags} == service.tags
    assert service.asked == ["e-1", "e-2", "e-3"]


def test_tags_are_read_again_after_a_change_unless_the_environment_is_anothers(tmp_path: Path) -> None:
    service = Tags()
    reader = TagReader(service, Memory(tmp_path / "tags.json"), "blog/live")
    for name in service.tags:
        reader.of(described(name))
    service.asked.clear()
    reader = TagReader(service, Memory(tmp_path / "tags.json"), "blog/live")
    service.tags["e-1"]["jack:role"] = "live"
    assert reader.of(described("e-1", minutes=1)) == {"jack:logical": "blog/live", "jack:role": "live"}
    assert reader.of(described("e-2", minutes=1)) == {"jack:logical": "blog/other"}
    reader.of(described("e-3", minutes=1))
    assert service.asked == ["e-1", "e-3"]


def test_tags_of_an_environment_that_is_being_changed_are_never_remembered(tmp_path: Path) -> None:
    service = Tags()
    reader = TagReader(service, Memory(tmp_path / "tags.json"), "blog/live")
    for _look in range(2):
        reader.of(described("e-1", status="Updating"))
    assert service.asked == ["e-1", "e-1"]
    reader.of(described("e-1"))
    assert service.asked == ["e-1"] * 3


class EndError(Exception):
    """The test has seen enough."""


# As long as a swap may still take effect, the planner waits.
BEFORE_SWAP = Journal("c1", Goal.RECREATE, 990.0, "e-1", "v1", "v1", "blog-2", "blog-2", "e-2", last_swap=995.0)
SWAPPED = replace(BEFORE_SWAP, last_swap=None, swapped=1000.0, proven=1000.0)


def pair(journal: Journal, status: Status) -> tuple[Environment, ...]:
    """The two environments of a cycle; ``status`` is the candidate's."""
    swapped = journal.swapped is not None
    tags = {"jack:cycle": journal.cycle, "jack:logical": "blog/live"}
    old = Environment("e-1", "blog-1", "blog", Status.READY, "Green", "blog-2" if swapped else "live", "v1", 0, 0)
    new = Environment("e-2", "blog-2", "blog", status, "Green", "live" if swapped else "blog-2", "v1", 990, 990)
    return replace(old, tags=tags | {"jack:role": "retired"}), replace(new, tags=tags | {"jack:role": "live"})


class Scripted:
    """Store and observer of a cycle on its way; a look after the first ends the test."""

    logical, application, prefix = "blog/live", "blog", "live"

    def __init__(self, journal: Journal, status: Status, unchanged: Callable[[int], bool]) -> None:
        self.journal, self.status, self.script = journal, status, unchanged
        self.now, self.lasts = 1000.0, 180.0
        self.looks, self.glances, self.reads = 0, 0, 0

    def read(self) -> Lease:
        self.reads += 1
        record = to_document(Record(journal=self.journal))
        return Lease(owner="me", token=1, expires=self.now + self.lasts, record=record)

    def take(self, *_given: object) -> Lease:
        raise LeaseLostError(message="The lock was taken by another run meanwhile.")

    def environments(self, _record: Record) -> tuple[Environment, ...]:
        self.looks += 1
        if self.looks > 1:
            raise EndError
        return pair(self.journal, self.status)

    def cname(self, _environments: tuple[Environment, ...]) -> str:
        return "live"

    def unchanged(self, ids: list[str], not_before: float) -> bool:
        assert ids == ["e-1", "e-2"]
        assert not_before > 0
        self.glances += 1
        return self.script(self.glances)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watch(scripted: Scripted) -> None:
    """Run a cycle that is told to look every ten seconds until its second close look."""
    nothing: Any = SimpleNamespace(sample=lambda _name: None)
    anything: Any = scripted
    policy = Policy(poll=10, settle=900, dns_ttl=20, dns_margin=15)
    executor = Executor(
        None, None, anything, anything, policy, owner="me", prober=nothing, account=nothing, sleep=scripted.sleep
    )
    with pytest.raises(EndError):
        executor.run()


def test_a_launch_is_waited_for_without_looks_of_its_own_until_something_changes() -> None:
    scripted = Scripted(BEFORE_SWAP, Status.LAUNCHING, lambda glance: glance < 4)
    watch(scripted)
    assert (scripted.looks, scripted.glances, scripted.now) == (2, 4, 1040.0)
    assert scripted.reads == 1, "whoever holds the lock does not read it"


def test_old_answers_of_dns_are_waited_for_without_looks() -> None:
    scripted = Scripted(SWAPPED, Status.READY, lambda _glance: True)
    watch(scripted)
    # Then the requests are counted, which takes a closer look.
    assert (scripted.looks, scripted.glances, scripted.now) == (2, 4, 1035.0)


def test_the_lease_is_renewed_in_a_long_wait() -> None:
    scripted = Scripted(BEFORE_SWAP, Status.LAUNCHING, lambda _glance: True)
    watch(scripted)
    # Half of the 180 seconds are over: a closer look, before it is written again.
    assert (scripted.looks, scripted.now) == (2, 1100.0)


def test_a_question_that_fails_leads_to_a_look() -> None:
    def fails(_glance: int) -> bool:
        raise AnsibleBeanstalkError(message="Rate exceeded")

    scripted = Scripted(BEFORE_SWAP, Status.LAUNCHING, fails)
    watch(scripted)
    assert (scripted.looks, scripted.glances) == (2, 1)


def test_a_request_that_may_still_take_effect_is_looked_for_closely() -> None:
    scripted = Scripted(BEFORE_SWAP, Status.READY, lambda _glance: True)
    watch(scripted)
    assert (scripted.looks, scripted.glances) == (2, 0)


def test_the_lock_is_read_again_when_it_was_lost() -> None:
    scripted = Scripted(BEFORE_SWAP, Status.LAUNCHING, lambda _glance: True)
    scripted.lasts = 80.0  # less than half of 180, so it is to be renewed at once
    watch(scripted)
    assert (scripted.looks, scripted.reads) == (2, 2)
