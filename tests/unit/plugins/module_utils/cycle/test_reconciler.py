# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles on the engine, in simulated time: what a night costs, and how a run ends whatever happens to it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from .simulation import Night, refused


def one_night(name: str = "shop", **given: Any) -> Night:
    """One logical environment and a cycle of it."""
    night = Night()
    night.eb.add(f"{name}-0", name)
    night.add(name, **given)
    return night


def actions(night: Night, name: str = "shop") -> list[str]:
    return [one["action"] for one in night.heard.results[name]["steps"]]


def once(error: Exception) -> Callable[[], None]:
    """Goes wrong the first time only."""
    errors = [error]

    def happens() -> None:
        if errors:
            raise errors.pop()

    return happens


def test_a_cycle_puts_a_fresh_environment_in_the_place_of_the_live_one() -> None:
    night = one_night()
    night.lane.run()
    ended = night.heard.results["shop"]
    assert (ended["result"], ended["changed"]) == ("done", True), ended["sentence"]
    (live,) = night.live("shop")
    assert live["EnvironmentId"] == ended["live"]["environment_id"] != "e-0000"
    assert night.eb.found["e-0000"]["Status"] == "Terminated"
    assert night.bucket.owners() == {"shop": ""}
    assert night.heard.warnings == []
    waited = {text for _name, text, _seconds in night.heard.heartbeats}
    assert any(text.startswith("waiting for shop-") and text.endswith(": Launching") for text in waited)


def test_a_night_of_two_hundred_cycles() -> None:
    night = Night()
    for number in range(200):
        night.eb.add(f"shop-{number}-first", f"shop-{number}")
        night.add(f"shop-{number}")
    night.lane.run()
    assert {one["result"] for one in night.heard.results.values()} == {"done"}
    assert len(night.heard.results) == 200
    assert sum(night.eb.calls.values()) / 200 <= 30
    # What a cycle cannot do without: its operations, the bake time, and what DNS needs to forget.
    least = sum(night.eb.operation.values()) + 60 + 60 + 30
    assert night.clock.now() <= 1.1 * least
    # What waiting costs grows with the application, and not with its environments.
    assert night.eb.calls["environments"] <= night.clock.now() / 10 + 5
    assert night.bucket.calls["put"] <= 100
    assert set(night.bucket.owners().values()) == {""}
    steps = [(one["action"], re.sub(r"\d+", "", one["reason"])) for one in night.heard.results["shop-7"]["steps"]]
    assert not any(one == other and one[0] in ("wait", "drain") for one, other in itertools.pairwise(steps)), steps


def test_where_aws_takes_few_requests_cycles_begin_when_there_is_room_and_none_is_late() -> None:
    night = Night(rate=2.0)
    for number in range(30):
        night.eb.add(f"shop-{number}-first", f"shop-{number}")
        night.add(f"shop-{number}")
    night.lane.run()
    assert {one["result"] for one in night.heard.results.values()} == {"done"}, night.heard.errors
    queued = [one for one in night.heard.results.values() if one["steps"][0]["reason"].startswith("waited ")]
    assert 10 <= len(queued) <= 20
    assert all(one["steps"][0]["reason"].endswith("had room for another cycle") for one in queued)
    assert all([step["action"] for step in one["steps"][:2]] == ["wait", "acquire"] for one in queued)


def test_one_that_fails_fails_alone() -> None:
    night = Night()
    for name in ("good", "bad"):
        night.eb.add(f"{name}-0", name)
    night.eb.found["e-0001"]["Health"] = "Red"
    night.add("good")
    night.add("bad")
    night.lane.run()
    assert {name: one["result"] for name, one in night.heard.results.items()} == {"good": "done", "bad": "refused"}
    assert "is Red: a cycle would hide what is wrong" in night.heard.results["bad"]["sentence"]


def test_what_the_credentials_may_not_do_ends_a_run_at_once_and_frees_its_lock() -> None:
    night = one_night()

    def deny() -> None:
        raise refused("AccessDenied", "not authorized to perform: elasticbeanstalk:CreateEnvironment", "Create")

    night.eb.broken["create"] = deny
    night.lane.run()
    assert "create the candidate" in str(night.heard.errors["shop"])
    assert night.eb.calls["create"] == 1
    assert night.bucket.owners() == {"shop": ""}


def test_a_look_that_fails_for_a_moment_is_repeated_and_one_that_is_refused_is_not() -> None:
    night = one_night()
    night.eb.broken["settings"] = once(ReadTimeoutError(endpoint_url="x", error="late"))
    night.lane.run()
    assert night.heard.results["shop"]["result"] == "done"
    night = one_night()

    def deny() -> None:
        raise refused("AccessDenied", "no", "DescribeConfigurationSettings")

    night.eb.broken["settings"] = deny
    night.lane.run()
    assert night.eb.calls["settings"] == 1
    assert "AccessDenied" in str(night.heard.errors["shop"].exception)  # type: ignore[attr-defined]


@pytest.mark.parametrize("operation", ["create", "swap", "terminate", "tag"])
def test_a_lost_answer_changes_nothing(operation: str) -> None:
    night = one_night()
    calls = {"create": "create_environment", "swap": "swap_environment_cnames"}
    calls |= {"terminate": "terminate_environment", "tag": "update_tags_for_resource"}
    really = getattr(night.eb, calls[operation])
    lost: list[str] = []

    def lose(**given: Any) -> None:
        really(**given)
        if not lost:
            lost.append(operation)
            raise ReadTimeoutError(endpoint_url="x", error="the answer was lost")

    setattr(night.eb, calls[operation], lose)
    night.lane.run()
    assert night.heard.results["shop"]["result"] == "done"
    (live,) = night.live("shop")
    assert live["EnvironmentId"] == "e-0001"
    assert [one["Status"] for one in night.eb.found.values()] == ["Terminated", "Ready"]
    assert (night.eb.calls["create"], night.eb.calls["swap"], night.eb.calls["terminate"]) == (1, 1, 1)


def test_a_decision_that_has_become_too_old_is_not_carried_out() -> None:
    night = one_night()
    slow = iter([30.0])
    # The last look before a termination takes longer than a decision is good for.
    night.eb.broken["one environment"] = lambda: night.clock.sleep(next(slow, 0.0))
    night.lane.run()
    assert night.heard.results["shop"]["result"] == "done"
    assert (night.eb.calls["one environment"], night.eb.calls["terminate"]) == (2, 1)


def test_a_run_that_lost_its_lock_does_nothing_more() -> None:
    night = one_night(lock={"wait_timeout": 0})

    def rob() -> None:
        store = night.bucket.store()
        store.read()
        lease = store.lease("shop")
        store.write_all({"shop": lease.taken("thief", "by force", store.now, 10_000)})

    night.clock.plan(100, rob)
    night.lane.run()
    ended = night.heard.results["shop"]
    assert (ended["result"], ended["sentence"]) == ("locked", "thief holds the lock of shop/shop: by force")
    assert night.eb.calls["swap"] == 0
    assert night.bucket.owners() == {"shop": "thief"}


def test_a_lease_that_ran_out_and_that_nobody_took_is_taken_again() -> None:
    night = one_night(lock={"ttl": 30})
    night.clock.plan(100, lambda: setattr(night.bucket, "down", True))
    night.clock.plan(145, lambda: setattr(night.bucket, "down", False))
    night.lane.run()
    assert night.heard.errors == {}
    assert night.heard.results["shop"]["result"] == "done"
    assert night.bucket.owners() == {"shop": ""}


def test_a_held_lock_is_waited_for_as_long_as_the_user_says() -> None:
    night = one_night(lock={"wait_timeout": 40})
    other = night.bucket.store()
    other.read()
    other.write_all({"shop": other.lease("shop").taken("somebody", "a dump", other.now, 1000)})
    night.lane.run()
    ended = night.heard.results["shop"]
    assert ended["result"] == "locked"
    assert 40 <= night.heard.ended["shop"] <= 60
    assert not ended["changed"]


def test_a_run_stops_at_a_stage_holds_the_lock_there_and_goes_on_by_the_same_name() -> None:
    night = one_night(stop_at="before_swap", lock={"owner": "the run"})
    night.lane.run()
    stopped = night.heard.results.pop("shop")
    assert (stopped["stage"], stopped["result"]) == ("before_swap", "")
    assert night.eb.calls["swap"] == 0
    store = night.bucket.store()
    store.read()
    assert store.lease("shop").owner == "the run"
    assert store.lease("shop").expires - store.now == pytest.approx(900, abs=2)
    night.heard.ended.clear()
    night.new_lane()
    night.add("shop", lock={"owner": "the run"})
    night.lane.run()
    ended = night.heard.results["shop"]
    assert (ended["result"], ended["cycle"]) == ("done", stopped["cycle"])
    assert night.eb.calls["create"] == 1
    assert night.bucket.owners() == {"shop": ""}


def test_what_a_dead_run_left_is_continued_by_another() -> None:
    night = one_night()
    for _turn in range(3000):
        night.lane._turn()
        if night.eb.calls["swap"]:
            break
    night.owner = "another"
    night.new_lane()
    night.add("shop")
    night.lane.run()
    ended = night.heard.results["shop"]
    assert ended["result"] == "done"
    assert (night.eb.calls["create"], night.eb.calls["swap"]) == (1, 1)
    (live,) = night.live("shop")
    assert live["EnvironmentId"] == "e-0001"


def test_check_mode_says_the_plan_and_writes_nothing() -> None:
    night = Night()
    night.eb.add("shop-0", "shop")
    night.add("shop", check_mode=True)
    night.lane.run()
    planned = night.heard.results["shop"]
    assert planned["changed"]
    assert planned["plan"][0] == "would create an environment like shop-0 (e-0000), running v1"
    assert (night.eb.calls["create"], night.bucket.calls["put"]) == (0, 0)


def test_a_candidate_that_never_gets_ready_is_given_up_after_its_limit() -> None:
    night = one_night(create_timeout=300, terminate_timeout=400)
    night.eb.operation["create"] = 1e6
    night.lane.run()
    assert night.heard.errors == {}
    ended = night.heard.results["shop"]
    assert ended["result"] == "failed_rolled_back"
    assert "is still Launching after 300 seconds" in ended["sentence"]
    assert "terminate_candidate" in actions(night)
    assert night.live("shop")[0]["EnvironmentId"] == "e-0000"
