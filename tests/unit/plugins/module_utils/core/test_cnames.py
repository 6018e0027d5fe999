# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment a CNAME prefix means: every kind of CNAME, asked by everybody who takes a prefix."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import api, cnames, transformations
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.clock import SystemClock
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.observer import Observer
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.guards import (
    ownership_refusal,
    termination_refusal,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Lock,
    Observation,
    Record,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.arguments import ITEMS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.swap import Swap
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader import instances, query
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import environments, lookup
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.single_flight import SingleFlight
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import Snapshot

# Addresses as they were published by people who use them, with other names.
CNAMES = [
    ("us-east-1", "store.us-east-1.elasticbeanstalk.com", "store"),
    ("us-east-1", "Store.us-east-1.elasticbeanstalk.com", "store"),
    ("us-east-1", "store.elasticbeanstalk.com", "store"),
    ("us-east-1", "Store-env.eba-tar8m3ex.us-east-1.elasticbeanstalk.com", "store-env.eba-tar8m3ex"),
    ("us-west-2", "Default-Environment.p33kbzyxtx.us-west-2.elasticbeanstalk.com", "default-environment.p33kbzyxtx"),
    ("us-gov-west-1", "store.us-gov-west-1.elasticbeanstalk.com", "store"),
    ("us-gov-west-1", "store.eba-tar8m3ex.us-gov-west-1.elasticbeanstalk.com", "store.eba-tar8m3ex"),
    ("cn-north-1", "store.cn-north-1.eb.amazonaws.com.cn", "store"),
    ("cn-northwest-1", "store.eba-tar8m3ex.cn-northwest-1.eb.amazonaws.com.cn", "store.eba-tar8m3ex"),
    ("us-east-1", "us-east-1.elasticbeanstalk.com", "us-east-1"),
    ("us-east-1", "eu-west-1.us-east-1.elasticbeanstalk.com", "eu-west-1"),
    # Of elsewhere: another region's, another service's, another partition's, nothing.
    ("us-east-1", "store.eu-west-1.elasticbeanstalk.com", None),
    ("us-east-1", "store.eba-tar8m3ex.eu-west-1.elasticbeanstalk.com", None),
    ("us-east-1", "store.us-gov-west-1.elasticbeanstalk.com", None),
    ("cn-north-1", "store.cn-northwest-1.eb.amazonaws.com.cn", None),
    ("us-east-1", "store.cn-north-1.eb.amazonaws.com.cn", None),
    ("cn-north-1", "store.eb.amazonaws.com.cn", None),
    ("us-east-1", "store.us-east-1.elb.amazonaws.com", None),
    ("us-east-1", "storeelasticbeanstalk.com", None),
    ("us-east-1", "elasticbeanstalk.com", None),
    ("us-east-1", "store.example.com", None),
    ("us-east-1", "", None),
    ("us-east-1", None, None),
]


@pytest.mark.parametrize(("region", "cname", "prefix"), CNAMES)
def test_the_prefix_is_all_before_the_domain(region: str, cname: str | None, prefix: str | None) -> None:
    assert cnames.prefix_of(cname, region) == prefix
    told = transformations.environment_out(described("e-1", "any", cname), region)
    assert (told["cname"], told["cname_prefix"]) == (cname or None, prefix)


def described(environment_id: str, name: str, cname: str | None, **more: Any) -> dict[str, Any]:
    tier = {"Name": "WebServer" if cname else "Worker"}
    return {
        "EnvironmentId": environment_id,
        "EnvironmentName": name,
        "ApplicationName": "shop",
        "CNAME": cname,
        "Status": "Ready",
        "Health": "Green",
        "Tier": tier,
        **more,
    }


class Service:
    """An Elastic Beanstalk of one region that has these environments."""

    def __init__(self, region: str, there: list[dict[str, Any]]) -> None:
        self.meta = SimpleNamespace(region_name=region, endpoint_url="http://scripted")
        self.there = there

    def describe_environments(self, **_filters: Any) -> dict[str, Any]:
        return {"Environments": self.there}

    def list_tags_for_resource(self, **_arn: Any) -> dict[str, Any]:
        return {"ResourceTags": []}

    def describe_configuration_settings(self, **_names: Any) -> dict[str, Any]:
        return {"ConfigurationSettings": [{"OptionSettings": []}]}


PARAMS = {"application": "shop", "environment_id": None, "name": None, "wait_timeout": 1, "poll_interval": 1}


def find(service: Service, prefix: str) -> str | None:
    """The module environment."""
    found = lookup.find_environment(service, {**PARAMS, "cname_prefix": prefix, "state": "present"})
    return found["EnvironmentId"] if found else None


def end(service: Service, prefix: str) -> str | None:
    """The module environment with state=absent."""
    found = lookup.find_environment(service, {**PARAMS, "cname_prefix": prefix, "state": "absent"})
    return found["EnvironmentId"] if found else None


def ask_one(service: Service, prefix: str) -> str | None:
    """The modules environment_events_info, environment_logs and instance_command."""
    return str(environments.find_one(service, {**PARAMS, "cname_prefix": prefix})["EnvironmentId"])


def ask_all(service: Service, prefix: str) -> str | None:
    """The modules environment_info and instance_info."""
    found = environments.select(service, {"application": "shop", "cname_prefix": prefix})
    assert len(found) < 2
    return found[0]["EnvironmentId"] if found else None


def ask_leader(service: Service, prefix: str) -> str | None:
    """The module leader_info."""
    (found,) = query.choose(service, {"application": "shop", "cname_prefixes": [prefix]})
    return str(found["EnvironmentId"])


def swap(service: Service, prefix: str) -> str | None:
    """The module environment_swap: who holds the name that another one shall get."""
    params = {**PARAMS, "cname_prefix": prefix, "environment_id": "e-taker"}
    service.there.append(described("e-taker", "taker", "taker.example.com"))
    return str(Swap(service, params, check_mode=True)._find()[1]["EnvironmentId"])


def observed(service: Service, prefix: str) -> Observation:
    """What a cycle sees."""
    clock = SystemClock()
    observer = Observer(service, clock, SingleFlight(clock), "shop", prefix)
    there = {one["EnvironmentId"]: one for one in service.describe_environments()["Environments"]}
    seen = observer.environments(Snapshot(0.0, there, 0.0, {}), Record())
    return Observation(0, 0, "me", observer.logical, "shop", observer.cname(seen), seen, Lock(), observer.unclear(""))


def cycle(service: Service, prefix: str) -> str | None:
    """The module cycle: who is live, or why none is."""
    observation = observed(service, prefix)
    if sentence := ownership_refusal(observation):
        raise AnsibleBeanstalkRefusedError(message=sentence)
    return observation.live.id if observation.live else None


ASKERS: list[Callable[[Service, str], str | None]] = [find, end, ask_one, ask_all, ask_leader, swap, cycle]
everybody = pytest.mark.parametrize("ask", ASKERS, ids=lambda one: one.__name__)


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one row to the next."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")


@everybody
@pytest.mark.parametrize(("region", "cname", "prefix"), [row for row in CNAMES if row[2]])
def test_everybody_finds_the_holder(
    ask: Callable[[Service, str], str | None], region: str, cname: str, prefix: str
) -> None:
    # Beside it: one that is called as the prefix, with another CNAME, and one whose CNAME begins as the prefix does.
    first = prefix.partition(".")[0]
    decoys = [
        described("e-named", first, f"other.{region}.elasticbeanstalk.com"),
        described("e-begins", "begins", f"{first}.eba-zzzzzzzz.{region}.elasticbeanstalk.com"),
        described("e-abroad", "abroad", f"{prefix}.sa-east-1.elasticbeanstalk.com"),
        described("e-jobs", "jobs", None),
    ]
    for spelled in (prefix, prefix.upper()):
        assert ask(Service(region, [*decoys, described("e-held", "held", cname)]), spelled) == "e-held"


@everybody
def test_two_holders_are_refused_by_everybody(ask: Callable[[Service, str], str | None]) -> None:
    there = [
        described("e-1", "one", "store.us-east-1.elasticbeanstalk.com"),
        described("e-2", "two", "store.elasticbeanstalk.com"),
    ]
    with pytest.raises(AnsibleBeanstalkRefusedError) as refused:
        ask(Service("us-east-1", there), "store")
    assert str(refused.value.message) == (
        "The CNAME prefix store is held by one (e-1) as store.us-east-1.elasticbeanstalk.com and two (e-2) as "
        "store.elasticbeanstalk.com; write the id of the one that is meant, e-1 or e-2, in place of the prefix, and "
        "let it be the only holder before it is swapped or replaced."
    )


@everybody
def test_one_that_ends_does_not_hold_up_the_next(ask: Callable[[Service, str], str | None]) -> None:
    there = [
        described("e-1", "old", "store.us-east-1.elasticbeanstalk.com", Status="Terminating"),
        described("e-2", "new", "store.us-east-1.elasticbeanstalk.com"),
    ]
    assert ask(Service("us-east-1", there), "store") == "e-2"


@everybody
@pytest.mark.parametrize("name", ["store", "Store", "other"])
def test_a_made_up_cname_is_said_to_everybody(ask: Callable[[Service, str], str | None], name: str) -> None:
    made_up = "Store.eba-tar8m3ex.us-east-1.elasticbeanstalk.com"
    there = [described("e-1", name, made_up), described("e-2", "green", "green.us-east-1.elasticbeanstalk.com")]
    with pytest.raises(AnsibleBeanstalkRefusedError) as refused:
        ask(Service("us-east-1", there), "store")
    assert str(refused.value.message) == (
        "No environment of shop holds the CNAME prefix store. The environment "
        f"{name} (e-1) has the CNAME {made_up}, which Elastic Beanstalk made up: write the CNAME prefix "
        "store.eba-tar8m3ex to mean it."
    )


@everybody
def test_a_worker_is_said_to_everybody(ask: Callable[[Service, str], str | None]) -> None:
    there = [described("e-1", "store", None), described("e-2", "green", "green.us-east-1.elasticbeanstalk.com")]
    with pytest.raises(AnsibleBeanstalkRefusedError) as refused:
        ask(Service("us-east-1", there), "store")
    said = str(refused.value.message)
    assert "store (e-1) is a worker environment" in said
    assert "deploy one first" not in said


@everybody
@pytest.mark.parametrize(
    "whole",
    ["store.us-east-1.elasticbeanstalk.com", "Store.cn-north-1.eb.amazonaws.com.cn", "http://x.elasticbeanstalk.com/"],
)
def test_a_whole_cname_is_refused_by_everybody(ask: Callable[[Service, str], str | None], whole: str) -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError) as refused:
        ask(Service("us-east-1", []), whole)
    assert str(refused.value.message) == (
        f"{whole.lower()} is a whole CNAME; write its prefix, which is all that stands before "
        ".REGION.elasticbeanstalk.com (in China .REGION.eb.amazonaws.com.cn)."
    )


def test_a_prefix_of_another_region_finds_nobody() -> None:
    there = [described("e-1", "other", "store.eu-west-1.elasticbeanstalk.com")]
    for prefix in ("store", "store.eu-west-1"):
        assert ask_all(Service("us-east-1", there), prefix) is None


def test_a_made_up_prefix_creates_nothing() -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError) as refused:
        cycle(Service("us-east-1", []), "Store.eba-tar8m3ex")
    assert str(refused.value.message) == (
        "No environment of shop holds the CNAME prefix store.eba-tar8m3ex. Elastic Beanstalk makes such names itself, "
        "so one can find an environment but not create it: write a CNAME prefix without a dot, such as store, for a "
        "new one."
    )


def test_nobody_is_terminated_while_it_is_unclear_who_is_live() -> None:
    there = [
        described("e-1", "one", "store.us-east-1.elasticbeanstalk.com"),
        described("e-2", "two", "store.elasticbeanstalk.com"),
    ]
    observation = observed(Service("us-east-1", there), "store")
    assert len(observation.environments) == 2
    assert all(termination_refusal(observation, one) for one in observation.environments)


def test_locks_and_tags_have_prefixes_in_lower_case() -> None:
    bucket: Any = None
    assert LockStore(bucket, "bucket", "shop", "Store.eba-TAR8m3ex").cname_prefix == "store.eba-tar8m3ex"
    with pytest.raises(AnsibleBeanstalkRefusedError, match="is a whole CNAME"):
        LockStore(bucket, "bucket", "shop", "store.us-east-1.elasticbeanstalk.com")
    assert cnames.logical_name("Shop", "STORE") == cnames.logical_of("Shop/Store") == "Shop/store"
    wanted = [{"item": name, "application": "shop", "cname_prefix": name} for name in ("Store", "store")]
    _good, bad = ITEMS.checked(wanted, {}, {})
    assert bad["Store"] == bad["store"] != ""


@pytest.mark.parametrize(("region", "cname", "prefix"), [row for row in CNAMES if row[1]])
def test_instances_have_their_environments_prefix(region: str, cname: str, prefix: str | None) -> None:
    instance = {"InstanceId": "i-1", "Tags": [{"Key": instances.ID_TAG, "Value": "e-1"}]}
    (host,) = instances.join([instance], [described("e-1", "any", cname)], region)
    assert (host["eb_instance_cname"], host["eb_instance_cname_prefix"]) == (cname, prefix)


def test_the_region_is_the_clients() -> None:
    there = [
        described("e-us", "one", "store.us-east-1.elasticbeanstalk.com"),
        described("e-eu", "two", "store.eu-west-1.elasticbeanstalk.com"),
    ]
    for region, wanted in (("us-east-1", "e-us"), ("eu-west-1", "e-eu")):
        service = Service(region, there)
        assert (api.region_of(service), ask_all(service, "store")) == (region, wanted)
