# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Weighing the evidence of one environment against the instances that exist now.

Nothing here guesses: evidence that is missing gives "unknown", evidence that disagrees gives "unknown" and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from .evidence import ENGINE_LOG, LEADER, TRUST, Evidence
from .timeline import Timeline


class Verdict(NamedTuple):
    """The answer, and why. `state` is found, none, lost or unknown."""

    state: str
    instance_id: str | None
    reason: str
    chosen: Evidence | None = None


class DeploymentFacts(NamedTuple):
    """What is known of an environment: its instances of now, the version it runs, its last deployment.

    `enhanced` says whether it has enhanced health reporting: without it, no event tells of instances that left.
    """

    existing: Collection[str]
    label: str | None
    timeline: Timeline
    enhanced: bool = True


def decide(evidence: Sequence[Evidence], facts: DeploymentFacts) -> Verdict:
    """Who led the last deployment. Elections of other versions, of earlier deployments and of single instances that
    Auto Scaling launched since then do not count."""
    usable = [item for item in evidence if facts.label is None or item.version_label in (None, facts.label)]
    usable = [item for item in usable if not _outdated(item, facts.timeline) and not _overtaken(item, usable)]
    if problem := _contradiction(usable):
        return Verdict("unknown", None, problem)
    elected_at = {item.instance_id: item.at for item in usable}
    alone = {name for name in facts.existing if facts.timeline.joined_later(name, elected_at.get(name))}
    held = [item for item in usable if not facts.timeline.joined_later(item.instance_id, item.at)]
    claims = _newest_claims([item for item in held if item.says == LEADER])
    if claims:
        return _winner(claims, facts)
    if not usable and not alone:
        return _nothing_known(evidence, facts)
    return _nobody(held, alone, facts)


def _outdated(item: Evidence, timeline: Timeline) -> bool:
    """Held before the last deployment began. Some clocks tell whole seconds only."""
    return bool(item.at and timeline.start and item.at[:19] < timeline.start[:19])


def _overtaken(item: Evidence, others: Sequence[Evidence]) -> bool:
    """Hooks run after the election: their record is of another deployment when the engine tells of a later election."""
    if item.source == ENGINE_LOG or not item.at:
        return False
    engine = (each for each in others if each.instance_id == item.instance_id and each.source == ENGINE_LOG)
    return any(each.at is not None and each.at[:19] > item.at[:19] for each in engine)


def _contradiction(usable: Sequence[Evidence]) -> str | None:
    torn = _several(usable, lambda item: item.instance_id, lambda item: item.says)
    if torn:
        return f"the evidence of {', '.join(torn)} contradicts itself"
    claims = [item for item in usable if item.says == LEADER and item.invocation_id]
    double = _several(claims, lambda item: item.invocation_id, lambda item: item.instance_id)
    if not double:
        return None
    winners = sorted({item.instance_id for item in claims if item.invocation_id == double[0]})
    return f"{' and '.join(winners)} both say that they won the same election"


def _several(
    items: Sequence[Evidence], key: Callable[[Evidence], str | None], value: Callable[[Evidence], str]
) -> list[str]:
    found: dict[str, set[str]] = {}
    for item in items:
        found.setdefault(key(item) or "", set()).add(value(item))
    return sorted(name for name, values in found.items() if len(values) > 1)


def _newest_claims(claims: Sequence[Evidence]) -> list[Evidence]:
    """Newest winner first; of one winner, the most trustworthy evidence first."""
    newest: dict[str, str] = {}
    for item in claims:
        newest[item.instance_id] = max(newest.get(item.instance_id, ""), item.at or "")
    by_trust = sorted(claims, key=lambda item: TRUST.index(item.source))
    return sorted(by_trust, key=lambda item: newest[item.instance_id], reverse=True)


def _winner(claims: Sequence[Evidence], facts: DeploymentFacts) -> Verdict:
    winners = list(dict.fromkeys(item.instance_id for item in claims))
    if len(winners) > 1 and not facts.timeline.batches:
        return Verdict("unknown", None, f"{' and '.join(sorted(winners))} both say that they are the leader")
    chosen = claims[0]
    reason = {"tags": "its tag says so"}.get(chosen.via, "its own log says so")
    if len(winners) > 1:
        reason += "; it led the last batch"
    if chosen.instance_id not in facts.existing:
        return Verdict("lost", chosen.instance_id, "the leader does not exist any more", chosen)
    return Verdict("found", chosen.instance_id, reason, chosen)


def _nothing_known(evidence: Sequence[Evidence], facts: DeploymentFacts) -> Verdict:
    if not facts.existing:
        return Verdict("unknown", None, "the environment has no instance")
    if evidence:
        label = f"of version {facts.label}" if facts.label else "that it runs"
        return Verdict("unknown", None, f"only elections before the deployment {label} are known")
    return Verdict("unknown", None, "no source tells of an election")


def _nobody(held: Sequence[Evidence], alone: Collection[str], facts: DeploymentFacts) -> Verdict:
    """No instance claims to have led the deployment: is the leader gone, or was there none?"""
    members = sorted(set(facts.existing) - set(alone))
    silent = sorted(set(members) - {item.instance_id for item in held})
    if silent:
        return Verdict("unknown", None, f"nothing is known of {', '.join(silent)}")
    if not members:
        return Verdict("lost", None, "every instance was launched after the deployment")
    if facts.timeline.start is None or not facts.enhanced:
        return Verdict("unknown", None, "no instance was elected, and no event tells whether one has left")
    if gone := _departed(members, facts.timeline):
        which = gone[0] if len(gone) == 1 else None
        return Verdict("lost", which, f"no instance was elected, and {', '.join(gone)} left")
    return Verdict("none", None, "no instance was elected, and none has left")


def _departed(members: Sequence[str], timeline: Timeline) -> list[str]:
    """Instances that took part in the deployment and are gone. When it launched all of its instances itself, those that
    it replaced took no part, whenever they left."""
    in_place = any(not timeline.joined_in(name) for name in members)
    gone = [name for name, at in timeline.removed.items() if timeline.start is None or at >= timeline.start]
    return sorted(
        name
        for name in gone
        if timeline.joined_in(name) or (in_place and not timeline.joined_later(name, timeline.added.get(name)))
    )
