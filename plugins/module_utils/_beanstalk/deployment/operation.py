# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Following one operation of Elastic Beanstalk until it is over, verified, or its deadline is.

An operation has succeeded when the environment is Ready, has the wanted label, no failure event came since the start,
and the verdict on what runs (see verification) is good. botocore's waiters look at the status only, so they take a
failed deployment for a success.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkWaitError
from ..core.transformations import environment_out, event_out
from ..core.waiters import Deadline, request_id, slowed, started_at
from ..observe import events
from ..observe.verification import State
from ..observe.verifier import SETTLE_POLLS, NotVerifiedError, Verifier, warnings_of
from ..run.effects import Call, Effect, Observe
from ..run.engine import Services
from ..run.progress import ItemProgress
from ..run.watcher import Snapshot

Environment = dict[str, Any]
Flow = Generator[Effect, Any, Any]

QUIET_SECONDS = 20.0
"""No deployment of Elastic Beanstalk ends sooner than this, so looking earlier only spends calls."""

# Polls that a Ready environment gets until its label has to be right.
_LABEL_POLLS = 6
# Events tell of the end, so that the environment itself is asked for every so many polls only.
_DESCRIBE_EVERY = 4
# Near its end an operation is polled in steps of this, so often.
_SOON_SECONDS = 1.0
_SOON_POLLS = 5
# A poll at the very moment of the expected end comes too early every other time.
_LATE_SECONDS = 0.2
_SLEPT_UP_TO = 45.0


class Operation:
    """One operation, from the answer of the call that began it. ``seen`` are its events, oldest first.

    ``label`` is the version that must run afterwards, None where versions do not matter.
    """

    def __init__(
        self,
        services: Services,
        progress: ItemProgress,
        application: str,
        answer: Mapping[str, Any],
        label: str | None,
        deadline: Deadline,
    ) -> None:
        self.environment: Environment = dict(answer)
        self.seen: list[dict[str, Any]] = []
        self.instances: list[dict[str, Any]] | None = None
        self.warnings: list[str] = []
        self._services, self._progress, self._application = services, progress, application
        self._id, self._name = str(answer["EnvironmentId"]), str(answer["EnvironmentName"])
        self._label, self._deadline = label, deadline
        self._since, self._request_id = started_at(answer), request_id(answer)
        self._verifier = Verifier(services.eb, label, SETTLE_POLLS, services.scaling)
        self._began = deadline.elapsed
        left = timedelta(seconds=max(0.0, deadline.timeout - deadline.elapsed))
        self._until = f"{services.service_clock.now() + left:%H:%M:%S}"
        self._polls = self._ready_polls = self._soon_polls = 0
        self._expected: float | None = None

    def follow(self, *, quiet: bool, expected: float | None = None) -> Flow:
        """Wait for the end; raises AnsibleBeanstalkWaitError where it failed or does not come in time.

        ``quiet``: do not poll before ``QUIET_SECONDS``. ``expected`` is what such an operation took last time, in
        seconds: the closer its end, the shorter the interval.
        """
        self._expected = expected
        pause = self._pause() if expected else max(QUIET_SECONDS if quiet else 0.0, self._deadline.interval)
        while True:
            self._polls += 1
            near = bool(self._soon_polls or self._ready_polls)
            wanted = near or self._polls % _DESCRIBE_EVERY == 0
            snapshot = yield self._observe(pause, environments=wanted)
            new = self._read(snapshot)
            if any(map(events.is_ending, new)) and snapshot.environments_at < snapshot.at:
                snapshot = yield self._observe(0.0, environments=True, events=False)
            if snapshot.environments_at == snapshot.at and (yield from self._examine(snapshot)):
                return self
            if self._deadline.over:
                raise self._error(self._late())
            pause = self._pause()

    def follow_end(self) -> Flow:
        """Wait until the environment is gone; a termination that failed leaves it Ready."""
        while True:
            snapshot = yield self._observe(self._deadline.interval, environments=True)
            self._read(snapshot)
            found = snapshot.environments.get(self._id)
            if found is None or found.get("Status") == "Terminated":
                return self
            self.environment = dict(found)
            errors = [event["Message"] for event in self.seen if event.get("Severity") in ("ERROR", "FATAL")]
            failed = found.get("Status") == "Ready" and errors
            if failed or self._deadline.over:
                reason = errors[0] if errors else f"its status is {found.get('Status')}"
                how = "failed" if failed else f"was not done after {self._deadline.timeout:.0f} seconds"
                report = {
                    "environment": environment_out(found, api.region_of(self._services.eb)),
                    "events": list(map(event_out, self.seen)),
                }
                raise AnsibleBeanstalkWaitError(f"Terminating the environment {self._name} {how}: {reason}", report)

    # -- observe ----------------------------------------------------------------------------------------------------

    def _observe(self, pause: float, *, environments: bool, events: bool = True) -> Observe:
        at = self._services.clock.now() + min(pause, max(0.0, self._deadline.timeout - self._deadline.elapsed))
        status = self.environment.get("Status")
        ready = f"the environment {self._name} to become Ready"
        waiting_for = f"{ready}; its status is {status}; until {self._until} at the latest"
        soon = pause < self._deadline.interval
        return Observe(self._application, at, waiting_for, environments=environments, events=events, soon=soon)

    def _read(self, snapshot: Snapshot) -> Sequence[dict[str, Any]]:
        found = snapshot.events_of(self._name, self._since)
        new = found[len(self.seen) :]
        self.seen = found
        self._progress.events(new)
        if any(map(events.is_ending, new)) or any(map(events.is_nearly_over, new)):
            self._soon_polls = _SOON_POLLS
        elif self._soon_polls:
            self._soon_polls -= 1
        return new

    def _examine(self, snapshot: Snapshot) -> Flow:
        """Whether the operation is over and good."""
        found = snapshot.environments.get(self._id)
        if found is None:
            self.environment["Status"] = "Terminated"
            raise self._error("ended with the environment terminated", self._reason())
        self.environment = dict(found)
        if found.get("Status") != "Ready":
            self._ready_polls = 0
            return False
        self._ready_polls += 1
        if events.failures(self.seen, self._request_id):
            raise self._error("failed", self._reason())
        have = found.get("VersionLabel")
        if self._label is not None and have != self._label:
            # The events may be late; after that nobody will tell why.
            if self._ready_polls > _LABEL_POLLS:
                raise self._error(f"ended without the new version: it runs version {have}, not {self._label}")
            return False
        verdict = yield Call(lambda: self._verifier.poll(self.environment, over=False))
        if verdict is None:
            return False
        if verdict.state is not State.VERIFIED:
            error = self._error(f"ended, but {verdict.reason}")
            raise NotVerifiedError(str(error.message), error.report, verdict)
        self.instances = self._verifier.instances
        self.warnings = warnings_of(self.environment, verdict)
        self._progress.verified(self.environment, self.instances)
        return True

    def _pause(self) -> float:
        interval = self._deadline.interval
        if self._ready_polls:
            return interval
        if self._soon_polls:
            return min(_SOON_SECONDS, interval)
        elapsed = self._deadline.elapsed - self._began
        left = (self._expected or 0.0) + _LATE_SECONDS - elapsed
        if self._expected and left > 0:
            # An end that is near is slept up to; events that come until then are told together.
            return left if left < _SLEPT_UP_TO else QUIET_SECONDS
        if self._expected and -left < interval:
            return min(_SOON_SECONDS - left / 2, interval)
        return slowed(interval, elapsed)

    @property
    def seconds(self) -> float | None:
        """What the operation took by the service's own clock, from its first event to the one that ended it."""
        endings = [event["EventDate"] for event in self.seen if events.is_ending(event)]
        return float((endings[-1] - self.seen[0]["EventDate"]).total_seconds()) if endings else None

    # -- what is said of it -------------------------------------------------------------------------------------------

    def _reason(self) -> str:
        errors = [event for event in self.seen if event.get("Severity") in ("ERROR", "FATAL")]
        failed = events.failures(self.seen, self._request_id)
        return str((errors or failed or [{"Message": "Elastic Beanstalk gave no reason"}])[0]["Message"]).strip()

    def _late(self) -> str:
        verdict = f": {self._verifier.verdict.reason}" if self._ready_polls else ""
        return (
            f"was not done after {self._deadline.timeout:.0f} seconds; its status is {self.environment.get('Status')} "
            f"and its health {self.environment.get('Health')}{verdict}"
        )

    def _error(self, what: str, reason: str = "") -> AnsibleBeanstalkWaitError:
        subject = f"Deploying version {self._label} to" if self._label else "The operation on"
        report = self._verifier.report(self.environment, self.seen)
        sentence = f"{subject} the environment {self._name} {what}"
        return AnsibleBeanstalkWaitError(f"{sentence}: {reason}" if reason else sentence, report, reason)
