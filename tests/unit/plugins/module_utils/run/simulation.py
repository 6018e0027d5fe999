# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that only moves when somebody waits, and a small Elastic Beanstalk and S3 that live in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import decode
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.lane import Lane
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.leases import ApplicationLeases
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import ApplicationWatcher
from botocore.exceptions import ClientError
from inline import Inline

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


class SimulatedClock:
    """Seconds since START. Whatever is planned for a moment happens when the time comes to it."""

    def __init__(self) -> None:
        self.at = 0.0
        self._plans: list[tuple[float, Any]] = []

    def now(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        end = self.at + seconds
        while due := [plan for plan in self._plans if plan[0] <= end]:
            plan = min(due, key=lambda one: one[0])
            self._plans.remove(plan)
            self.at = max(self.at, plan[0])
            plan[1]()
        self.at = end

    def wake(self) -> None:
        """Nobody else runs here."""

    def plan(self, after: float, action: Any) -> None:
        self._plans.append((self.at + after, action))

    def moment(self) -> datetime:
        return START + timedelta(seconds=self.at)


class SimulatedBucket:
    """One S3 object with conditional writes, dated by the simulated clock."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock, self.body, self.number = clock, b"", 0
        self.calls: Counter[str] = Counter()
        self.down = False

    def owners(self) -> dict[str, str]:
        return {name: lease.owner for name, lease in decode(self.body).items()} if self.number else {}

    def _answer(self, **more: Any) -> dict[str, Any]:
        date = format_datetime(self.clock.moment(), usegmt=True)
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}, "HTTPStatusCode": 200}, **more}

    def _error(self, code: str, status: int, operation: str) -> ClientError:
        metadata = {**self._answer()["ResponseMetadata"], "HTTPStatusCode": status}
        return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, operation)

    def _count(self, operation: str) -> None:
        self.calls[operation] += 1
        if self.down:
            raise self._error("InternalError", 500, operation)

    def get_object(self, **_where: Any) -> dict[str, Any]:
        self._count("get")
        if not self.number:
            raise self._error("NoSuchKey", 404, "GetObject")
        return self._answer(Body=BytesIO(self.body), ContentLength=len(self.body), ETag=str(self.number))

    def put_object(self, Body: bytes, **condition: Any) -> dict[str, Any]:  # noqa: N803
        self._count("put")
        if condition.get("IfMatch", "0") != str(self.number):
            raise self._error("PreconditionFailed", 412, "PutObject")
        self.body, self.number = Body, self.number + 1
        return self._answer(ETag=str(self.number))

    def store(self) -> LockStore:
        return LockStore(self, "bucket", "shop", "", monotonic=self.clock.now, sleep=self.clock.sleep)


@dataclass
class Service:
    """Environments by id, and all events oldest first; each request is counted and takes ``latency`` seconds."""

    clock: SimulatedClock
    latency: float = 0.02
    calls: Counter[str] = field(default_factory=Counter)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def add(self, name: str, label: str = "v1") -> str:
        one = f"e-{name}"
        self.found[one] = {"EnvironmentId": one, "EnvironmentName": name, "Status": "Ready", "VersionLabel": label}
        return one

    def tell(self, name: str, message: str) -> None:
        event = {"EventDate": self.clock.moment(), "Severity": "INFO", "Message": message, "EnvironmentName": name}
        self.told.append(event)

    def update(self, one: str, label: str, seconds: float) -> None:
        self.request("update")
        self.found[one]["Status"] = "Updating"

        def end() -> None:
            self.found[one].update(Status="Ready", VersionLabel=label)
            self.tell(self.found[one]["EnvironmentName"], "Environment update completed successfully.")

        self.clock.plan(seconds, end)

    def request(self, operation: str) -> None:
        self.calls[operation] += 1
        self.clock.sleep(self.latency)
        if self.failures:
            raise self.failures.pop(0)

    def environments(self, _application: str) -> list[dict[str, Any]]:
        self.request("environments")
        return [dict(one) for one in self.found.values()]

    def events(self, _application: str, since: datetime | None) -> list[dict[str, Any]]:
        self.request("events")
        return [dict(event) for event in reversed(self.told) if since is None or event["EventDate"] >= since]

    def now(self) -> datetime:
        return self.clock.moment()


@dataclass
class Heard:
    """What a lane reported."""

    clock: SimulatedClock
    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    heartbeats: list[tuple[str, str, float]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def finished(self, name: str, result: Any, error: BaseException | None) -> None:
        assert name not in self.ended
        self.ended[name] = self.clock.now()
        if error is None:
            self.results[name] = result
        else:
            self.errors[name] = error

    def heartbeat(self, name: str, waiting_for: str, seconds: float) -> None:
        self.heartbeats.append((name, waiting_for, seconds))

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class World:
    """A lane with all of that around it. ``interval`` is that of polls, in seconds."""

    def __init__(self, interval: float = 5.0, abandoned: Callable[[], bool] = bool) -> None:
        self.clock = SimulatedClock()
        self.service, self.bucket, self.heard = Service(self.clock), SimulatedBucket(self.clock), Heard(self.clock)

        def watch(application: str) -> ApplicationWatcher:
            return ApplicationWatcher(self.service, application, self.clock, interval)

        pools = Inline(), Inline()
        self.lane = Lane(self.clock, watch, lambda *_where: self.leases("run"), *pools, self.heard, abandoned=abandoned)

    def leases(self, owner: str) -> ApplicationLeases:
        return ApplicationLeases(self.bucket.store(), owner, self.clock)
