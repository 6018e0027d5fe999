# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the inventory by their old names."""

from __future__ import annotations

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.variable_names import renamed_variables

HOSTS = {"a": {"eb_application": "shop"}, "b": {"eb_options": {}}, "c": {"eb_options": {}, "eb_properties": {}}}


def test_an_old_name_is_a_sentence_with_the_new_one() -> None:
    assert renamed_variables(HOSTS, HOSTS) == [
        "The variable eb_options of b and 1 more is called eb_option_settings now: rename it; nothing was done.",
        "The variable eb_properties of c is called eb_environment_properties now: rename it; nothing was done.",
    ]


def test_other_hosts_are_not_asked() -> None:
    assert renamed_variables(["a"], HOSTS) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("eb_options", "eb_option_settings now"),
        ("eb_properties", "eb_environment_properties now"),
        ("eb_overlay", "eb_bundle_overlay now"),
        ("eb_deploy_gather", "eb_report_leader now"),
        ("eb_hooks_ledger", "eb_hooks_once_store now"),
        ("eb_fleet_max_failures", "eb_fleet_max_fail_percentage now and a percentage of a wave's hosts"),
    ],
)
def test_every_old_name_is_known(old: str, new: str) -> None:
    assert renamed_variables(["a"], {"a": {old: "x"}}) == [
        f"The variable {old} of a is called {new}: rename it; nothing was done."
    ]
