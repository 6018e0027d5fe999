# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows of whole runs with simulated instances, as docs/guides/terminals has them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import pytest
from terminals import EXPECTED, check, recorded, seen

from localstalk.testing import Localstalk

from .shop import QUICK

Play = Callable[..., subprocess.CompletedProcess[str]]
QUICKLY = {key: value for key, value in QUICK.items() if key != "lock"}
FLEET = [f"web-{number}" for number in range(1, 7)]


@pytest.fixture
def record(play_shop: Play) -> Callable[..., str]:
    """Run a playbook, check what the terminal shows, and keep it where that is asked for."""

    def call(name: str, playbook: str, hosts: list[str], **more: object) -> str:
        return seen(name, playbook, play_shop(playbook, hosts, **more).stdout)

    return call


@pytest.mark.parametrize("name", EXPECTED)
def test_a_record_is_as_a_terminal_should_be(name: str) -> None:
    check(name, recorded(name))


@pytest.mark.slow
def test_deployments(record: Callable[..., str], shared_localstalk: Localstalk) -> None:
    record("first_deployment", "deploy", ["shop"])
    record("no_change", "deploy", ["shop"])
    shared_localstalk.fault("command", environment="shop")
    record("failing_deployment", "deploy", ["shop"], text="two")


@pytest.mark.slow
def test_a_deployment_that_does_not_get_on(
    record: Callable[..., str], play_shop: Play, shared_localstalk: Localstalk
) -> None:
    assert play_shop("deploy", ["slow"]).returncode == 0
    shared_localstalk.fault("stuck", operation="deploy", environment="slow")
    # Long enough for a sign of life, which comes every 30 seconds.
    ends = threading.Timer(75, shared_localstalk.clear_faults)
    ends.start()
    try:
        record("stuck_deployment", "deploy", ["slow"], text="two")
    finally:
        ends.cancel()


@pytest.mark.slow
def test_a_fleet_with_two_bad_hosts(record: Callable[..., str], play_shop: Play, shared_localstalk: Localstalk) -> None:
    assert play_shop("deploy", FLEET).returncode == 0
    for name in ("web-2", "web-4"):
        shared_localstalk.fault("command", environment=name)
    record("failing_fleet", "deploy", FLEET, text="two")


@pytest.mark.slow
def test_cycles(record: Callable[..., str], play_shop: Play) -> None:
    assert play_shop("deploy", ["night"]).returncode == 0
    assert play_shop("deploy", ["night"], text="two").returncode == 0
    record("cycle", "recreate_and_swap", ["night"], eb_recreate=QUICKLY)
    record("rollback", "rollback", ["night"], eb_recreate=QUICKLY)


@pytest.mark.slow
def test_a_cycle_whose_candidate_fails(
    record: Callable[..., str], play_shop: Play, shared_localstalk: Localstalk
) -> None:
    assert play_shop("deploy", ["failing"]).returncode == 0
    shared_localstalk.fault("command", times=1)
    record("failing_cycle", "recreate_and_swap", ["failing"], eb_recreate=QUICKLY | {"verify_timeout": 8})
