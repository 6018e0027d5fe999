# SPDX-License-Identifier: GPL-3.0-or-later
"""Each guard of a cycle on its own: what is never terminated, and what keeps a candidate from going live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.guards import (
    candidate_problems,
    preflight,
    smoke_test_problem,
    termination_refusal,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    TAG_LOGICAL,
    TAG_PROTECTED,
    CheckResult,
    Environment,
    Goal,
    Journal,
    Lock,
    Observation,
    Policy,
    Record,
    Result,
    Retired,
    Status,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.verification import Instance

GOOD, SECOND = Instance("i-a", "v1"), Instance("i-b", "v1")
OURS = Environment(
    "e-1", "blog-1", "blog", Status.READY, "Green", "blog-1.example.com", "v1", 0, 0, instances=(GOOD, SECOND)
)
WORLD = Observation(
    1000.0,
    0.0,
    "me",
    "blog/blog-live",
    "blog",
    "blog-live.example.com",
    (OURS,),
    Lock(record=Record(journal=Journal("c", Goal.RECREATE, 0.0, "e-0", "v1", "v1", candidate="e-1"))),
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"cname": "blog-live.example.com"}, "it holds the live name blog-live.example.com"),
        ({"application": "shop"}, "it belongs to the application shop"),
        ({"tags": {TAG_PROTECTED: "Yes"}}, "it is tagged as protected"),
        ({"database_loss": "DBDeletionPolicy is Delete"}, "its coupled database would be lost"),
        ({"tags": {TAG_LOGICAL: "blog/other"}}, "it belongs to blog/other"),
        ({"id": "e-9"}, "nothing says that a cycle made or retired it"),
        ({"id": "e-9", "tags": {TAG_LOGICAL: "blog/blog-live"}}, ""),
    ],
)
def test_what_is_never_terminated(changes: dict[str, Any], sentence: str) -> None:
    said = termination_refusal(WORLD, replace(OURS, **changes))
    assert (sentence in said) if sentence else said == ""


def test_what_an_earlier_cycle_retired_may_go() -> None:
    record = Record(retired=(Retired("e-9", "v1", 0.0, 0.0),))
    assert termination_refusal(replace(WORLD, lock=Lock(record=record)), replace(OURS, id="e-9")) == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"status": Status.UPDATING}, "its status is Updating"),
        ({"health": "Yellow"}, "its health is Yellow"),
        ({"version_label": "v0"}, "it runs version v0, not v1"),
        ({"instances": ()}, "it has no instance, and it is not known how many it should have"),
        (
            {"instances": (GOOD, Instance("i-b", "v0"))},
            "not every instance runs version v1: i-b (v0, Deployed)",
        ),
        (
            {"instances": (GOOD, Instance("i-b", "v1", "Failed"))},
            "not every instance runs version v1: i-b (v1, Failed)",
        ),
        ({"instances": (GOOD, Instance("i-b", "v1", health="Severe"))}, "not every instance is healthy: i-b is Severe"),
        (
            {"enhanced": False, "failure": "Failed to deploy application."},
            "its last deployment failed (Failed to deploy application)",
        ),
    ],
)
def test_what_keeps_a_candidate_from_going_live(changes: dict[str, Any], problem: str | None) -> None:
    found = candidate_problems(WORLD, Policy(), replace(OURS, **changes), "v1")
    assert found == (() if problem is None else (problem,))


@pytest.mark.parametrize(
    ("smoke_test", "problem"),
    [
        (None, ""),
        (CheckResult("e-2", 1000.0, 3), ""),
        (CheckResult("e-1", 900.0, 3), ""),
        (CheckResult("e-1", 1000.0, 3), None),
        (CheckResult("e-1", 1000.0, 2, "/: status 500"), "/: status 500"),
        (CheckResult("e-1", 1000.0, 2), "only 2 good answers in a row (wanted 3)"),
    ],
)
def test_only_fresh_answers_of_the_environment_itself_count(
    smoke_test: CheckResult | None, problem: str | None
) -> None:
    assert smoke_test_problem(replace(WORLD, smoke_test=smoke_test), Policy(), OURS) == problem


@pytest.mark.parametrize(
    ("changes", "result", "words"),
    [
        ({}, Result.SKIPPED, "blog-1 (e-1) already runs version v1."),
        ({"instances": (GOOD, Instance("i-b", "v1", "Failed"))}, None, ""),
        ({"instances": (GOOD, Instance("i-b", "v0"))}, None, ""),
        ({"version_label": "v0"}, None, ""),
        (
            {"health": "Red"},
            Result.REFUSED,
            "blog-1 (e-1) already runs version v1, but its health is Red.",
        ),
        (
            {"instances": (GOOD, Instance("i-b", deployment="", health="Pending"))},
            Result.REFUSED,
            "blog-1 (e-1) already runs version v1, but not every instance has started: i-b (Pending).",
        ),
    ],
)
def test_version_that_runs_is_not_deployed_again(changes: dict[str, Any], result: Result | None, words: str) -> None:
    live = replace(OURS, cname=WORLD.cname, **changes)
    verdict = preflight(replace(WORLD, environments=(live,)), Policy(goal=Goal.DEPLOY, version_label="v1"))
    assert (verdict.result if verdict else None, verdict.sentence if verdict else "") == (result, words)
