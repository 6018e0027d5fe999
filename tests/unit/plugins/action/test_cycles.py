# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles of many hosts by one task, through ansible-playbook: each host has its own result, and fails alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from .batch import QUICK_CYCLE
from .test_environments import PROFILE, PROPERTIES, Start, killed_at, recap, start

__all__ = ["start"]  # a fixture
QUICK = {**QUICK_CYCLE, "force": True}


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
    left = eb.describe_environments(ApplicationName="batch", IncludeDeleted=False)["Environments"]
    (live,) = (one for one in left if one["EnvironmentName"].startswith("turn-one"))
    assert live["EnvironmentId"] != first["EnvironmentId"]
    assert live["CNAME"].startswith("turn-one.")


@pytest.fixture
def deployed(start: Start) -> Callable[..., None]:
    """Have environments of such names."""

    def deploy(*names: str) -> None:
        with start({name: {"option_settings": PROFILE} for name in names}) as play:
            output, _errors = play.communicate(timeout=300)
        assert play.returncode == 0, output

    return deploy


def test_a_module_that_dies_loses_no_finished_item(start: Start, deployed: Callable[..., None], faults: Any) -> None:
    deployed("dead-one", "dead-two")
    faults.add(kind="stuck")
    with start({"dead-one": {"min_age": 3600}, "dead-two": QUICK}, module="cycles") as play:
        output = killed_at(play, " CREATE ")
    assert recap(output) == {"dead-one": (0, 0), "dead-two": (0, 1)}, output
    said = " ".join(output.split())
    assert "dead-one did skipped: " in said
    assert "The run ended before this environment did" in said


def test_secrets_are_hidden_from_their_own_host_only(start: Start, deployed: Callable[..., None]) -> None:
    names = ["masks-one", "masks-two"]
    deployed(*names)
    # What is one host's secret is a part of what the other one has to tell.
    secret = {"option_settings": {PROPERTIES: {"SECRET_KEY": "healthy and verified"}}}
    with start({"masks-one": QUICK | secret, "masks-two": QUICK}, "-vvv", "--diff", module="cycles") as play:
        output, _errors = play.communicate(timeout=300)
    assert play.returncode == 0, output
    told = [name for name in names if re.search(rf"^\[{name}\].*healthy and verified", output, re.MULTILINE)]
    assert told == ["masks-two"]
    results = dict(re.findall(r"^changed: \[(masks-\w+)\](.*?)(?=^\w+: \[|^TASK )", output, re.MULTILINE | re.DOTALL))
    assert ["healthy and verified" in results[name] for name in names] == [False, True]
    assert "access_key" not in output


def test_check_mode_tells_the_plan_and_writes_nothing(start: Start, deployed: Callable[..., None], eb: Any) -> None:
    deployed("plan-one")
    (before,) = eb.describe_environments(EnvironmentNames=["plan-one"])["Environments"]
    with start({"plan-one": QUICK, "plan-none": QUICK}, "--check", "-v", module="cycles") as play:
        output, _errors = play.communicate(timeout=120)
    said = " ".join(output.split())
    assert f"would create an environment like plan-one ({before['EnvironmentId']})" in said
    assert "No environment holds plan-none: deploy one first." in said
    after = eb.describe_environments(ApplicationName="batch", IncludeDeleted=False)["Environments"]
    assert [one["EnvironmentId"] for one in after if one["EnvironmentName"].startswith("plan")] == [
        before["EnvironmentId"]
    ]
