# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to the items of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.items import deployment_items

BUNDLE = {"path": "build/shop.zip", "version_label": "shop-1", "has_secrets": False}


def host(**more: Any) -> dict[str, Any]:
    return {
        "eb_application": "shop",
        "eb_cname_prefix": "shop-live",
        "eb_region": "eu-central-1",
        "eb_platform": "Docker running on 64bit Amazon Linux 2023",
        "bundle_made": {"bundle": BUNDLE},
        **more,
    }


def test_an_item_says_what_the_inventory_says() -> None:
    mine = host(
        eb_aws={"profile": "shop"},
        eb_option_settings={"aws:autoscaling:asg": {"MinSize": 2}},
        eb_environment_properties={"DEBUG": "0"},
        eb_secrets={"API_TOKEN": {"value": "t0ken"}},
        eb_lock={"wait_timeout": 0},
        eb_wait_timeout=60,
    )
    (item,) = deployment_items(["shop"], {"shop": mine})
    assert item["item"] == item["name"] == "shop"
    assert (item["region"], item["profile"]) == ("eu-central-1", "shop")
    assert (item["src"], item["version_label"], item["remove_src"]) == ("build/shop.zip", "shop-1", False)
    assert item["option_settings"] == {
        "aws:autoscaling:asg": {"MinSize": 2},
        "aws:elasticbeanstalk:application:environment": {"DEBUG": "0", "API_TOKEN": "t0ken"},
    }
    assert (item["lock"], item["wait_timeout"], item["gather_leader"]) == ({"wait_timeout": 0}, 60, True)
    assert item["purge_properties"] is False


def test_a_worker_has_a_tier_and_no_cname() -> None:
    mine = {name: value for name, value in host(eb_tier="Worker").items() if name != "eb_cname_prefix"}
    (item,) = deployment_items(["jobs"], {"jobs": mine})
    assert (item["tier"], item["cname_prefix"], item["name"]) == ("Worker", None, "jobs")
    (other,) = deployment_items(["shop"], {"shop": host()})
    assert "tier" not in other


def test_localstalk_is_all_that_its_hosts_reach() -> None:
    localstalk = {"endpoint_url": "http://127.0.0.1:1", "access_key": "a", "secret_key": "b", "profile": ""}
    mine = host(
        eb_localstalk={"speed": 20}, eb_aws={"profile": "shop", "aws_ca_bundle": "ca"}, localstalk_aws=localstalk
    )
    (item,) = deployment_items(["shop"], {"shop": mine})
    assert {name: item[name] for name in localstalk} == localstalk
    assert "aws_ca_bundle" not in item
    del mine["localstalk_aws"]
    (broken,) = deployment_items(["shop"], {"shop": mine})
    assert "localstalk_aws" in broken["problem"]


def test_a_host_uses_the_bundle_of_whoever_made_it() -> None:
    maker = host(eb_bundle_groups={"one": "one", "two": "one"})
    other = {name: value for name, value in maker.items() if name != "bundle_made"}
    items = deployment_items(["one", "two"], {"one": maker, "two": other})
    assert [item["src"] for item in items] == ["build/shop.zip"] * 2


def test_a_bundle_that_was_not_made_fails_its_hosts_only() -> None:
    broken = host(bundle_made={"failed": True})
    good, bad = deployment_items(["good", "bad"], {"good": host(), "bad": broken})
    assert "problem" not in good
    assert bad == {"item": "bad", "problem": "The source bundle is missing: bad failed to make it."}


class Hostile(Mapping[str, Any]):
    """Variables of which one cannot be templated."""

    def __init__(self, variables: dict[str, Any], broken: str) -> None:
        self._variables, self._broken = variables, broken

    def __getitem__(self, name: str) -> Any:
        if name == self._broken:
            raise ValueError("'colour' is undefined")
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def test_a_variable_that_cannot_be_templated_fails_its_host_only() -> None:
    good, bad = deployment_items(["good", "bad"], {"good": host(), "bad": Hostile(host(), "eb_platform")})
    assert "problem" not in good
    assert bad == {"item": "bad", "problem": "A variable of bad cannot be used: 'colour' is undefined"}


def test_a_secret_that_cannot_be_used_is_named_without_its_value() -> None:
    (item,) = deployment_items(["shop"], {"shop": host(eb_secrets={"API_TOKEN": {"vlaue": "t0ken"}})})
    assert "API_TOKEN" in item["problem"]
    assert "t0ken" not in item["problem"]


def test_a_fleet_does_not_ask_for_each_leader() -> None:
    names = [f"shop-{number}" for number in range(11)]
    variables = {name: host() for name in names}
    assert not any(item["gather_leader"] for item in deployment_items(names, variables))
    variables[names[3]] = host(eb_report_leader=True)
    assert [item["item"] for item in deployment_items(names, variables) if item["gather_leader"]] == [names[3]]


def test_a_swap_that_failed_is_the_failure_of_its_host() -> None:
    found = {"environments": [], "problem": "refused: it is Red"}
    mine = host(eb_deploy_strategy="swap", __deploy_live=found)
    assert deployment_items(["shop"], {"shop": mine})[0]["problem"] == "refused: it is Red"
    assert "problem" not in deployment_items(["shop"], {"shop": {**mine, "eb_deploy_strategy": "in_place"}})[0]
