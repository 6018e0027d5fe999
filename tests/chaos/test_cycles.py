# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs against localstalk with simulated instances: whole cycles, SIGKILL at every step, lost answers, races."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from chaos.local import HERE, add_version, check_end, client, deploy, environments, fault, run

EFFECTS = range(1, 25)  # of a cycle that may change something: its lock, its records, its requests
PHASES = ("before", "after")


def test_a_cycle_leaves_one_fresh_environment(aws: dict[str, str]) -> None:
    first = deploy(aws, "whole")
    status, ended = run(aws, "whole")
    assert (status, ended["result"]) == (0, "done")
    check_end(aws, "whole", first)


def test_killed_at_every_step_and_again_in_the_resumed_run(aws: dict[str, str]) -> None:
    """All at once, each in an application of its own; the second kill hits the run that continues."""

    def one(number: int) -> tuple[int, int]:
        phase = PHASES[number % 2]
        application = f"kill{number}"
        first = deploy(aws, application)
        status, _ = run(aws, application, f"kill:{phase}:{number}")
        again, _ = run(aws, application, f"kill:{PHASES[(number + 1) % 2]}:3")
        ended: dict[str, Any] = {}
        for _ in range(3):
            ended = run(aws, application)[1]
            if environments(aws, application)[0]["EnvironmentId"] != first:
                break
        assert ended["result"] in ("done", "skipped"), ended
        check_end(aws, application, first)
        return status, again

    with ThreadPoolExecutor(4) as pool:
        killed = list(pool.map(one, EFFECTS))
    assert sum(status == -9 for status, _ in killed) >= 15


@pytest.mark.parametrize("action", ["create", "swap", "terminate", "tag"])
def test_a_lost_answer_changes_nothing(aws: dict[str, str], action: str) -> None:
    application = f"lost-{action}"
    first = deploy(aws, application)
    assert run(aws, application, f"lose:{action}")[1]["result"] == "done"
    check_end(aws, application, first)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("throttle", {"rate": 3, "burst": 5}),
        ("error", {"code": "InternalFailure", "http_status": 500, "probability": 0.15, "seed": 7}),
    ],
)
def test_trouble_with_every_call_delays_a_cycle_and_does_not_fail_it(
    aws: dict[str, str], kind: str, fields: dict[str, Any]
) -> None:
    application = f"trouble-{kind}"
    first = deploy(aws, application)
    with fault(aws, kind, service="elasticbeanstalk", **fields):
        assert run(aws, application)[1]["result"] == "done"
    check_end(aws, application, first)


def test_a_taken_dns_name_is_replaced_by_another(aws: dict[str, str]) -> None:
    first = deploy(aws, "taken")
    said = {"code": "InvalidParameterValue", "message": "DNS name (taken) is not available.", "times": 1}
    with fault(aws, "error", operations=["CreateEnvironment"], **said):
        assert run(aws, "taken")[1]["result"] == "done"
    check_end(aws, "taken", first)
    assert environments(aws, "taken")[0]["EnvironmentName"].endswith("-2")


def test_a_quota_that_fills_up_meanwhile_ends_the_cycle_with_the_live_environment(aws: dict[str, str]) -> None:
    first = deploy(aws, "filled")
    with fault(aws, "error", operations=["CreateEnvironment"], code="TooManyEnvironmentsException"):
        ended = run(aws, "filled")[1]
    assert ended["result"] == "failed_rolled_back", ended
    assert "quota of environments is used up" in ended["sentence"]
    assert [one["EnvironmentId"] for one in environments(aws, "filled")] == [first]


def test_a_sick_environment_is_not_replaced(aws: dict[str, str]) -> None:
    first = deploy(aws, "sick")
    with fault(aws, "health", health="Severe", environment="sick-first"):
        deadline = time.monotonic() + 60
        while environments(aws, "sick")[0]["Health"] != "Red":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        ended = run(aws, "sick")[1]
    assert (ended["result"], ended["steps"]) == ("refused", ["finish"])
    assert "is Red" in ended["sentence"]
    assert [one["EnvironmentId"] for one in environments(aws, "sick")] == [first]


def test_controllers_whose_clocks_differ_by_hours_agree_on_who_holds_the_lock(aws: dict[str, str]) -> None:
    first = deploy(aws, "skew")
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda skew: run(aws, "skew", f"skew:{skew}")[1]["result"], (-7200, 7200)))
    assert sorted(ended) == ["done", "locked"]
    check_end(aws, "skew", first)


def test_a_run_that_slept_longer_than_its_lease_does_nothing_more(aws: dict[str, str]) -> None:
    """It stops between announcing its swap and sending it; another run goes on meanwhile; then it wakes up."""
    first = deploy(aws, "slept")
    add_version(aws, "slept", "v2")
    wanted = ("slept", "goal:deploy", "version_label:v2", "force:false")
    command = [sys.executable, str(HERE / "ansible_run.py"), "cycle", *wanted, "stop:swap"]
    with subprocess.Popen(command, env=aws, stdout=subprocess.PIPE, text=True) as sleeper:
        try:
            os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
            other = run(aws, *wanted, "lock.wait_timeout:120")[1]
            assert other["result"] == "done", other
            swaps = told(aws, "slept").count("Completed swapping CNAMEs")
            os.kill(sleeper.pid, signal.SIGCONT)
            output, _ = sleeper.communicate(timeout=120)
        finally:
            sleeper.kill()
    assert swaps == 1
    assert json.loads(output)["result"] == "skipped", output
    assert told(aws, "slept").count("Completed swapping CNAMEs") == 1
    check_end(aws, "slept", first)


def told(aws: dict[str, str], application: str) -> str:
    events = client(aws, "elasticbeanstalk").describe_events(ApplicationName=application)["Events"]
    return "\n".join(sorted({one["Message"] for one in events}))


def test_of_two_runs_started_together_one_is_locked_out(aws: dict[str, str]) -> None:
    first = deploy(aws, "race")
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: run(aws, "race")[1]["result"], range(2)))
    assert sorted(ended) == ["done", "locked"]
    check_end(aws, "race", first)


def test_a_kept_environment_takes_the_name_back(aws: dict[str, str]) -> None:
    first = deploy(aws, "back")
    assert run(aws, "back", "retain_old_for:3600")[1]["result"] == "done"
    assert len(environments(aws, "back")) == 2
    assert run(aws, "back", "goal:rollback")[1]["result"] == "done"
    assert [one["EnvironmentId"] for one in environments(aws, "back")] == [first]


def test_when_nothing_is_kept_a_rollback_makes_a_fresh_environment_with_the_version_before(aws: dict[str, str]) -> None:
    first = deploy(aws, "redo")
    add_version(aws, "redo", "v2")
    assert run(aws, "redo", "goal:deploy", "version_label:v2")[1]["result"] == "done"
    assert [one["VersionLabel"] for one in environments(aws, "redo")] == ["v2"]
    assert run(aws, "redo", "goal:rollback")[1]["result"] == "done"
    assert [one["VersionLabel"] for one in environments(aws, "redo")] == ["v1"]
    check_end(aws, "redo", first)


def test_a_failed_candidate_tells_why_before_it_goes(aws: dict[str, str]) -> None:
    first = deploy(aws, "unfit")
    add_version(aws, "unfit", "v2")
    with fault(aws, "command", command="app-deploy", version="v2"):
        ended = run(aws, "unfit", "goal:deploy", "version_label:v2", "verify_timeout:2")[1]
    assert ended["result"] == "failed_rolled_back", ended
    assert [one["EnvironmentId"] for one in environments(aws, "unfit")] == [first]
    failure = ended["failure"]
    assert failure["problem"] == ""
    assert any("ERROR" in line for line in failure["lines"])
    assert failure["logs"], "the log tail of an instance"
