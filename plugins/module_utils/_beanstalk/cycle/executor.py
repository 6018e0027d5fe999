# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry cycles out: observe, ask the planner, write the record, act; until a stage or the end of the run.

It decides nothing. It keeps in memory only what it can measure again, so it may be killed at any point.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, already_exists, denied_action, error_code, error_text, says
from ..core.waiters import SAME_TICK, slowed
from ..leader.query import LeaderQuery, choose
from ..leader.sources import Services
from ..lock.lease import Lease, LeaseLostError
from ..lock.store import LockStore
from . import calls
from .access_log_check import who_answers
from .account import Account
from .evidence import failure_of, leader_trouble
from .observer import Observer, lock_of
from .planner.base import counts_requests, stem
from .planner.guards import HEALTHY_ENOUGH, preflight, rollback_target, termination_refusal
from .planner.model import EFFECTS, Action, Goal, Journal, Policy, Probe, Result, Status, Step, Version, World
from .planner.plan import jitter, plan
from .record import to_document
from .settings import CandidateSettings
from .smoke_tests import Prober
from .stages import Stage, position, reached, stops_at

_UNWRITTEN = frozenset({Action.WAIT, Action.DRAIN, Action.VERIFY, Action.ASK_LEADER, Action.PROVE, Action.FINISH})
# Effects that Elastic Beanstalk takes its time for.
_OPERATIONS = EFFECTS - {Action.DELETE_VERSIONS, Action.DELETE_TEMPLATES}
_LOG_SECONDS = 45.0
_AT_WORK = frozenset(Status) - {Status.READY, Status.TERMINATED}
# What others of this controller saw so long ago, in seconds, is still a look: short beside Policy.step_fresh.
_SHARED_SECONDS = 5.0
_LOOKS = 6  # failed looks in a row before a run gives up; the next run continues


@dataclass
class Run:
    """How far a call of :meth:`Executor.run` got. ``steps`` has one sentence per step, waits told once.

    ``samples`` are requests to the live name at every wait. ``failure`` has what was learnt of a candidate before it
    was terminated (see cycle_evidence). ``journal`` is that of the cycle that the run is, or was, in.
    """

    stage: str = ""
    result: Result | None = None
    sentence: str = ""
    world: World | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    failure: dict[str, Any] = field(default_factory=dict)
    journal: Journal | None = None
    changed: bool = False


class Executor:
    """One run over one logical environment.

    ``reader`` may retry, ``writer`` must not (cycle_calls.ONE_ATTEMPT). ``candidate`` says what a candidate has that
    the live environment has not; nothing when it is not given. ``turn`` waits until a request may be sent within the
    budget of the account, and ``begin`` until there is room for a whole cycle; both return whether they had to.
    """

    def __init__(
        self,
        reader: Any,
        writer: Any,
        store: LockStore,
        observer: Observer,
        policy: Policy,
        *,
        owner: str,
        prober: Prober,
        account: Account,
        candidate: CandidateSettings | None = None,
        turn: Callable[[], bool] = lambda: False,
        begin: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[Step], None] = lambda _step: None,
    ) -> None:
        self.reader, self.writer, self.store, self.observer = reader, writer, store, observer
        self.policy, self.owner, self.prober = policy, owner, prober
        self.account = account
        self.candidate = candidate or CandidateSettings(reader, account)
        self._turn, self._begin, self._sleep, self._tell = turn, begin, sleep, tell
        self.started = store.now
        self._changed_at = time.monotonic()
        self._has_turn = False
        self._has_begun = False
        self._waits_since = 0.0
        self._probe: Probe | None = None
        self._proof: Probe | None = None
        self._leader: Probe | None = None
        self._refusals: dict[Action, int] = {}
        self._last_error = ""
        self._taken = ""
        self._full = ""
        self._failure: dict[str, Any] = {}
        self._lease = Lease()

    # -- look -------------------------------------------------------------------------------------------------------

    def observe(self) -> World:
        """The world now."""
        if not self._holds():
            self._lease = self.store.read()
        lock = lock_of(self._lease, self.owner, self.store.now)
        tick = min(self.policy.poll * SAME_TICK, _SHARED_SECONDS)
        since = max(self._changed_at, time.monotonic() - tick)
        journal = lock.record.journal
        counting = journal is not None and counts_requests(journal, self.policy, self.store.now)
        environments = self.observer.environments(lock.record, since, counting=counting)
        cname = self.observer.cname(environments)
        held = any(one.cname == cname for one in environments)
        pruning = (
            journal is not None
            and journal.drained is not None
            and all(one.gone for one in environments if one.id == journal.live)
        )
        versions: tuple[Version, ...] = ()
        if journal is None or pruning:
            versions = self.observer.versions(environments, 0.0 if pruning else self.policy.step_fresh)
        templates = self.observer.templates(stem(self.policy.base_name), environments) if pruning else ()
        unclear = self.observer.unclear(self.policy.base_name)
        available = not held and not unclear and api.cname_available(self.reader, self.observer.prefix)
        world = World(
            now=self.store.now,  # after all the looking, so that a decision's age is the age of its journal entry
            started=self.started,
            me=self.owner,
            logical=self.observer.logical,
            application=self.observer.application,
            cname=cname,
            environments=environments,
            lock=lock,
            unclear=unclear,
            name_taken=bool(journal and journal.candidate_name == self._taken),
            cname_available=available,
            shortage=self._full,
            probe=self._probe,
            proof=self._proof,
            leader=self._leader,
            versions=versions,
            templates=templates,
            refusals=dict(self._refusals),
            last_error=self._last_error,
        )
        return self._with_account(world)

    def _with_account(self, world: World) -> World:
        """What else must be known before a candidate is made; asked only when one would be."""
        journal, live, lock = world.lock.record.journal, world.live, world.lock
        begun = journal is not None and (journal.candidate != "" or journal.swapped is not None)
        others = lock.owner not in ("", world.me) and world.now <= lock.expires
        kept = self.policy.goal is Goal.ROLLBACK and rollback_target(world) is not None
        if live is None or begun or others or kept:
            return world
        verdict = None if journal is not None else preflight(world, self.policy)
        if verdict is not None and (verdict.result is Result.SKIPPED or live.health in HEALTHY_ENOUGH):
            return world
        values = self.candidate.predicted(self.observer.settings(self.observer.raw[live.id]))
        shortage = world.shortage or (self.account.shortage(values) if journal is None else "")
        # What was learnt before the cycle says whether it may begin; how large a candidate is made is asked again.
        age = self.policy.step_fresh if journal is not None else self.store.now - self.started
        capacity = self.observer.recent("capacity", live.id, lambda: self.account.capacity(live.id, values), age)
        return replace(world, capacity=capacity, shortage=shortage)

    def _look(self) -> World:
        for _look in range(_LOOKS - 1):
            try:
                return self.observe()
            except AnsibleBeanstalkError as error:
                if error.exception is None or error_code(error).startswith(("AccessDenied", "Invalid", "Expired")):
                    raise
                self._sleep(self.policy.poll)
        return self.observe()

    def _glance(self, last: World | None, step: Step | None) -> World | None:
        """The last world, later, when all that ends the wait is time or a change, and neither has come; else None.

        What others saw is good enough for that, so long waits of a fleet cost next to nothing. It never leads to
        anything but waiting on.
        """
        journal = last.lock.record.journal if last else None
        if last is None or step is None or journal is None or step.action not in (Action.WAIT, Action.DRAIN):
            return None
        mine = [one for one in (journal.live, journal.candidate) if one]
        at_work = any(found.status in _AT_WORK for one in mine if (found := last.by_id(one)))
        if not step.timed and not (at_work and step.action is Action.WAIT):
            return None
        try:
            if not self.observer.unchanged(mine, time.monotonic() - self.policy.poll * SAME_TICK):
                return None
        except AnsibleBeanstalkError:
            return None
        now = self.store.now
        world = replace(last, now=now, lock=lock_of(self._lease, self.owner, now))
        then = plan(world, self.policy)
        return world if self._holds() and (then.action, then.timed) == (step.action, step.timed) else None

    def _holds(self) -> bool:
        """Whether the lease is this run's for all it knows; each write shows whether it is."""
        return self._lease.owner == self.owner and self.store.now < self._lease.expires

    # -- run --------------------------------------------------------------------------------------------------------

    def run(self, until: Stage | None = None, *, stage_ttl: float = 900, dry: bool = False) -> Run:
        """Go on until the stage, or to the end of the run; ``dry`` only says the next step.

        At a stage the lease is made to last ``stage_ttl`` seconds, for what is done there by others.
        """
        run = Run()
        step: Step | None = None
        while True:
            run.world = world = self._glance(run.world, step) or self._look()
            step = plan(world, self.policy)
            if until is not None and stops_at(until, position(world, step)):
                run.stage = until if reached(until, position(world, step)) else ""
                if world.lock.owner == self.owner:
                    self.store.take(self._lease, self.owner, self._reason(), max(stage_ttl, self.policy.lease_ttl))
                return run
            if not dry and self._queued(run, world, step):
                continue
            self._note(run, step)
            run.failure, run.journal = self._failure, world.lock.record.journal or run.journal
            if step.action in (Action.WAIT, Action.DRAIN) and not dry:
                self._sample(run, world)
            if dry:
                run.result, run.sentence = step.result, step.reason
                return run
            if self._perform(world, step):
                run.changed = run.changed or step.action in EFFECTS
                if step.result is not None:
                    run.result, run.sentence = step.result, step.reason
                    return run

    def _queued(self, run: Run, world: World, step: Step) -> bool:
        """Whether there was no room for another cycle at once. It waits until there is; then it looks again.

        That is before the lock is taken, so it holds nothing up, and none of the limits of a cycle runs meanwhile.
        """
        if step.action is not Action.ACQUIRE or world.lock.record.journal is not None or self._has_begun:
            return False
        self._has_begun = True
        since = self.store.now
        if not self._begin():
            return False
        now = self.store.now
        self.started = now - jitter(world.logical, self.policy.jitter)
        reason = f"waited {now - since:.0f} seconds until the budget of requests had room for another cycle"
        self._note(run, Step(Action.WAIT, reason))
        return True

    def _note(self, run: Run, step: Step) -> None:
        line = {"action": str(step.action), "reason": step.reason, "environment": step.environment or None}
        if not run.steps or {key: run.steps[-1][key] for key in line} != line:
            run.steps.append({"at": self.store.now, **line})
            self._tell(step)
        self._waits_since = run.steps[-1]["at"]

    def _sample(self, run: Run, world: World) -> None:
        """Whether the live name answers; while nothing else is done, so that no decision gets old by it."""
        if world.lock.record.journal is not None and (answer := self.prober.sample(world.cname)) is not None:
            run.samples.append({"at": world.now, "seconds": round(answer[0], 3), "problem": answer[1]})

    def _perform(self, world: World, step: Step) -> bool:
        """Whether the step was carried out; False when the world must be looked at again first."""
        if step.action is Action.TERMINATE_CANDIDATE and not self._failure:
            # Before the record is written: the request that it announces must follow at once.
            self._failure = failure_of(self.reader, step.environment, min(30.0, self.policy.lease_ttl / 4))
            return False
        if step.action in EFFECTS and not self._has_turn:
            # Not after the record is written, either. Who had to wait looks again before it uses its turn.
            self._has_turn = True
            if self._turn():
                return False
        if step.action not in _UNWRITTEN:
            try:
                self._write(world, step)
            except LeaseLostError:
                self._lease = Lease()
                return False
            if self.store.now - world.now > self.policy.step_fresh and step.action in EFFECTS:
                return False
        try:
            if step.action in EFFECTS:
                self._has_turn = False
            self._act(world, step)
        except AnsibleBeanstalkError as error:
            # What the credentials may not do now they may not do a moment later either; the next run goes on from here.
            if step.action not in EFFECTS or denied_action(error):
                raise
            self._refused(step, error)
            self._sleep(min(self.policy.poll, 5))
            return False
        finally:
            if step.action in EFFECTS:
                self._changed_at = time.monotonic()
        if step.action in _OPERATIONS:
            # It is not over before the next tick, and cycles that look then share the look.
            self._sleep(self.policy.poll)
        return True

    def _write(self, world: World, step: Step) -> None:
        """Store the record under the lease: the fence before every effect."""
        if self.store.now - world.now > self.policy.step_fresh:
            raise LeaseLostError(message="The decision is too old to be carried out.")
        record = None if step.record is None else to_document(step.record)
        if step.action is Action.RELEASE:
            self.store.release(self._lease, record)
        else:
            held = self._holds()
            self._lease = self.store.take(self._lease, self.owner, self._reason(), self.policy.lease_ttl, record)
            if not held:
                # Whoever had it before may have done something until now.
                self._changed_at = time.monotonic()

    def _reason(self) -> str:
        return f"{self.policy.goal} of {self.observer.logical}"

    def _refused(self, step: Step, error: AnsibleBeanstalkError) -> None:
        self._refusals[step.action] = self._refusals.get(step.action, 0) + 1
        self._last_error = error_text(error)
        if step.action is Action.CREATE:
            if already_exists(error) or says(error, "DNS name"):
                self._taken = step.name
                self._refusals[step.action] -= 1
            if error_code(error) == "TooManyEnvironmentsException":
                self._full = "the region's quota of environments is used up"

    # -- act --------------------------------------------------------------------------------------------------------

    def _act(self, world: World, step: Step) -> None:
        if step.action in (Action.WAIT, Action.DRAIN):
            self._sleep(self._pause(step))
        elif step.action is Action.VERIFY:
            environment = world.by_id(step.environment)
            good, problem = self.prober.run(environment.cname if environment else "", self.policy.probes_in_a_row)
            self._probe = Probe(step.environment, self.store.now, good, problem)
        elif step.action is Action.ASK_LEADER:
            self._leader = self._ask_leader(step.environment)
        elif step.action is Action.PROVE:
            self._prove(world, step)
        elif step.action in EFFECTS:
            self._change(world, step)

    def _pause(self, step: Step) -> float:
        if step.timed or step.action is Action.DRAIN:
            return step.seconds
        # The lease is renewed between looks.
        grown = min(slowed(self.policy.poll, self.store.now - self._waits_since), self.policy.lease_ttl / 6)
        return max(step.seconds, grown)

    def _change(self, world: World, step: Step) -> None:
        if step.action is Action.CREATE:
            self._create(step)
        elif step.action in (Action.SWAP, Action.SWAP_BACK):
            calls.swap(self.writer, step.environment, step.other)
        elif step.action in (Action.TERMINATE, Action.TERMINATE_CANDIDATE):
            self._terminate(world, step)
        elif step.action is Action.RESIZE:
            calls.resize(self.writer, step.environment, step.size)
        elif step.action is Action.TAG:
            calls.tag(self.writer, self.observer.raw[step.environment]["EnvironmentArn"], step.tags)
            self.observer.tagged(step.environment, step.tags)
        elif step.action is Action.ABORT_UPDATE:
            calls.abort(self.writer, step.environment)
        elif step.action is Action.DELETE_VERSIONS:
            for label in step.labels:
                calls.delete_version(self.writer, self.observer.application, label)
        elif step.action is Action.DELETE_TEMPLATES:
            for name in step.labels:
                calls.delete_template(self.writer, self.observer.application, name)

    def _prove(self, world: World, step: Step) -> None:
        good, problem = self.prober.run(world.cname, self.policy.probes_in_a_row)
        journal = world.lock.record.journal
        new, old = (self.observer.raw.get(one, {}) for one in (step.environment, journal.live if journal else ""))
        # Once the TTL is over it is this machine's resolver that is late, which says nothing about the swap.
        late = world.now - ((journal and journal.swapped) or 0.0) > self.policy.dns_ttl + self.policy.dns_margin
        if not late and self.prober.leads_to_old(world.cname, new.get("EndpointURL"), old.get("EndpointURL")):
            good, problem = 0, f"DNS still leads {world.cname} to the environment that was live before"
        elif good >= self.policy.probes_in_a_row and self.prober.checks:
            good, problem = self._answered(world, step.environment, old.get("EnvironmentId", ""), good, late=late)
        self._proof = Probe(step.environment, self.store.now, good, problem)

    def _answered(self, world: World, new: str, old: str, good: int, *, late: bool) -> tuple[int, str]:
        """Good answers of the new environment count; those of the old one do not while DNS may still be on its way."""
        there = [one for one in (new, old) if one and world.by_id(one)]
        seconds = min(_LOG_SECONDS, self.policy.lease_ttl / 6)
        who, instance = who_answers(self.reader, lambda word: self.prober.call(world.cname, word), there, seconds)
        if who == old and who and not late:
            return 0, f"{instance} of the environment that was live before still answers"
        return good, f"seen in the log of {instance}" if who == new else "no log tells which environment answered"

    def _create(self, step: Step) -> None:
        live = self.observer.raw[step.other]
        tags = self.observer.user_tags(live) | dict(step.tags)
        described = self.observer.settings(live)
        journal = step.record.journal if step.record else None
        settings = self.candidate.make(live, described, journal.start_size if journal else None)
        given = {"name": step.name, "label": step.label, "tags": tags, "platform": self.candidate.platform(live)}
        calls.create(self.writer, live, settings, **given)

    def _ask_leader(self, environment_id: str) -> Probe:
        limits = {"wait_timeout": min(_LOG_SECONDS, self.policy.verify_timeout), "poll_interval": 2.0}
        query = LeaderQuery(Services(self.reader, self.account.client("ec2")), limits, lambda: 0)
        (told,) = query.ask(choose(self.reader, {"ids": [environment_id]}))
        problem = leader_trouble(told)
        return Probe(environment_id, self.store.now, 0 if problem else 1, problem)

    def _terminate(self, world: World, step: Step) -> None:
        """The last look before the one call that cannot be taken back."""
        environments = self.observer.environments(world.lock.record, time.monotonic())
        current = next((one for one in environments if one.id == step.environment), None)
        if current is None or current.status is Status.UPDATING:
            return
        if refusal := termination_refusal(world, current):
            raise AnsibleBeanstalkError(message=refusal)
        calls.terminate(self.writer, step.environment)
