# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle must never do, and when it must not begin. Pure functions that answer with sentences."""

from __future__ import annotations

from dataclasses import dataclass

from ...observe.verification import TOLERANT, State, judge
from .model import TAG_LOGICAL, Capacity, Environment, Goal, Policy, Result, Retired, Status, World

HEALTHY_ENOUGH = TOLERANT


@dataclass(frozen=True)
class Verdict:
    """Why a cycle does not begin: ``refused`` or ``skipped``, with a sentence."""

    result: Result
    sentence: str


def describe(environment: Environment) -> str:
    """How sentences name an environment: name and id, as the name alone can match two of them."""
    return f"{environment.name} ({environment.id})"


def termination_refusal(world: World, environment: Environment) -> str:
    """Why this environment must not be terminated by a cycle of this logical environment; empty when it may.

    Every termination passes through here, in the planner and once more, on fresh data, right before the call.
    """
    journal = world.lock.record.journal
    known = {one.environment for one in world.lock.record.retired}
    if journal is not None:
        known |= {journal.live, journal.candidate}
    owner = environment.tags.get(TAG_LOGICAL, "")
    reasons = (
        (environment.cname == world.cname, f"it holds the live name {world.cname}"),
        (bool(world.unclear), f"it cannot be told who is live ({world.unclear.rstrip('.')})"),
        (environment.application != world.application, f"it belongs to the application {environment.application}"),
        (environment.protected, "it is tagged as protected"),
        (bool(environment.database_loss), f"its coupled database would be lost ({environment.database_loss})"),
        (owner not in ("", world.logical), f"it belongs to {owner}"),
        (owner == "" and environment.id not in known, "nothing says that a cycle made or retired it"),
    )
    for holds, sentence in reasons:
        if holds:
            return f"{describe(environment)} is not terminated: {sentence}."
    return ""


def foreign(world: World) -> str:
    """Why the live name is not ours to move; empty when it is."""
    live = world.live
    if world.unclear:
        return world.unclear
    if live is None:
        there = [one for one in world.environments if not one.gone]
        if there and all(one.tier == "Worker" for one in there):
            return f"{describe(there[0])} is a worker environment: it has no CNAME, so there is nothing to swap."
        if world.cname_available:
            return f"No environment holds {world.cname}: deploy one first."
        return f"{world.cname} is held by an environment that is not in the application {world.application}."
    if live.application != world.application:
        return f"{world.cname} is held by {describe(live)} of the application {live.application}."
    owner = live.tags.get(TAG_LOGICAL, "")
    if owner not in ("", world.logical):
        return f"{describe(live)} is tagged as belonging to {owner}, not to {world.logical}."
    if live.tier == "Worker":
        return f"{describe(live)} is a worker environment: it has no CNAME, so there is nothing to swap."
    if live.shared_load_balancer:
        return f"{describe(live)} uses a shared load balancer, whose rules a CNAME swap does not move."
    return ""


def destructive(live: Environment) -> str:
    """Why the live environment cannot be replaced, because its end would destroy something; empty when it can."""
    if live.protected:
        return f"{describe(live)} is tagged as protected: it is not replaced."
    if live.database_loss:
        return (
            f"{describe(live)} has a coupled database that would be lost with it ({live.database_loss}): "
            "decouple it, or set its deletion policy to Snapshot or Retain."
        )
    return ""


def in_window(now: float, window: tuple[int, int] | None) -> bool:
    """Whether ``now`` (seconds) is in the window (minutes after midnight UTC); no window is always open."""
    if window is None:
        return True
    minute = int(now // 60) % 1440
    begin, end = window
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


def rollback_target(world: World) -> tuple[Retired, Environment] | None:
    """The newest environment that was live and still runs, with what the record says of it."""
    for entry in sorted(world.lock.record.retired, key=lambda one: one.since, reverse=True):
        environment = world.by_id(entry.environment)
        if (
            not entry.doomed
            and not entry.failed
            and environment is not None
            and environment.status is Status.READY
            and environment.cname != world.cname
        ):
            return entry, environment
    return None


def rollback_label(world: World) -> str:
    """The newest other version that was live and that nobody rolled back from; empty when none is known."""
    ledger = [one for one in world.lock.record.ledger if one.result is Result.DONE]
    bad = {one.previous_label for one in ledger if one.goal == Goal.ROLLBACK}
    labels = [label for one in reversed(ledger) for label in (one.label, one.previous_label)]
    now = world.live.version_label if world.live else ""
    return next((label for label in labels if label and label != now and label not in bad), "")


def wanted_label(world: World, policy: Policy) -> str:
    """The version that the next live environment must run. Empty for EB's sample application."""
    if policy.version_label and policy.goal is not Goal.ROLLBACK:
        return policy.version_label
    if policy.goal is Goal.ROLLBACK:
        target = rollback_target(world)
        return target[1].version_label if target else rollback_label(world)
    return world.live.version_label if world.live else ""


def preflight(world: World, policy: Policy) -> Verdict | None:
    """Why a cycle must not begin now; None when it may."""
    sentence = foreign(world)
    if sentence or world.live is None:
        return Verdict(Result.REFUSED, sentence)
    if policy.goal is Goal.ROLLBACK:
        if rollback_target(world) is not None:
            return None
        if not rollback_label(world):
            return Verdict(
                Result.REFUSED,
                "There is no retired environment to swap back to, and no record of another version that was live.",
            )
    if sentence := destructive(world.live):
        return Verdict(Result.REFUSED, sentence)
    if policy.goal is not Goal.ROLLBACK and not policy.force and (verdict := _not_due(world, world.live, policy)):
        return verdict
    return _preflight_new(world, world.live, policy)


def _not_due(world: World, live: Environment, policy: Policy) -> Verdict | None:
    if policy.goal is Goal.DEPLOY:
        return _not_due_deploy(world, live, policy.version_label)
    age = world.now - live.created
    if age < policy.min_age:
        limit = policy.min_age / 3600
        return Verdict(Result.SKIPPED, f"{describe(live)} is only {age / 3600:.1f} hours old (limit {limit:.1f}).")
    if not in_window(world.now, policy.window):
        return Verdict(Result.SKIPPED, "It is outside the window in which cycles may begin.")
    return None


def _not_due_deploy(world: World, live: Environment, label: str) -> Verdict | None:
    """A version that runs, verified, is not deployed again; one that failed is. Bad health is no reason for either."""
    if live.version_label != label or live.status is not Status.READY:
        return None
    found = judge(live.facts(world.capacity.now if world.capacity else None), label)
    if found.state is State.VERIFIED:
        return Verdict(Result.SKIPPED, f"{describe(live)} already runs version {label}.")
    if found.state is State.REDEPLOY:
        return None
    return Verdict(Result.REFUSED, f"{describe(live)} already runs version {label}, but {found.reason}.")


def _preflight_new(world: World, live: Environment, policy: Policy) -> Verdict | None:
    asleep = world.capacity is not None and world.capacity.now == 0
    if asleep and policy.goal is Goal.RECREATE and not (policy.force or policy.recreate_unhealthy):
        return Verdict(Result.SKIPPED, f"{describe(live)} has no instances now: there is nothing to replace.")
    sick = not asleep and live.health not in HEALTHY_ENOUGH
    if policy.goal is Goal.RECREATE and not policy.recreate_unhealthy and sick:
        return Verdict(
            Result.REFUSED,
            f"{describe(live)} is {live.health}: a cycle would hide what is wrong (recreate_unhealthy allows it).",
        )
    label = wanted_label(world, policy)
    if label and world.versions and label not in {one.label for one in world.versions}:
        return Verdict(Result.REFUSED, f"Version {label} no longer exists in the application {world.application}.")
    return Verdict(Result.REFUSED, f"There is no room for a candidate: {world.shortage}.") if world.shortage else None


def candidate_problems(world: World, policy: Policy, candidate: Environment, label: str) -> tuple[str, ...]:
    """What still speaks against giving the live name to the candidate. Empty when nothing does.

    A missing or old probe is a problem too: the planner then asks for a new one.
    """
    return judge(candidate.facts(), label or None, policy.accepted_health).reasons


def probe_problem(world: World, policy: Policy, candidate: Environment) -> str | None:
    """None when fresh probes are good; empty when there are no fresh ones; else what they said."""
    probe = world.probe
    if probe is None or probe.environment != candidate.id or world.now - probe.at > policy.probe_fresh:
        return ""
    if probe.good >= policy.probes_in_a_row:
        return None
    return probe.sentence or f"only {probe.good} good answers in a row (wanted {policy.probes_in_a_row})"


def leader_problem(world: World, policy: Policy, candidate: Environment) -> str | None:
    """None when the leader tasks ran, or nobody wants to know; empty when it must be asked; else what is known."""
    if not policy.require_leader_tasks:
        return None
    told = world.leader
    if told is None or told.environment != candidate.id:
        return ""
    if told.good:
        return None
    return f"its leader tasks did not run: {told.sentence}" if world.now - told.at <= policy.probe_fresh else ""


def start_size(capacity: Capacity | None) -> int | None:
    """The MinSize that a candidate must start with, so that it can carry what the live environment carries now.

    None when its own MinSize will do. An environment that sleeps (MinSize 0) starts with one instance, as one without
    any is never healthy.
    """
    if capacity is None:
        return None
    wanted = min(max(capacity.now, 1), max(capacity.most, 1))
    return wanted if wanted > capacity.least else None
