# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto Scaling: the count of instances follows the load of their processors (options: eb-facts §8.3)."""

from __future__ import annotations

import contextlib
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from localstalk.drivers.base import DriverError
from localstalk.elasticbeanstalk.state import Environment, Instance
from localstalk.scheduler import sleep
from localstalk.workflows.deploy import attach
from localstalk.workflows.launch import group_limits
from localstalk.workflows.work import ASG, Failed, Work

TRIGGER = "aws:autoscaling:trigger"
_MINUTE = 60.0
_LAUNCH_SECONDS = 30.0
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
    "Average": statistics.fmean,
}


def watches_cpu(work: Work) -> bool:
    """Whether the environment scales, and by CPU: of the measures, only that one is measured here."""
    environment = work.environment
    scales = environment.load_balanced or environment.tier == "Worker"
    return scales and work.option(TRIGGER, "MeasureName", "NetworkOut") == "CPUUtilization"


async def measure(work: Work) -> None:
    """Ask all instances how busy they are; faults may say otherwise."""
    environment = work.environment
    loads = await work.drive(work.driver.loads, [each.id for each in environment.instances.values() if each.address])
    for instance in environment.instances.values():
        if instance.id in loads:
            forced = work.control.faults.cpu(environment.name, instance.id)
            instance.cpu_percent = loads[instance.id].cpu_percent if forced is None else forced
            instance.requests = loads[instance.id].requests


def decide(work: Work) -> int:
    """How many instances more (or, below zero, fewer) there should be now, after the latest measurement."""
    environment, now = work.environment, work.control.clock.seconds()
    loads = [each.cpu_percent for each in environment.instances.values() if each.deployment is not None]
    if not loads:
        return 0
    load, scaling = _STATISTICS[work.option(TRIGGER, "Statistic", "Average")](loads), environment.scaling
    above = load > _threshold(work, "UpperThreshold", 6_000_000)
    below = load < _threshold(work, "LowerThreshold", 2_000_000)
    scaling.above_since = _since(scaling.above_since, above, now)
    scaling.below_since = _since(scaling.below_since, below, now)
    if scaling.acted is not None and now - scaling.acted < work.number(ASG, "Cooldown", 360):
        return 0
    least, most = group_limits(work, balanced=True)
    count, wanted = len(environment.instances), len(environment.instances)
    if _lasts(work, scaling.above_since, now):
        wanted = min(most, count + work.number(TRIGGER, "UpperBreachScaleIncrement", 1))
    elif _lasts(work, scaling.below_since, now):
        wanted = max(least, count + work.number(TRIGGER, "LowerBreachScaleIncrement", -1))
    return wanted - count


def _threshold(work: Work, name: str, default: float) -> float:
    try:
        return float(work.option(TRIGGER, name))
    except ValueError:
        return default


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before


def _lasts(work: Work, since: float | None, now: float) -> bool:
    """Whether a breach is as long as BreachDuration, and as EvaluationPeriods of Period (both in minutes)."""
    if since is None:
        return False
    periods = work.number(TRIGGER, "Period", 5) * work.number(TRIGGER, "EvaluationPeriods", 1)
    return now - since >= _MINUTE * max(periods, work.number(TRIGGER, "BreachDuration", 5))


def owed(work: Work) -> int:
    """Instances whose launch failed, once it is time to try again."""
    scaling = work.environment.scaling
    waited = work.control.clock.seconds() - (scaling.acted or 0.0)
    return scaling.owed if waited >= _MINUTE else 0


async def scale(work: Work, change: int) -> None:
    """Add or remove instances. The environment stays Ready meanwhile."""
    environment = work.environment
    environment.scaling.acted = work.control.clock.seconds()
    environment.scaling.above_since = environment.scaling.below_since = None
    if change < 0:
        await work.remove(surplus(environment, -change))
    else:
        await add(work, change)


def surplus(environment: Environment, count: int) -> list[Instance]:
    """Whom a scale-in hits: in the zone with most instances, the oldest. Leading an earlier command protects nobody."""
    left = list(environment.instances.values())
    chosen = []
    for _ in range(count):
        zones = Counter(each.zone for each in left)
        victim = min(left, key=lambda each: (-zones[each.zone], each.launched_at, each.id))
        left.remove(victim)
        chosen.append(victim)
    return chosen


async def add(work: Work, count: int) -> None:
    """Launch instances that deploy the current version by themselves; what cannot start is tried again later."""
    environment, known = work.environment, set(work.environment.instances)
    environment.scaling.owed = 0
    try:
        instances = await work.launch(count)
    except DriverError as error:
        work.say(str(error), "ERROR", linked=False)
        await work.remove([each for each in environment.instances.values() if each.id not in known], say=False)
        environment.scaling.owed, environment.scaling.acted = count, work.control.clock.seconds()
        return
    attach(work, instances)
    await sleep(_LAUNCH_SECONDS)
    work.announce(instances)
    # When that fails, the load balancer's health checks say the rest; the next deployment takes the instance along.
    with contextlib.suppress(Failed):
        work.report(await work.command("app-deploy", instances, work.environment.version_label or ""))
    await work.register(instances)


async def replace_lost(work: Work, lost: Sequence[Instance]) -> None:
    """Make up for instances that are gone."""
    await work.remove(lost)
    await add(work, len(lost))
