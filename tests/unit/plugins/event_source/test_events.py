# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source of Event-Driven Ansible, loaded and given a queue as ansible-rulebook does it."""

from __future__ import annotations

import asyncio
import re
import runpy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
SOURCE = runpy.run_path(str(ROOT / "extensions" / "eda" / "plugins" / "event_source" / "events.py"))
LIMIT_S = 60
PROFILE = {
    "Namespace": "aws:autoscaling:launchconfiguration",
    "OptionName": "IamInstanceProfile",
    "Value": "aws-elasticbeanstalk-ec2-role",
}
Told = list[dict[str, Any]]


@pytest.fixture
def create(eb: Any) -> Callable[[str, str], None]:
    """Begin to make an environment, and its application where there is none."""

    def make(application: str, name: str) -> None:
        if not eb.describe_applications(ApplicationNames=[application])["Applications"]:
            eb.create_application(ApplicationName=application)
        stack = next(one for one in eb.list_available_solution_stacks()["SolutionStacks"] if "running Docker" in one)
        eb.create_environment(
            ApplicationName=application, EnvironmentName=name, SolutionStackName=stack, OptionSettings=[PROFILE]
        )

    return make


def hear(source: Any, name: str) -> Told:
    """All that is told until the environment is green."""
    told: Told = []
    deadline = time.monotonic() + LIMIT_S
    while not any(is_green(one, name) for one in told):
        assert time.monotonic() < deadline, told
        told += source.poll()
    return told


def is_green(one: dict[str, Any], name: str) -> bool:
    return one["kind"] == "health" and one["environment"] == name and one["health"] == "Green"


def messages(told: Told) -> list[str]:
    return [one["message"] for one in told if one["kind"] == "event"]


def test_only_news_is_told_and_each_once(eb: Any, create: Callable[[str, str], None]) -> None:
    first = SOURCE["Source"](eb, "watched", [], "TRACE")
    assert first.poll() == []
    create("watched", "watched-old")
    hear(first, "watched-old")

    source = SOURCE["Source"](eb, "watched", [], "TRACE")
    assert source.poll() == []
    create("watched", "watched-new")
    told = hear(source, "watched-new")

    assert {one["environment"] for one in told} == {"watched-new"}
    assert messages(told)[0] == "createEnvironment is starting."
    known = eb.describe_events(ApplicationName="watched", EnvironmentName="watched-new")["Events"]
    heard = messages(told) + messages(source.poll())
    assert sorted(heard) == sorted(event["Message"] for event in known)[: len(heard)]
    assert set(told[0]) == {
        "kind", "application", "environment", "severity", "message", "date", "request_id", "version_label"
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*\+00:00", told[0]["date"])

    changes = [one for one in told if one["kind"] == "health"]
    assert [(one["previous_health"], one["health"]) for one in changes] == [("", "Grey"), ("Grey", "Green")]
    assert changes[-1]["cname"].endswith(".elasticbeanstalk.com")


def test_only_the_environments_that_are_named(eb: Any, create: Callable[[str, str], None]) -> None:
    source = SOURCE["Source"](eb, "chosen", ["chosen-b"], "INFO")
    assert source.poll() == []
    create("chosen", "chosen-a")
    create("chosen", "chosen-b")
    assert {one["environment"] for one in hear(source, "chosen-b")} == {"chosen-b"}


def test_nothing_is_lost_when_a_request_fails(
    faults: Any, create: Callable[[str, str], None], localstalk_env: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    for name, value in localstalk_env.items():
        monkeypatch.setenv(name, value)

    async def listen() -> Told:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        task = asyncio.create_task(SOURCE["main"](queue, {"application": "unlucky", "poll_interval": 1}))
        told: Told = []
        async with asyncio.timeout(LIMIT_S):
            while "asked again" not in caplog.text:
                await asyncio.sleep(0.05)
            create("unlucky", "unlucky-1")
            while not any("Successfully launched environment" in text for text in messages(told)):
                told.append(await queue.get())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    faults.add(kind="error", code="AccessDenied", http_status=403, operations=["DescribeEnvironments"], times=1)
    assert "createEnvironment is starting." in messages(asyncio.run(listen()))
    assert "AccessDenied" in caplog.text
    assert "of unlucky: asked again in 1 s" in caplog.text


def test_events_found_before_the_failure_are_told_by_the_next_call(
    eb: Any, faults: Any, create: Callable[[str, str], None]
) -> None:
    source = SOURCE["Source"](eb, "kept", [], "INFO")
    assert source.poll() == []
    create("kept", "kept-1")
    faults.add(kind="error", code="AccessDenied", http_status=403, operations=["DescribeEnvironments"])
    with pytest.raises(eb.exceptions.ClientError, match="AccessDenied"):
        source.poll()
    faults.clear()
    assert "createEnvironment is starting." in messages(source.poll())


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({}, "write application: and the name of one application"),
        ({"application": ["a"]}, "write application: and the name of one application"),
        ({"application": "a", "environments": "b"}, "environments is a list of names, and not 'b'"),
        (
            {"application": "a", "severity": "warn"},
            "severity is one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, and not 'warn'",
        ),
        ({"application": "a", "poll_interval": 0}, "poll_interval is a number of seconds, 1 or more, and not 0"),
        ({"application": "a", "poll_interval": True}, "poll_interval is a number of seconds, 1 or more, and not True"),
        (
            {"application": "a", "interval": 5},
            "there is no option interval; there are application, environments, severity, poll_interval, region, "
            "profile, endpoint_url",
        ),
        ({"application": "a", "profile": "nobody"}, "The config profile (nobody) could not be found"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_sentence(args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'jack.beanstalk.events: {sentence}')}$"):
        asyncio.run(SOURCE["main"](asyncio.Queue(), args))


def test_documentation_names_the_options_that_are_taken() -> None:
    documented = yaml.safe_load(SOURCE["DOCUMENTATION"])["options"]
    taken = SOURCE["checked"]({"application": "a"})
    assert {name: option["default"] for name, option in documented.items() if "default" in option} == {
        name: value for name, value in taken.items() if name != "application"
    }
    for name, option in documented.items():
        assert SOURCE["checked"]({"application": "a", name: option.get("default", "a")})
