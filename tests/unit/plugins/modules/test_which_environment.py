# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment `NAME` without a CNAME of its own beside `NAME-green`, which holds NAME: the modules, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

Run = Callable[..., dict[str, Any]]
Ask = Callable[[Run, str, dict[str, Any]], Any]
STACK = "64bit Amazon Linux 2023 v4.8.0 running Docker"
PROFILE = {
    "Namespace": "aws:autoscaling:launchconfiguration",
    "OptionName": "IamInstanceProfile",
    "Value": "aws-elasticbeanstalk-ec2-role",
}
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
CYCLE = {
    "poll_interval": 0.2,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
    "force": True,
}
REGIONS = {
    "us-east-1": "us-east-1.elasticbeanstalk.com",
    "us-gov-west-1": "us-gov-west-1.elasticbeanstalk.com",
    "cn-north-1": "cn-north-1.eb.amazonaws.com.cn",
}


@dataclass
class Shop:
    """One region's application `stores`: plain clients, ids and CNAMEs by environment name."""

    eb: Any
    region: str

    def describe(self, name: str) -> dict[str, Any]:
        return next((one for one in self.there() if one["EnvironmentName"] == name), {})

    @property
    def domain(self) -> str:
        return REGIONS.get(self.region, f"{self.region}.elasticbeanstalk.com")

    def id(self, name: str) -> str:
        return str(self.describe(name)["EnvironmentId"])

    def made_up(self, name: str) -> str:
        """The CNAME prefix that an environment got that was made without."""
        return str(self.describe(name)["CNAME"]).removesuffix(f".{self.domain}")

    def create(self, name: str, **more: Any) -> None:
        base = {"ApplicationName": "stores", "SolutionStackName": STACK, "OptionSettings": [PROFILE]}
        self.eb.create_environment(EnvironmentName=name, **base, **more)

    def settle(self) -> None:
        """Wait until nothing is going on, and all is well."""
        end = time.monotonic() + 60
        while any((one["Status"], one["Health"]) != ("Ready", "Green") for one in self.there()):
            assert time.monotonic() < end
            time.sleep(0.1)

    def there(self) -> list[dict[str, Any]]:
        found = self.eb.describe_environments(ApplicationName="stores", IncludeDeleted=False)["Environments"]
        return [one for one in found if one["Status"] != "Terminated"]


def shop_of(aws: dict[str, str], region: str) -> Shop:
    keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
    shop = Shop(boto3.client("elasticbeanstalk", endpoint_url=aws["endpoint_url"], region_name=region, **keys), region)
    shop.eb.create_application(ApplicationName="stores")
    return shop


@pytest.fixture(scope="module")
def shops(aws: dict[str, str]) -> Iterator[Callable[[str], Shop]]:
    """In a region, `Store` with a CNAME that was made up, `store-green` with the prefix store; `lone` and `jobs`."""
    made: dict[str, Shop] = {}

    def provide(region: str) -> Shop:
        if region not in made:
            shop = made[region] = shop_of(aws, region)
            shop.create("Store")
            shop.create("store-green", CNAMEPrefix="store")
            shop.create("lone")
            shop.create("jobs", Tier={"Name": "Worker", "Type": "SQS/HTTP"})
            shop.settle()
        return made[region]

    yield provide
    for shop in made.values():
        shop.eb.delete_application(ApplicationName="stores", TerminateEnvByForce=True)


@pytest.fixture
def shop(request: pytest.FixtureRequest, shops: Callable[[str], Shop]) -> Shop:
    """The shop of the region that the test names."""
    return shops(request.param)


def of(result: dict[str, Any]) -> dict[str, Any]:
    """A result that is no failure."""
    assert not result.get("failed"), result["msg"]
    return result


def _environment_info(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [one["environment_id"] for one in of(run("environment_info", region=region, **target))["environments"]]


def _instance_info(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [one["environment_id"] for one in of(run("instance_info", region=region, **target))["instances"]]


def _leader_info(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [of(run("leader_info", region=region, poll_interval=0.2, **target))["environment"]["environment_id"]]


def _environment_events_info(run: Run, region: str, target: dict[str, Any]) -> Any:
    names = {one["environment_name"] for one in of(run("environment_events_info", region=region, **target))["events"]}
    found = [of(run("environment_info", region=region, names=sorted(names)))["environments"]]
    return [one["environment_id"] for one in found[0]]


def _environment_logs(run: Run, region: str, target: dict[str, Any]) -> Any:
    logs = of(run("environment_logs", region=region, poll_interval=0.2, **target))["logs"]
    found = of(run("instance_info", region=region, application="stores"))["instances"]
    return [one["environment_id"] for one in found if one["instance_id"] in logs]


def _instance_command(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [
        of(run("instance_command", region=region, check=True, script="true", target="one", **target))["environment_id"]
    ]


def _environment_swap(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [of(run("environment_swap", region=region, check=True, name="lone", **target))["previous_id"]]


def _environment(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [
        of(run("environment", region=region, check=True, description="new", **target))["environment"]["environment_id"]
    ]


def _environment_absent(run: Run, region: str, target: dict[str, Any]) -> Any:
    return [
        of(run("environment", region=region, check=True, state="absent", **target))["diff"]["before"]["environment"]
    ]


def _cycle(run: Run, region: str, target: dict[str, Any]) -> Any:
    told = run("cycle", region=region, check=True, **CYCLE, **target)
    if told.get("result") == "refused":
        told |= {"failed": True, "msg": told["sentence"]}
    return [of(told)["live"]["environment_id"]]


ASKERS: list[Ask] = [
    _environment_info,
    _instance_info,
    _leader_info,
    _environment_events_info,
    _environment_logs,
    _instance_command,
    _environment_swap,
    _environment,
    _environment_absent,
    _cycle,
]
# Every module where all of them are asked for, and one of each kind where the region's names differ.
FEW = [_environment_info, _environment_absent, _cycle]
each_module = pytest.mark.parametrize(
    ("shop", "ask"),
    [(region, ask) for region in REGIONS for ask in (ASKERS if region == "us-east-1" else FEW)],
    indirect=["shop"],
    ids=lambda one: one if isinstance(one, str) else one.__name__.strip("_"),
)
at_home = pytest.mark.parametrize("shop", ["us-east-1"], indirect=True)


@each_module
def test_the_holder_is_meant_not_the_one_of_that_name(run: Run, shop: Shop, ask: Ask) -> None:
    made_up = shop.made_up("Store")
    assert made_up.startswith("Store.eba-")
    for prefix, wanted in (("store", "store-green"), ("STORE", "store-green"), (made_up, "Store")):
        assert ask(run, shop.region, {"application": "stores", "cname_prefix": prefix}) == [shop.id(wanted)], prefix


@each_module
def test_nobody_holds_it_but_one_is_called_so(run: Run, shop: Shop, ask: Ask) -> None:
    with pytest.raises(AssertionError) as refused:
        ask(run, shop.region, {"application": "stores", "cname_prefix": "lone"})
    assert (
        f"No environment of stores holds the CNAME prefix lone. The environment lone ({shop.id('lone')}) has the CNAME "
        f"{shop.describe('lone')['CNAME']}, which Elastic Beanstalk made up: write the CNAME prefix "
        f"{shop.made_up('lone')} to mean it."
    ) in str(refused.value)


@each_module
def test_a_worker_is_said_to_be_one(run: Run, shop: Shop, ask: Ask) -> None:
    with pytest.raises(AssertionError) as refused:
        ask(run, shop.region, {"application": "stores", "cname_prefix": "jobs"})
    assert f"jobs ({shop.id('jobs')}) is a worker environment" in str(refused.value)


@at_home
def test_a_name_beside_the_prefix(run: Run, shop: Shop) -> None:
    named = {"region": shop.region, "application": "stores", "cname_prefix": "store", "check": True, **QUICK}
    assert run("environment", name="Store", **named)["environment"]["environment_id"] == shop.id("store-green")
    for name in ("store-green", "store-new"):
        ended = run("environment", name=name, state="absent", **named)
        assert ended["diff"]["before"] == {"environment": shop.id("store-green")}
    assert run("environment", name="Store", state="absent", **named)["msg"] == (
        f"name means Store ({shop.id('Store')}), and cname_prefix means store-green ({shop.id('store-green')}), which "
        "holds store; leave out the one that is not to be terminated."
    )
    made_up = shop.made_up("lone")
    lone = {**named, "cname_prefix": "lone-new", "name": "lone"}
    for more in ({}, {"state": "absent"}):
        assert run("environment", **lone, **more)["msg"] == (
            f"The environment lone ({shop.id('lone')}) does not hold the CNAME prefix lone-new but {made_up.lower()}, "
            "and no other environment of stores holds it; write the CNAME prefix "
            f"{made_up.lower()} to mean this one, swap CNAMEs, or name another environment."
        )
    assert (
        "is a worker environment, which has no CNAME; leave cname_prefix out to mean it."
        in (run("environment", **{**named, "name": "jobs", "cname_prefix": "jobs-live"}, state="absent")["msg"])
    )
    assert {one["EnvironmentName"] for one in shop.there()} == {"Store", "store-green", "lone", "jobs"}


@at_home
def test_a_made_up_prefix_is_not_created(run: Run, shop: Shop) -> None:
    new = {"application": "stores", "name": "store-next", "platform": STACK, "cname_prefix": "store.eba-abcdefgh"}
    for check in (True, False):
        assert run("environment", region=shop.region, check=check, **new, **QUICK)["msg"] == (
            "No environment of stores holds the CNAME prefix store.eba-abcdefgh. Elastic Beanstalk makes such names "
            "itself, so one can find an environment but not create it: write a CNAME prefix without a dot, such as "
            "store, for a new one."
        )
    assert not shop.describe("store-next")


@at_home
def test_one_lock_however_the_prefix_is_written(run: Run, shop: Shop) -> None:
    lock = {"region": shop.region, "application": "stores", "owner": "one", "reason": "test"}
    taken = run("lock", cname_prefix="Store", **lock)["lock"]
    try:
        seen = run("lock_info", region=shop.region, application="stores", cname_prefix="STORE")["lock"]
        assert (seen["owner"], seen["token"]) == ("one", taken["token"])
        update = {"application": "stores", "cname_prefix": "store", "description": "x", "lock": {"wait_timeout": 0}}
        assert "one holds the lock" in run("environment", region=shop.region, **update, **QUICK)["msg"]
    finally:
        assert run("lock", cname_prefix="store", state="absent", **lock)["changed"]
    whole = f"store.{REGIONS[shop.region]}"
    assert run("lock", cname_prefix=whole, **lock)["msg"].startswith(f"{whole} is a whole CNAME; write its prefix")


def test_terminating_the_holder_leaves_the_one_of_that_name(run: Run, aws: dict[str, str]) -> None:
    shop = shop_of(aws, "eu-west-1")
    shop.create("store")
    shop.create("store-green", CNAMEPrefix="store")
    shop.settle()
    target = {"region": "eu-west-1", "application": "stores", "cname_prefix": "store", "state": "absent", **QUICK}
    ended = run("environment", **target)
    assert ended["actions"] == ["terminate"]
    assert [one["EnvironmentName"] for one in shop.there()] == ["store"]
    for check in (True, False):
        again = run("environment", check=check, **target)
        assert f"write the CNAME prefix {shop.made_up('store')} to mean it." in again["msg"]
    assert [(one["EnvironmentName"], one["Status"]) for one in shop.there()] == [("store", "Ready")]
    whole = run("environment", **{**target, "cname_prefix": shop.made_up("store")})
    assert whole["actions"] == ["terminate"]
    assert shop.there() == []
    assert not run("environment", **target)["changed"]
    shop.eb.delete_application(ApplicationName="stores")


def test_an_id_beside_the_prefix_of_another(run: Run, aws: dict[str, str]) -> None:
    shop = shop_of(aws, "eu-west-3")
    tags = [{"Key": "jack:logical", "Value": "stores/Store"}]
    shop.create("store-green", CNAMEPrefix="store", Tags=tags)
    shop.settle()
    by_id = {
        "region": "eu-west-3",
        "application": "stores",
        "environment_id": shop.id("store-green"),
        "state": "absent",
    }
    for more in ({}, {"cname_prefix": "other"}):
        assert "holds the live CNAME store; swap it away first" in run("environment", **by_id, **more, **QUICK)["msg"]
    assert run("environment", **by_id, cname_prefix="STORE", **QUICK)["actions"] == ["terminate"]
    shop.eb.delete_application(ApplicationName="stores")


def test_a_night_and_its_rollback_under_a_made_up_name(run: Run, aws: dict[str, str]) -> None:
    shop = shop_of(aws, "eu-west-2")
    shop.create("store")
    shop.settle()
    first, made_up, cname = shop.id("store"), shop.made_up("store"), shop.describe("store")["CNAME"]
    target = {"region": "eu-west-2", "application": "stores", "cname_prefix": made_up.upper()}
    night = run("cycle", retain_old_for=3600, **CYCLE, **target)
    assert (night.get("result"), night["logical"]) == ("done", f"stores/{made_up}"), night
    fresh = night["live"]["environment_id"]
    assert fresh != first
    holders = {one["CNAME"]: one["EnvironmentId"] for one in shop.there()}
    assert (len(holders), holders[cname]) == (2, fresh)
    back = run("cycle", goal="rollback", retain_failed_for=0, **CYCLE, **target)
    assert (back.get("result"), back["live"]["environment_id"]) == ("done", first), back
    assert shop.describe("store")["CNAME"] == cname
    assert run("environment_swap", name="store", poll_interval=0.2, **target)["changed"] is False
    shop.eb.delete_application(ApplicationName="stores", TerminateEnvByForce=True)
