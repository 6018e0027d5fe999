# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle must never do, and when it must not begin. Pure functions that answer with sentences."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.shown import shown
from ...deployment.history import UPDATED
from ...observe.verification import TOLERANT, State, judge
from .model import (
    CHECK_MAX_AGE,
    TAG_LOGICAL,
    Capacity,
    Environment,
    Goal,
    Observation,
    Policy,
    Result,
    Retired,
    Status,
)

HEALTHY_ENOUGH = TOLERANT
# So many versions are named to choose from, and so much of each one's description.
_NAMED = 10
_DESCRIPTION = 60


@dataclass(frozen=True)
class Verdict:
    """Why a cycle does not begin: ``refused`` or ``skipped``, with a sentence."""

    result: Result
    sentence: str


def describe(environment: Environment) -> str:
    """How sentences name an environment: name and id, as the name alone can match two of them."""
    return f"{environment.name} ({environment.id})"


def termination_refusal(observation: Observation, environment: Environment) -> str:
    """Why this environment must not be terminated by a cycle of this logical environment; empty when it may.

    Every termination passes through here, in the planner and once more, on fresh data, right before the call.
    """
    journal = observation.lock.record.journal
    known = {one.environment for one in observation.lock.record.retired}
    if journal is not None:
        known |= {journal.live, journal.candidate}
    owner = environment.tags.get(TAG_LOGICAL, "")
    reasons = (
        (environment.cname == observation.cname, f"it holds the live name {observation.cname}"),
        (bool(observation.unclear), f"it cannot be told who is live ({observation.unclear.rstrip('.')})"),
        (
            environment.application != observation.application,
            f"it belongs to the application {environment.application}",
        ),
        (environment.protected, "it is tagged as protected"),
        (bool(environment.database_loss), f"its coupled database would be lost ({environment.database_loss})"),
        (owner not in ("", observation.logical), f"it belongs to {owner}"),
        (owner == "" and environment.id not in known, "nothing says that a cycle made or retired it"),
    )
    for holds, sentence in reasons:
        if holds:
            return f"{describe(environment)} is not terminated: {sentence}."
    return ""


def ownership_refusal(observation: Observation) -> str:
    """Why the live name is not ours to move; empty when it is."""
    live = observation.live
    if observation.unclear:
        return observation.unclear
    if live is None:
        there = [one for one in observation.environments if not one.gone]
        if there and all(one.tier == "Worker" for one in there):
            return f"{describe(there[0])} is a worker environment: it has no CNAME, so there is nothing to swap."
        if observation.cname_available:
            return f"No environment holds {observation.cname}: deploy one first."
        return (
            f"{observation.cname} is held by an environment that is not in the application {observation.application}."
        )
    if live.application != observation.application:
        return f"{observation.cname} is held by {describe(live)} of the application {live.application}."
    owner = live.tags.get(TAG_LOGICAL, "")
    if owner not in ("", observation.logical):
        return f"{describe(live)} is tagged as belonging to {owner}, not to {observation.logical}."
    if live.tier == "Worker":
        return f"{describe(live)} is a worker environment: it has no CNAME, so there is nothing to swap."
    if live.shared_load_balancer:
        return f"{describe(live)} uses a shared load balancer, whose rules a CNAME swap does not move."
    return ""


def data_loss_refusal(live: Environment) -> str:
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


def rollback_target(observation: Observation, label: str = "") -> tuple[Retired, Environment] | None:
    """The newest environment that was live and still runs, with what the record says of it.

    One that was live before the last deployment in place is right only where it runs what was live before that, and
    where a version is named (``label``) only one that runs it is.
    """
    updated = [one.at for one in observation.lock.record.ledger if one.goal == UPDATED]
    before = rollback_label(observation)
    for entry in sorted(observation.lock.record.retired, key=lambda one: one.since, reverse=True):
        environment = observation.by_id(entry.environment)
        if (
            not entry.termination_requested
            and not entry.failed
            and environment is not None
            and environment.status is Status.READY
            and environment.cname != observation.cname
            and (
                environment.version_label == label
                if label
                else max(updated, default=0.0) < entry.since or environment.version_label == before
            )
        ):
            return entry, environment
    return None


def rollback_label(observation: Observation) -> str:
    """The newest other version that was live and that nobody rolled back from; empty when none is known."""
    ledger = [one for one in observation.lock.record.ledger if one.result is Result.DONE]
    bad = {one.previous_label for one in ledger if one.goal == Goal.ROLLBACK and one.previous_label != one.label}
    labels = [label for one in reversed(ledger) for label in (one.label, one.previous_label)]
    now = observation.live.version_label if observation.live else ""
    return next((label for label in labels if label and label != now and label not in bad), "")


def wanted_label(observation: Observation, policy: Policy) -> str:
    """The version that the next live environment must run. Empty for EB's sample application."""
    if policy.version_label:
        return policy.version_label
    if policy.goal is Goal.ROLLBACK:
        target = rollback_target(observation)
        return target[1].version_label if target else rollback_label(observation)
    return observation.live.version_label if observation.live else ""


def preflight(observation: Observation, policy: Policy) -> Verdict | None:
    """Why a cycle must not begin now; None when it may."""
    sentence = ownership_refusal(observation)
    if sentence or observation.live is None:
        return Verdict(Result.REFUSED, sentence)
    if policy.goal is Goal.ROLLBACK:
        named = policy.version_label
        if named and (verdict := _not_due_deploy(observation, observation.live, named)):
            return verdict
        if rollback_target(observation, named) is not None:
            return None
        if not (named or rollback_label(observation)):
            return Verdict(
                Result.REFUSED,
                "There is no retired environment to swap back to, and no record of another version that was live.",
            )
    if sentence := data_loss_refusal(observation.live):
        return Verdict(Result.REFUSED, sentence)
    if (
        policy.goal is not Goal.ROLLBACK
        and not policy.force
        and (verdict := _not_due(observation, observation.live, policy))
    ):
        return verdict
    return _preflight_new(observation, observation.live, policy)


def _not_due(observation: Observation, live: Environment, policy: Policy) -> Verdict | None:
    if policy.goal is Goal.DEPLOY:
        return _not_due_deploy(observation, live, policy.version_label)
    age = observation.now - live.created
    if age < policy.min_age:
        limit = policy.min_age / 3600
        return Verdict(Result.SKIPPED, f"{describe(live)} is only {age / 3600:.1f} hours old (limit {limit:.1f}).")
    if not in_window(observation.now, policy.window):
        return Verdict(Result.SKIPPED, "It is outside the window in which cycles may begin.")
    return None


def _not_due_deploy(observation: Observation, live: Environment, label: str) -> Verdict | None:
    """A version that runs, verified, is not deployed again; one that failed is. Bad health is no reason for either."""
    if live.version_label != label or live.status is not Status.READY:
        return None
    found = judge(live.facts(observation.capacity.now if observation.capacity else None), label)
    if found.state is State.VERIFIED:
        return Verdict(Result.SKIPPED, f"{describe(live)} already runs version {label}.")
    if found.state is State.REDEPLOY:
        return None
    return Verdict(Result.REFUSED, f"{describe(live)} already runs version {label}, but {found.reason}.")


def _preflight_new(observation: Observation, live: Environment, policy: Policy) -> Verdict | None:
    asleep = observation.capacity is not None and observation.capacity.now == 0
    if asleep and policy.goal is Goal.RECREATE and not (policy.force or policy.recreate_unhealthy):
        return Verdict(Result.SKIPPED, f"{describe(live)} has no instances now: there is nothing to replace.")
    sick = not asleep and live.health not in HEALTHY_ENOUGH
    if policy.goal is Goal.RECREATE and not policy.recreate_unhealthy and sick:
        return Verdict(
            Result.REFUSED,
            f"{describe(live)} is {live.health}: a cycle would hide what is wrong (recreate_unhealthy allows it).",
        )
    label = wanted_label(observation, policy)
    if label and observation.versions and label not in {one.label for one in observation.versions}:
        return Verdict(Result.REFUSED, _no_version(observation, label))
    if observation.lacking:
        return Verdict(
            Result.REFUSED,
            "A cycle would end half-way (the credentials may not do this: allow "
            f"{observation.lacking} in their IAM policy, see docs/iam of jack.beanstalk).",
        )
    return (
        Verdict(Result.REFUSED, f"There is no room for a candidate: {observation.shortage}.")
        if observation.shortage
        else None
    )


def _no_version(observation: Observation, label: str) -> str:
    """That a version does not exist, and which do, newest first."""
    newest = sorted(observation.versions, key=lambda one: one.created, reverse=True)
    names = [described(observation, one.label) for one in newest[:_NAMED]]
    more = f", and {len(newest) - _NAMED} older ones" if len(newest) > _NAMED else ""
    missing = f"The application {observation.application} has no version {label} (any more)."
    return f"{missing} It has: {', '.join(names)}{more}."


def described(observation: Observation, label: str) -> str:
    """How a version is named where one is chosen: its label, and what it says of itself."""
    told = next((one.description for one in observation.versions if one.label == label), "")
    short = told if len(told) <= _DESCRIPTION else f"{told[:_DESCRIPTION]}…"
    return f"{label} ({shown(short)})" if short else label


def candidate_problems(observation: Observation, policy: Policy, candidate: Environment, label: str) -> tuple[str, ...]:
    """What still speaks against giving the live name to the candidate. Empty when nothing does.

    A missing or old smoke test is a problem too: the planner then asks for a new one.
    """
    return judge(candidate.facts(), label or None, policy.accepted_health).reasons


def smoke_test_problem(observation: Observation, policy: Policy, candidate: Environment) -> str | None:
    """None when fresh probes are good; empty when there are no fresh ones; else what they said."""
    smoke_test = observation.smoke_test
    if smoke_test is None or smoke_test.environment != candidate.id or observation.now - smoke_test.at > CHECK_MAX_AGE:
        return ""
    if smoke_test.good >= policy.smoke_test_successes:
        return None
    return smoke_test.sentence or f"only {smoke_test.good} good answers in a row (wanted {policy.smoke_test_successes})"


def leader_problem(observation: Observation, policy: Policy, candidate: Environment) -> str | None:
    """None when the leader tasks ran, or nobody wants to know; empty when it must be asked; else what is known."""
    if not policy.require_leader_tasks:
        return None
    told = observation.leader_tasks
    if told is None or told.environment != candidate.id:
        return ""
    if told.good:
        return None
    return f"its leader tasks did not run: {told.sentence}" if observation.now - told.at <= CHECK_MAX_AGE else ""


def start_size(capacity: Capacity | None) -> int | None:
    """The MinSize that a candidate must start with, so that it can carry what the live environment carries now.

    None when its own MinSize will do. An environment that sleeps (MinSize 0) starts with one instance, as one without
    any is never healthy.
    """
    if capacity is None:
        return None
    wanted = min(max(capacity.now, 1), max(capacity.most, 1))
    return wanted if wanted > capacity.least else None
