# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for Elastic Beanstalk: named predicates on a monotonic clock, always with a deadline.

An operation has succeeded when the environment is Ready, has the wanted label, no failure event came since the start,
and the verdict on what runs (see verification) is good. botocore's waiters look at the status only, so they take a
failed deployment for a success.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from . import api, events
from .common import AnsibleBeanstalkError, AnsibleBeanstalkWaitError, is_transient
from .progress import Progress
from .shared import SharedLooks
from .transformations import environment_out, event_out
from .verification import State
from .verifier import SETTLE_LOOKS, NotVerifiedError, Verifier, warnings_of

# No deployment of Elastic Beanstalk ends sooner than this, so looking earlier only spends calls.
QUIET_SECONDS = 20.0
# Ticks (of the poll interval) that a Ready environment gets until its label has to be right.
_LABEL_TICKS = 6
_DESCRIBE_EVERY = 4
# An end that is expected within this is slept up to: events that come until then are told together.
_SLEPT_UP_TO = 45.0
# A look at the very moment of the expected end comes too early every other time.
_LATE_SECONDS = 0.2
# The status follows the last event within moments.
_SOON_SECONDS = 1.0
_SOON_TICKS = 3
# The part of an interval in which two looks are of one tick.
SAME_TICK = 0.8
# Where nobody knows when the end comes, steps grow with the time that it has taken, up to so many intervals.
_PART_OF_AGE = 0.05
_LONGEST_TICKS = 2


class Deadline:
    """A time limit in seconds on the monotonic clock, and the pace of looking."""

    def __init__(
        self,
        timeout: float,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.timeout = timeout
        self.interval = interval
        self._clock = clock
        self._sleep = sleep
        self._start = clock()

    @property
    def now(self) -> float:
        """The clock, in seconds; every process of this machine has the same."""
        return self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def over(self) -> bool:
        """True when the time is up."""
        return self.elapsed >= self.timeout

    def pause(self, seconds: float | None = None) -> None:
        """Sleep for one interval (or so many seconds), but never past the end."""
        wanted = self.interval if seconds is None else seconds
        self._sleep(max(0.0, min(wanted, self.timeout - self.elapsed)))


class Outcome:
    """What an operation came to."""

    def __init__(self, environment: Mapping[str, Any], instances: Sequence[Any] | None, seen: Sequence[Any]) -> None:
        self.environment = dict(environment)
        self.instances = instances
        self.events = list(seen)
        self.warnings: list[str] = []


def started_at(answer: Mapping[str, Any]) -> datetime:
    """When AWS took a call, by its own clock: a controller whose clock is wrong must not lose events."""
    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        moment = parsedate_to_datetime(text) if text else datetime.now(UTC)
    except (TypeError, ValueError):
        moment = datetime.now(UTC)
    # The header has whole seconds, cut off.
    return moment - timedelta(seconds=1)


def request_id(answer: Mapping[str, Any]) -> str | None:
    """The id that links later events to this call."""
    found = answer.get("ResponseMetadata", {}).get("RequestId")
    return str(found) if found else None


def slowed(interval: float, age: float) -> float:
    """Seconds until the next look at what nobody knows the end of and what has taken ``age`` seconds so far."""
    return max(interval, min(_LONGEST_TICKS * interval, _PART_OF_AGE * age))


class OperationWatch:
    """Follows one operation on one environment until it is over, or its deadline is.

    `label` is the version that must run afterwards (None: the versions do not matter). `expected` is what such an
    operation took last time, in seconds: the closer its end, the closer the looks. `looks` are shared with others who
    wait on this controller: what one of them saw within the pause of another is news enough for that one. ``scaling``
    makes a client of Auto Scaling, which is asked where no instance is left.
    """

    def __init__(
        self,
        client: Any,
        answer: Mapping[str, Any],
        label: str | None,
        deadline: Deadline,
        progress: Progress | None = None,
        expected: float | None = None,
        looks: SharedLooks | None = None,
        scaling: Callable[[], Any] | None = None,
    ) -> None:
        self.client = client
        self.expected = expected
        self.looks = looks
        self.environment: dict[str, Any] = dict(answer)
        self.environment_id = str(answer["EnvironmentId"])
        self.label = label
        self.deadline = deadline
        self.progress = progress or Progress(None)
        self.request_id = request_id(answer)
        ask = functools.partial(self._ask_for_events, looks) if looks else None
        self.cursor = events.EventCursor(client, started_at(answer), ask, EnvironmentId=self.environment_id)
        self._verifier = Verifier(client, label, SETTLE_LOOKS, scaling)
        self._began = deadline.elapsed
        self._since = deadline.now
        self._pace = (0.0, 0.0)
        self._ready_ticks = 0
        self._tick = 0
        self._ending = 0

    def run(self, quiet: float = 0.0) -> Outcome:
        """Wait; raises AnsibleBeanstalkWaitError when the operation failed or did not end in time."""
        first = max(quiet, self.deadline.interval)
        self._pause(*(self._gap() if self.expected else (first, first)))
        while True:
            try:
                outcome = self._step()
            except AnsibleBeanstalkError as error:
                # The operation goes on at the other end, so a failed question is asked again.
                if not is_transient(error) or self.deadline.over:
                    raise
                outcome = None
            if outcome is not None:
                return outcome
            if self.deadline.over:
                raise self._error(
                    f"was not done after {self.deadline.timeout:.0f} seconds; its status is "
                    f"{self.environment.get('Status')} and its health {self.environment.get('Health')}"
                    + (f": {self._verifier.verdict.reason}" if self._ready_ticks else "")
                )
            self._pause(*self._gap())

    def _pause(self, seconds: float, crowded: float) -> None:
        self._pace = (seconds, crowded)
        self.deadline.pause(seconds)

    def _since_at_most(self, seconds: float) -> float:
        return max(self._since, self.deadline.now - seconds * SAME_TICK)

    def _ask_for_events(self, looks: SharedLooks, since: datetime) -> list[dict[str, Any]]:
        alone, crowded = map(self._since_at_most, self._pace)
        return looks.events(str(self.environment["EnvironmentName"]), since, max(alone, crowded), crowded)

    def _ask_for_environment(self) -> dict[str, Any] | None:
        if self.looks is not None:
            # The status is at least as new as the event that told of the end.
            near = self._ending or self._ready_ticks
            moment = self.looks.events_at if near else self._since_at_most(self._pace[1] * _DESCRIBE_EVERY)
            return self.looks.environment(self.environment_id, moment)
        found = api.describe_environments(self.client, EnvironmentIds=[self.environment_id])
        return found[0] if found else None

    def _gap(self) -> tuple[float, float]:
        """Seconds until the next look, and of what age news are good enough where many look."""
        interval = self.deadline.interval
        if 0 < self._ending <= _SOON_TICKS and not self._ready_ticks:
            return min(_SOON_SECONDS, interval), interval
        if self._ready_ticks or self._ending:
            return interval, interval
        elapsed = self.deadline.elapsed - self._began
        left = self.expected + _LATE_SECONDS - elapsed if self.expected else -elapsed
        if left > _SLEPT_UP_TO:
            return QUIET_SECONDS, QUIET_SECONDS
        if left > 0:
            return left, interval
        slow = slowed(interval, elapsed)
        if self.expected is None or _SOON_SECONDS - left / 2 >= interval:
            return slow, slow
        return _SOON_SECONDS - left / 2, interval

    @property
    def seconds(self) -> float | None:
        """What the operation took by the service's own clock, from its first event to the one that ended it."""
        endings = [event["EventDate"] for event in self.cursor.events if events.is_ending(event)]
        if not endings:
            return None
        return float((endings[-1] - self.cursor.events[0]["EventDate"]).total_seconds())

    def _step(self) -> Outcome | None:
        new = self.cursor.poll()
        self.progress.events(new)
        self._tick += 1
        due = self._ready_ticks or self._tick % _DESCRIBE_EVERY == 0 or self._ending
        if due or any(map(events.is_ending, new)):
            # The last event may come a moment before the status: then the next looks are soon.
            if self._ending or any(map(events.is_ending, new)):
                self._ending += 1
            return self._look()
        return None

    def _look(self) -> Outcome | None:
        found = self._ask_for_environment()
        if found is None:
            self.environment["Status"] = "Terminated"
            raise self._error(f"ended with the environment terminated: {self._reason()}")
        self.environment = found
        if self.environment.get("Status") != "Ready":
            self._ready_ticks = 0
            return None
        self._ready_ticks += 1
        if events.failures(self.cursor.events, self.request_id):
            raise self._error(f"failed: {self._reason()}")
        have = self.environment.get("VersionLabel")
        if self.label is not None and have != self.label:
            # The events may be late; after that nobody will tell why.
            if self._ready_ticks > _LABEL_TICKS:
                raise self._error(f"ended without the new version: it runs version {have}, not {self.label}")
            return None
        return self._verify()

    def _verify(self) -> Outcome | None:
        verdict = self._verifier.look(self.environment, over=False)
        if verdict is None:
            return None
        if verdict.state is not State.VERIFIED:
            error = self._error(f"ended, but {verdict.reason}")
            raise NotVerifiedError(str(error.message), error.report, verdict)
        outcome = Outcome(self.environment, self._verifier.instances, self.cursor.events)
        outcome.warnings += warnings_of(self.environment, verdict)
        self.progress.verified(self.environment, outcome.instances)
        return outcome

    def _reason(self) -> str:
        errors = [event for event in self.cursor.events if event.get("Severity") in ("ERROR", "FATAL")]
        failed = events.failures(self.cursor.events, self.request_id)
        return str((errors or failed or [{"Message": "Elastic Beanstalk gave no reason"}])[0]["Message"]).strip()

    def _error(self, what: str) -> AnsibleBeanstalkWaitError:
        name = self.environment.get("EnvironmentName")
        subject = f"Deploying version {self.label} to" if self.label else "The operation on"
        report = self._verifier.report(self.environment, self.cursor.events)
        return AnsibleBeanstalkWaitError(f"{subject} the environment {name} {what}", report)


def wait_until_ready(client: Any, environment_id: str, deadline: Deadline) -> dict[str, Any]:
    """Wait in line until nobody else's operation is running; returns the environment as it is then."""
    while True:
        found = api.describe_environments(client, EnvironmentIds=[environment_id])
        if not found:
            raise AnsibleBeanstalkWaitError(f"The environment {environment_id} was terminated meanwhile", {})
        if found[0].get("Status") == "Ready":
            return found[0]
        if deadline.over:
            raise AnsibleBeanstalkWaitError(
                f"The environment {found[0].get('EnvironmentName')} was not Ready within {deadline.timeout:.0f} "
                f"seconds: another operation is running, its status is {found[0].get('Status')}",
                {"environment": environment_out(found[0], api.region_of(client))},
            )
        deadline.pause()


def wait_terminated(
    client: Any, answer: Mapping[str, Any], deadline: Deadline, progress: Progress | None = None
) -> Outcome:
    """Wait until an environment is gone; a termination that failed leaves it Ready."""
    environment_id = str(answer["EnvironmentId"])
    cursor = events.EventCursor(client, started_at(answer), EnvironmentId=environment_id)
    environment = dict(answer)
    while True:
        deadline.pause()
        new = cursor.poll()
        found = api.describe_any_environment(client, environment_id)
        gone = found is None or found.get("Status") == "Terminated"
        if gone:
            # The last event came between the two questions.
            new += cursor.poll()
        if progress:
            progress.events(new)
        if found is None or gone:
            return Outcome(found or environment, None, cursor.events)
        environment = found
        errors = [event["Message"] for event in cursor.events if event.get("Severity") in ("ERROR", "FATAL")]
        failed = found.get("Status") == "Ready" and errors
        if failed or deadline.over:
            reason = errors[0] if errors else f"its status is {found.get('Status')}"
            how = "failed" if failed else f"was not done after {deadline.timeout:.0f} seconds"
            raise AnsibleBeanstalkWaitError(
                f"Terminating the environment {found.get('EnvironmentName')} {how}: {reason}",
                {
                    "environment": environment_out(environment, api.region_of(client)),
                    "events": [event_out(event) for event in cursor.events],
                },
            )
