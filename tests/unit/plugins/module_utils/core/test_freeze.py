# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when nothing is written to a host, and who is written to all the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.freeze import freeze_refusals

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)


def refusals(frozen: Any, **more: Any) -> list[str]:
    return freeze_refusals(["shop"], {"shop": {"eb_freeze": frozen, **more}}, NOW)


def test_the_sentence_says_until_when_why_by_whom_and_what_to_write() -> None:
    frozen = {"until": "2026-12-27T08:00:00+01:00", "reason": "holidays", "by": "operations"}
    assert refusals(frozen) == [
        "shop is frozen until 2026-12-27 07:00 UTC by operations (holidays); nothing was done. "
        "To write all the same: -e eb_freeze_ignore=shop"
    ]


@pytest.mark.parametrize(
    "until", ["2026-12-24T12:00:00Z", "2026-12-24T13:00:00+01:00", "2026-12-24 11:59", date(2026, 12, 24)]
)
def test_a_freeze_that_is_over_holds_nobody(until: Any) -> None:
    assert refusals({"until": until}) == []


@pytest.mark.parametrize("until", ["2026-12-24T12:00:01", datetime(2026, 12, 25), date(2026, 12, 25)])
def test_a_time_without_a_zone_is_utc(until: Any) -> None:
    (sentence,) = refusals({"until": until})
    assert "by somebody (no reason is given)" in sentence


@pytest.mark.parametrize("frozen", [True, "2026-12-25", {"reason": "x"}, {"until": "after the holidays"}])
def test_what_cannot_be_read_freezes(frozen: Any) -> None:
    (sentence,) = refusals(frozen)
    assert "eb_freeze is a dictionary of until" in sentence


@pytest.mark.parametrize(("ignored", "held"), [("shop", 0), ("blog, shop", 0), (["shop"], 0), ("shop-2", 1), ("", 1)])
def test_it_is_overruled_for_a_host_by_its_name(ignored: Any, held: int) -> None:
    assert len(refusals({"until": "2027-01-01"}, eb_freeze_ignore=ignored)) == held


def test_without_a_freeze_nobody_is_held() -> None:
    assert freeze_refusals(["shop"], {"shop": {}}, NOW) == []
    assert refusals({}) == []
