# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop: many reconcilers, few requests, and nobody held up by another."""

from __future__ import annotations

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.effects import (
    Acquire,
    Background,
    Call,
    Observe,
    Pause,
    Reconciler,
    Release,
)

from .simulation import World


def deploy(world: World, one: str, seconds: float, lock: bool = True) -> Reconciler:
    """A deployment as small as it can be: lock, update, watch, verify."""
    name = world.service.found[one]["EnvironmentName"]
    yield Observe("shop", world.clock.now())
    if lock:
        yield Acquire("shop", name, "deploy")
    yield Call(lambda: world.service.update(one, "v2", seconds))
    while True:
        snapshot = yield Observe("shop", world.clock.now() + 1, f"{name} to become Ready")
        if snapshot.environments[one]["Status"] == "Ready":
            break
    yield Call(lambda: world.service.request("health"))
    return snapshot.environments[one]["VersionLabel"]


def test_two_hundred_deployments_need_two_calls_each_and_two_a_tick() -> None:
    world = World()
    for number in range(200):
        world.lane.add(f"host-{number}", deploy(world, world.service.add(f"shop-{number}"), 600.0), 1800.0)
    world.lane.run()
    assert set(world.heard.results.values()) == {"v2"}
    assert len(world.heard.results) == 200
    assert world.service.calls["update"] == world.service.calls["health"] == 200
    ticks = world.service.calls["environments"]
    assert ticks == world.service.calls["events"] <= 630 / 5
    assert world.clock.now() < 640
    # One write takes all locks, renewals come every 90 seconds, one or two writes free them.
    assert world.bucket.calls["put"] <= 12
    assert set(world.bucket.owners().values()) == {""}


def test_one_that_fails_fails_alone() -> None:
    world = World()

    def broken() -> Reconciler:
        yield Acquire("shop", "bad", "deploy")
        yield Call(lambda: 1 / 0)

    world.lane.add("bad", broken(), 100.0)
    world.lane.add("good", deploy(world, world.service.add("shop"), 20.0), 100.0)
    world.lane.run()
    assert world.heard.results == {"good": "v2"}
    assert isinstance(world.heard.errors["bad"], ZeroDivisionError)
    assert set(world.bucket.owners().values()) == {""}


def test_what_a_call_raises_is_thrown_into_its_reconciler() -> None:
    world = World()

    def careful() -> Reconciler:
        try:
            yield Call(lambda: 1 / 0)
        except ZeroDivisionError:
            value = yield Background(lambda: "second way")
            return value

    world.lane.add("host", careful(), 100.0)
    world.lane.run()
    assert world.heard.results == {"host": "second way"}


def test_past_its_deadline_an_item_is_left_and_its_lock_freed() -> None:
    world = World()

    def endless() -> Reconciler:
        yield Acquire("shop", "shop", "deploy")
        while True:
            yield Pause(world.clock.now() + 10, "something that never comes")

    world.lane.add("stuck", endless(), 60.0)
    world.lane.add("good", deploy(world, world.service.add("other"), 200.0), 1800.0)
    world.lane.run()
    assert world.heard.ended["stuck"] == pytest.approx(65.0, abs=1)
    assert str(world.heard.errors["stuck"]) == "Gave up at the deadline, still waiting: something that never comes"
    assert world.heard.results == {"good": "v2"}
    assert world.bucket.owners() == {"shop": "", "other": ""}


def test_what_is_waited_for_is_told_soon_and_then_every_half_minute() -> None:
    world = World()
    world.lane.add("host", deploy(world, world.service.add("shop"), 100.0), 1800.0)
    world.lane.run()
    assert [(name, text) for name, text, _seconds in world.heard.heartbeats] == [("host", "shop to become Ready")] * 4
    assert [seconds for _name, _text, seconds in world.heard.heartbeats] == pytest.approx([2, 32, 62, 92], abs=5)


def test_a_poll_that_fails_for_a_moment_is_done_again() -> None:
    world = World()
    world.lane.add("host", deploy(world, world.service.add("shop"), 30.0, lock=False), 1800.0)
    world.clock.plan(10, lambda: world.service.failures.append(transient()))
    world.lane.run()
    assert world.heard.results == {"host": "v2"}


def test_a_poll_that_is_refused_fails_those_who_wait_for_it() -> None:
    world = World()
    world.lane.add("host", deploy(world, world.service.add("shop"), 30.0, lock=False), 1800.0)
    world.clock.plan(10, lambda: world.service.failures.append(AnsibleBeanstalkError(message="AccessDenied")))
    world.lane.run()
    assert str(world.heard.errors["host"]) == "AccessDenied"
    assert world.clock.now() < 20


def test_a_lock_that_is_taken_away_ends_its_item_before_its_next_call() -> None:
    world = World()
    calls = []

    def slow() -> Reconciler:
        yield Acquire("shop", "shop", "deploy")
        for _turn in range(20):
            yield Pause(world.clock.now() + 10)
            yield Call(lambda: calls.append(world.clock.now()))

    def rob() -> None:
        store = world.bucket.store()
        store.read()
        lease = store.lease("shop")
        store.write_all({"shop": lease.taken("thief", "by force", store.now, 600)})

    world.lane.add("host", slow(), 1800.0)
    world.clock.plan(50, rob)
    world.lane.run()
    assert str(world.heard.errors["host"]) == "The lock of shop was taken by thief."
    # It is noticed by the renewal, when half of the lease is over.
    assert max(calls) <= 91
    assert world.bucket.owners() == {"shop": "thief"}


def test_no_call_is_made_under_a_lock_that_ran_out() -> None:
    world = World()
    calls = []

    def slow() -> Reconciler:
        yield Acquire("shop", "shop", "deploy", ttl=60)
        yield Call(lambda: world.clock.sleep(100))  # the machine stood still
        yield Call(lambda: calls.append("write"))

    world.lane.add("host", slow(), 1800.0)
    world.clock.plan(10, lambda: setattr(world.bucket, "down", True))
    world.lane.run()
    assert calls == []
    assert "ran out before it could be renewed" in str(world.heard.errors["host"])


def test_a_lock_that_somebody_holds_is_waited_for() -> None:
    world = World()
    other = world.bucket.store()
    other.read()
    other.write_all({"shop": other.lease("shop").taken("somebody", "a cycle", other.now, 600)})
    world.clock.plan(42, lambda: other.write_all({"shop": other.lease("shop").freed()}))
    world.lane.add("host", deploy(world, world.service.add("shop"), 20.0), 1800.0)
    world.lane.add("free", deploy(world, world.service.add("free"), 20.0), 1800.0)
    world.lane.run()
    assert world.heard.results == {"host": "v2", "free": "v2"}
    assert world.heard.ended["free"] < 35
    assert 62 < world.heard.ended["host"] < 80


def test_a_lock_that_stays_held_is_a_refusal_that_names_its_holder() -> None:
    world = World()
    other = world.bucket.store()
    other.read()
    other.write_all({"shop": other.lease("shop").taken("somebody", "a cycle", other.now, 6000)})
    world.lane.add("host", deploy(world, world.service.add("shop"), 20.0), 1800.0)
    world.lane.run()
    assert "somebody holds the lock (a cycle)" in str(world.heard.errors["host"])
    assert 299 < world.heard.ended["host"] < 310
    assert world.service.calls["update"] == 0


def test_two_items_for_one_logical_environment_are_a_refusal() -> None:
    world = World()
    one = world.service.add("shop")
    world.lane.add("first", deploy(world, one, 20.0), 1800.0)
    world.lane.add("second", deploy(world, one, 20.0), 1800.0)
    world.lane.run()
    assert world.heard.results == {"first": "v2"}
    assert str(world.heard.errors["second"]) == "Two items of this run are for the logical environment shop."


def test_a_lock_may_be_freed_before_the_end() -> None:
    world = World()

    def early() -> Reconciler:
        yield Acquire("shop", "shop", "deploy")
        yield Release("shop", "shop")
        yield Pause(world.clock.now() + 30)
        return world.bucket.owners()

    world.lane.add("host", early(), 100.0)
    world.lane.run()
    assert world.heard.results == {"host": {"shop": ""}}


def test_a_lock_that_cannot_be_freed_is_a_warning() -> None:
    world = World()

    def brief() -> Reconciler:
        yield Acquire("shop", "shop", "deploy")
        world.bucket.down = True
        return "done"

    world.lane.add("host", brief(), 100.0)
    world.lane.run()
    assert world.heard.results == {"host": "done"}
    assert world.heard.warnings[0].startswith("The locks of shop could not be freed and end by themselves:")


def transient() -> AnsibleBeanstalkError:
    from botocore.exceptions import ReadTimeoutError

    return AnsibleBeanstalkError(message="no answer", exception=ReadTimeoutError(endpoint_url="x", error="late"))


def test_other_figures_are_no_other_wait() -> None:
    world = World()

    def counts() -> Reconciler:
        for left in range(40, 0, -1):
            yield Pause(world.clock.now() + 1, f"{left} requests to end")

    world.lane.add("host", counts(), 1800.0)
    world.lane.run()
    told = [(text, round(seconds)) for _name, text, seconds in world.heard.heartbeats]
    assert told == [("39 requests to end", 2), ("9 requests to end", 32)]
