# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle asks for when many run at once: tags once on this controller, and nothing while EB is at work."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.account import Account
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.executor import Executor
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.observer import Observer
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.base import counts_requests
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Action,
    Environment,
    Goal,
    Journal,
    Lock,
    Policy,
    Record,
    Status,
    Step,
    World,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.record import to_document
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.tags import TagReader
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Lease, LeaseLostError

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
        "DateUpdated": changed.isoformat(),
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


def test_a_fleet_reads_the_tags_of_each_environment_once_and_takes_turns(tmp_path: Path) -> None:
    service, path = Tags(), tmp_path / "tags.json"
    fleet = [described(f"e-{number}") for number in range(50)]
    service.tags = {one["EnvironmentId"]: {"jack:logical": "blog/live"} for one in fleet}
    first = TagReader(service, Memory(path), "blog/live")
    first.learn([*fleet, described("e-updating", status="Updating")])
    second = TagReader(service, Memory(path), "blog/live")
    second.learn(fleet)
    assert {one["EnvironmentId"]: second.of(one) for one in fleet} == service.tags
    assert service.asked == list(service.tags), "each once, and not of one that is being updated"


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

    def environments(self, _record: Record, not_before: float, *, counting: bool) -> tuple[Environment, ...]:
        assert not_before > 0
        self.looks += 1
        if self.looks > 1:
            raise EndError
        return pair(self.journal, self.status)

    def cname(self, _environments: tuple[Environment, ...]) -> str:
        return "live"

    def unclear(self, _name: str) -> str:
        return ""

    def unchanged(self, ids: list[str], not_before: float) -> bool:
        assert ids == ["e-1", "e-2"]
        assert not_before > 0
        self.glances += 1
        return self.script(self.glances)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watch(scripted: Scripted, **given: float) -> None:
    """Run a cycle that is told to look every ten seconds until its second close look."""
    nothing: Any = SimpleNamespace(sample=lambda _name: None)
    anything: Any = scripted
    policy = replace(Policy(poll=10, settle=900, dns_ttl=20, dns_margin=15), **given)
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


@pytest.mark.parametrize(("lease_ttl", "longest"), [(180, 20), (90, 15)])
def test_the_longer_a_launch_takes_the_less_often_it_is_looked_at(lease_ttl: float, longest: float) -> None:
    """At most two intervals apart, and a sixth of the lease, so that it is renewed in time."""
    times: list[float] = []

    def unchanged(_glance: int) -> bool:
        times.append(scripted.now - 1000)
        return scripted.now < 1850

    scripted = Scripted(BEFORE_SWAP, Status.LAUNCHING, unchanged)
    scripted.lasts = 10_000
    watch(scripted, lease_ttl=lease_ttl)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert times[:20] == [10.0 * number for number in range(1, 21)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == longest


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


class Service:
    """An Elastic Beanstalk with two environments of one logical environment, which counts what is asked."""

    meta = SimpleNamespace(endpoint_url="http://scripted", region_name="eu-central-1")

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.status = "Ready"
        self.minutes = 0
        self.names = {"e-1": "live", "e-2": "blog-2"}

    def describe_environments(self, **_filters: Any) -> dict[str, Any]:
        self.asked["environments"] += 1
        given = {"ApplicationName": "blog", "Health": "Green"}
        return {
            "Environments": [
                {
                    **described(one, self.minutes, self.status),
                    **given,
                    "EnvironmentName": name,
                    "CNAME": f"{name}.eu-central-1.elasticbeanstalk.com",
                }
                for one, name in self.names.items()
            ]
        }

    def list_tags_for_resource(self, **_arn: Any) -> dict[str, Any]:
        self.asked["tags"] += 1
        return {"ResourceTags": []}

    def describe_configuration_settings(self, **_names: Any) -> dict[str, Any]:
        self.asked["settings"] += 1
        return {"ConfigurationSettings": [{"OptionSettings": []}]}

    def describe_instances_health(self, **_names: Any) -> dict[str, Any]:
        self.asked["instances"] += 1
        return {"InstanceHealthList": [{"Deployment": {"VersionLabel": "v1"}}]}

    def describe_application_versions(self, **_names: Any) -> dict[str, Any]:
        self.asked["versions"] += 1
        return {"ApplicationVersions": [{"VersionLabel": "v1", "DateCreated": START}]}

    def describe_applications(self, **_names: Any) -> dict[str, Any]:
        self.asked["applications"] += 1
        return {"Applications": [{"ConfigurationTemplates": ["mine", "old-261129-010203"]}]}

    def describe_environment_health(self, **_names: Any) -> dict[str, Any]:
        self.asked["requests"] += 1
        return {"ApplicationMetrics": {"RequestCount": 5, "Duration": 10}}


@pytest.mark.usefixtures("nothing_known")
def test_what_cycles_ask_for_in_one_tick_is_asked_once_and_after_a_change_of_their_own_again() -> None:
    service = Service()
    record = Record(journal=replace(BEFORE_SWAP, last_swap=None, healthy=999.0))
    observer, other = (Observer(service, "blog", "live") for _cycle in range(2))
    began = time.monotonic()
    candidate = observer.environments(record, began, counting=True)[1]
    assert (candidate.instance_labels, candidate.requests) == (("v1",), 30)
    assert service.asked == {"environments": 1, "tags": 2, "settings": 2, "instances": 1, "requests": 1}
    assert observer.environments(record, began, counting=True)[1] == candidate
    assert service.asked == {"environments": 1, "tags": 2, "settings": 2, "instances": 1, "requests": 1}
    # Another cycle has the environments and tags from this one.
    other.environments(Record(), began)
    assert service.asked == {"environments": 1, "tags": 2, "settings": 3, "instances": 1, "requests": 1}
    observer.environments(record, time.monotonic(), counting=True)
    assert service.asked == {"environments": 2, "tags": 2, "settings": 3, "instances": 2, "requests": 2}


@pytest.mark.usefixtures("nothing_known")
def test_what_instances_say_is_good_for_a_while_unless_the_environment_changed_or_should_be_empty() -> None:
    service = Service()
    observer = Observer(service, "blog", "live", fresh=60)
    before = replace(BEFORE_SWAP, last_swap=None, healthy=999.0)

    def asked(journal: Journal) -> dict[str, int]:
        counted = service.asked.copy()
        observer.environments(Record(journal=journal), time.monotonic(), counting=True)
        return {name: count for name, count in (service.asked - counted).items() if name in ("instances", "requests")}

    assert asked(before) == {"instances": 1, "requests": 1}
    assert asked(before) == {}
    service.minutes = 1
    assert asked(before) == {"instances": 1, "requests": 1}
    assert [asked(SWAPPED), asked(SWAPPED)] == [{"requests": 1}] * 2


@pytest.mark.usefixtures("nothing_known")
def test_requests_are_counted_only_once_they_matter() -> None:
    service = Service()
    observer = Observer(service, "blog", "live")

    def counted(**changes: Any) -> list[int | None]:
        journal = replace(BEFORE_SWAP, last_swap=None, **changes)
        counting = counts_requests(journal, Policy(dns_ttl=60, dns_margin=30), 1090.0)
        found = observer.environments(Record(journal=journal), time.monotonic(), counting=counting)
        return [one.requests for one in found]

    assert counted() == [None, None], "the candidate is not healthy yet"
    assert counted(healthy=999.0) == [None, 30]
    assert counted(healthy=999.0, swapped=1000.0) == [None, None], "it is not proven that the swap is over"
    assert counted(healthy=999.0, swapped=1001.0, proven=1002.0) == [None, None], "DNS may still lead to the old one"
    assert service.asked["requests"] == 1
    assert counted(healthy=999.0, swapped=1000.0, proven=1001.0) == [30, None]
    assert counted(swapped=1000.0, failed="it turned Red") == [30, None]


@pytest.mark.usefixtures("nothing_known")
def test_between_swap_and_drained_nothing_is_asked_again_but_before_anything_is_terminated() -> None:
    service = Service()
    observer = Observer(service, "blog", "live")

    def asked(minutes: int, **changes: Any) -> tuple[int, int]:
        before, service.minutes = service.asked.copy(), minutes
        observer.environments(Record(journal=replace(SWAPPED, **changes)), time.monotonic())
        return service.asked["settings"] - before["settings"], service.asked["tags"] - before["tags"]

    assert asked(0) == (2, 2), "a run that goes on with another's cycle knows none"
    assert asked(1) == (0, 0)
    assert asked(1, failed="it turned Red") == (2, 2)
    assert asked(2) == (0, 0)
    assert asked(2, drained=1100.0) == (2, 2)
    assert asked(2, drained=1100.0) == (0, 0)


@pytest.mark.usefixtures("nothing_known")
def test_the_look_that_finds_the_swap_done_asks_for_nothing_but_the_environments() -> None:
    service = Service()
    observer = Observer(service, "blog", "live")
    record = Record(journal=replace(SWAPPED, last_swap=1000.0, swapped=None, proven=None))
    service.names = {"e-1": "blog-1", "e-2": "other"}
    observer.environments(record, time.monotonic(), counting=True)
    service.minutes, before = 1, service.asked.copy()
    observer.environments(record, time.monotonic(), counting=True)
    assert (service.asked - before)["tags"] == 2, "nobody holds the live name"
    service.names["e-2"] = "live"
    service.minutes, before = 2, service.asked.copy()
    observer.environments(record, time.monotonic(), counting=True)
    assert service.asked - before == {"environments": 1}


@pytest.mark.usefixtures("nothing_known")
def test_tags_that_the_cycle_has_set_are_known_without_asking() -> None:
    service = Service()
    observer = Observer(service, "blog", "live")
    record = Record(journal=SWAPPED)
    observer.environments(record, time.monotonic())
    observer.tagged("e-2", {"jack:role": "live"})
    service.minutes = 1
    assert [one.tags for one in observer.environments(record, time.monotonic())] == [{}, {"jack:role": "live"}]
    assert service.asked["tags"] == 2


@pytest.mark.usefixtures("nothing_known")
def test_versions_and_saved_configurations_are_asked_for_once_by_all_cycles_of_a_tick() -> None:
    service = Service()
    moment = time.monotonic()
    for _cycle in range(3):
        observer = Observer(service, "blog", "live")
        environments = observer.environments(Record(), moment)
        assert [(one.label, one.created) for one in observer.versions(environments)] == [("v1", START.timestamp())]
        assert observer.templates("old", environments) == ("old-261129-010203",)
    assert (service.asked["versions"], service.asked["applications"]) == (1, 1)
    # A cycle that begins may be told what another was told a moment ago; whoever has deleted some asks anew.
    Observer(service, "blog", "live").versions(environments, 60)
    assert service.asked["versions"] == 1
    environments = observer.environments(Record(), time.monotonic())
    observer.versions(environments)
    observer.templates("old", environments)
    assert (service.asked["versions"], service.asked["applications"]) == (2, 2)


@pytest.mark.usefixtures("nothing_known")
def test_tags_of_one_that_is_being_terminated_are_what_they_were() -> None:
    service = Service()
    observer = Observer(service, "blog", "live")
    observer.environments(Record(journal=SWAPPED), time.monotonic())
    service.status, service.minutes = "Terminating", 1
    observer.environments(Record(journal=SWAPPED), time.monotonic())
    assert service.asked["tags"] == 2


@pytest.mark.usefixtures("nothing_known")
def test_an_answer_may_be_as_old_as_the_asker_says_while_the_environment_is_the_same() -> None:
    service = Service()
    observer = Observer(service, "blog", "live")
    answers = itertools.count()

    def answer(age: float) -> int:
        observer.environments(Record(journal=SWAPPED), time.monotonic())
        return observer.recent("capacity", "e-1", lambda: next(answers), age)

    assert [answer(0), answer(60), answer(0), answer(60)] == [0, 0, 1, 1]
    service.minutes = 1
    assert answer(60) == 2


@pytest.mark.usefixtures("nothing_known")
def test_a_change_of_either_environment_is_noticed_by_a_look_that_somebody_else_had() -> None:
    service = Service()
    observer, other = (Observer(service, "blog", "live") for _cycle in range(2))
    observer.environments(Record(), time.monotonic())
    moment = time.monotonic()
    other.environments(Record(), moment)
    assert observer.unchanged(["e-1", "e-2"], moment)
    assert service.asked["environments"] == 2
    service.names["e-2"] = "blog-3"
    other.environments(Record(), time.monotonic())
    assert not observer.unchanged(["e-1", "e-2"], moment)
    assert observer.unchanged(["e-1"], moment)
    assert service.asked["environments"] == 3
    del service.names["e-1"]
    assert not observer.unchanged(["e-1"], time.monotonic())
    assert service.asked["environments"] == 4


@pytest.mark.usefixtures("nothing_known")
def test_in_a_cycle_tags_of_what_is_named_after_another_environment_are_not_read() -> None:
    service = Service()
    service.names |= {"e-3": "shop-261129-010203", "e-4": "blog-261129-010203-2"}
    begun = replace(BEFORE_SWAP, candidate="", candidate_name="blog-261129-010203", last_swap=None)
    observer = Observer(service, "blog", "live")
    observer.environments(Record(journal=begun), time.monotonic())
    assert service.asked["tags"] == 2, "of the live one, and of what may be the candidate"
    # Before a cycle, whatever was left over by an earlier one may have any name.
    Observer(service, "blog", "live").environments(Record(), time.monotonic())
    assert service.asked["tags"] == 4


@pytest.mark.usefixtures("nothing_known")
def test_settings_and_tags_of_an_environment_are_asked_for_again_once_it_was_updated() -> None:
    service = Service()
    record = Record(journal=replace(BEFORE_SWAP, last_swap=None))
    observer = Observer(service, "blog", "live")

    def asked_in_a_look() -> tuple[int, int]:
        before = service.asked.copy()
        observer.environments(record, time.monotonic())
        return service.asked["tags"] - before["tags"], service.asked["settings"] - before["settings"]

    assert asked_in_a_look() == (2, 2)
    service.status, service.minutes = "Updating", 1
    assert asked_in_a_look() == (0, 0)
    service.status, service.minutes = "Ready", 2
    assert asked_in_a_look() == (2, 2)
    # Nothing is known of one that is met while it is updated, and that is not what it will be.
    service.status, observer = "Updating", Observer(service, "blog", "live")
    assert asked_in_a_look() == (2, 2)
    service.status = "Ready"
    assert asked_in_a_look()[1] == 2


@pytest.mark.usefixtures("nothing_known")
@pytest.mark.parametrize(("allowed", "used_up"), [(2, "environments"), (3, "Auto Scaling groups")])
def test_quotas_are_looked_at_once_for_all_cycles_that_begin_together(allowed: int, used_up: str) -> None:
    service = Service()

    def quotas() -> dict[str, Any]:
        service.asked["quotas"] += 1
        return {"ResourceQuotas": {"EnvironmentQuota": {"Maximum": allowed}}}

    def limits() -> dict[str, Any]:
        service.asked["limits"] += 1
        return {"NumberOfAutoScalingGroups": 2, "MaxNumberOfAutoScalingGroups": 2}

    service.describe_account_attributes = quotas  # type: ignore[attr-defined]
    # Another service has another client, at another address.
    scaling = SimpleNamespace(
        meta=SimpleNamespace(endpoint_url="http://scaling", region_name="eu-central-1"), describe_account_limits=limits
    )
    clients: dict[str, Any] = {"elasticbeanstalk": service, "autoscaling": scaling}
    said = {Account(clients.__getitem__).shortage({}) for _cycle in range(3)}
    assert said == {f"the region's quota of 2 {used_up} is used up"}
    assert service.asked == {"environments": 1, "quotas": 1} | ({"limits": 1} if allowed == 3 else {})


class Turns:
    """A budget in which every other request has to wait, and what else an executor needs to swap."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.done: list[str] = []

    def turn(self) -> bool:
        self.done.append("turn")
        return self.done.count("turn") % 2 == 1

    def take(self, lease: Lease, *_given: object) -> Lease:
        self.done.append("written")
        return lease

    def swap_environment_cnames(self, **_names: str) -> None:
        self.done.append("swapped")

    def sleep(self, seconds: float) -> None:
        self.done.append(f"slept {seconds:.0f}")


def test_a_turn_is_waited_for_before_a_request_is_announced_and_kept_until_it_is_sent() -> None:
    turns: Any = Turns()
    observer: Any = SimpleNamespace(raw={}, logical="blog/live")
    given = {"owner": "me", "prober": observer, "account": observer, "turn": turns.turn, "sleep": turns.sleep}
    executor = Executor(None, turns, turns, observer, Policy(), **given)
    world = World(1000.0, 1000.0, "me", "blog/live", "blog", "live", (), Lock())
    swap = Step(Action.SWAP, "a swap", environment="e-2", other="e-1", record=Record())
    assert not executor._perform(world, swap)
    assert turns.done == ["turn"], "it looks again first, as the world may be another by now"
    assert executor._perform(world, swap)
    # And it does not look again before the next tick, so that cycles share that look.
    sent = ["turn", "written", "swapped", "slept 10"]
    assert turns.done == sent
    assert executor._perform(world, swap)
    assert turns.done == [*sent, *sent]
