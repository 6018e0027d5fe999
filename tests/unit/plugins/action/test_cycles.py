# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles of many hosts by one task, through ansible-playbook: each host has its own result, and fails alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .test_environments import PROFILE, Start, recap, start

__all__ = ["start"]  # a fixture
QUICK = {
    "force": True,
    "poll_interval": 0.3,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
}


def test_a_bad_one_fails_alone(start: Start, eb: Any) -> None:
    with start({"turn-one": {"option_settings": PROFILE}}) as play:
        output, _errors = play.communicate(timeout=300)
    assert play.returncode == 0, output
    (first,) = eb.describe_environments(EnvironmentNames=["turn-one"])["Environments"]
    items: dict[str, dict[str, Any]] = {
        "turn-one": QUICK,
        "turn-two": {**QUICK, "platform": "No such platform"},
        "turn-odd": {"bake_time": "soon"},
        "turn-old": {"soak": 3},
        "turn-twin": {**QUICK, "cname_prefix": "turn-pair"},
        "turn-other": {**QUICK, "cname_prefix": "turn-pair"},
    }
    with start(items, module="cycles") as play:
        output, _errors = play.communicate(timeout=300)
    assert play.returncode == 2, output
    assert recap(output) == {"turn-one": (1, 0)} | dict.fromkeys(list(items)[1:], (0, 1)), output
    said = " ".join(output.split())
    assert "turn-one did done: " in said
    assert "No such platform" in said
    assert "The environment of turn-odd cannot be managed: " in said
    assert "soak is called bake_time now" in said
    assert "turn-twin and turn-other are for the same logical environment, turn-pair" in said
    assert "[turn-one]" in output
    assert " SWAP " in output
    (live,) = eb.describe_environments(ApplicationName="batch", IncludeDeleted=False)["Environments"]
    assert live["EnvironmentId"] != first["EnvironmentId"]
    assert live["CNAME"].startswith("turn-one.")


def test_check_mode_tells_the_plan(start: Start, run: Callable[..., Any]) -> None:
    with start({"plan-one": QUICK}, "--check", module="cycles") as play:
        output, _errors = play.communicate(timeout=120)
    assert "No environment holds plan-one: deploy one first." in " ".join(output.split()), output
