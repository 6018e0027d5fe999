# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers of notifications that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.receivers import receivers_problem
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.items import cycle_items

URL = "https://hooks.example.com/token"


@pytest.mark.parametrize("given", [None, [], [{"type": "slack", "url": URL, "results": ["failed"]}]])
def test_receivers_that_can_be_told(given: Any) -> None:
    assert receivers_problem(given) == ""


@pytest.mark.parametrize(
    ("receiver", "why"),
    [
        ({"type": "pager"}, "value of type must be one of: slack, webhook, sns, mail, got: pager"),
        ({"url": URL}, "missing required arguments: type"),
        ({"type": "slack"}, "type is slack but all of the following are missing: url"),
        ({"type": "sns", "url": URL}, "type is sns but all of the following are missing: topic"),
        ({"type": "mail", "to": ["ops@example.com"], "prot": 25}, "there is no option prot"),
    ],
)
def test_a_receiver_that_cannot_be_meant_is_named_without_its_address(receiver: dict[str, Any], why: str) -> None:
    good = {"type": "slack", "url": URL}
    assert receivers_problem([good, receiver]) == f"Receiver 2 of eb_notify cannot be told: {why}."


@pytest.mark.parametrize("given", [URL, {"type": "slack", "url": URL}, [URL]])
def test_what_is_no_list_of_receivers_is_refused(given: Any) -> None:
    assert receivers_problem(given) == (
        "eb_notify is a list of receivers, such as {type: slack, url: https://hooks.slack.com/…}."
    )


def test_a_cycle_is_refused_for_them() -> None:
    (item,) = cycle_items(["shop"], {"shop": {"eb_notify": [{"type": "sns"}]}})
    assert item["item"] == "shop"
    assert item["problem"].startswith("Receiver 1 of eb_notify cannot be told: ")
