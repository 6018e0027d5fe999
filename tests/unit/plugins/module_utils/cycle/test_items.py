# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of a host to its item of the module cycles."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import ITEMS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.items import cycle_items

DOCKER = "Docker"
MODERN = f"{DOCKER} running on 64bit Amazon Linux 2023"
HOST = {"eb_region": "eu-central-1", "eb_application": "shop", "eb_cname_prefix": "shop-live"}


def item(goal: str = "recreate", **more: Any) -> dict[str, Any]:
    (made,) = cycle_items(["shop-eu"], {"shop-eu": {**HOST, **more}}, goal)
    return made


def test_a_host_has_what_its_inventory_says() -> None:
    made = item(
        "rollback",
        eb_aws={"profile": "europe"},
        eb_environment_name="shop",
        eb_recreate={"bake_time": 5, "smoke_tests": [{"path": "/healthz"}]},
    )
    assert made == {
        "item": "shop-eu",
        "region": "eu-central-1",
        "profile": "europe",
        "application": "shop",
        "cname_prefix": "shop-live",
        "name_prefix": "shop",
        "goal": "rollback",
        "bake_time": 5,
        "smoke_tests": [{"path": "/healthz"}],
        "lock": {},
    }
    assert ITEMS.checked([made], aws_argument_spec(), {})[1] == {}


def test_a_version_is_gone_back_to_by_its_own_variable_only() -> None:
    nightly = {"eb_recreate": {"version_label": "v5"}}
    assert "version_label" not in item("rollback", **nightly)
    assert item("rollback", eb_version_label="v2", **nightly)["version_label"] == "v2"
    assert item("recreate", eb_version_label="v2", **nightly)["version_label"] == "v5"


def test_its_lock_is_that_of_its_deployments_but_for_the_owner() -> None:
    lock = {"owner": "the-pipeline", "bucket": "locks", "ttl": 60}
    assert item(eb_lock=lock, eb_recreate={"lock": {"ttl": 90}})["lock"] == {"bucket": "locks", "ttl": 90}


def test_a_variable_that_is_missing_or_cannot_be_used_fails_its_host_alone() -> None:
    hosts = {"good": HOST, "bad": {**HOST, "eb_recreate": "every night"}, "odd": {"eb_region": "eu-central-1"}}
    made = {one["item"]: one for one in cycle_items(hosts, hosts)}
    assert "problem" not in made["good"]
    assert made["bad"]["problem"].startswith("A variable of bad cannot be used: ")
    assert "eb_application" in made["odd"]["problem"]


@pytest.mark.parametrize(
    ("goal", "instead"),
    [
        ("recreate", "deploy.yml updates it in place"),
        ("rollback", "deploy.yml brings an earlier version back, from an earlier eb_source.ref"),
    ],
)
def test_a_worker_is_refused_with_what_to_do_instead(goal: str, instead: str) -> None:
    hosts = {"shop-eu": HOST, "jobs": {"eb_region": "eu-central-1", "eb_application": "shop", "eb_tier": "Worker"}}
    web, worker = cycle_items(hosts, hosts, goal)
    assert "problem" not in web
    assert worker == {
        "item": "jobs",
        "problem": "jobs is a worker environment (eb_tier: Worker): it has no CNAME, so there is nothing to swap; "
        f"{instead}. Leave it out with --limit '!jobs'.",
    }


def test_an_option_by_its_old_name_is_an_error_that_says_the_new_one() -> None:
    _good, bad = ITEMS.checked([item(eb_recreate={"soak": 5, "lease_ttl": 60})], aws_argument_spec(), {})
    assert bad["shop-eu"] == (
        "The environment of shop-eu cannot be managed: lease_ttl is called lock.ttl now; soak is called bake_time now."
    )


def swapped(version: str, platform: str, **more: Any) -> dict[str, Any]:
    """A host that is deployed to by a swap, whose live environment has such a version and platform."""
    live = {"version_label": version, "platform": platform}
    bundle = {"path": "build/shop.zip", "version_label": "shop-2", "has_secrets": False}
    mine = {"eb_platform": MODERN, "bundle_made": {"bundle": bundle}, "eb_deploy_strategy": "swap"}
    return {**HOST, **mine, "__deploy_live": {"environments": [live]}, **more}


def test_a_deployment_has_a_cycle_where_version_or_platform_is_another_one() -> None:
    hosts = {
        "version": swapped("shop-1", f"64bit Amazon Linux 2023 v4.8.0 running {DOCKER}"),
        "platform": swapped("shop-2", f"64bit Amazon Linux 2 v4.1.0 running {DOCKER}"),
        "same": swapped("shop-2", f"64bit Amazon Linux 2023 v4.8.0 running {DOCKER}"),
        "first": swapped("", "", __deploy_live={"environments": []}),
        "in-place": swapped("shop-1", "", eb_deploy_strategy="in_place"),
        "failed": swapped("shop-1", "", __deploy_live={"environments": [], "problem": "There is no bundle."}),
    }
    made = cycle_items(hosts, hosts, "deploy")
    assert [(one["item"], one["goal"], one["version_label"], one["platform"], one["force"]) for one in made] == [
        ("version", "deploy", "shop-2", MODERN, False),
        ("platform", "deploy", "shop-2", MODERN, True),
    ]
    assert ITEMS.checked(made[:1], aws_argument_spec(), {})[1] == {}
