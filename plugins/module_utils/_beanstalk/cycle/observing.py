# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a snapshot and a lease to what the planner decides by; it asks for what both do not tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..core import api
from ..run.watcher import Snapshot
from .account import Account
from .findings import Findings
from .observer import Observer
from .planner.base import counts_requests, stem
from .planner.guards import HEALTHY_ENOUGH, preflight, rollback_target
from .planner.model import Goal, Lock, Observation, Policy, Result, Version
from .settings import CandidateSettings


class Observing:
    """Makes the observations of one run. ``now`` is the service's clock: that of the lock, in seconds.

    ``bucket`` is that of the lock, "" for Elastic Beanstalk's own.
    """

    def __init__(
        self,
        observer: Observer,
        account: Account,
        candidate: CandidateSettings,
        policy: Policy,
        findings: Findings,
        now: Callable[[], float],
        bucket: str = "",
    ) -> None:
        self.observer, self._bucket = observer, bucket
        self._account, self._candidate, self._policy, self._findings = account, candidate, policy, findings
        self._now = now

    def observe(self, snapshot: Snapshot, lock: Lock, owner: str, started: float) -> Observation:
        """What the run of ``owner``, which began at ``started``, sees now."""
        observer, found, journal = self.observer, self._findings, lock.record.journal
        counting = journal is not None and counts_requests(journal, self._policy, self._now())
        environments = observer.environments(snapshot, lock.record, counting=counting)
        cname = observer.cname(environments)
        held = any(one.cname == cname for one in environments)
        pruning = (
            journal is not None
            and journal.drained is not None
            and all(one.gone for one in environments if one.id == journal.live)
        )
        versions: tuple[Version, ...] = ()
        if journal is None or pruning:
            versions = observer.versions(environments, 0.0 if pruning else self._policy.max_decision_age)
        templates = observer.templates(stem(self._policy.name_prefix)) if pruning else ()
        unclear = observer.unclear(self._policy.name_prefix)
        available = not held and not unclear and api.cname_available(observer.client, observer.prefix)
        observation = Observation(
            now=self._now(),  # after all requests, so that a decision's age is the age of its journal entry
            started=started,
            me=owner,
            logical=observer.logical,
            application=observer.application,
            cname=cname,
            environments=environments,
            lock=lock,
            unclear=unclear,
            name_taken=bool(journal and journal.candidate_name == found.taken_name),
            cname_available=available,
            shortage=found.full,
            smoke_test=found.smoke_test,
            cname_check=found.cname_check,
            leader_tasks=found.leader_tasks,
            versions=versions,
            templates=templates,
            refusals=dict(found.refusals),
            last_error=found.last_error,
        )
        return self._with_account(observation)

    def again(self, last: Observation, snapshot: Snapshot, lock: Lock) -> Observation | None:
        """The last observation, later, when neither of the cycle's environments has changed in the snapshot.

        It leads to nothing but waiting on, so that long waits of a fleet cost next to nothing.
        """
        journal = lock.record.journal
        mine = [one for one in (journal.live, journal.candidate) if one] if journal else []
        if not mine or not self.observer.unchanged(mine, snapshot):
            return None
        return replace(last, now=self._now(), lock=lock)

    def _with_account(self, observation: Observation) -> Observation:
        """What else must be known before a candidate is made; asked only when one would be."""
        journal, live, lock = observation.lock.record.journal, observation.live, observation.lock
        begun = journal is not None and (journal.candidate != "" or journal.swapped is not None)
        others = lock.owner not in ("", observation.me) and observation.now <= lock.expires
        kept = (
            self._policy.goal is Goal.ROLLBACK and rollback_target(observation, self._policy.version_label) is not None
        )
        if live is None or begun or others or kept:
            return observation
        verdict = None if journal is not None else preflight(observation, self._policy)
        if verdict is not None and (verdict.result is Result.SKIPPED or live.health in HEALTHY_ENOUGH):
            return observation
        values = self._candidate.predicted(self.observer.settings(self.observer.raw[live.id]))
        shortage = observation.shortage or (self._account.shortage(values) if journal is None else "")
        lacking = ""
        if journal is None:
            lacking = self._account.lacking(self.observer.raw[live.id], self._bucket)
        # What was learnt before the cycle says whether it may begin; how large a candidate is made is asked again.
        age = self._policy.max_decision_age if journal is not None else observation.now - observation.started
        capacity = self.observer.recent("capacity", live.id, lambda: self._account.capacity(live.id, values), age)
        return replace(observation, capacity=capacity, shortage=shortage, lacking=lacking)
