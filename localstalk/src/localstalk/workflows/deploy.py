# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploying an application version by one of the five policies (event texts: docs/elastic_beanstalk.md §3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from localstalk.model.state import Instance
from localstalk.workflows import checks
from localstalk.workflows.commands import report_results, run_command
from localstalk.workflows.context import COMMAND, Failed, WorkflowContext
from localstalk.workflows.instances import (
    announce_instances,
    attach,
    deregister_instances,
    launch_instances,
    register_instances,
    remove_instances,
)

_SPLITTING = "aws:elasticbeanstalk:trafficsplitting"
_LAUNCH_SECONDS = 30.0
_ATTACH_SECONDS = 5.0


async def deploy(context: WorkflowContext, label: str) -> None:
    """Put ``label`` on the instances. Raises Failed, Aborted or DriverError; the events up to there are written."""
    policy = context.option(COMMAND, "DeploymentPolicy", "AllAtOnce")
    if not context.environment.load_balanced and policy not in ("AllAtOnce", "Immutable"):
        # Single instances know only these two (docs/elastic_beanstalk.md §8.3).
        policy = "AllAtOnce"
    if policy == "TrafficSplitting" and context.balancer != "application":
        context.record_event("Traffic splitting deployments need an application load balancer.", "ERROR")
        raise Failed
    await _POLICIES[policy](context, label)
    context.record_event("New application version was deployed to running EC2 instances.")


async def all_at_once(context: WorkflowContext, label: str) -> None:
    """Every instance at the same time, in place and in service."""
    context.record_event("Deploying new version to instance(s).")
    instances = list(context.environment.instances.values())
    report_results(context, await run_command(context, "app-deploy", instances, label), total=len(instances))
    await register_instances(context, [instance for instance in instances if not instance.registered])
    await checks.pass_health_checks(context, instances)


async def rolling(context: WorkflowContext, label: str) -> None:
    """Batch by batch, out of service meanwhile."""
    context.record_event("Deploying new version to instance(s).")
    instances = list(context.environment.instances.values())
    await _batches(context, label, context.batches(instances), first=1, done=0, total=len(instances))


async def _batches(
    context: WorkflowContext, label: str, batches: Sequence[Sequence[Instance]], *, first: int, done: int, total: int
) -> None:
    balanced = context.environment.load_balanced
    for number, batch in enumerate(batches, first):
        context.checkpoint()
        ids = ", ".join(instance.id for instance in batch)
        context.record_event(f"Batch {number}: Starting application deployment on instance(s) [{ids}].")
        if balanced:
            context.record_event(
                f"Batch {number}: De-registering instance(s) from the load balancer and waiting for them to go out of "
                "service."
            )
            await deregister_instances(context, batch)
            await context.wait(_ATTACH_SECONDS)
        done = await _batch(context, label, number, batch, done=done, total=total)


async def _batch(
    context: WorkflowContext, label: str, number: int, batch: Sequence[Instance], *, done: int, total: int
) -> int:
    context.record_event(f"Batch {number}: Starting application deployment command execution.")
    results = await run_command(context, "app-deploy", batch, label)
    report_results(
        context,
        results,
        done=done,
        total=total,
        between=f"Batch {number}: Completed application deployment command execution.",
    )
    if context.environment.load_balanced:
        context.record_event(
            f"Batch {number}: Registering instance(s) with the load balancer and waiting for them to be healthy. "
        )
        await register_instances(context, batch)
    await checks.pass_health_checks(context, batch)
    context.record_event(f"Batch {number}: Completed application deployment.")
    return done + len(batch)


async def rolling_with_additional_batch(context: WorkflowContext, label: str) -> None:
    """As rolling, with a batch more, which is removed at the end as the developer guide says."""
    old = list(context.environment.instances.values())
    size = context.batch_size(len(old))
    context.record_event(
        "Rolling with Additional Batch deployment policy enabled. "
        f"Launching  a new batch of {size} additional instance(s)."
    )
    extra: list[Instance] = []
    try:
        extra = await launch_instances(context, size)
        await context.wait(_LAUNCH_SECONDS)
        announce_instances(context, extra)
        attach(context, extra)
        ids = ", ".join(instance.id for instance in extra)
        context.record_event(
            f"Batch 1: {size} EC2 instance(s) [{ids}] launched. Deploying application version '{label}'."
        )
        total = len(old) + size
        done = await _batch(context, label, 1, extra, done=0, total=total)
        await _batches(context, label, context.batches(old), first=2, done=done, total=total)
    finally:
        await remove_instances(context, extra)


async def immutable(context: WorkflowContext, label: str) -> None:
    """A second fleet beside the first; the old one goes when the new one is healthy."""
    await replace_immutably(context, label, "Immutable deployment policy enabled.", "Deployment succeeded.")


async def replace_immutably(context: WorkflowContext, label: str, opening: str, ending: str) -> None:
    """Replace all instances by way of a temporary group; on failure the old ones stay untouched."""
    old = list(context.environment.instances.values())
    new: list[Instance] = []
    context.record_event(f"{opening} Launching one instance with the new settings to verify health.")
    temporary = _temporary_group(context)
    try:
        new += await _new_instances(context, 1, label)
        await _join_balancer(context, new, announce_last=True)
        if len(old) > 1:
            context.record_event("Test instance passed health checks. Launching remaining new instances.")
            rest = await _new_instances(context, len(old) - 1, label, new)
            announce_instances(context, rest)
            context.record_event("Successfully launched all instances.")
            await _join_balancer(context, rest)
    except BaseException:
        await remove_instances(context, [each for each in context.environment.instances.values() if each not in old])
        raise
    await _take_over(context, old, new, temporary, ending)


async def _new_instances(
    context: WorkflowContext, count: int, label: str, into: list[Instance] | None = None
) -> list[Instance]:
    launched = await launch_instances(context, count)
    if into is not None:
        into += launched
    await context.wait(_LAUNCH_SECONDS)
    report_results(context, await run_command(context, "app-deploy", launched, label))
    context.checkpoint()
    return launched


async def _join_balancer(
    context: WorkflowContext, instances: Sequence[Instance], *, announce_last: bool = False
) -> None:
    ids = ", ".join(instance.id for instance in instances)
    if context.environment.load_balanced:
        context.record_event(f"Adding new instance(s) ({ids}) to the load balancer.")
        await register_instances(context, instances)
    context.record_event(f"Waiting for instance(s) ({ids}) to pass health checks.")
    if announce_last:
        announce_instances(context, instances)
    # A single instance's address still leads to the old one; the new one is asked itself then.
    await checks.pass_health_checks(context, instances)


async def _take_over(
    context: WorkflowContext, old: Sequence[Instance], new: Sequence[Instance], temporary: str, ending: str
) -> None:
    environment = context.environment
    environment.abortable = False
    context.record_event(f"Detached new instance(s) from temporary auto scaling group {temporary}.")
    attach(context, new)
    context.record_event(
        f"Attached new instance(s) to the permanent auto scaling group {environment.resources.auto_scaling_group}."
    )
    context.record_event("Starting post-deployment configuration on new instances.")
    await context.wait(_ATTACH_SECONDS)
    for _ in new:
        context.record_event("Instance deployment completed successfully.")
    context.record_event("Waiting for post-deployment configuration to complete.")
    await register_instances(context, [instance for instance in new if not instance.registered])
    await context.wait(_ATTACH_SECONDS)
    context.record_event(f"{ending} Terminating old instances and temporary Auto Scaling group.")
    await remove_instances(context, old)


async def traffic_splitting(context: WorkflowContext, label: str) -> None:
    """A full second fleet that gets a share of the traffic for a while (texts are ours: elastic_beanstalk.md §12.1)."""
    # No instance leads; migrations that rely on one do not happen (docs/elastic_beanstalk.md §7).
    context.elects_leader = False
    old = list(context.environment.instances.values())
    percent, minutes = (
        context.number(_SPLITTING, "NewVersionPercent", 10),
        context.number(_SPLITTING, "EvaluationTime", 5),
    )
    context.record_event(
        f"Traffic splitting deployment policy enabled. Launching {len(old)} instance(s) with the new version."
    )
    temporary = _temporary_group(context)
    new: list[Instance] = []
    try:
        await _new_instances(context, len(old), label, new)
        announce_instances(context, new)
        await _share(context, old, new, 0)
        await _join_balancer(context, new)
        context.record_event(f"Shifting {percent} percent of the traffic to the new instances for {minutes} minute(s).")
        await _share(context, old, new, percent)
        await checks.stay_healthy(context, new, minutes * 60)
        context.record_event("The new instances stayed healthy. Shifting all traffic to them.")
        await _share(context, old, new, 100)
    except BaseException:
        await _share(context, old, new, 0)
        await remove_instances(context, [each for each in context.environment.instances.values() if each not in old])
        await context.call_driver(context.driver.weigh, context.environment.id, {})
        raise
    await _take_over(context, old, new, temporary, "Deployment succeeded.")
    await context.call_driver(context.driver.weigh, context.environment.id, {})


async def _share(context: WorkflowContext, old: Sequence[Instance], new: Sequence[Instance], percent: int) -> None:
    """Give the new instances, who are as many as the old ones, so much of the traffic."""
    weights = {each.id: 100 - percent for each in old} | {each.id: percent for each in new}
    await context.call_driver(context.driver.weigh, context.environment.id, weights)


def _temporary_group(context: WorkflowContext) -> str:
    name = f"awseb-{context.environment.id}-immutable-stack-AWSEBAutoScalingGroup-{context.control.suffix()}"
    context.record_event(f"Created temporary auto scaling group {name}.")
    return name


_POLICIES: dict[str, Callable[[WorkflowContext, str], Awaitable[None]]] = {
    "AllAtOnce": all_at_once,
    "Rolling": rolling,
    "RollingWithAdditionalBatch": rolling_with_additional_batch,
    "Immutable": immutable,
    "TrafficSplitting": traffic_splitting,
}
