# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto Scaling: the count of instances follows the load of their processors (options: elastic_beanstalk.md §8.3)."""

from __future__ import annotations

import contextlib
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from localstalk.driver import DriverError
from localstalk.model import options
from localstalk.model.groups import Group
from localstalk.model.schedule import is_complete
from localstalk.model.settings import given_settings
from localstalk.model.state import Environment, Instance
from localstalk.scheduler import sleep
from localstalk.workflows.commands import report_results, run_command
from localstalk.workflows.context import ASG, Failed, WorkflowContext
from localstalk.workflows.instances import (
    adopt_instances,
    announce_instances,
    attach,
    launch_instances,
    register_instances,
    remove_instances,
)

TRIGGER = "aws:autoscaling:trigger"
_MINUTE = 60.0
_LAUNCH_SECONDS = 30.0
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
    "Average": statistics.fmean,
}


def schedule(context: WorkflowContext) -> None:
    """Let the group have the scheduled actions that the options want; a single instance has none."""
    environment = context.environment
    if not (environment.load_balanced or environment.tier == "Worker"):
        return
    actions: dict[str, dict[str, str]] = {}
    for (namespace, name), value in given_settings(environment).items():
        action, bare = options.split(namespace)
        if bare == options.SCHEDULED:
            actions.setdefault(action, {})[name] = value
    complete = {name: values for name, values in actions.items() if is_complete(values)}
    context.fleet.schedule(environment, complete)


def watches_cpu(context: WorkflowContext) -> bool:
    """Whether the environment scales, and by CPU: of the measures, only that one is measured here."""
    environment = context.environment
    scales = environment.load_balanced or environment.tier == "Worker"
    return scales and context.option(TRIGGER, "MeasureName", "NetworkOut") == "CPUUtilization"


async def measure(context: WorkflowContext) -> None:
    """Ask all instances how busy they are; faults may say otherwise."""
    environment = context.environment
    loads = await context.call_driver(
        context.driver.loads, [each.id for each in environment.instances.values() if each.address]
    )
    for instance in environment.instances.values():
        if instance.id in loads:
            forced = context.control.faults.cpu(environment.name, instance.id)
            instance.cpu_percent = loads[instance.id].cpu_percent if forced is None else forced
            instance.requests = loads[instance.id].requests


def decide(context: WorkflowContext, group: Group) -> int:
    """How many instances more (or, below zero, fewer) there should be now, after the latest measurement."""
    environment, now = context.environment, context.control.clock.seconds()
    loads = [each.cpu_percent for each in environment.instances.values() if each.deployment is not None]
    if not loads:
        return 0
    load, scaling = _STATISTICS[context.option(TRIGGER, "Statistic", "Average")](loads), environment.scaling
    above = load > _threshold(context, "UpperThreshold", 6_000_000)
    below = load < _threshold(context, "LowerThreshold", 2_000_000)
    scaling.above_since = _since(scaling.above_since, above, now)
    scaling.below_since = _since(scaling.below_since, below, now)
    if scaling.acted is not None and now - scaling.acted < context.number(ASG, "Cooldown", 360):
        return 0
    count, wanted = len(environment.instances), len(environment.instances)
    if _lasts(context, scaling.above_since, now):
        wanted = min(group.most, count + context.number(TRIGGER, "UpperBreachScaleIncrement", 1))
    elif _lasts(context, scaling.below_since, now):
        wanted = max(group.least, count + context.number(TRIGGER, "LowerBreachScaleIncrement", -1))
    return wanted - count if group.allows("AlarmNotification", "Launch" if wanted > count else "Terminate") else 0


def _threshold(context: WorkflowContext, name: str, default: float) -> float:
    try:
        return float(context.option(TRIGGER, name))
    except ValueError:
        return default


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before


def _lasts(context: WorkflowContext, since: float | None, now: float) -> bool:
    """Whether a breach is as long as BreachDuration, and as EvaluationPeriods of Period (both in minutes)."""
    if since is None:
        return False
    periods = context.number(TRIGGER, "Period", 5) * context.number(TRIGGER, "EvaluationPeriods", 1)
    return now - since >= _MINUTE * max(periods, context.number(TRIGGER, "BreachDuration", 5))


def owed(context: WorkflowContext, group: Group) -> int:
    """Instances that could not be launched, once it is time to try again; never more than the group takes."""
    scaling = context.environment.scaling
    waited = context.control.clock.seconds() - (scaling.acted or 0.0)
    if waited < _MINUTE or not group.allows("Launch"):
        return 0
    return max(0, min(scaling.owed, group.most - len(group.members)))


async def scale(context: WorkflowContext, change: int) -> None:
    """Add or remove instances. The environment stays Ready meanwhile."""
    environment = context.environment
    environment.scaling.acted = context.control.clock.seconds()
    environment.scaling.above_since = environment.scaling.below_since = None
    if change < 0:
        await remove_instances(context, surplus(environment, -change))
    else:
        await add(context, change)


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


async def add(context: WorkflowContext, count: int) -> None:
    """Launch instances that deploy the current version by themselves; what cannot start is tried again later."""
    await _bring_in(context, launch_instances(context, count), count)


async def _bring_in(context: WorkflowContext, launching: Awaitable[list[Instance]], count: int) -> None:
    environment, known = context.environment, set(context.environment.instances)
    environment.scaling.owed = 0
    try:
        instances = await launching
    except DriverError as error:
        context.record_event(str(error), "ERROR", linked=False)
        failed = [each for each in environment.instances.values() if each.id not in known]
        await remove_instances(context, failed, announce=False)
        environment.scaling.owed, environment.scaling.acted = count, context.control.clock.seconds()
        return
    attach(context, instances)
    await sleep(_LAUNCH_SECONDS)
    announce_instances(context, instances)
    # When that fails, the load balancer's health checks say the rest; the next deployment takes the instance along.
    with contextlib.suppress(Failed):
        results = await run_command(context, "app-deploy", instances, context.environment.version_label or "")
        report_results(context, results)
    await register_instances(context, instances)


def differs(environment: Environment, group: Group) -> bool:
    """Whether somebody has changed the group: EB has the instances that its group has."""
    return environment.instances.keys() != group.members.keys()


async def follow(context: WorkflowContext, group: Group) -> None:
    """Let go of instances that have left the group, and deploy to those that it launched."""
    environment = context.environment
    gone = [each for each in environment.instances.values() if each.id not in group.members]
    arrived = {name: member for name, member in group.members.items() if name not in environment.instances}
    await remove_instances(context, gone)
    if arrived:
        await _bring_in(context, adopt_instances(context, arrived), len(arrived))


async def replace_lost(context: WorkflowContext, lost: Sequence[Instance], group: Group) -> None:
    """Make up for instances that are gone, as far as the group may launch new ones."""
    await remove_instances(context, lost)
    if group.allows("Launch"):
        await add(context, len(lost))
    else:
        context.environment.scaling.owed = len(lost)
