# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way forward: from a fresh candidate over the swap to the end of the environment that was live."""

from __future__ import annotations

from dataclasses import replace

from ...deployment.history import UPDATED
from .base import Cycle, candidate_name, is_pending
from .guards import (
    candidate_problems,
    data_loss_refusal,
    describe,
    leader_problem,
    ownership_refusal,
    smoke_test_problem,
    start_size,
    termination_refusal,
)
from .model import (
    CHECK_MAX_AGE,
    TAG_CYCLE,
    TAG_LOGICAL,
    TAG_ROLE,
    Action,
    Environment,
    Result,
    Status,
    Step,
)

_NAME_ATTEMPTS = 5
_CHECKS = 60
"""More requests per instance and minute are no health checks: one every 5 seconds (the least) in five zones."""


def before_swap(cycle: Cycle, old: Environment) -> Step:
    """The environment that was live still is."""
    if reason := _no_longer_wanted(cycle, old):
        return cycle.fail(reason, abandoned=True)
    candidate = cycle.candidate
    if candidate is None:
        return _create(cycle)
    if candidate.status in (Status.TERMINATING, Status.TERMINATED):
        return cycle.fail(f"the candidate {describe(candidate)} is {candidate.status}: it failed to launch")
    journal = cycle.journal
    if journal.candidate != candidate.id or (candidate.cname and journal.candidate_cname != candidate.cname):
        return cycle.save(
            f"the candidate is {describe(candidate)}", candidate=candidate.id, candidate_cname=candidate.cname
        )
    if not cycle.quiet(journal.last_swap):
        return cycle.wait("a swap was requested and may still take effect")
    if candidate.status is not Status.READY:
        return _unready(cycle, candidate)
    if journal.ready is None:
        return cycle.save(f"{describe(candidate)} is Ready", ready=cycle.now)
    return _verify(cycle, candidate, old)


def _no_longer_wanted(cycle: Cycle, old: Environment) -> str:
    """Why a cycle that has not swapped yet should be given up."""
    if reason := ownership_refusal(cycle.observation):
        return reason
    if cycle.other_goal():
        return "this run was started for something else than the cycle it found"
    if cycle.now - cycle.journal.started > cycle.policy.cycle_timeout:
        return (
            f"the cycle {cycle.journal.cycle} is older than its limit of {cycle.policy.cycle_timeout / 3600:.1f} hours"
        )
    if cycle.kept_one:
        return ""
    if old.version_label != cycle.journal.live_label:
        return f"{describe(old)} got version {old.version_label} meanwhile"
    return data_loss_refusal(old)


def _create(cycle: Cycle) -> Step:
    journal, policy, observation = cycle.journal, cycle.policy, cycle.observation
    if journal.candidate:
        return cycle.fail(f"the candidate {journal.candidate} vanished")
    if not cycle.quiet(journal.last_create):
        return cycle.wait("a candidate was requested and is not listed yet")
    if journal.first_create is not None and cycle.now - journal.first_create > policy.create_timeout:
        return cycle.fail("no candidate appeared in time")
    if observation.name_taken:
        if journal.attempt >= _NAME_ATTEMPTS:
            return cycle.fail(f"the name {journal.candidate_name} and {journal.attempt - 1} others are taken")
        attempt = journal.attempt + 1
        return cycle.save(
            f"the name {journal.candidate_name} is taken",
            attempt=attempt,
            candidate_name=candidate_name(policy.name_prefix, journal.started, attempt),
        )
    if observation.shortage:
        return cycle.fail(f"there is no room for a candidate: {observation.shortage}")
    if observation.refusals.get(Action.CREATE, 0) >= 3:
        return cycle.fail(f"Elastic Beanstalk refuses to create the candidate: {observation.last_error}")
    return Step(
        Action.CREATE,
        f"a fresh environment for {observation.logical}",
        name=journal.candidate_name,
        label=journal.label,
        other=journal.live,
        tags={TAG_CYCLE: journal.cycle, TAG_ROLE: "candidate", TAG_LOGICAL: observation.logical},
        record=cycle.changed(
            first_create=journal.first_create if journal.first_create is not None else cycle.now,
            last_create=cycle.now,
            **_sizes(cycle),
        ),
    )


def _sizes(cycle: Cycle) -> dict[str, int | None]:
    """The MinSize to start with and the one to have in the end, where the live environment's own will not do."""
    capacity, live, pending_resize = (
        cycle.observation.capacity,
        cycle.observation.live,
        cycle.observation.lock.record.pending_resize,
    )
    if capacity is None:
        return {"start_size": None, "min_size": None}
    pending = live is not None and pending_resize is not None and is_pending(pending_resize, live)
    if pending and pending_resize is not None:
        capacity = replace(capacity, least=pending_resize.min_size)
    size = start_size(capacity)
    if size is None and pending:
        size = capacity.least
    return {"start_size": size, "min_size": None if size is None else capacity.least}


def _unready(cycle: Cycle, candidate: Environment) -> Step:
    journal, policy = cycle.journal, cycle.policy
    begun = journal.first_create if journal.first_create is not None else journal.started
    limit = policy.create_timeout
    if journal.ready is not None:
        begun, limit = journal.ready, policy.verify_timeout + policy.bake_time + policy.swap_timeout
    if cycle.now - begun > limit:
        return cycle.fail(f"the candidate {describe(candidate)} is still {candidate.status} after {limit:.0f} seconds")
    return cycle.wait(f"waiting for {describe(candidate)}: {candidate.status}")


def _verify(cycle: Cycle, candidate: Environment, old: Environment) -> Step:
    journal, policy, observation = cycle.journal, cycle.policy, cycle.observation
    problems = candidate_problems(observation, policy, candidate, journal.label)
    if journal.start_size is not None and len(candidate.instance_labels) < journal.start_size:
        problems += (f"{len(candidate.instance_labels)} of {journal.start_size} instances run",)
    leader = None if problems else leader_problem(observation, policy, candidate)
    if leader == "":
        return Step(Action.ASK_LEADER, f"asking {describe(candidate)} for its leader tasks", environment=candidate.id)
    if leader:
        problems = (leader,)
    smoke_test = None if problems else smoke_test_problem(observation, policy, candidate)
    if smoke_test == "":
        return Step(Action.SMOKE_TEST, f"probing {describe(candidate)}", environment=candidate.id)
    if smoke_test:
        problems = (smoke_test,)
    if problems:
        sentence = f"{describe(candidate)} is not fit to go live: {'; '.join(problems)}"
        if cycle.now - (journal.ready or cycle.now) > policy.verify_timeout:
            return cycle.fail(sentence)
        if journal.healthy is not None:
            return cycle.save(sentence, healthy=None)
        return cycle.wait(sentence)
    if journal.healthy is None:
        return cycle.save(f"{describe(candidate)} is healthy and verified", healthy=cycle.now)
    idle = _health_checks(cycle, candidate)
    if idle != journal.idle:
        return cycle.save(f"{describe(candidate)} gets {idle} requests a minute while it has no visitors", idle=idle)
    left = journal.healthy + policy.bake_time - cycle.now
    if left > 0:
        return cycle.wait(f"{describe(candidate)} must stay healthy for {left:.0f} more seconds", left)
    return _swap(cycle, candidate, old)


def _health_checks(cycle: Cycle, candidate: Environment) -> int | None:
    """Requests a minute of a candidate, which has no visitors; None where they are unknown, or too many for checks.

    Elastic Beanstalk counts ten seconds at a time, and health checks come every 5 to 300: what counts is the most that
    was seen. Smoke tests may be in the counts of the first half of the bake time; of these it is the least.
    """
    journal, counted = cycle.journal, candidate.requests
    if counted is None or counted >= _CHECKS * len(candidate.instance_labels):
        return journal.idle
    if journal.idle is None:
        return counted
    settled = cycle.now - (journal.healthy or cycle.now) >= cycle.policy.bake_time / 2
    return max(journal.idle, counted) if settled else min(journal.idle, counted)


def _swap(cycle: Cycle, candidate: Environment, old: Environment) -> Step:
    journal, policy = cycle.journal, cycle.policy
    due = (journal.healthy or cycle.now) + policy.bake_time
    if cycle.now - due > policy.swap_timeout + policy.ready_timeout:
        return cycle.fail(f"{describe(old)} was not Ready for a swap in time")
    if old.status is not Status.READY:
        return cycle.wait(f"the live environment {describe(old)} is {old.status}")
    if journal.first_swap is not None and cycle.now - journal.first_swap > policy.swap_timeout:
        return cycle.fail("the swap was requested several times and never happened")
    return Step(
        Action.SWAP,
        f"{describe(candidate)} goes live in place of {describe(old)}",
        environment=candidate.id,
        other=old.id,
        record=cycle.changed(
            first_swap=journal.first_swap if journal.first_swap is not None else cycle.now, last_swap=cycle.now
        ),
    )


def after_swap(cycle: Cycle, live: Environment) -> Step:
    """The candidate holds the live name."""
    if cycle.journal.swapped is None:
        return cycle.save(f"{cycle.observation.cname} now points to {describe(live)}", swapped=cycle.now)
    old = cycle.old
    if old is not None and old.gone:
        old = None
    for part in (_watch, _check_cname, _tag, _drain, _resize):
        step = part(cycle, live, old)
        if step is not None:
            return step
    return _retire(cycle, live, old)


def _watch(cycle: Cycle, live: Environment, old: Environment | None) -> Step | None:
    red = cycle.journal.red
    if live.health != "Red":
        return None if red is None else cycle.save(f"{describe(live)} is {live.health} again", red=None)
    if red is None:
        return cycle.save(f"{describe(live)} turned Red after the swap", red=cycle.now)
    if cycle.now - red < cycle.policy.unhealthy_grace:
        return cycle.wait(f"{describe(live)} is Red", cycle.policy.unhealthy_grace - (cycle.now - red))
    sentence = f"{describe(live)} is Red since {cycle.now - red:.0f} seconds after it went live"
    if old is None or old.status is Status.TERMINATING:
        return cycle.needs_human(f"{sentence}, and the environment before it is gone")
    return cycle.fail(sentence)


def _check_cname(cycle: Cycle, live: Environment, old: Environment | None) -> Step | None:
    journal, policy, cname_check = cycle.journal, cycle.policy, cycle.observation.cname_check
    if journal.cname_checked is not None:
        return None
    swapped = journal.swapped or cycle.now
    late = cycle.now - swapped > policy.swap_verify_timeout
    settled = live.status is Status.READY and (old is None or old.status is Status.READY)
    if not settled and not late:
        return cycle.wait(f"the swap is not finished: {describe(live)} is {live.status}")
    fresh = (
        cname_check is not None
        and cname_check.environment == live.id
        and cname_check.at >= max(swapped, cycle.now - CHECK_MAX_AGE)
    )
    exchanged = old is None or not journal.candidate_cname or old.cname == journal.candidate_cname
    if settled and fresh and cname_check is not None and cname_check.good >= policy.smoke_test_successes and exchanged:
        seen = f" ({cname_check.sentence})" if cname_check.sentence else ""
        return cycle.save(f"{cycle.observation.cname} answers from {describe(live)}{seen}", cname_checked=cycle.now)
    if late:
        why = (
            cname_check.sentence
            if cname_check is not None and cname_check.sentence
            else "the live name does not answer from it"
        )
        return cycle.fail(f"{cycle.observation.cname} was not seen to lead to {describe(live)}: {why}")
    if not fresh:
        return Step(Action.CHECK_CNAME, f"asking {cycle.observation.cname} who answers", environment=live.id)
    return cycle.wait(f"{cycle.observation.cname} does not answer from {describe(live)} yet")


def _tag(cycle: Cycle, live: Environment, old: Environment | None) -> Step | None:
    """Tags tell people and other tools; the record is what decides, so a refused tag call is given up after three."""
    if cycle.observation.refusals.get(Action.TAG, 0) >= 3 or cycle.journal.drained is not None:
        return None
    for environment, role in ((live, "live"), (old, "retired")):
        if environment is None or environment.status is not Status.READY:
            continue
        wanted = {TAG_CYCLE: cycle.journal.cycle, TAG_ROLE: role, TAG_LOGICAL: cycle.observation.logical}
        if any(environment.tags.get(key) != value for key, value in wanted.items()):
            return Step(Action.TAG, f"{describe(environment)} is {role}", environment=environment.id, tags=wanted)
    return None


def _drain(cycle: Cycle, live: Environment, old: Environment | None) -> Step | None:
    journal, policy = cycle.journal, cycle.policy
    elapsed = cycle.now - (journal.swapped or cycle.now)
    if journal.drained is not None:
        if old is None or not _visited(cycle, old) or elapsed >= policy.drain_timeout:
            return None
        return cycle.save(f"{describe(old)} got {old.requests} requests again", drained=None, terminating=None)
    if old is None:
        return cycle.save("there is nothing left to drain", drained=cycle.now)
    least = policy.dns_ttl + policy.dns_margin
    if elapsed < least:
        return cycle.wait(f"old DNS answers live for {least - elapsed:.0f} more seconds", least - elapsed, Action.DRAIN)
    if (old.requests is None or _visited(cycle, old)) and elapsed < policy.drain_timeout:
        count = "an unknown number of" if old.requests is None else str(old.requests)
        return cycle.wait(f"{describe(old)} still got {count} requests in the last minute", action=Action.DRAIN)
    return cycle.save(f"{describe(old)} is drained after {elapsed:.0f} seconds", drained=cycle.now)


def _visited(cycle: Cycle, old: Environment) -> bool:
    """Whether the environment is known to have more requests than health checks and noise."""
    return old.requests is not None and old.requests > cycle.policy.drain_requests_per_minute + (
        cycle.journal.idle or 0
    )


def _resize(cycle: Cycle, live: Environment, old: Environment | None) -> Step | None:
    """MinSize as it was; only once the old environment serves nobody, as a swap back needs a Ready environment."""
    journal = cycle.journal
    since = cycle.now - max(journal.drained or 0.0, cycle.observation.started)  # a run that continues has its own time
    paid = journal.start_size in (None, journal.min_size) or live.min_size != journal.start_size
    if paid or since > cycle.policy.swap_timeout:
        return None
    if live.status is not Status.READY:
        return cycle.wait(f"waiting for {describe(live)}: {live.status}")
    if cycle.observation.refusals.get(Action.RESIZE, 0) >= 3:
        return None
    size = journal.min_size or 0
    return Step(Action.RESIZE, f"{describe(live)} gets its MinSize of {size} back", environment=live.id, size=size)


def _retire(cycle: Cycle, live: Environment, old: Environment | None) -> Step:
    policy, journal = cycle.policy, cycle.journal
    sentence = f"{describe(live)} is live in place of {journal.live}."
    if journal.start_size not in (None, journal.min_size) and live.min_size == journal.start_size:
        sentence += f" Its MinSize is still {journal.start_size}; the next cycle goes back to {journal.min_size}."
    if old is None:
        return _prune(cycle, live) or cycle.conclude(Result.DONE, sentence)
    if journal.terminating is None:
        if refusal := termination_refusal(cycle.observation, old):
            return cycle.conclude(Result.DONE, f"{sentence} {refusal}", [cycle.retired(old, 0, hold=refusal)])
        if policy.retain_old_for > 0:
            kept = f"{sentence} {describe(old)} is kept for {policy.retain_old_for:.0f} seconds."
            return cycle.conclude(Result.DONE, kept, [cycle.retired(old, policy.retain_old_for)])
    if not cycle.quiet(journal.last_swap, journal.back):
        asked = max(at for at in (journal.last_swap, journal.back) if at is not None)
        still = asked + policy.request_settle_time - cycle.now
        return cycle.wait(f"a swap was requested and may still take effect for {still:.0f} seconds", still)
    step = cycle.remove(old, Action.TERMINATE, f"{describe(old)} is drained and no longer live")
    if step is not None:
        return step
    left = f"{sentence} {describe(old)} could not be terminated in time; the next run tries again."
    return cycle.conclude(Result.DONE, left, [cycle.retired(old, 0)])


def _prune(cycle: Cycle, live: Environment) -> Step | None:
    """Versions and saved configurations that only environments of earlier cycles used."""
    observation, policy = cycle.observation, cycle.policy
    known = {cycle.journal.live_label}
    for entry in (one for one in observation.lock.record.ledger if one.goal != UPDATED):
        known |= {entry.label, entry.previous_label}
    mine = sorted(
        (one for one in observation.versions if one.label in known), key=lambda one: one.created, reverse=True
    )
    dead = tuple(
        one.label for one in mine[max(policy.keep_versions, 1) :] if not one.in_use and one.label != live.version_label
    )
    if dead and observation.refusals.get(Action.DELETE_VERSIONS, 0) < 3:
        return Step(Action.DELETE_VERSIONS, f"only dead environments ran {', '.join(dead)}", labels=dead)
    if observation.templates and observation.refusals.get(Action.DELETE_TEMPLATES, 0) < 3:
        return Step(
            Action.DELETE_TEMPLATES,
            f"only dead cycles used {', '.join(observation.templates)}",
            labels=observation.templates,
        )
    return None
