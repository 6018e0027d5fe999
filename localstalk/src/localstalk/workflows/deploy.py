# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploying an application version by one of the five policies (event texts: eb-facts §3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from localstalk.elasticbeanstalk.state import Instance
from localstalk.workflows import checks
from localstalk.workflows.work import COMMAND, Failed, Work

_SPLITTING = "aws:elasticbeanstalk:trafficsplitting"
_LAUNCH_SECONDS = 30.0
_ATTACH_SECONDS = 5.0


async def deploy(work: Work, label: str) -> None:
    """Put ``label`` on the instances. Raises Failed, Aborted or DriverError; the events up to there are written."""
    policy = work.option(COMMAND, "DeploymentPolicy", "AllAtOnce")
    if not work.environment.load_balanced and policy not in ("AllAtOnce", "Immutable"):
        # Single instances know only these two (eb-facts §8.3).
        policy = "AllAtOnce"
    if policy == "TrafficSplitting" and work.balancer != "application":
        work.say("Traffic splitting deployments need an application load balancer.", "ERROR")
        raise Failed
    await _POLICIES[policy](work, label)
    work.say("New application version was deployed to running EC2 instances.")


async def all_at_once(work: Work, label: str) -> None:
    """Every instance at the same time, in place and in service."""
    work.say("Deploying new version to instance(s).")
    instances = list(work.environment.instances.values())
    work.report(await work.command("app-deploy", instances, label), total=len(instances))
    await work.register([instance for instance in instances if not instance.registered])
    await checks.pass_health_checks(work, instances)


async def rolling(work: Work, label: str) -> None:
    """Batch by batch, out of service meanwhile."""
    work.say("Deploying new version to instance(s).")
    instances = list(work.environment.instances.values())
    await _batches(work, label, work.batches(instances), first=1, done=0, total=len(instances))


async def _batches(
    work: Work, label: str, batches: Sequence[Sequence[Instance]], *, first: int, done: int, total: int
) -> None:
    balanced = work.environment.load_balanced
    for number, batch in enumerate(batches, first):
        work.checkpoint()
        ids = ", ".join(instance.id for instance in batch)
        work.say(f"Batch {number}: Starting application deployment on instance(s) [{ids}].")
        if balanced:
            work.say(
                f"Batch {number}: De-registering instance(s) from the load balancer and waiting for them to go out of "
                "service."
            )
            await work.deregister(batch)
            await work.wait(_ATTACH_SECONDS)
        done = await _batch(work, label, number, batch, done=done, total=total)


async def _batch(work: Work, label: str, number: int, batch: Sequence[Instance], *, done: int, total: int) -> int:
    work.say(f"Batch {number}: Starting application deployment command execution.")
    results = await work.command("app-deploy", batch, label)
    work.report(
        results, done=done, total=total, between=f"Batch {number}: Completed application deployment command execution."
    )
    if work.environment.load_balanced:
        work.say(f"Batch {number}: Registering instance(s) with the load balancer and waiting for them to be healthy. ")
        await work.register(batch)
    await checks.pass_health_checks(work, batch)
    work.say(f"Batch {number}: Completed application deployment.")
    return done + len(batch)


async def rolling_with_additional_batch(work: Work, label: str) -> None:
    """As rolling, with a batch more, which is removed at the end as the developer guide says."""
    old = list(work.environment.instances.values())
    size = work.batch_size(len(old))
    work.say(
        "Rolling with Additional Batch deployment policy enabled. "
        f"Launching  a new batch of {size} additional instance(s)."
    )
    extra: list[Instance] = []
    try:
        extra = await work.launch(size)
        await work.wait(_LAUNCH_SECONDS)
        work.announce(extra)
        attach(work, extra)
        ids = ", ".join(instance.id for instance in extra)
        work.say(f"Batch 1: {size} EC2 instance(s) [{ids}] launched. Deploying application version '{label}'.")
        total = len(old) + size
        done = await _batch(work, label, 1, extra, done=0, total=total)
        await _batches(work, label, work.batches(old), first=2, done=done, total=total)
    finally:
        await work.remove(extra)


async def immutable(work: Work, label: str) -> None:
    """A second fleet beside the first; the old one goes when the new one is healthy."""
    await replace_immutably(work, label, "Immutable deployment policy enabled.", "Deployment succeeded.")


async def replace_immutably(work: Work, label: str, opening: str, ending: str) -> None:
    """Replace all instances by way of a temporary group; on failure the old ones stay untouched."""
    old = list(work.environment.instances.values())
    new: list[Instance] = []
    work.say(f"{opening} Launching one instance with the new settings to verify health.")
    temporary = _temporary_group(work)
    try:
        new += await _new_instances(work, 1, label)
        await _join_balancer(work, new, announce_last=True)
        if len(old) > 1:
            work.say("Test instance passed health checks. Launching remaining new instances.")
            rest = await _new_instances(work, len(old) - 1, label, new)
            work.announce(rest)
            work.say("Successfully launched all instances.")
            await _join_balancer(work, rest)
    except BaseException:
        await work.remove([each for each in work.environment.instances.values() if each not in old])
        raise
    await _take_over(work, old, new, temporary, ending)


async def _new_instances(work: Work, count: int, label: str, into: list[Instance] | None = None) -> list[Instance]:
    launched = await work.launch(count)
    if into is not None:
        into += launched
    await work.wait(_LAUNCH_SECONDS)
    work.report(await work.command("app-deploy", launched, label))
    work.checkpoint()
    return launched


async def _join_balancer(work: Work, instances: Sequence[Instance], *, announce_last: bool = False) -> None:
    ids = ", ".join(instance.id for instance in instances)
    if work.environment.load_balanced:
        work.say(f"Adding new instance(s) ({ids}) to the load balancer.")
        await work.register(instances)
    work.say(f"Waiting for instance(s) ({ids}) to pass health checks.")
    if announce_last:
        work.announce(instances)
    # A single instance's address still leads to the old one; the new one is asked itself then.
    await checks.pass_health_checks(work, instances)


async def _take_over(work: Work, old: Sequence[Instance], new: Sequence[Instance], temporary: str, ending: str) -> None:
    environment = work.environment
    environment.abortable = False
    work.say(f"Detached new instance(s) from temporary auto scaling group {temporary}.")
    attach(work, new)
    work.say(
        f"Attached new instance(s) to the permanent auto scaling group {environment.resources.auto_scaling_group}."
    )
    work.say("Starting post-deployment configuration on new instances.")
    await work.wait(_ATTACH_SECONDS)
    for _ in new:
        work.say("Instance deployment completed successfully.")
    work.say("Waiting for post-deployment configuration to complete.")
    await work.register([instance for instance in new if not instance.registered])
    await work.wait(_ATTACH_SECONDS)
    work.say(f"{ending} Terminating old instances and temporary Auto Scaling group.")
    await work.remove(old)


async def traffic_splitting(work: Work, label: str) -> None:
    """A full second fleet that gets a share of the traffic for a while (texts are ours: eb-facts §12.1)."""
    # No instance leads; migrations that rely on one do not happen (eb-facts §7).
    work.elects_leader = False
    old = list(work.environment.instances.values())
    percent, minutes = work.number(_SPLITTING, "NewVersionPercent", 10), work.number(_SPLITTING, "EvaluationTime", 5)
    work.say(f"Traffic splitting deployment policy enabled. Launching {len(old)} instance(s) with the new version.")
    temporary = _temporary_group(work)
    new: list[Instance] = []
    try:
        await _new_instances(work, len(old), label, new)
        work.announce(new)
        await _share(work, old, new, 0)
        await _join_balancer(work, new)
        work.say(f"Shifting {percent} percent of the traffic to the new instances for {minutes} minute(s).")
        await _share(work, old, new, percent)
        await checks.stay_healthy(work, new, minutes * 60)
        work.say("The new instances stayed healthy. Shifting all traffic to them.")
        await _share(work, old, new, 100)
    except BaseException:
        await _share(work, old, new, 0)
        await work.remove([each for each in work.environment.instances.values() if each not in old])
        await work.drive(work.driver.weigh, work.environment.id, {})
        raise
    await _take_over(work, old, new, temporary, "Deployment succeeded.")
    await work.drive(work.driver.weigh, work.environment.id, {})


async def _share(work: Work, old: Sequence[Instance], new: Sequence[Instance], percent: int) -> None:
    """Give the new instances, who are as many as the old ones, so much of the traffic."""
    weights = {each.id: 100 - percent for each in old} | {each.id: percent for each in new}
    await work.drive(work.driver.weigh, work.environment.id, weights)


def _temporary_group(work: Work) -> str:
    name = f"awseb-{work.environment.id}-immutable-stack-AWSEBAutoScalingGroup-{work.control.suffix()}"
    work.say(f"Created temporary auto scaling group {name}.")
    return name


def attach(work: Work, instances: Sequence[Instance]) -> None:
    """Put instances into the permanent Auto Scaling group."""
    for instance in instances:
        work.fleet.attach(work.environment, instance.id)


_POLICIES: dict[str, Callable[[Work, str], Awaitable[None]]] = {
    "AllAtOnce": all_at_once,
    "Rolling": rolling,
    "RollingWithAdditionalBatch": rolling_with_additional_batch,
    "Immutable": immutable,
    "TrafficSplitting": traffic_splitting,
}
