# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the planner share: names, records, and the view of one cycle in flight."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ...deployment.history import LEDGER_ENTRIES
from .guards import describe, termination_refusal
from .model import (
    TAG_CYCLE,
    TAG_LOGICAL,
    Action,
    Entry,
    Environment,
    Goal,
    Journal,
    Observation,
    PendingResize,
    Policy,
    Record,
    Result,
    Retired,
    Status,
    Step,
)

NAME_LIMIT = 40  # EnvironmentName, docs/elastic_beanstalk.md §1.1
_STAMP = re.compile(r"-\d{6}-\d{6}(?:-\d+)?$")


def cycle_id(now: float, token: int) -> str:
    """The id of a cycle that begins ``now`` under the fencing token: sortable, unique per logical environment."""
    return f"{datetime.fromtimestamp(now, tz=UTC):%Y%m%dT%H%M%SZ}-{token}"


def candidate_name(base: str, started: float, attempt: int) -> str:
    """The physical name of a candidate: at most 40 letters, digits and hyphens, the same in every run of a cycle."""
    suffix = f"-{datetime.fromtimestamp(started, tz=UTC):%y%m%d-%H%M%S}"
    if attempt > 1:
        suffix += f"-{attempt}"
    return stem(base)[: NAME_LIMIT - len(suffix)].rstrip("-") + suffix


@cache
def stem(name: str) -> str:
    """What the names of a logical environment's physical environments have in common."""
    return _STAMP.sub("", name)[: NAME_LIMIT - len("-yymmdd-hhmmss")].rstrip("-")


def removable(observation: Observation, policy: Policy) -> tuple[Environment, ...]:
    """Environments that earlier cycles left behind and whose time has come, oldest first."""
    found = []
    retired = {one.environment: one for one in observation.lock.record.retired}
    journal = observation.lock.record.journal
    current = {journal.live, journal.candidate} if journal else set()
    for one in observation.environments:
        ours = one.tags.get(TAG_LOGICAL) == observation.logical and TAG_CYCLE in one.tags
        entry = retired.get(one.id)
        if one.id in current or one.status not in (Status.READY, Status.LAUNCHING) or not (ours or entry):
            continue
        if journal is not None and one.tags.get(TAG_CYCLE) == journal.cycle:
            continue
        if (
            _entry_due(observation, entry) if entry else _orphan_due(observation, policy, one)
        ) and not termination_refusal(observation, one):
            found.append(one)
    return tuple(sorted(found, key=lambda one: one.created))


def _entry_due(observation: Observation, entry: Retired) -> bool:
    return not entry.hold and observation.now >= entry.keep_until


def _orphan_due(observation: Observation, policy: Policy, environment: Environment) -> bool:
    """No record knows it, so it may still have visitors: wait as long as a drain would."""
    still = observation.now - max(environment.created, environment.updated)
    if still < policy.dns_ttl + policy.dns_margin + policy.request_settle_time:
        return False
    return (environment.requests or 0) <= policy.drain_requests_per_minute or still >= policy.drain_timeout


def announce_termination(observation: Observation, environment: Environment) -> Record:
    """The record that announces the end of a leftover."""
    rest = tuple(one for one in observation.lock.record.retired if one.environment != environment.id)
    line = Retired(
        environment.id, environment.version_label, observation.now, observation.now, termination_requested=True
    )
    return replace(observation.lock.record, retired=(*rest, line))


def concluded(observation: Observation, policy: Policy, entry: Entry, retired: Iterable[Retired] = ()) -> Record:
    """The record after a cycle: no journal, one more line in the ledger, what is retired, a pending resize."""
    kept = {one.environment: one for one in observation.lock.record.retired}
    kept |= {one.environment: one for one in retired}
    alive = {one.id for one in observation.environments if not one.gone}
    return Record(
        journal=None,
        retired=tuple(one for one in kept.values() if one.environment in alive and one.environment != entry.live),
        ledger=(*observation.lock.record.ledger, entry)[-LEDGER_ENTRIES:],
        pending_resize=_pending_resize(observation),
    )


def _pending_resize(observation: Observation) -> PendingResize | None:
    record, live = observation.lock.record, observation.live
    journal, pending = record.journal, record.pending_resize
    if live is None:
        return pending
    if journal is not None and live.id != journal.live and journal.start_size is not None:
        pending = PendingResize(live.id, journal.start_size, journal.min_size or 0)
    return pending if pending is not None and is_pending(pending, live) else None


def counts_requests(journal: Journal, policy: Policy, now: float) -> bool:
    """Whether requests decide something: to a healthy candidate, later to the one that DNS has forgotten."""
    if journal.failed or journal.swapped is None:
        return bool(journal.failed) or journal.healthy is not None
    return journal.cname_checked is not None and now - journal.swapped >= policy.dns_ttl + policy.dns_margin


def is_pending(pending_resize: PendingResize, environment: Environment) -> bool:
    """Whether the resize is this environment's, and still to come: nobody has changed its MinSize since."""
    return (
        pending_resize.environment == environment.id
        and environment.min_size == pending_resize.start_size != pending_resize.min_size
    )


@dataclass(frozen=True)
class Cycle:
    """One cycle in flight as a run sees it that holds the lease."""

    observation: Observation
    policy: Policy
    journal: Journal

    @property
    def now(self) -> float:
        """The service's clock, in seconds."""
        return self.observation.now

    @property
    def old(self) -> Environment | None:
        """The environment that was live when the cycle began."""
        return self.observation.by_id(self.journal.live)

    @property
    def candidate(self) -> Environment | None:
        """The candidate: by the id once it is known, before that by the tags it was created with."""
        if self.journal.candidate:
            return self.observation.by_id(self.journal.candidate)
        made = [
            one
            for one in self.observation.environments
            if one.tags.get(TAG_CYCLE) == self.journal.cycle
            and one.tags.get(TAG_LOGICAL) == self.observation.logical
            and one.id != self.journal.live
        ]
        return min(made, key=lambda one: one.created, default=None)

    @property
    def kept_one(self) -> bool:
        """Whether the candidate is an environment of an earlier cycle, which a rollback takes back."""
        return any(one.environment == self.journal.candidate for one in self.observation.lock.record.retired)

    def quiet(self, *times: float | None) -> bool:
        """Whether requests sent at these times can no longer take effect unseen."""
        return all(one is None or self.now - one >= self.policy.request_settle_time for one in times)

    def save(self, reason: str, **changes: Any) -> Step:
        """Write a fact into the journal and do nothing else."""
        return Step(Action.RECORD, reason, record=self.changed(**changes))

    def changed(self, **changes: Any) -> Record:
        """The record with a changed journal."""
        return replace(self.observation.lock.record, journal=replace(self.journal, **changes))

    def wait(self, reason: str, seconds: float | None = None, action: Action = Action.WAIT) -> Step:
        """Look again later; never later than the poll interval, as the lease must be renewed."""
        pause = self.policy.poll_interval if seconds is None else min(seconds, self.policy.poll_interval)
        return Step(action, reason, seconds=max(pause, 0.5), timed=seconds is not None)

    def fail(self, reason: str, *, abandoned: bool = False) -> Step:
        """Note that this cycle will not succeed; what follows depends on who holds the live name then."""
        return self.save(reason, failed=reason, failed_at=self.now, abandoned=abandoned, terminating=None)

    def other_goal(self) -> bool:
        """Whether this run was started for something else than the cycle it found."""
        if self.policy.goal is not self.journal.goal:
            return True
        # A rollback need not name a version.
        named = self.policy.goal is Goal.DEPLOY or (self.policy.goal is Goal.ROLLBACK and self.policy.version_label)
        return bool(named) and self.policy.version_label != self.journal.label

    def conclude(self, result: Result, sentence: str, retired: Iterable[Retired] = ()) -> Step:
        """End the cycle: release the lease with the result, or go on when the run still has its own work to do."""
        live = self.observation.live
        goes_on = result is not Result.FAILED_NEEDS_HUMAN and (self.journal.abandoned or self.other_goal())
        was_swapped = live is not None and live.id != self.journal.live
        entry = Entry(
            cycle=self.journal.cycle,
            owner="" if goes_on else self.observation.me,
            result=result,
            at=self.now,
            live=live.id if live else "",
            label=live.version_label if live else "",
            previous=self.journal.live if was_swapped else "",
            previous_label=self.journal.live_label if was_swapped else "",
            sentence=sentence,
            goal=self.journal.goal,
        )
        record = concluded(self.observation, self.policy, entry, retired)
        if goes_on:
            return Step(Action.RECORD, sentence, record=record)
        return Step(Action.RELEASE, sentence, record=record, result=result)

    def retired(self, environment: Environment, keep: float, hold: str = "") -> Retired:
        """The record's line for an environment that stays for now."""
        termination_requested = self.journal.last_terminate is not None
        failed = environment.id == self.journal.candidate and not self.kept_one
        return Retired(
            environment.id, environment.version_label, self.now, self.now + keep, hold, termination_requested, failed
        )

    def needs_human(self, sentence: str) -> Step:
        """Stop without touching anything more; what is not live is held for a human."""
        live = self.observation.live
        rest = [
            one for one in (self.old, self.candidate) if one and not one.gone and (live is None or one.id != live.id)
        ]
        return self.conclude(Result.FAILED_NEEDS_HUMAN, sentence, [self.retired(one, 0, hold=sentence) for one in rest])

    def remove(self, environment: Environment, action: Action, reason: str) -> Step | None:
        """Terminate an environment, or the step that must come first; None when its time is over.

        Never called for the holder of the live name, and :func:`termination_refusal` is asked again here.
        """
        begun = self.journal.terminating
        if begun is not None and self.now - begun > self.policy.terminate_timeout:
            return None
        if environment.status is Status.UPDATING and environment.abortable and action is Action.TERMINATE_CANDIDATE:
            return Step(
                Action.ABORT_UPDATE,
                f"{describe(environment)} is still being updated",
                environment=environment.id,
                record=self.changed(terminating=begun or self.now),
            )
        if environment.status not in (Status.READY, Status.LAUNCHING):
            if begun is None:
                return self.save(f"{describe(environment)} is to go, once it can be terminated", terminating=self.now)
            return self.wait(f"waiting for {describe(environment)}: {environment.status}")
        if refusal := termination_refusal(self.observation, environment):
            return self.needs_human(refusal)
        record = self.changed(terminating=begun or self.now, last_terminate=self.now)
        return Step(action, reason, environment=environment.id, record=record)
