# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of a run: which can be used, and one sentence for each that cannot."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.arguments import ITEMS

SHARED = {"region": "us-east-1", "profile": "mine"}


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"item": name, "application": "shop", "cname_prefix": name, **more}


def checked(*items: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    return ITEMS.checked(items, aws_argument_spec(), SHARED)


def test_an_item_gets_the_defaults_of_the_module() -> None:
    good, bad = checked(item("shop-a", lock={}))
    assert bad == {}
    assert good["shop-a"]["wait_timeout"] == 1800
    assert good["shop-a"]["lock"] == {"bucket": None, "owner": None, "ttl": 180, "wait_timeout": 300}
    assert (good["shop-a"]["region"], good["shop-a"]["profile"]) == ("us-east-1", "mine")


def test_an_item_with_a_region_is_reached_by_its_own_options_only() -> None:
    good, _bad = checked(item("shop-a", region="eu-central-1"))
    assert (good["shop-a"]["region"], good["shop-a"]["profile"]) == ("eu-central-1", None)


def test_one_bad_item_leaves_the_others_alone() -> None:
    good, bad = checked(item("shop-a"), item("shop-b", wait_timeout="soon"), {"item": "shop-c"})
    assert list(good) == ["shop-a"]
    assert bad["shop-b"].startswith("The environment of shop-b cannot be managed: ")
    assert "wait_timeout" in bad["shop-b"]
    assert "application" in bad["shop-c"]


def test_a_secret_is_not_in_the_sentence_on_it() -> None:
    _good, bad = checked(item("shop-a", option_settings="hunter2hunter2"))
    assert bad["shop-a"].startswith("The environment of shop-a cannot be managed: ")
    assert "hunter2" not in bad["shop-a"]


def test_a_problem_of_the_inventory_is_passed_on() -> None:
    good, bad = checked({"item": "shop-a", "problem": "The source bundle is missing."})
    assert (good, bad) == ({}, {"shop-a": "The source bundle is missing."})


def test_two_items_of_one_logical_environment_are_both_refused() -> None:
    good, bad = checked(item("one", cname_prefix="Shop"), item("two", cname_prefix="shop"), item("other"))
    assert list(good) == ["other"]
    assert bad["one"] == bad["two"]
    assert bad["one"].startswith("one and two are for the same logical environment, shop")


def test_the_same_prefix_in_another_region_or_account_is_another_environment() -> None:
    good, bad = checked(
        item("one", cname_prefix="shop", region="us-east-1"),
        item("two", cname_prefix="shop", region="eu-central-1"),
        item("three", cname_prefix="shop", region="us-east-1", profile="theirs"),
    )
    assert bad == {}
    assert list(good) == ["one", "two", "three"]


def test_two_items_of_one_name_are_a_refusal() -> None:
    _good, bad = checked(item("shop"), item("shop", cname_prefix="other"))
    assert bad == {"shop": "Two environments have the item shop."}
