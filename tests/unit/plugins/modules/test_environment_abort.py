# SPDX-License-Identifier: GPL-3.0-or-later
"""Aborting what runs: an update ends as it was before, what cannot be aborted is refused, twice is once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
SETTINGS = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
WHERE = {"application": "aborted", "cname_prefix": "aborted"}


@pytest.fixture
def environment(run: Run, bundle: Callable[[str], str]) -> Iterator[str]:
    """An environment with the version v1, and a version v2."""
    common = {"application": "aborted", "poll_interval": 0.2}
    made = run(
        "environment",
        name="aborted",
        cname_prefix="aborted",
        platform=PLATFORM,
        option_settings=SETTINGS,
        version_label="v1",
        src=bundle("v1"),
        **common,
    )
    assert made["changed"], made
    assert not run("application_version", version_label="v2", src=bundle("v2"), **common).get("failed")
    yield str(made["environment"]["environment_id"])
    assert run("environment", name="aborted", state="absent", **common)["changed"]


def test_an_update_is_aborted_once(run: Run, environment: str, eb: Any, faults: Any) -> None:
    idle = run("environment_abort", **WHERE)
    assert not idle["changed"]
    faults.add(kind="stuck", environment="aborted")
    eb.update_environment(EnvironmentId=environment, VersionLabel="v2")
    predicted = run("environment_abort", check=True, **WHERE)
    assert predicted["changed"]
    assert eb.describe_environments(EnvironmentIds=[environment])["Environments"][0]["Status"] == "Updating"
    faults.clear()
    aborted = run("environment_abort", poll_interval=0.2, **WHERE)
    assert (aborted["changed"], aborted["environment"]["status"]) == (True, "Ready")
    assert aborted["environment"]["version_label"] == "v1"
    again = run("environment_abort", **WHERE)
    assert not again["changed"]


def test_what_cannot_be_aborted_or_is_not_there_is_refused(run: Run, environment: str, eb: Any, faults: Any) -> None:
    nobody = run("environment_abort", application="aborted", name="nobody")
    assert nobody["msg"] == "The application aborted has no environment nobody."
    faults.add(kind="stuck", environment="aborted")
    eb.restart_app_server(EnvironmentId=environment)
    refused = run("environment_abort", **WHERE)
    faults.clear()
    assert refused["msg"] == (
        "The environment aborted is Updating, and Elastic Beanstalk cannot abort that operation: wait for its end."
    )
