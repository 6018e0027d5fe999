# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved configurations, against localstalk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
PROPERTIES = "aws:elasticbeanstalk:application:environment"


def test_saved_configuration(run: Run) -> None:
    run("application", name="saving")
    first = {
        "application": "saving",
        "name": "small",
        "platform": PLATFORM,
        "description": "One",
        "option_settings": {"aws:autoscaling:asg": {"MaxSize": 2}, PROPERTIES: {"SECRET_KEY": "not-for-the-log"}},
    }
    second = {**first, "description": "Two", "option_settings": {"aws:autoscaling:asg": {"MaxSize": 3}}}
    results = []
    for params in (first, second, {"application": "saving", "name": "small", "state": "absent"}):
        predicted = run("saved_configuration", check=True, **params)
        done = run("saved_configuration", **params)
        assert predicted["changed"], predicted
        assert done["changed"], done
        assert predicted["diff"] == done["diff"]
        assert not run("saved_configuration", check=True, **params)["changed"]
        assert not run("saved_configuration", **params)["changed"]
        results.append(done)
    assert results[1]["diff"]["after"] == {"description": "Two", "aws:autoscaling:asg:MaxSize": "3"}
    assert results[2]["saved_configuration"] is None
    assert "not-for-the-log" not in str(results)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "none"}, "has no saved configuration none; environment or platform is needed to make one."),
        ({"name": "none", "environment": "nowhere"}, "The application saving has no environment nowhere."),
        ({"name": "none", "platform": "Docker on Mars"}, "There is no platform"),
    ],
)
def test_saved_configuration_messages(run: Run, params: dict[str, Any], message: str) -> None:
    run("application", name="saving")
    assert message in run("saved_configuration", application="saving", **params)["msg"]
