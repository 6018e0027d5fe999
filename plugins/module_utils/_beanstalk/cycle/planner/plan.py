# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner of a cycle (recreate and swap, blue/green deploy, rollback): a pure function from world to next step.

It keeps no state. What a cycle has done so far is in the lock object (the journal) and in the tags of the
environments it made, so any run on any machine continues what it finds. Every step that changes something carries
the record that must be stored first: a run killed between the two leaves an announced request, and the next run
waits until such a request can no longer take effect unseen before it decides again. That is what makes a swap,
which undoes itself when repeated, safe to retry.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from .base import Cycle, candidate_name, cycle_id, doom, remember, removable
from .forward import after_swap, before_swap
from .guards import Verdict, describe, preflight, rollback_target, wanted_label
from .model import Action, Entry, Environment, Goal, Journal, Policy, Result, Status, Step, World
from .rollback import failing


def plan(world: World, policy: Policy) -> Step:
    """The next step of a run that sees ``world`` and wants ``policy``, with its reason."""
    lock = world.lock
    if not lock.held_by(world.me, world.now):
        return _unlocked(world, policy)
    if lock.expires - world.now < policy.lease_ttl / 2:
        return Step(Action.RENEW, "the lease is half over")
    journal = lock.record.journal
    return _idle(world, policy) if journal is None else _in_cycle(Cycle(world, policy, journal))


def jitter(logical: str, most: float) -> float:
    """A delay between 0 and ``most`` seconds, always the same for one logical environment, spread over a fleet."""
    digest = hashlib.sha256(logical.encode()).digest()
    return most * int.from_bytes(digest[:4], "big") / 2**32


def _unlocked(world: World, policy: Policy) -> Step:
    lock = world.lock
    record = lock.record
    if lock.owner != world.me and record.ledger and record.ledger[-1].owner == world.me:
        last = record.ledger[-1]
        return Step(Action.FINISH, last.sentence, result=last.result)
    if lock.owner not in ("", world.me) and not lock.holder_gone and world.now <= lock.expires + policy.lease_grace:
        sentence = f"{lock.owner} holds the lock of {world.logical}: {lock.reason}"
        if world.now - world.started < policy.lock_wait:
            return Step(Action.WAIT, sentence, seconds=policy.poll)
        return Step(Action.FINISH, sentence, result=Result.LOCKED)
    if record.journal is not None:
        return Step(Action.ACQUIRE, f"continuing the cycle {record.journal.cycle}")
    late = world.started + jitter(world.logical, policy.jitter) - world.now
    if late > 0:
        return Step(
            Action.WAIT, f"starting {late:.0f} seconds late, so that a fleet does not start at once", seconds=late
        )
    verdict = preflight(world, policy)
    if verdict is None or (policy.goal is not Goal.ROLLBACK and removable(world, policy)):
        return Step(Action.ACQUIRE, f"{policy.goal} of {world.logical}")
    return Step(Action.FINISH, verdict.sentence, result=verdict.result)


def _idle(world: World, policy: Policy) -> Step:
    """The lease is ours and no cycle is in flight: remove leftovers, then begin or say why not."""
    spent = world.now - world.started
    if policy.goal is not Goal.ROLLBACK and spent < policy.terminate_timeout:
        for environment in removable(world, policy):
            reason = f"{describe(environment)} is left over from an earlier cycle"
            return Step(Action.TERMINATE, reason, environment=environment.id, record=doom(world, environment))
    verdict = preflight(world, policy)
    if verdict is None and spent > policy.cycle_limit:
        verdict = Verdict(Result.FAILED_ROLLED_BACK, "The run took longer than a cycle may.")
    if verdict is not None:
        return _release(world, policy, verdict)
    live = world.live
    if live is None or live.status is not Status.READY:
        state = f"{describe(live)} is {live.status}" if live else "nothing is live"
        if spent > policy.ready_timeout:
            return _release(world, policy, Verdict(Result.REFUSED, f"{state}, and was for {spent:.0f} seconds."))
        return Step(Action.WAIT, state, seconds=policy.poll)
    journal = _journal(world, policy, live)
    reason = f"the cycle {journal.cycle} begins: {policy.goal} of {world.logical}, live is {describe(live)}"
    return Step(Action.RECORD, reason, record=replace(world.lock.record, journal=journal))


def _journal(world: World, policy: Policy, live: Environment) -> Journal:
    journal = Journal(
        cycle=cycle_id(world.now, world.lock.token),
        goal=policy.goal,
        started=world.now,
        live=live.id,
        live_label=live.version_label,
        label=wanted_label(world, policy),
        candidate_name=candidate_name(policy.base_name or live.name, world.now, 1),
    )
    target = rollback_target(world) if policy.goal is Goal.ROLLBACK else None
    if target is None:
        return journal
    environment = target[1]
    return replace(
        journal,
        candidate=environment.id,
        candidate_name=environment.name,
        candidate_cname=environment.cname,
        first_create=world.now,
    )


def _release(world: World, policy: Policy, verdict: Verdict) -> Step:
    live = world.live
    entry = Entry(
        cycle=cycle_id(world.now, world.lock.token),
        owner=world.me,
        result=verdict.result,
        at=world.now,
        live=live.id if live else "",
        label=live.version_label if live else "",
        sentence=verdict.sentence,
        goal=policy.goal,
    )
    record = remember(world, policy, entry)
    return Step(Action.RELEASE, verdict.sentence, record=record, result=verdict.result)


def _in_cycle(cycle: Cycle) -> Step:
    journal, live = cycle.journal, cycle.world.live
    candidate = cycle.candidate
    if live is None or live.id not in (journal.live, candidate.id if candidate else ""):
        if not cycle.quiet(journal.last_swap, journal.back):
            return cycle.wait("a swap was requested and may still take effect")
        holder = f"{describe(live)} is" if live else "nothing is"
        return cycle.needs_human(f"{holder} live at {cycle.world.cname}, which this cycle did not do")
    if journal.failed:
        return failing(cycle, live)
    if live.id == journal.live:
        return before_swap(cycle, live)
    return after_swap(cycle, live)
