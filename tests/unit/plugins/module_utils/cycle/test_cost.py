# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle costs, from events as Elastic Beanstalk writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.cost import instance_minutes

START = datetime(2026, 8, 1, 2, tzinfo=UTC)
END = START + timedelta(minutes=60)


def event(minute: float, message: str, environment: str = "shop-new") -> dict[str, Any]:
    return {"EventDate": START + timedelta(minutes=minute), "Message": message, "EnvironmentName": environment}


def cost(*events: dict[str, Any], environment: str = "shop-new") -> float | None:
    return instance_minutes(events, environment, END)


ADDED = event(10, "Added instances [i-1, i-2] to your environment.")


def test_until_the_end_of_the_cycle() -> None:
    assert cost(ADDED) == 100.0
    assert cost(ADDED, event(30, "Added instance [i-3] to your environment.")) == 130.0


def test_removed_ones_and_ones_told_twice() -> None:
    assert cost(ADDED, event(20, "Removed instance [i-1] from your environment.")) == 60.0
    assert cost(ADDED, event(11, "Added instance [i-2] to your environment.")) == 100.0
    assert cost(ADDED, event(20, "Removed instance [i-9] from your environment.")) == 100.0


def test_until_the_termination_of_a_candidate_that_failed() -> None:
    assert cost(ADDED, event(25, "terminateEnvironment completed successfully.")) == 30.0
    assert cost(ADDED, event(25.01, "Removed instances [i-1, i-2] from your environment.")) == 30.0


def test_other_environments_and_later_events_do_not_count() -> None:
    other = event(10, "Added instance [i-8] to your environment.", "shop-old")
    assert cost(ADDED, other, event(70, "Added instance [i-3] to your environment.")) == 100.0
    assert cost(ADDED, event(25, "terminateEnvironment completed successfully.", "shop-old")) == 100.0


def test_unknown_without_enhanced_health() -> None:
    assert cost(event(1, "createEnvironment is starting.")) is None
    assert cost(ADDED, environment="shop-other") is None
