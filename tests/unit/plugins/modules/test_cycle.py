# SPDX-License-Identifier: GPL-3.0-or-later
"""The cycle module against localstalk with simulated instances: a whole cycle, and what it refuses without a write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
QUICK = {
    "poll_interval": 0.2,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
}
LIVE = {"application": "cycles", "cname_prefix": "cycles-live"}


@pytest.fixture
def first(run: Run) -> Iterator[str]:
    """Id of a live environment; whoever is live in the end is terminated."""
    run("application", name="cycles")
    made = run(
        "environment",
        name="cycles-first",
        platform="Docker running on 64bit Amazon Linux 2023",
        option_settings={
            "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
        },
        poll_interval=0.2,
        wait_timeout=120,
        **LIVE,
    )
    yield made["environment"]["environment_id"]
    assert run("environment", state="absent", poll_interval=0.2, wait_timeout=120, **LIVE)["changed"]


def test_a_cycle_and_what_comes_after_it(run: Run, first: str) -> None:
    planned = run("cycle", check=True, force=True, **LIVE)
    assert planned["changed"]
    assert (planned["logical"], planned["goal"]) == ("cycles/cycles-live", "recreate")
    assert planned["plan"][-1].startswith(f"would terminate cycles-first ({first})")
    ended = run("cycle", force=True, name_prefix="cycles", **LIVE, **QUICK)
    assert (ended.get("result"), ended["changed"]) == ("done", True), ended["sentence"]
    assert [one["environment"] for one in ended["steps"] if one["action"] == "terminate"] == [first]
    fresh = ended["live"]["environment_id"]
    assert fresh == ended["candidate"]["environment_id"] != first
    found = run("environment_info", application="cycles")["environments"]
    assert [(one["environment_id"], one["cname_prefix"]) for one in found] == [(fresh, "cycles-live")]
    again = run("cycle", **LIVE, **QUICK)
    assert (again["result"], again["changed"]) == ("skipped", False)
    assert [one["action"] for one in again["steps"]] == ["finish"]


def test_what_is_refused(run: Run, first: str) -> None:
    run("application", name="cycles-other")
    for target, sentence in (
        ({**LIVE, "cname_prefix": "cycles-nobody"}, "No environment holds cycles-nobody: deploy one first."),
        ({**LIVE, "application": "cycles-other"}, "is held by an environment that is not in the application"),
        ({**LIVE, "goal": "rollback"}, "There is no retired environment to swap back to"),
    ):
        ended = run("cycle", **QUICK, **target)
        assert (ended["result"], ended["changed"]) == ("refused", False)
        assert sentence in ended["sentence"]
