# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs against localstalk with simulated instances: whole cycles, SIGKILL at every step, lost answers, races."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from chaos.local import add_version, check_end, deploy, environments

HERE = Path(__file__).resolve().parent
STEPS = range(1, 19)  # a cycle's steps that are not waits
PHASES = ("before", "middle", "after")


def run(aws: dict[str, str], application: str, *options: str) -> tuple[int, dict[str, Any]]:
    """A run to its end, or to its death (a negative status)."""
    command = [sys.executable, str(HERE / "ansible_cycle.py"), application, *options]
    ended = subprocess.run(command, env=aws, capture_output=True, text=True, timeout=240)
    if ended.returncode > 0:
        raise AssertionError(ended.stderr)
    return ended.returncode, json.loads(ended.stdout) if ended.returncode == 0 else {}


def test_a_cycle_leaves_one_fresh_environment(aws: dict[str, str]) -> None:
    first = deploy(aws, "whole")
    status, ended = run(aws, "whole")
    assert (status, ended["result"]) == (0, "done")
    check_end(aws, "whole", first)


def test_killed_at_every_step_and_again_in_the_resumed_run(aws: dict[str, str]) -> None:
    """All at once, each in an application of its own; the second kill hits the run that continues."""

    def one(number: int) -> tuple[int, int]:
        phase = PHASES[number % 3]
        application = f"kill{number}"
        first = deploy(aws, application)
        status, _ = run(aws, application, f"kill:{phase}:{number}")
        again, _ = run(aws, application, f"kill:{PHASES[(number + 1) % 3]}:3")
        ended: dict[str, Any] = {}
        for _ in range(3):
            ended = run(aws, application)[1]
            if environments(aws, application)[0]["EnvironmentId"] != first:
                break
        assert ended["result"] in ("done", "skipped"), ended
        check_end(aws, application, first)
        return status, again

    with ThreadPoolExecutor(4) as pool:
        killed = list(pool.map(one, STEPS))
    assert sum(status == -9 for status, _ in killed) >= 15


@pytest.mark.parametrize("action", ["create", "swap", "terminate", "tag"])
def test_a_lost_answer_changes_nothing(aws: dict[str, str], action: str) -> None:
    application = f"lost-{action}"
    first = deploy(aws, application)
    assert run(aws, application, f"lose:{action}")[1]["result"] == "done"
    check_end(aws, application, first)


def test_of_two_runs_started_together_one_is_locked_out(aws: dict[str, str]) -> None:
    first = deploy(aws, "race")
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: run(aws, "race")[1]["result"], range(2)))
    assert sorted(ended) == ["done", "locked"]
    check_end(aws, "race", first)


def test_a_kept_environment_takes_the_name_back(aws: dict[str, str]) -> None:
    first = deploy(aws, "back")
    assert run(aws, "back", "keep:3600")[1]["result"] == "done"
    assert len(environments(aws, "back")) == 2
    assert run(aws, "back", "goal:rollback")[1]["result"] == "done"
    assert [one["EnvironmentId"] for one in environments(aws, "back")] == [first]


def test_a_failed_candidate_tells_why_before_it_goes(aws: dict[str, str]) -> None:
    first = deploy(aws, "unfit")
    add_version(aws, "unfit", "v2")
    fault = {"kind": "command", "command": "app-deploy", "version": "v2"}
    url = f"{aws['AWS_ENDPOINT_URL']}/_localstalk/faults"
    with urllib.request.urlopen(url, json.dumps(fault).encode(), timeout=10):  # noqa: S310 - our own daemon
        ended = run(aws, "unfit", "goal:deploy", "version:v2", "verify:2")[1]
    assert ended["result"] == "failed_rolled_back", ended
    assert [one["EnvironmentId"] for one in environments(aws, "unfit")] == [first]
    failure = ended["failure"]
    assert failure["problem"] == ""
    assert any("ERROR" in line for line in failure["lines"])
    assert failure["logs"], "the log tail of an instance"
