# SPDX-License-Identifier: GPL-3.0-or-later
"""Real signals to real playbooks: nobody's run changes anything; the next run and status.yml say where it stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localstalk.testing import Localstalk

from .shop import QUICK, Shop

pytestmark = pytest.mark.slow

LOST = (signal.SIGKILL, signal.SIGHUP)
ENDED = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(scope="module")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    running = Localstalk(tmp_path_factory.mktemp("home") / "localstalk", "--driver", "sim", "--speed", "200")
    yield running
    running.close()


@pytest.fixture(scope="module")
def deployed(localstalk: Localstalk, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One live environment that runs the first version."""
    folder = tmp_path_factory.mktemp("shop") / "application"
    folder.mkdir()
    made = Shop(localstalk, folder, "signals")
    made.change("first")
    output = made.play("deploy.yml")
    # Each stage is told before it begins.
    assert -1 < output.find("providing the version") < output.find("creating the environment"), output
    assert output.find("creating the environment") < output.find("createEnvironment is starting."), output
    return made


@pytest.fixture
def shop(deployed: Shop) -> Iterator[Shop]:
    """The same, where nothing goes on and nothing goes wrong."""
    deployed.change(uuid.uuid4().hex)
    yield deployed
    for pid in deployed.processes():
        os.kill(pid, signal.SIGKILL)
    deployed.localstalk.clear_faults()
    wait_until(lambda: all(one["Status"] == "Ready" for one in deployed.environments().values()))
    deployed.lock(state="absent", force=True)


def read_until(running: subprocess.Popen[str], *wanted: str) -> str:
    """What a run has said until it said one of these."""
    assert running.stdout is not None
    said = ""
    while not any(text in said for text in wanted):
        line = running.stdout.readline()
        assert line, said
        said += line
    return said


def wait_until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", LOST)
def test_deployment_whose_playbook_is_gone_writes_nothing(shop: Shop, number: signal.Signals) -> None:
    """It waits for somebody's lock, so everything is still to be done when that is free."""
    before = shop.environments()[shop.name]
    shop.lock(reason="restoring a dump")
    known = shop.versions()
    with shop.start("deploy.yml") as running:
        wait_until(lambda: shop.versions() > known)
        os.kill(running.pid, number)
        running.wait(timeout=20)
        shop.lock(state="absent")
        assert shop.wait_until_all_ended() < 15
    after = shop.environments()[shop.name]
    assert (after["VersionLabel"], after["DateUpdated"]) == (before["VersionLabel"], before["DateUpdated"])
    assert not shop.lock_info()["held"]
    assert "bringing the environment" in shop.play("deploy.yml")
    assert shop.environments()[shop.name]["VersionLabel"] != before["VersionLabel"]


@pytest.mark.parametrize("number", LOST)
def test_cycle_whose_playbook_is_gone_does_not_swap(shop: Shop, number: signal.Signals) -> None:
    first = shop.environments()[shop.name]["EnvironmentId"]
    slow = QUICK | {"bake_time": 600}
    with shop.start("recreate_and_swap.yml", eb_recreate=slow) as running:
        read_until(running, " CREATE ")
        wait_until(lambda: len(shop.environments()) == 2)
        os.kill(running.pid, number)
        running.wait(timeout=20)
        assert shop.wait_until_all_ended() < 15
    left = shop.environments()
    assert left[shop.name]["EnvironmentId"] == first
    assert len(left) == 2, "the journal and the candidate stay for the next run"
    lock = shop.lock_info()
    assert lock["stopped"]
    reason = lock["reason"]
    # Its last step that was announced: the request for the candidate, or the note of what came of it.
    assert reason.startswith(tuple(f"recreate of signals/signals: {step}, " for step in ("create", "record"))), lock
    status = shop.play("status.yml")
    assert f"ended without freeing the lock; it stopped at: {reason}" in status
    assert "Go on:      run the playbook again, it goes on from there" in status
    output = shop.play("recreate_and_swap.yml")
    assert " RESUME " in output
    assert f"ended without freeing the lock and stopped at: {reason}; this run goes on from there" in output
    assert "result: done" in output
    assert shop.environments()[shop.name]["EnvironmentId"] == next(
        one["EnvironmentId"] for name, one in left.items() if name != shop.name
    ), "the candidate of the run that was killed is the one that is live now"
    assert "Stopped:" not in shop.play("status.yml")


@pytest.mark.parametrize("number", ENDED)
def test_next_run_says_where_a_deployment_stopped(shop: Shop, number: signal.Signals) -> None:
    shop.localstalk.fault("stuck", operation="deploy")
    with shop.start("deploy.yml") as running:
        said = read_until(running, "Environment update is starting.")
        assert -1 < said.find("bringing the environment") < said.find("Environment update is starting."), said
        # Not while a line is on its way: ansible-core's worker holds a lock meanwhile, and one that is ended with it
        # leaves ansible-playbook waiting for it for ever.
        before = shop.polls()
        wait_until(lambda: shop.polls() > before + 1)
        os.kill(running.pid, number)
        said += running.communicate(timeout=60)[0]
        assert shop.wait_until_all_ended() < 15
    step = next(line for line in said.splitlines() if "bringing the environment" in line).split(" UPDATE ")[1].strip()
    assert step.endswith("(update_version)")
    lock = shop.lock_info()
    assert (lock["stopped"], lock["reason"]) == (True, f"deploy: {step}")
    assert f"it stopped at: deploy: {step}" in shop.play("status.yml")
    shop.localstalk.clear_faults()
    shop.change(uuid.uuid4().hex)
    output = shop.play("deploy.yml")
    assert " RESUME " in output
    assert f"ended without freeing the lock and stopped at: deploy: {step}; this run goes on from what" in output
    assert not shop.lock_info()["stopped"]
    assert "Stopped:" not in shop.play("status.yml")


def test_unchanged_run_ends_what_a_deployment_left_that_was_killed_after_its_request(shop: Shop) -> None:
    before = shop.environments()[shop.name]["VersionLabel"]
    shop.localstalk.fault("stuck", operation="deploy")
    with shop.start("deploy.yml") as running:
        read_until(running, "Environment update is starting.")
        os.kill(running.pid, signal.SIGKILL)
        running.wait(timeout=20)
        assert shop.wait_until_all_ended() < 15
    assert "Stopped:" in shop.play("status.yml")
    shop.localstalk.clear_faults()
    wait_until(lambda: shop.environments()[shop.name]["Status"] == "Ready")
    label = shop.environments()[shop.name]["VersionLabel"]
    assert label != before
    output = shop.play("deploy.yml")
    assert "changed=0" in output
    assert f"ended without freeing the lock and stopped at: deploy: bringing the environment {shop.name}" in output
    assert "Stopped:" not in shop.play("status.yml")
    assert not shop.lock_info()["stopped"]
    # What it deployed counts as deployed.
    history = shop.play("history.yml")
    assert label in history, history
