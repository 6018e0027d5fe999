# SPDX-License-Identifier: GPL-3.0-or-later
"""Many who wait for environments of one application ask once per tick, and each sees all of its own events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.budget import turn_came
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.shared import SharedLooks

START = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)


class Service:
    """Environments that say something every ten seconds, on a clock that the test moves."""

    meta = SimpleNamespace(endpoint_url="http://scripted")

    def __init__(self, environments: int) -> None:
        self.names = [f"env-{number}" for number in range(environments)]
        self.now = 1000.0
        self.calls: Counter[str] = Counter()

    @property
    def moment(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def describe_environments(self, **filters: Any) -> dict[str, Any]:
        assert filters["ApplicationName"].startswith("blog")
        self.calls["environments"] += 1
        return {"Environments": [self._environment(name) for name in self.names]}

    def _environment(self, name: str) -> dict[str, Any]:
        return {"EnvironmentId": f"id-{name}", "EnvironmentName": name, "DateUpdated": self.moment, "Status": "Ready"}

    def describe_events(self, StartTime: datetime, **filters: Any) -> dict[str, Any]:  # noqa: N803
        assert filters["ApplicationName"].startswith("blog")
        self.calls["events"] += 1
        found = []
        for second in range(0, int(self.now) + 1, 10):
            date = START + timedelta(seconds=second)
            if date >= StartTime:
                found += [{"EventDate": date, "EnvironmentName": name, "Message": str(second)} for name in self.names]
        return {"Events": found[::-1]}


@pytest.fixture(autouse=True)
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def test_one_request_per_tick_and_application() -> None:
    service = Service(50)
    watchers = [SharedLooks(service, "blog", lambda: service.now) for _name in service.names]
    since = service.moment
    seen: dict[str, list[str]] = {name: [] for name in service.names}
    for _tick in range(20):
        service.now += 20
        for number, (name, looks) in enumerate(zip(service.names, watchers, strict=True)):
            found = looks.environment(f"id-{name}", service.now - 4)
            assert found is not None
            assert found["DateUpdated"] == service.moment
            # Half of them look at events only now and then, and still miss none.
            if number % 2 == 0 or _tick % 7 == 6 or _tick == 19:
                events = looks.events(name, since, service.now - 4)
                assert all(event["EnvironmentName"] == name for event in events)
                seen[name] = [event["Message"] for event in events][::-1]
    assert service.calls == {"environments": 20, "events": 20}
    everything = [str(second) for second in range(1000, 1401, 10)]
    assert all(messages == everything for messages in seen.values())
    assert watchers[0].environment("id-gone", service.now) is None


def test_one_alone_may_look_often_and_many_take_turns() -> None:
    def looks_in_a_minute(environments: int) -> int:
        service = Service(environments)
        since = service.moment
        watchers = [SharedLooks(service, f"blog-{environments}", lambda: service.now) for _name in service.names]
        for _second in range(60):
            service.now += 1
            for name, looks in zip(service.names, watchers, strict=True):
                assert looks.events(name, since, service.now - 0.8, service.now - 4)
                assert looks.events_at >= service.now - 4
        return service.calls["events"]

    assert looks_in_a_minute(1) == 60
    assert looks_in_a_minute(2) == 60
    assert looks_in_a_minute(20) == 60 / 5


def test_all_who_have_to_look_again_since_a_moment_look_once() -> None:
    service = Service(3)
    watchers = [SharedLooks(service, "blog", lambda: service.now) for _name in service.names]
    for number, looks in enumerate(watchers):
        looks.environments(service.now + number)
    service.calls.clear()
    service.now += 2
    moment = service.now
    seen = [looks.environments_since(moment) for looks in watchers]
    assert [one["DateUpdated"] for found in seen for one in found] == [service.moment] * 9
    assert service.calls == {"environments": 1}


def test_an_answer_from_before_the_operation_is_not_taken() -> None:
    service = Service(1)
    looks = SharedLooks(service, "blog", lambda: service.now)
    looks.environment("id-env-0", service.now)
    service.now += 1
    assert looks.environment("id-env-0", service.now - 1)["DateUpdated"] == service.moment - timedelta(seconds=1)
    assert looks.environment("id-env-0", service.now)["DateUpdated"] == service.moment
    # Somebody whose operation began earlier than what is known asks for the rest.
    late, early = service.moment - timedelta(seconds=50), service.moment - timedelta(seconds=500)
    assert len(looks.events("env-0", late, service.now)) == 5
    assert len(looks.events("env-0", early, service.now)) == 50
    assert service.calls["events"] == 2


def test_an_answer_is_as_old_as_its_request_and_not_as_the_wait_for_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody could share a look while all requests wait: each would find it too old when it comes."""
    service = Service(1)
    answered = service.describe_environments

    def late(**filters: Any) -> dict[str, Any]:
        service.now += 100
        turn_came()
        service.now += 1
        return answered(**filters)

    monkeypatch.setattr(service, "describe_environments", late)
    looks = SharedLooks(service, "blog", lambda: service.now)
    looks.environments_since(service.now)
    assert service.calls == {"environments": 1}
    looks.environments_since(service.now - 1)
    assert looks.unchanged(["id-env-0"], service.now - 1)
    assert service.calls == {"environments": 1}
    looks.environments_since(service.now - 0.5)
    assert service.calls == {"environments": 2}


def test_the_first_look_is_no_older_than_its_module() -> None:
    service = Service(3)

    def look(moment: float) -> float:
        return SharedLooks(service, "blog", lambda: service.now).environments(moment)[1]

    assert look(1000) == 1000
    service.now += 3
    assert look(1000) == 1000, "another module's look of this moment"
    assert look(1003) == 1003, "whatever was done before the module began must be seen"
    assert service.calls["environments"] == 2


@pytest.mark.parametrize("count", [10, 100])
def test_calls_per_minute_do_not_depend_on_the_number_of_environments(count: int) -> None:
    """A minute of looking every five seconds, whoever comes first, the forks a little apart from each other."""
    service = Service(count)
    watchers = [(name, SharedLooks(service, "blog", lambda: service.now)) for name in service.names]
    since = service.moment
    for _tick in range(12):
        service.now += 5
        for name, looks in watchers:
            service.now += 0.5 / count
            assert looks.environment(f"id-{name}", service.now - 4) is not None
            assert looks.events(name, since, service.now - 4)
        service.now -= 0.5
    assert service.calls == {"environments": 12, "events": 12}
