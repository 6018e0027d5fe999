# SPDX-License-Identifier: GPL-3.0-or-later
"""One task for all hosts, and each host's own result: failures, crashes and secrets stay where they belong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .batch import PLATFORM, PROFILE, PROPERTIES, batch_tasks, recap, start_play

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(aws: dict[str, str], run: Callable[..., Any], tmp_path: Path) -> Start:
    """Start a playbook with a task for all hosts, whose items are given by host."""
    run("application", name="batch")

    def begin(
        items: dict[str, dict[str, Any]], *words: str, module: str = "environments", **keywords: Any
    ) -> subprocess.Popen[str]:
        common = {"application": "batch", **aws}
        if module == "environments":
            common |= {"platform": PLATFORM, "poll_interval": 0.3, "wait_timeout": 120}
        names = {host: {"name": host} if module == "environments" else {"name_prefix": host} for host in items}
        listed = [{"item": host, **common, "cname_prefix": host, **names[host], **item} for host, item in items.items()]
        return start_play(tmp_path, list(items), {"tasks": batch_tasks(listed, module, **keywords)}, *words)

    return begin


def test_a_bad_one_fails_alone_and_a_second_run_changes_nothing(start: Start) -> None:
    items = {
        "batch-one": {"option_settings": PROFILE},
        "batch-two": {"option_settings": PROFILE},
        "batch-bad": {"platform": "No such platform"},
        "batch-odd": {"wait_timeout": "soon"},
    }
    with start(items) as play:
        output, _errors = play.communicate(timeout=300)
    assert play.returncode == 2, output
    # What the task did for all is counted for each, and nothing of it for the first one besides.
    assert recap(output) == {"batch-one": (1, 0), "batch-two": (1, 0), "batch-bad": (0, 1), "batch-odd": (0, 1)}
    assert "batch-one did ['create']" in output
    said = " ".join(output.split())
    assert "No such platform" in said
    assert "The environment of batch-odd cannot be managed: " in said
    again = {name: items[name] for name in ("batch-one", "batch-two")}
    with start(again) as play:
        output, _errors = play.communicate(timeout=300)
    assert recap(output) == {"batch-one": (0, 0), "batch-two": (0, 0)}, output


def test_each_line_has_its_host_and_secrets_are_hidden_from_their_own_only(start: Start) -> None:
    # What is one host's secret is a part of what the other one has to tell.
    secret = {PROPERTIES: {"SECRET_KEY": "createEnvironment"}, **PROFILE}
    items = {"lines-one": {"option_settings": secret}, "lines-two": {"option_settings": PROFILE}}
    with start(items, "-vvv", "--diff") as play:
        output, _errors = play.communicate(timeout=300)
    assert play.returncode == 0, output
    lines = re.findall(r"^\[(lines-\w+)\] \d\d:\d\d:\d\d .*?([A-Z]+) +(.+)$", output, re.MULTILINE)
    assert ("lines-two", "INFO", "createEnvironment is starting.") in lines
    assert not any("createEnvironment" in text for host, _severity, text in lines if host == "lines-one")
    assert "SECRET_KEY" in output  # the name of it is no secret


def _descendants(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [*children, *(found for child in children for found in _descendants(child))]


def killed_at(play: subprocess.Popen[str], text: str) -> str:
    """All that a playbook prints whose module is killed at a line with the text."""
    assert play.stdout is not None
    seen = ""
    while text not in seen:
        line = play.stdout.readline()
        assert line, seen
        seen += line
    # The last one below ansible-playbook is the module, which got its code through standard input.
    os.kill(_descendants(play.pid)[-1], signal.SIGKILL)
    return seen + play.communicate(timeout=120)[0]


def test_a_module_that_dies_loses_no_finished_item(start: Start, faults: Any) -> None:
    faults.add(kind="stuck")
    # Nothing has to be done for the first one, so it has ended when the second one tells of its launch.
    items = {"dying-one": {"state": "absent"}, "dying-two": {"option_settings": PROFILE}}
    with start(items) as play:
        output = killed_at(play, "[dying-two]")
    assert recap(output)["dying-two"] == (0, 1), output
    assert recap(output)["dying-one"] == (0, 0), output
    assert "The run ended before this environment did" in " ".join(output.split())


@pytest.mark.parametrize(
    ("module", "keywords"),
    [
        ("environments", {"become": True}),
        ("environments", {"async": 100, "poll": 0}),
        ("environments", {"async": 100, "poll": 1}),
        ("cycles", {"async": 100, "poll": 1}),
    ],
)
def test_it_is_waited_for_on_the_controller(start: Start, module: str, keywords: dict[str, Any]) -> None:
    with start({"afar-one": {}}, module=module, **keywords) as play:
        output, _errors = play.communicate(timeout=120)
    assert f"{module} runs on the controller and is waited for" in output
    assert recap(output) == {"afar-one": (0, 1)}


def test_check_mode_says_what_would_be_done(start: Start, eb: Any) -> None:
    with start({"would-one": {"option_settings": PROFILE}}, "--check") as play:
        output, _errors = play.communicate(timeout=120)
    assert "would-one did ['create']" in output
    assert eb.describe_environments(EnvironmentNames=["would-one"])["Environments"] == []


def test_the_arguments_are_not_shown(start: Start) -> None:
    secret = {PROPERTIES: {"SECRET_KEY": "hunter2hunter2"}, **PROFILE}
    with start({"silent-one": {"option_settings": secret}}, "-vvv", "--check") as play:
        output, _errors = play.communicate(timeout=120)
    assert play.returncode == 0, output
    assert "hunter2" not in output
    assert "access_key" not in json.dumps(output)
