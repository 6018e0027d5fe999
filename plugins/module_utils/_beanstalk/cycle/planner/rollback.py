# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: a cycle that will not succeed, before or after its swap."""

from __future__ import annotations

from .base import Cycle
from .guards import HEALTHY_ENOUGH, describe, smoke_test_problem, termination_refusal
from .model import Action, Environment, Result, Status, Step


def failing(cycle: Cycle, live: Environment) -> Step:
    """The journal says that the cycle failed; which way back depends on who is live now."""
    if live.id == cycle.journal.live:
        return _clean(cycle)
    return _swap_back(cycle, live)


def _swap_back(cycle: Cycle, live: Environment) -> Step:
    journal, policy, old = cycle.journal, cycle.policy, cycle.old
    if not cycle.quiet(journal.last_swap, journal.back, journal.last_terminate):
        return cycle.wait("an earlier request of this cycle may still take effect")
    if old is None or old.status in (Status.TERMINATING, Status.TERMINATED):
        return cycle.needs_human(f"{journal.failed}; the environment that was live before is gone")
    if cycle.now - (journal.failed_at or cycle.now) > policy.rollback_timeout:
        return cycle.needs_human(f"{journal.failed}; swapping back to {describe(old)} was not possible in time")
    if live.status is not Status.READY or old.status is not Status.READY:
        return cycle.wait(f"waiting to swap back: {describe(live)} is {live.status}, {describe(old)} is {old.status}")
    if old.health not in HEALTHY_ENOUGH:
        return cycle.wait(f"{describe(old)} is {old.health}: it cannot take the live name back")
    problem = smoke_test_problem(cycle.observation, policy, old)
    if problem == "":
        return Step(Action.SMOKE_TEST, f"probing {describe(old)} before it goes live again", environment=old.id)
    if problem:
        return cycle.wait(f"{describe(old)} does not answer well: {problem}")
    return Step(
        Action.SWAP_BACK,
        f"{describe(old)} goes live again: {journal.failed}",
        environment=old.id,
        other=live.id,
        record=cycle.changed(
            first_back=journal.first_back if journal.first_back is not None else cycle.now, back=cycle.now
        ),
    )


def _clean(cycle: Cycle) -> Step:
    """The environment from before is live; the candidate goes, unless it is kept or is itself a retired one."""
    journal, policy, candidate = cycle.journal, cycle.policy, cycle.candidate
    result, sentence = Result.FAILED_ROLLED_BACK, journal.failed
    if not cycle.quiet(journal.last_swap, journal.back, journal.last_create):
        return cycle.wait("a request of this cycle may still take effect")
    if candidate is None or candidate.gone or cycle.kept_one:
        return cycle.conclude(result, sentence)
    if journal.back is not None and journal.returned is None:
        return cycle.save(f"{cycle.observation.cname} points to {journal.live} again", returned=cycle.now)
    if journal.returned is not None and cycle.now - journal.returned < policy.dns_ttl + policy.dns_margin:
        return cycle.wait(f"{describe(candidate)} still has visitors from old DNS answers", action=Action.DRAIN)
    if journal.terminating is None:
        if refusal := termination_refusal(cycle.observation, candidate):
            return cycle.conclude(result, f"{sentence}. {refusal}", [cycle.retired(candidate, 0, hold=refusal)])
        if policy.retain_failed_for > 0 and not journal.abandoned and candidate.status is Status.READY:
            kept = f"{sentence}. {describe(candidate)} is kept for {policy.retain_failed_for:.0f} seconds."
            return cycle.conclude(result, kept, [cycle.retired(candidate, policy.retain_failed_for)])
    step = cycle.remove(candidate, Action.TERMINATE_CANDIDATE, f"{describe(candidate)} failed: {sentence}")
    if step is not None:
        return step
    left = f"{sentence}. {describe(candidate)} could not be terminated in time; the next run tries again."
    return cycle.conclude(result, left, [cycle.retired(candidate, 0)])
