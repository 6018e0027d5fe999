# SPDX-License-Identifier: GPL-3.0-or-later
"""Visitors at 200 requests a second through a whole cycle with real instances, a real load balancer and real DNS."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import pytest
from chaos.load_generator import APPLICATION, SPEED, TTL, cycle, terminate_at_once, visitors
from chaos.local import check_end, deploy, environments, localstalk

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with localstalk(tmp_path_factory.mktemp("localstalk"), "container", SPEED) as variables:
        deploy(variables, "load", APPLICATION, seconds=120)
        yield variables


def test_nobody_notices_a_cycle(aws: dict[str, str]) -> None:
    (first,) = environments(aws, "load")
    with visitors(aws, "load") as before:
        time.sleep(5)
    with visitors(aws, "load") as told:
        ended = cycle(aws, "load")
        time.sleep(2)
    assert ended["result"] == "done", ended
    check_end(aws, "load", first["EnvironmentId"])
    assert told["failed"] == 0, told
    assert told["sent"] > 1000, told
    assert any("(seen in the log of i-" in one for one in ended["reasons"]), "the new environment's log has the proof"
    sys.stdout.write(f"without a cycle: {before}\nthrough a cycle: {told}\n")


@pytest.mark.slow
def test_visitors_who_ignore_the_time_to_live_are_waited_for(aws: dict[str, str]) -> None:
    """Half of them keep the old address three times as long. It is their requests that the drain waits for: it lasts
    longer than the time to live, and ends long before its maximum. One that seems over (visitors may fall silent for as
    long as EB counts) is taken back when they come again; the one after which nobody came is what counts."""
    (first,) = environments(aws, "load")
    with visitors(aws, "load", sticky=3 * TTL) as told:
        ended = cycle(aws, "load", f"drain_timeout:{12 * TTL}")
        time.sleep(2)
    assert ended["result"] == "done", ended
    check_end(aws, "load", first["EnvironmentId"])
    assert told["failed"] == 0, told
    assert any("requests in the last minute" in one for one in ended["reasons"]), ended["reasons"]
    ends = re.findall(r"is drained after (\d+) seconds|got \d+ (requests again)", "\n".join(ended["reasons"]))
    assert [again for _, again in ends] == ["", *["requests again", ""] * (len(ends) // 2)], ended["reasons"]
    seconds = [int(drained) for drained, again in ends if not again]
    assert all(TTL + 1 <= each < 12 * TTL for each in seconds), ended["reasons"]
    assert seconds[-1] > TTL + 1, ended["reasons"]
    sys.stdout.write(f"half of the clients ignore the time to live: {told}; drained after {seconds} s\n")


def test_visitors_notice_when_the_old_environment_goes_at_once(aws: dict[str, str]) -> None:
    """What peers do, so that the tests above can fail."""
    with visitors(aws, "load") as told:
        terminate_at_once(aws, "load")
    assert told["failed"] > 0, told
    sys.stdout.write(f"terminated at once: {told}\n")
