# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: no event lost, none twice, and no more polls than there are ticks."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import (
    ApplicationWatcher,
    Snapshot,
)

from .simulation import START, Service, SimulatedClock


class Watcher(ApplicationWatcher):
    """One for which somebody always waits."""

    def observe(self) -> Snapshot:
        self.want("somebody", 0.0)
        self.poll()
        assert self.snapshot is not None
        return self.snapshot


def made() -> tuple[Service, Watcher]:
    clock = SimulatedClock()
    service = Service(clock, latency=0)
    return service, Watcher(service, "shop", clock, 5.0)


def test_events_of_the_past_are_not_told() -> None:
    service, watcher = made()
    service.tell("shop", "long ago")
    service.clock.sleep(60)
    watcher.observe()
    assert watcher.observe().events_of("shop", START) == []


def test_an_event_that_is_read_twice_is_told_once() -> None:
    service, watcher = made()
    watcher.observe()
    for _turn in range(4):
        service.tell("shop", "the same text")
        service.clock.sleep(5)
        watcher.observe()
    assert [event["Message"] for event in watcher.observe().events_of("shop", START)] == ["the same text"] * 4


def test_equal_events_of_one_moment_are_all_told() -> None:
    service, watcher = made()
    watcher.observe()
    service.tell("shop", "one per instance")
    service.tell("shop", "one per instance")
    watcher.observe()
    service.tell("shop", "one per instance")
    watcher.observe()
    assert len(watcher.observe().events_of("shop", START)) == 3


def test_an_event_that_is_stored_late_is_told_in_its_place() -> None:
    service, watcher = made()
    watcher.observe()
    service.clock.sleep(5)
    service.tell("shop", "first")
    late = service.told.pop()
    service.clock.sleep(5)
    service.tell("shop", "second")
    watcher.observe()
    service.told.insert(0, late)
    service.clock.sleep(5)
    watcher.observe()
    assert [event["Message"] for event in watcher.observe().events_of("shop", START)] == ["first", "second"]


def test_events_are_those_of_the_environment_and_of_the_time() -> None:
    service, watcher = made()
    watcher.observe()
    service.tell("shop", "mine, before")
    service.clock.sleep(5)
    since = service.now()
    service.tell("other", "somebody else's")
    service.tell("shop", "mine")
    watcher.observe()
    assert [event["Message"] for event in watcher.observe().events_of("shop", since)] == ["mine"]


def test_polls_are_an_interval_apart_however_many_wait() -> None:
    service, watcher = made()
    assert watcher.due is None
    watcher.want("first", 0.0)
    assert watcher.due == 0
    assert watcher.poll() == ["first"]
    for number in range(100):
        watcher.want(number, number / 100)
    assert watcher.due == 5
    service.clock.sleep(5)
    assert watcher.poll() == list(range(100))
    assert service.calls == {"environments": 2, "events": 2}


def test_whoever_waits_for_later_is_not_served_with_sooner() -> None:
    service, watcher = made()
    watcher.want("now", 0.0)
    watcher.want("later", 20.0)
    assert watcher.poll() == ["now"]
    assert watcher.due == 20
    service.clock.sleep(20)
    assert watcher.poll() == ["later"]


def test_whoever_wants_events_only_saves_the_other_request() -> None:
    service, watcher = made()
    watcher.observe()
    watcher.want("events", 0.0, environments=False)
    service.clock.sleep(5)
    watcher.poll()
    assert service.calls == {"environments": 1, "events": 2}
    assert watcher.snapshot is not None
    assert (watcher.snapshot.environments_at, watcher.snapshot.at) == (0, 5)


def test_near_the_end_a_few_look_sooner_and_a_crowd_does_not() -> None:
    _service, watcher = made()
    watcher.observe()
    watcher.want("one", 0.5, soon=True)
    assert watcher.due == 1
    for number in range(10):
        watcher.want(number, 0.5, soon=True)
    assert watcher.due == 5
