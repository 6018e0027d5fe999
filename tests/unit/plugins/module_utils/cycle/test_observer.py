# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle asks for when many run at once: tags once for all, and nothing while EB is at work."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.clock import SystemClock
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.account import Account
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.observer import Observer
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.base import counts_requests
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Environment,
    Goal,
    Journal,
    Policy,
    Record,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.tags import TagCache
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.single_flight import SingleFlight
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import Snapshot

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


def test_tags_are_read_once_for_all_cycles() -> None:
    service = Tags()
    cache = TagCache(service)
    for logical in ("blog/live", "blog/other"):
        for _look in range(2):
            assert {name: cache.of(described(name), logical) for name in service.tags} == service.tags
    assert service.asked == ["e-1", "e-2", "e-3"]


def test_tags_are_read_again_after_a_change_unless_the_environment_is_anothers() -> None:
    service = Tags()
    cache = TagCache(service)
    for name in service.tags:
        cache.of(described(name), "blog/live")
    service.asked.clear()
    service.tags["e-1"]["jack:role"] = "live"
    changed = cache.of(described("e-1", minutes=1), "blog/live")
    assert changed == {"jack:logical": "blog/live", "jack:role": "live"}
    assert cache.of(described("e-2", minutes=1), "blog/live") == {"jack:logical": "blog/other"}
    cache.of(described("e-3", minutes=1), "blog/live")
    assert service.asked == ["e-1", "e-3"]


def test_tags_that_no_cycle_writes_are_dropped_with_a_sentence() -> None:
    service = Tags()
    right = {"jack:logical": "blog/live", "jack:cycle": "20260301T020000Z-7", "jack:role": "retired", "team": "web"}
    service.tags["e-1"] = dict(right)
    service.tags["e-2"] = right | {"jack:cycle": "mine", "jack:role": "king"}
    cache = TagCache(service)
    assert cache.of(described("e-1"), "blog/live") == right
    assert cache.of(described("e-2"), "blog/live") == {"jack:logical": "blog/live", "team": "web"}
    assert cache.dropped == {
        "e-1": [],
        "e-2": [
            f"Somebody else than a cycle wrote a tag, which is not used: {what}."
            for what in (
                "the tag jack:cycle of e-2 is a text, and not the id of a cycle",
                "the tag jack:role of e-2 is a text, and not one of candidate, live, retired",
            )
        ],
    }


def test_tags_of_an_environment_that_is_being_changed_are_never_remembered() -> None:
    service = Tags()
    cache = TagCache(service)
    for _look in range(2):
        cache.of(described("e-1", status="Updating"), "blog/live")
    assert service.asked == ["e-1", "e-1"]
    cache.of(described("e-1"), "blog/live")
    assert service.asked == ["e-1"] * 3


# As long as a swap may still take effect, the planner waits.
BEFORE_SWAP = Journal("c1", Goal.RECREATE, 990.0, "e-1", "v1", "v1", "blog-2", "blog-2", "e-2", last_swap=995.0)
SWAPPED = replace(BEFORE_SWAP, last_swap=None, swapped=1000.0, cname_checked=1000.0)


class Service:
    """An Elastic Beanstalk with two environments of one logical environment, which counts what is asked."""

    meta = SimpleNamespace(endpoint_url="http://scripted", region_name="eu-central-1")

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.status = "Ready"
        self.minutes = 0
        self.names = {"e-1": "live", "e-2": "blog-2"}
        self.counts = True  # enhanced health

    def describe_environments(self, **_filters: Any) -> dict[str, Any]:
        self.asked["environments"] += 1
        return {"Environments": self.environments()}

    def environments(self) -> list[dict[str, Any]]:
        given = {"ApplicationName": "blog", "Health": "Green"}
        return [
            {
                **described(one, self.minutes, self.status),
                **given,
                "EnvironmentName": name,
                "CNAME": f"{name}.eu-central-1.elasticbeanstalk.com",
            }
            for one, name in self.names.items()
        ]

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
        return {"ApplicationMetrics": {"RequestCount": 5, "Duration": 10}} if self.counts else {}


def cycles(service: Service, count: int = 1, **given: Any) -> list[Observer]:
    """Observers of so many cycles of one run."""
    clock = SystemClock()
    answers = SingleFlight(clock)
    return [Observer(service, clock, answers, "blog", "live", **given) for _cycle in range(count)]


def now(service: Service) -> Snapshot:
    """A snapshot of now."""
    at = SystemClock().now()
    return Snapshot(at, {one["EnvironmentId"]: one for one in service.environments()}, at, {})


def observe(observer: Observer, service: Service, record: Record, *, counting: bool = False) -> tuple[Environment, ...]:
    """A look at what is there now."""
    return observer.environments(now(service), record, counting=counting)


def test_what_a_cycle_asks_for_in_one_tick_is_asked_once_and_in_the_next_again() -> None:
    service = Service()
    record = Record(journal=replace(BEFORE_SWAP, last_swap=None, healthy=999.0))
    observer, other = cycles(service, 2)
    tick = now(service)
    candidate = observer.environments(tick, record, counting=True)[1]
    assert (candidate.instance_labels, candidate.requests) == (("v1",), 30)
    assert service.asked == {"tags": 2, "settings": 2, "instances": 1, "requests": 1}
    assert observer.environments(tick, record, counting=True)[1] == candidate
    assert service.asked == {"tags": 2, "settings": 2, "instances": 1, "requests": 1}
    # Another cycle has the tags from this one.
    other.environments(tick, Record())
    assert service.asked == {"tags": 2, "settings": 3, "instances": 1, "requests": 1}
    observe(observer, service, record, counting=True)
    assert service.asked == {"tags": 2, "settings": 3, "instances": 2, "requests": 2}


def test_a_cycle_sees_its_own_environments_and_all_where_nobody_is_live() -> None:
    service = Service()
    service.names["e-3"] = "shop"
    (observer,) = cycles(service)
    assert [one.id for one in observe(observer, service, Record(journal=BEFORE_SWAP))] == ["e-1", "e-2"]
    service.names["e-1"] = "blog-1"
    assert [one.id for one in observe(observer, service, Record(journal=BEFORE_SWAP))] == ["e-1", "e-2", "e-3"]


def test_what_instances_say_is_good_for_a_while_unless_the_environment_changed_or_should_be_empty() -> None:
    service = Service()
    (observer,) = cycles(service, fresh=60)
    before = replace(BEFORE_SWAP, last_swap=None, healthy=999.0, idle=30)

    def asked(journal: Journal) -> dict[str, int]:
        counted = service.asked.copy()
        observe(observer, service, Record(journal=journal), counting=True)
        return {name: count for name, count in (service.asked - counted).items() if name in ("instances", "requests")}

    verifying = replace(before, healthy=None)
    assert asked(verifying) == {"instances": 1, "requests": 1}
    assert asked(verifying) == {}
    service.minutes = 1
    assert asked(verifying) == {"instances": 1, "requests": 1}
    # Each count of the bake time tells more of the health checks.
    assert [asked(before), asked(before)] == [{"requests": 1}] * 2
    assert [asked(SWAPPED), asked(SWAPPED)] == [{"requests": 1}] * 2


def test_basic_health_is_not_asked_for_requests_at_every_tick() -> None:
    service = Service()
    service.counts = False
    (observer,) = cycles(service, fresh=60)
    record = Record(journal=replace(BEFORE_SWAP, last_swap=None, healthy=999.0))
    for _tick in range(3):
        assert [one.requests for one in observe(observer, service, record, counting=True)] == [None, None]
    assert service.asked["requests"] == 1


def test_requests_are_counted_only_once_they_matter() -> None:
    service = Service()
    (observer,) = cycles(service)

    def counted(**changes: Any) -> list[int | None]:
        journal = replace(BEFORE_SWAP, last_swap=None, **changes)
        counting = counts_requests(journal, Policy(dns_ttl=60, dns_margin=30), 1090.0)
        found = observe(observer, service, Record(journal=journal), counting=counting)
        return [one.requests for one in found]

    assert counted() == [None, None], "the candidate is not healthy yet"
    assert counted(healthy=999.0) == [None, 30]
    assert counted(healthy=999.0, swapped=1000.0) == [None, None], "it is not seen yet that the swap is over"
    assert counted(healthy=999.0, swapped=1001.0, cname_checked=1002.0) == [None, None], (
        "DNS may still lead to the old one"
    )
    assert service.asked["requests"] == 1
    assert counted(healthy=999.0, swapped=1000.0, cname_checked=1001.0) == [30, None]
    assert counted(swapped=1000.0, failed="it turned Red") == [30, None]


def test_between_swap_and_drained_nothing_is_asked_again_but_before_anything_is_terminated() -> None:
    service = Service()
    (observer,) = cycles(service)

    def asked(minutes: int, **changes: Any) -> tuple[int, int]:
        before, service.minutes = service.asked.copy(), minutes
        observe(observer, service, Record(journal=replace(SWAPPED, **changes)))
        return service.asked["settings"] - before["settings"], service.asked["tags"] - before["tags"]

    assert asked(0) == (2, 2), "a run that goes on with another's cycle knows none"
    assert asked(1) == (0, 0)
    assert asked(1, failed="it turned Red") == (2, 2)
    assert asked(2) == (0, 0)
    assert asked(2, drained=1100.0) == (2, 2)
    assert asked(2, drained=1100.0) == (0, 0)


def test_the_look_that_finds_the_swap_done_asks_for_nothing_but_the_environments() -> None:
    service = Service()
    (observer,) = cycles(service)
    record = Record(journal=replace(SWAPPED, last_swap=1000.0, swapped=None, cname_checked=None))
    service.names = {"e-1": "blog-1", "e-2": "other"}
    observe(observer, service, record, counting=True)
    service.minutes, before = 1, service.asked.copy()
    observe(observer, service, record, counting=True)
    assert (service.asked - before)["tags"] == 2, "nobody holds the live name"
    service.names["e-2"] = "live"
    service.minutes, before = 2, service.asked.copy()
    observe(observer, service, record, counting=True)
    assert service.asked - before == {}


def test_tags_that_the_cycle_has_set_are_known_without_asking() -> None:
    service = Service()
    (observer,) = cycles(service)
    record = Record(journal=SWAPPED)
    observe(observer, service, record)
    observer.tagged("e-2", {"jack:role": "live"})
    service.minutes = 1
    assert [one.tags for one in observe(observer, service, record)] == [{}, {"jack:role": "live"}]
    assert service.asked["tags"] == 2


def test_versions_and_saved_configurations_are_asked_for_once_by_all_cycles_of_a_tick() -> None:
    service = Service()
    three, tick = cycles(service, 3), now(service)
    for observer in three:
        environments = observer.environments(tick, Record())
        assert [(one.label, one.created) for one in observer.versions(environments)] == [("v1", START.timestamp())]
        assert observer.templates("old") == ("old-261129-010203",)
    assert (service.asked["versions"], service.asked["applications"]) == (1, 1)
    # A cycle that begins may be told what another was told a moment ago; whoever has deleted some asks anew.
    environments = observe(observer, service, Record())
    observer.versions(environments, 60)
    assert service.asked["versions"] == 1
    observer.versions(environments)
    observer.templates("old")
    assert (service.asked["versions"], service.asked["applications"]) == (2, 2)


def test_tags_of_one_that_is_being_terminated_are_what_they_were() -> None:
    service = Service()
    (observer,) = cycles(service)
    observe(observer, service, Record(journal=SWAPPED))
    service.status, service.minutes = "Terminating", 1
    observe(observer, service, Record(journal=SWAPPED))
    assert service.asked["tags"] == 2


def test_an_answer_may_be_as_old_as_the_asker_says_while_the_environment_is_the_same() -> None:
    service = Service()
    (observer,) = cycles(service)
    answers = itertools.count()

    def answer(age: float) -> int:
        observe(observer, service, Record(journal=SWAPPED))
        return observer.recent("capacity", "e-1", lambda: next(answers), age)

    assert [answer(0), answer(60), answer(0), answer(60)] == [0, 0, 1, 1]
    service.minutes = 1
    assert answer(60) == 2


def test_a_change_of_either_environment_is_noticed() -> None:
    service = Service()
    (observer,) = cycles(service)
    observe(observer, service, Record())
    assert observer.unchanged(["e-1", "e-2"], now(service))
    service.names["e-2"] = "blog-3"
    assert not observer.unchanged(["e-1", "e-2"], now(service))
    assert observer.unchanged(["e-1"], now(service))
    del service.names["e-1"]
    assert not observer.unchanged(["e-1"], now(service))


def test_in_a_cycle_tags_of_what_is_named_after_another_environment_are_not_read() -> None:
    service = Service()
    service.names |= {"e-3": "shop-261129-010203", "e-4": "blog-261129-010203-2"}
    begun = replace(BEFORE_SWAP, candidate="", candidate_name="blog-261129-010203", last_swap=None)
    (observer,) = cycles(service)
    observe(observer, service, Record(journal=begun))
    assert service.asked["tags"] == 2, "of the live one, and of what may be the candidate"
    # Before a cycle, whatever was left over by an earlier one may have any name.
    observe(cycles(service)[0], service, Record())
    assert service.asked["tags"] == 2 + 4


def test_settings_and_tags_of_an_environment_are_asked_for_again_once_it_was_updated() -> None:
    service = Service()
    record = Record(journal=replace(BEFORE_SWAP, last_swap=None))
    (observer,) = cycles(service)

    def asked_in_a_look() -> tuple[int, int]:
        before = service.asked.copy()
        observe(observer, service, record)
        return service.asked["tags"] - before["tags"], service.asked["settings"] - before["settings"]

    assert asked_in_a_look() == (2, 2)
    service.status, service.minutes = "Updating", 1
    assert asked_in_a_look() == (0, 0)
    service.status, service.minutes = "Ready", 2
    assert asked_in_a_look() == (2, 2)
    # Nothing is known of one that is met while it is updated, and that is not what it will be.
    service.status, (observer,) = "Updating", cycles(service)
    assert asked_in_a_look() == (2, 2)
    service.status = "Ready"
    assert asked_in_a_look()[1] == 2


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
    answers = SingleFlight(SystemClock())
    said = {Account(clients.__getitem__, answers).shortage({}) for _cycle in range(3)}
    assert said == {f"the region's quota of 2 {used_up} is used up"}
    assert service.asked == {"environments": 1, "quotas": 1} | ({"limits": 1} if allowed == 3 else {})
