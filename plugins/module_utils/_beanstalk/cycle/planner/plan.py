# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner of a cycle (recreate and swap, blue/green deploy, rollback): a pure function of what it sees.

It keeps no state. What a cycle has done so far is in the lock object (the journal) and in the tags of the
environments it made, so any run on any machine continues what it finds. Every step that changes something carries
the record that must be stored first: a run killed between the two leaves an announced request, and the next run
waits until such a request can no longer take effect unseen before it decides again. That is what makes a swap,
which undoes itself when repeated, safe to retry.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ...deployment.history import UPDATED
from ...lock.lease import GRACE
from .base import Cycle, announce_termination, candidate_name, concluded, cycle_id, removable
from .forward import after_swap, before_swap
from .guards import Verdict, describe, preflight, rollback_target, wanted_label
from .model import Action, Entry, Environment, Goal, Journal, Observation, Policy, Result, Status, Step
from .rollback import failing


def plan(observation: Observation, policy: Policy) -> Step:
    """The next step of a run that sees ``observation`` and wants ``policy``, with its reason."""
    lock = observation.lock
    if not lock.held_by(observation.me, observation.now):
        return _unlocked(observation, policy)
    if lock.expires - observation.now < policy.lock_ttl / 3:
        return Step(Action.RENEW, "two thirds of the lease are over")
    journal = lock.record.journal
    return _idle(observation, policy) if journal is None else _in_cycle(Cycle(observation, policy, journal))


def jitter(logical: str, most: float) -> float:
    """A delay between 0 and ``most`` seconds, always the same for one logical environment, spread over a fleet."""
    digest = hashlib.sha256(logical.encode()).digest()
    return most * int.from_bytes(digest[:4], "big") / 2**32


def _unlocked(observation: Observation, policy: Policy) -> Step:
    lock = observation.lock
    record = lock.record
    last = next((one for one in reversed(record.ledger) if one.goal != UPDATED), None)
    if lock.owner != observation.me and last is not None and last.owner == observation.me:
        return Step(Action.FINISH, last.sentence, result=last.result)
    if lock.owner not in ("", observation.me) and not lock.owner_ended and observation.now <= lock.expires + GRACE:
        sentence = f"{lock.owner} holds the lock of {observation.logical}: {lock.reason}"
        if observation.now - observation.started < policy.lock_wait_timeout:
            return Step(Action.WAIT, sentence, seconds=policy.poll_interval)
        return Step(Action.FINISH, sentence, result=Result.LOCKED)
    if record.journal is not None:
        return Step(Action.ACQUIRE, f"continuing the cycle {record.journal.cycle}")
    late = observation.started + jitter(observation.logical, policy.jitter) - observation.now
    if late > 0:
        return Step(
            Action.WAIT, f"starting {late:.0f} seconds late, so that a fleet does not start at once", seconds=late
        )
    verdict = preflight(observation, policy)
    if verdict is None or (policy.goal is not Goal.ROLLBACK and removable(observation, policy)):
        return Step(Action.ACQUIRE, f"{policy.goal} of {observation.logical}")
    return Step(Action.FINISH, verdict.sentence, result=verdict.result)


def _idle(observation: Observation, policy: Policy) -> Step:
    """The lease is ours and no cycle is in flight: remove leftovers, then begin or say why not."""
    spent = observation.now - observation.started
    if policy.goal is not Goal.ROLLBACK and spent < policy.terminate_timeout:
        for environment in removable(observation, policy):
            reason = f"{describe(environment)} is left over from an earlier cycle"
            return Step(
                Action.TERMINATE,
                reason,
                environment=environment.id,
                record=announce_termination(observation, environment),
            )
    verdict = preflight(observation, policy)
    if verdict is None and spent > policy.cycle_timeout:
        verdict = Verdict(Result.FAILED_ROLLED_BACK, "The run took longer than a cycle may.")
    if verdict is not None:
        return _release(observation, policy, verdict)
    live = observation.live
    if live is None or live.status is not Status.READY:
        state = f"{describe(live)} is {live.status}" if live else "nothing is live"
        if spent > policy.ready_timeout:
            return _release(observation, policy, Verdict(Result.REFUSED, f"{state}, and was for {spent:.0f} seconds."))
        return Step(Action.WAIT, state, seconds=policy.poll_interval)
    journal = _journal(observation, policy, live)
    reason = f"the cycle {journal.cycle} begins: {policy.goal} of {observation.logical}, live is {describe(live)}"
    return Step(Action.RECORD, reason, record=replace(observation.lock.record, journal=journal))


def _journal(observation: Observation, policy: Policy, live: Environment) -> Journal:
    journal = Journal(
        cycle=cycle_id(observation.now, observation.lock.token),
        goal=policy.goal,
        started=observation.now,
        live=live.id,
        live_label=live.version_label,
        label=wanted_label(observation, policy),
        candidate_name=candidate_name(policy.name_prefix or live.name, observation.now, 1),
    )
    target = rollback_target(observation, policy.version_label) if policy.goal is Goal.ROLLBACK else None
    if target is None:
        return journal
    environment = target[1]
    return replace(
        journal,
        candidate=environment.id,
        candidate_name=environment.name,
        candidate_cname=environment.cname,
        first_create=observation.now,
    )


def _release(observation: Observation, policy: Policy, verdict: Verdict) -> Step:
    live = observation.live
    entry = Entry(
        cycle=cycle_id(observation.now, observation.lock.token),
        owner=observation.me,
        result=verdict.result,
        at=observation.now,
        live=live.id if live else "",
        label=live.version_label if live else "",
        sentence=verdict.sentence,
        goal=policy.goal,
    )
    record = concluded(observation, policy, entry)
    return Step(Action.RELEASE, verdict.sentence, record=record, result=verdict.result)


def _in_cycle(cycle: Cycle) -> Step:
    journal, live = cycle.journal, cycle.observation.live
    candidate = cycle.candidate
    if live is None or live.id not in (journal.live, candidate.id if candidate else ""):
        if not cycle.quiet(journal.last_swap, journal.back):
            return cycle.wait("a swap was requested and may still take effect")
        holder = f"{describe(live)} is" if live else "nothing is"
        return cycle.needs_human(f"{holder} live at {cycle.observation.cname}, which this cycle did not do")
    if journal.failed:
        return failing(cycle, live)
    if live.id == journal.live:
        return before_swap(cycle, live)
    return after_swap(cycle, live)
