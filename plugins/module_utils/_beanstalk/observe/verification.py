# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an environment runs what it should: one pure function, by which every module and role judges.

Elastic Beanstalk's own word is not enough. An environment is Ready, with the new label, also when its first deployment
failed, and a deployment may be reported as done although an instance missed it (developer guide, "Enhanced health
reporting": DescribeInstancesHealth has the deployment of each instance; aws/elastic-beanstalk-roadmap#162).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

STRICT = ("Green",)
TOLERANT = ("Green", "Yellow")

# Developer guide, "Health colors and statuses".
_COLOURS = {"Ok": "Green", "Info": "Green", "Warning": "Yellow", "Degraded": "Red", "Severe": "Red"}
_DEPLOYED, _FAILED, _PENDING = "Deployed", "Failed", "Pending"
_UNWELL = ("Warning", "Degraded", "Severe")


class State(StrEnum):
    """What to make of an environment: nothing, wait, deploy the version again, or give up."""

    VERIFIED = "verified"
    WAITING = "waiting"
    REDEPLOY = "redeploy"
    FAILED = "failed"


class Verdict(NamedTuple):
    """A state and why. ``reasons`` are clauses about the environment ("it runs ..."), in the order of their weight.

    ``causes`` are Elastic Beanstalk's own sentences on bad health, ``warnings`` clauses on what was accepted, and
    ``instances`` the ids of those that speak against it.
    """

    state: State
    reasons: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """All reasons as one clause."""
        return "; ".join(self.reasons)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as modules return it."""
        told = ("reasons", "causes", "warnings")
        return {"state": str(self.state), **{name: list(getattr(self, name)) for name in told}}


@dataclass(frozen=True)
class Instance:
    """What an instance says of itself. ``deployment`` is the status of its last one, "" when it has had none yet."""

    id: str
    label: str = ""
    deployment: str = _DEPLOYED
    health: str = "Ok"
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Instance:
        """An instance as DescribeInstancesHealth answers it."""
        deployment = described.get("Deployment") or {}
        return cls(
            str(described.get("InstanceId") or ""),
            str(deployment.get("VersionLabel") or ""),
            str(deployment.get("Status") or (_DEPLOYED if deployment else "")),
            str(described.get("HealthStatus") or ""),
            tuple(map(str, described.get("Causes") or ())),
        )

    @property
    def starting(self) -> bool:
        """Launched a moment ago, or in the middle of a deployment of its own; what is unwell has started."""
        if not self.deployment:
            return self.health not in _UNWELL
        return self.deployment not in (_DEPLOYED, _FAILED) or self.health == _PENDING

    def runs(self, label: str) -> bool:
        """Whether it runs the version, by its own word; any version when the label is ""."""
        return self.deployment == _DEPLOYED and label in ("", self.label)


@dataclass(frozen=True)
class Facts:
    """What is known of an environment.

    ``health`` is its colour, ``health_status`` the word for it of enhanced health reporting. ``instances`` is None
    where basic health reporting tells nothing of them; ``failure`` is then the event that says that the last deployment
    failed, "" when none does, and ``count`` the number of instances where it is known. ``desired`` is how many Auto
    Scaling shall keep; None when nobody asked or may ask.
    """

    status: str
    label: str
    health: str
    health_status: str = ""
    instances: tuple[Instance, ...] | None = None
    failure: str = ""
    count: int | None = None
    desired: int | None = None
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, Any], instances: Sequence[Mapping[str, Any]] | None, **more: Any) -> Facts:
        """The answers of DescribeEnvironments and DescribeInstancesHealth, and what else is known."""
        return cls(
            status=str(environment.get("Status") or ""),
            label=str(environment.get("VersionLabel") or ""),
            health=str(environment.get("Health") or "Grey"),
            health_status=str(environment.get("HealthStatus") or ""),
            instances=None if instances is None else tuple(map(Instance.of, instances)),
            **more,
        )

    @property
    def empty(self) -> bool:
        """Whether it is known to have no instances."""
        return (self.count if self.instances is None else len(self.instances)) == 0


def judge(facts: Facts, wanted: str | None = None, accepted: Collection[str] = TOLERANT) -> Verdict:
    """Judge an environment that shall run the version ``wanted`` (any when None) with a colour among ``accepted``.

    VERIFIED needs every instance's own word for label and deployment, and accepted health. A wrong label or a failed
    deployment asks for the version again; bad health alone does not, as leader tasks would run again for nothing.
    """
    if facts.status != "Ready":
        return Verdict(State.WAITING, (f"its status is {facts.status or 'unknown'}",))
    if wanted and facts.label != wanted:
        return Verdict(State.REDEPLOY, (f"it runs version {facts.label or 'none'}, not {wanted}",))
    label = wanted or facts.label
    if facts.empty:
        return _judge_empty(facts, label)
    if facts.instances is None:
        return _judge_basic(facts, accepted)
    return _judge_instances(facts, facts.instances, label, accepted)


def _judge_empty(facts: Facts, label: str) -> Verdict:
    if facts.desired == 0:
        runs = f"that version {label} runs" if label else "that it runs"
        clause = f"it has no instances, as its desired size is 0: nothing shows {runs}"
        return Verdict(State.VERIFIED, warnings=(clause,))
    wanted = "it is not known how many it should have" if facts.desired is None else f"{facts.desired} are wanted"
    return Verdict(State.FAILED, (f"it has no instance, and {wanted}",), facts.causes)


def _judge_basic(facts: Facts, accepted: Collection[str]) -> Verdict:
    if facts.failure:
        return Verdict(State.REDEPLOY, (f"its last deployment failed ({facts.failure.rstrip('.')})",), facts.causes)
    return _judge_health(facts, (), accepted)


def _judge_instances(facts: Facts, instances: Sequence[Instance], label: str, accepted: Collection[str]) -> Verdict:
    starting = [one for one in instances if one.starting]
    if starting:
        told = ", ".join(f"{one.id} ({one.deployment or one.health or 'nothing yet'})" for one in starting)
        return Verdict(State.WAITING, (f"not every instance has started: {told}",), instances=_ids(starting))
    behind = [one for one in instances if one.deployment and not one.runs(label)]
    if not behind:
        return _judge_health(facts, instances, accepted)
    told = ", ".join(f"{one.id} ({one.label or 'none'}, {one.deployment})" for one in behind)
    reason = f"not every instance runs version {label}: {told}" if label else f"not every deployment succeeded: {told}"
    return Verdict(State.REDEPLOY, (reason,), _causes(facts, behind), instances=_ids(behind))


def _judge_health(facts: Facts, instances: Sequence[Instance], accepted: Collection[str]) -> Verdict:
    bad = [one for one in instances if _colour(one) not in accepted or not one.deployment]
    reasons = [_unwell(bad)] if bad else []
    if facts.health not in accepted:
        if not bad and facts.health_status == _PENDING:
            return Verdict(State.WAITING, (f"its health is {_PENDING}",))
        reasons.append(f"its health is {facts.health}")
    if reasons:
        return Verdict(State.FAILED, tuple(reasons), _causes(facts, bad), instances=_ids(bad))
    doubtful = [one for one in instances if _colour(one) not in STRICT]
    if doubtful:
        return Verdict(State.VERIFIED, warnings=(_unwell(doubtful),))
    accepted_colour = () if facts.health in STRICT else (f"its health is {facts.health}",)
    return Verdict(State.VERIFIED, warnings=accepted_colour)


def _unwell(instances: Sequence[Instance]) -> str:
    told = ", ".join(f"{one.id} is {one.health or 'silent'}" for one in instances)
    return f"not every instance is healthy: {told}"


def _colour(instance: Instance) -> str:
    return _COLOURS.get(instance.health, "Grey")


def _causes(facts: Facts, instances: Sequence[Instance]) -> tuple[str, ...]:
    told = [*facts.causes, *(f"{one.id}: {cause}" for one in instances for cause in one.causes)]
    return tuple(dict.fromkeys(told))


def _ids(instances: Sequence[Instance]) -> tuple[str, ...]:
    return tuple(one.id for one in instances)
