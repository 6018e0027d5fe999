# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry a cycle out: observe, ask the planner, write the record, act; until a stage or the end of the run.

It decides nothing. It keeps in memory only what it can find out again, so it may be killed at any point.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import AnsibleBeanstalkError, denied_action, error_code
from ..core.limiter import Admission
from ..core.names import own_bucket
from ..core.waiters import SAME_TICK, slowed
from ..lock.lease import Lease, LeaseLostError, LockedError, lock_key
from ..observe.deployment_log import DeploymentLog, deployment_log
from ..run.effects import Acquire, Background, Call, Effect, Keep, Observe, Pause, ReadLock, WriteRecord
from ..run.engine import Services
from ..run.progress import ItemProgress, without_figures
from ..run.watcher import Snapshot
from .account import Account
from .arguments import policy_of, smoke_tests_of
from .changes import Changes, TooOldError
from .checks import Checks
from .evidence import failure_of
from .findings import Findings, Run, lock_of
from .observer import Observer
from .observing import Observing
from .planner.model import EFFECTS, Action, Observation, Status, Step
from .planner.plan import jitter, plan
from .record import to_document
from .settings import CandidateSettings
from .smoke_tests import SmokeTester
from .stages import Stage, position, reached, stops_at

Flow = Generator[Effect, Any, Any]

REQUESTS = 28.0
"""What a cycle asks Elastic Beanstalk from its lock to its end, with its share of what all cycles ask together."""

_UNWRITTEN = frozenset(
    {Action.WAIT, Action.DRAIN, Action.SMOKE_TEST, Action.ASK_LEADER, Action.CHECK_CNAME, Action.FINISH}
)
_WAITS = (Action.WAIT, Action.DRAIN)
# Effects that Elastic Beanstalk takes its time for.
_OPERATIONS = EFFECTS - {Action.DELETE_VERSIONS, Action.DELETE_TEMPLATES}
_AT_WORK = frozenset(Status) - {Status.READY, Status.TERMINATED}
# A snapshot that is so old, in seconds, counts as an observation: short beside Policy.max_decision_age.
_SHARED_SECONDS = 5.0
_ATTEMPTS = 6  # that fail in a row, before a run gives up; the next run continues
_EVIDENCE_SECONDS = 30.0
_LONGEST_REASON = 500
_LONGEST_QUEUE_SECONDS = 15.0  # the rate may be another by then


class CycleReconciler:
    """One run over one logical environment; ``params`` are those of the module ``cycle``.

    :meth:`run` is the reconciler; ``run_so_far`` is how far it got, also where it ended with an exception.
    """

    def __init__(self, services: Services, params: Mapping[str, Any], check_mode: bool, progress: ItemProgress) -> None:
        self.policy = policy_of(params)
        self.run_so_far = Run()
        self._candidate: CandidateSettings | None = None
        self._services, self._clock, self._progress = services, services.clock, progress
        self._owner, self._dry = params["lock"]["owner"] or services.owner, check_mode
        self._stop_at = Stage(params["stop_at"]) if params["stop_at"] else None
        self._stage_ttl = float(params["stage_ttl"])
        self._application, self._bucket = params["application"], params["lock"]["bucket"] or ""
        policy, client = self.policy, services.clients.get
        self.observer = Observer(
            services.eb,
            services.clock,
            services.shared,
            self._application,
            params["cname_prefix"],
            policy.max_decision_age,
            policy.version_label,
        )
        self._params, self._account = params, Account(client, services.shared)
        self._findings = Findings()
        tester = SmokeTester(smoke_tests_of(params), params.get("url_service") or "")
        self._checks = Checks(self.observer, tester, policy, client, self.now)
        self._offset = 0.0
        self._started = -math.inf
        self._changed_at = self._waits_since = self._clock.now()
        self._acquired = self._admitted = self._has_token = False
        self._waiting_for = "the first observation of the application"
        self._last: tuple[Observation, Step] | None = None

    @property
    def warnings(self) -> list[str]:
        """What the user should know, as sentences."""
        return [*(self._candidate.warnings if self._candidate else []), *self.observer.warnings]

    def now(self) -> float:
        """The lock's clock, in seconds since the epoch."""
        return self._clock.now() + self._offset

    def run(self) -> Flow:
        """Go on until the stage, or to the end of the run; in check mode only to the next step. Returns a Run."""
        services, failed = self._services, 0
        candidate = yield Call(functools.partial(CandidateSettings.of, services, self._account, self._params))
        self._candidate = candidate
        self._changes = Changes(services.eb, services.writer, self.observer, candidate)
        self._observing = Observing(
            self.observer, self._account, candidate, self.policy, self._findings, self.now, self._bucket
        )
        while True:
            try:
                if failed:
                    yield Pause(self._clock.now() + self.policy.poll_interval, self._waiting_for)
                observation = yield from self._observe()
                if (yield from self._turn(observation)):
                    return self.run_so_far
                failed = 0
            except (LeaseLostError, LockedError):
                self._acquired = False
            except TooOldError:
                continue
            except AnsibleBeanstalkError as error:
                failed += 1
                if failed == _ATTEMPTS or not _may_pass(error):
                    raise
                self._waiting_for = f"another attempt: {error}"

    # -- observe ----------------------------------------------------------------------------------------------------

    def _observe(self) -> Flow:
        """The observation now."""
        lease = yield from self._read_lock()
        tick = min(self.policy.poll_interval * SAME_TICK, _SHARED_SECONDS)
        since = max(self._changed_at, self._clock.now() - tick)
        snapshot = yield Observe(self._application, since, self._waiting_for, events=False)
        if self._acquired:
            lease = (yield self._read()).lease  # it may have been renewed meanwhile
        if (again := self._waits_on(snapshot, lease)) is not None:
            return again
        place = f"{lock_key(self._application)} in {self._bucket or 'the bucket of Elastic Beanstalk'}"
        lock = lock_of(lease, self._owner, self.now(), place)
        observe = functools.partial(self._observing.observe, snapshot, lock, self._owner, self._started)
        return (yield Call(observe))

    def _read(self) -> ReadLock:
        return ReadLock(self._application, self.observer.prefix, self._clock.now(), self._bucket)

    def _read_lock(self) -> Flow:
        reading = yield self._read()
        self._offset = reading.offset
        if self._started == -math.inf:
            self._started = self.now()
        if reading.lease.owner == self._owner and not (self._acquired or self._dry):
            yield from self._acquire()  # an earlier call of this run had it
            reading = yield self._read()
        return reading.lease

    def _acquire(self) -> Flow:
        """Take the lease, or raise LockedError; who had it before may have changed something until now."""
        reason, ttl = f"{self.policy.goal} of {self.observer.logical}", self.policy.lock_ttl
        got = yield Acquire(self._application, self.observer.prefix, reason, self._bucket, self._owner, ttl, wait=0.0)
        if got.stopped:
            self._progress.tell("RESUME", f"{got.stopped}; this run goes on from there")
        self._acquired = True
        self._changed_at = self._clock.now()

    def _waits_on(self, snapshot: Snapshot, lease: Lease) -> Observation | None:
        """The last observation, later, when all that ends the wait is time or a change, and neither has come."""
        if self._last is None or not self._acquired:
            return None
        last, step = self._last
        lock = replace(last.lock, expires=lease.expires)
        journal = lock.record.journal
        if journal is None or not lock.held_by(self._owner, self.now()):
            return None
        mine = [last.by_id(one) for one in (journal.live, journal.candidate)]
        at_work = any(one is not None and one.status in _AT_WORK for one in mine)
        if step.action not in _WAITS or not (step.timed or (at_work and step.action is Action.WAIT)):
            return None
        again = self._observing.again(last, snapshot, lock)
        then = plan(again, self.policy) if again is not None else None
        same = then is not None and (then.action, then.timed) == (step.action, step.timed)
        return again if same else None

    # -- decide -----------------------------------------------------------------------------------------------------

    def _turn(self, observation: Observation) -> Flow:
        """One step of the planner's; whether the run is over."""
        run, step = self.run_so_far, plan(observation, self.policy)
        run.observation, self._last, self._waiting_for = observation, (observation, step), step.reason
        if self._stop_at is not None and stops_at(self._stop_at, position(observation, step)):
            run.stage = self._stop_at if reached(self._stop_at, position(observation, step)) else ""
            if self._acquired:
                yield Keep(self._application, self.observer.prefix, self._stage_ttl, self._bucket)
            return True
        if not self._dry and (yield from self._queued(observation, step)):
            return False
        self._note(step)
        run.failure, run.journal = self._findings.failure, observation.lock.record.journal or run.journal
        if self._dry:
            run.result, run.sentence = step.result, step.reason
            return True
        done = yield from self._perform(observation, step)
        run.changed = run.changed or (done and step.action in EFFECTS)
        if done and step.result is not None:
            run.result, run.sentence = step.result, step.reason
            return True
        return False

    def _queued(self, observation: Observation, step: Step) -> Flow:
        """Whether there was no room for another cycle at once. It waits until there is; then it observes again.

        That is before the lock is taken, so it holds nothing up, and none of the limits of a cycle runs meanwhile.
        """
        if step.action is not Action.ACQUIRE or observation.lock.record.journal is not None or self._admitted:
            return False
        self._admitted = True
        services = self._services
        new = functools.partial(Admission, services.limiter, services.clock, REQUESTS)
        admission: Admission = services.shared.get("admission of cycles", -math.inf, new)
        ticket, since = admission.ticket(), self._clock.now()
        while (seconds := admission.begins_in(ticket)) > 0:
            pause = min(seconds, _LONGEST_QUEUE_SECONDS)
            yield Pause(self._clock.now() + pause, "room for another cycle within the rate of requests")
        waited = self._clock.now() - since
        if waited:
            self._started = self.now() - jitter(observation.logical, self.policy.jitter)
        if waited >= 1:
            reason = f"waited {waited:.0f} seconds until the rate of requests had room for another cycle"
            self._note(Step(Action.WAIT, reason))
        return bool(waited)

    def _note(self, step: Step) -> None:
        """Report a step, but not a wait that goes on with other figures."""
        steps = self.run_so_far.steps
        line = {"action": str(step.action), "reason": step.reason, "environment": step.environment or None}
        before = {key: steps[-1][key] for key in line} if steps else {}
        same = before == line or (step.action in _WAITS and _words(before) == _words(line))
        if not same:
            steps.append({"at": self.now(), **line})
            self._waits_since = self._clock.now()
            if not self._dry:
                self._progress.tell(step.action.upper(), step.reason)

    # -- act --------------------------------------------------------------------------------------------------------

    def _perform(self, observation: Observation, step: Step) -> Flow:
        """Whether the step was carried out; False when it must be observed again first."""
        if step.action in EFFECTS:
            return (yield from self._change(observation, step))
        if step.action is Action.ACQUIRE:
            yield from self._acquire()
        elif step.action not in _UNWRITTEN:
            yield from self._write(observation, step)
        elif step.action in _WAITS:
            yield from self._wait(observation, step)
        else:
            yield from self._check(observation, step)
        return True

    def _check(self, observation: Observation, step: Step) -> Flow:
        one, found = step.environment, self._findings
        if step.action is Action.SMOKE_TEST:
            found.smoke_test = yield Background(functools.partial(self._checks.smoke_test, observation, one))
        elif step.action is Action.ASK_LEADER:
            found.leader_tasks = yield Background(functools.partial(self._checks.leader_tasks, one))
        elif step.action is Action.CHECK_CNAME:
            found.cname_check = yield Background(functools.partial(self._checks.cname, observation, one))

    def _wait(self, observation: Observation, step: Step) -> Flow:
        if observation.lock.record.journal is not None:
            # While nothing else is done, so that no decision gets old by it.
            sample = yield Background(functools.partial(self._checks.sample, observation))
            self.run_so_far.samples += [sample] if sample else []
        pause = step.seconds
        if not step.timed and step.action is Action.WAIT:
            pause = max(pause, slowed(self.policy.poll_interval, self._clock.now() - self._waits_since))
        yield Pause(self._clock.now() + pause, step.reason)

    def _change(self, observation: Observation, step: Step) -> Flow:
        """Announce an effect in the record, and send its request; False when it was not sent, or refused."""
        if step.action is Action.TERMINATE_CANDIDATE and not self._findings.failure:
            # Before the record is written: the request that it announces must follow at once.
            read = functools.partial(self._deployment_log, step.environment)
            ask = functools.partial(failure_of, self._services.eb, step.environment, _EVIDENCE_SECONDS, read)
            self._findings.failure = yield Background(ask)
            return False
        if not self._has_token:
            # Not after the record is written, either. Who had to wait observes again before the token is used.
            self._has_token = True
            if (yield Call(self._services.limiter.acquire)):
                return False
        yield from self._write(observation, step)
        check = functools.partial(self._check_age, observation)
        try:
            yield Call(functools.partial(self._changes.make, observation, step, check))
        except (TooOldError, LeaseLostError):
            self._changed_at = self._clock.now()
            raise
        except AnsibleBeanstalkError as error:
            self._sent()
            # What the credentials may not do now they may not do a moment later either; the next run goes on from here.
            if denied_action(error):
                raise
            self._findings.refused(step, error)
            yield Pause(self._clock.now() + min(self.policy.poll_interval, 5), step.reason)
            return False
        self._sent()
        if step.action in _OPERATIONS:
            # It is not over before the next tick, and cycles that observe then share the poll.
            yield Pause(self._clock.now() + self.policy.poll_interval, step.reason)
        return True

    def _deployment_log(self, environment_id: str, request_id: str) -> DeploymentLog | None:
        bucket = own_bucket(str(self.observer.raw.get(environment_id, {}).get("EnvironmentArn") or ""))
        if not bucket:
            return None
        return deployment_log(self._services.clients.get("s3"), bucket, environment_id, request_id)

    def _sent(self) -> None:
        self._has_token = False
        self._changed_at = self._clock.now()

    def _check_age(self, observation: Observation) -> None:
        if self.now() - observation.now > self.policy.max_decision_age:
            raise TooOldError(message="The decision is too old to be carried out.")

    def _write(self, observation: Observation, step: Step) -> Flow:
        """Store the record under the lease: the fence before every effect."""
        self._check_age(observation)
        record = None if step.record is None else to_document(step.record)
        free = step.action is Action.RELEASE
        # Whoever finds the lease of a killed run reads there what it was about to do.
        reason = self._progress.fit(f"{self.policy.goal} of {self.observer.logical}: {step.action}, {step.reason}")
        yield WriteRecord(self._application, self.observer.prefix, record, free, self._bucket, reason[:_LONGEST_REASON])


def _words(line: Mapping[str, Any]) -> dict[str, str]:
    """A step without the figures in its reason."""
    return {key: without_figures(str(value)) for key, value in line.items()}


def _may_pass(error: AnsibleBeanstalkError) -> bool:
    """Whether what failed is worth another attempt in this run."""
    refused = error_code(error).startswith(("AccessDenied", "Invalid", "Expired"))
    return error.exception is not None and not refused
