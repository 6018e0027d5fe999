# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of an environment: launched, announced, in and out of the load balancer, terminated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from localstalk.driver import InstanceSpec
from localstalk.model.groups import Member
from localstalk.model.state import Instance
from localstalk.workflows.context import LAUNCH, WorkflowContext


async def launch_instances(context: WorkflowContext, count: int) -> list[Instance]:
    """Launch instances; they are in the environment from then on. Raises :class:`DriverError`."""
    machine, started = context.machine(), []
    for _ in range(count):
        instance_id, zone = context.fleet.launch(context.environment, machine)
        started.append(_add(context, instance_id, zone, machine.kind))
    await context.control.scheduler.gather(*(_start(context, instance) for instance in started))
    return started


async def adopt_instances(context: WorkflowContext, members: Mapping[str, Member]) -> list[Instance]:
    """Take over instances that the Auto Scaling group launched by itself. Raises :class:`DriverError`."""
    started = [_add(context, each, member.zone, member.kind) for each, member in members.items()]
    await context.control.scheduler.gather(*(_start(context, instance) for instance in started))
    return started


def _add(context: WorkflowContext, instance_id: str, zone: str, kind: str) -> Instance:
    clock = context.control.clock
    instance = Instance(instance_id, clock.now(), clock.seconds(), zone=zone, kind=kind)
    context.environment.instances[instance_id] = instance
    return instance


async def _start(context: WorkflowContext, instance: Instance) -> None:
    environment, region = context.environment, context.region
    spec = InstanceSpec(
        instance.id, environment.id, environment.name, environment.application, region.name,
        environment.platform.generation, region.account, context.option(LAUNCH, "IamInstanceProfile"),
        context.option(LAUNCH, "DisableIMDSv1", "false") != "true", environment.platform.branch,
    )  # fmt: skip
    addresses = await context.call_driver(context.driver.launch, spec)
    instance.address = addresses.private_ip
    context.fleet.set_addresses(instance.id, addresses.private_ip)


def attach(context: WorkflowContext, instances: Sequence[Instance]) -> None:
    """Put instances into the permanent Auto Scaling group."""
    for instance in instances:
        context.fleet.attach(context.environment, instance.id)


def announce_instances(context: WorkflowContext, instances: Sequence[Instance]) -> None:
    """ "Added instance" events come from monitoring: they carry no request id (seen in captured runs of the eb CLI)."""
    ids = ", ".join(instance.id for instance in instances)
    if len(instances) == 1:
        context.record_event(f"Added instance [{ids}] to your environment.", linked=False)
    elif instances:
        context.record_event(f"Added instances [{ids}] to your environment.", linked=False)


async def remove_instances(context: WorkflowContext, instances: Sequence[Instance], *, announce: bool = True) -> None:
    """Deregister and terminate instances, all at once."""
    await deregister_instances(context, instances)
    await context.control.scheduler.gather(*(_stop(context, instance) for instance in instances))
    ids = ", ".join(instance.id for instance in instances)
    if announce and instances:
        plural = "instance" if len(instances) == 1 else "instances"
        context.record_event(f"Removed {plural} [{ids}] from your environment.", linked=False)


async def _stop(context: WorkflowContext, instance: Instance) -> None:
    await context.call_driver(context.driver.terminate, instance.id)
    context.fleet.terminate(context.environment, instance.id)
    context.environment.instances.pop(instance.id, None)


async def register_instances(context: WorkflowContext, instances: Sequence[Instance]) -> None:
    """Make instances targets of the load balancer, if there is one."""
    if context.environment.tier == "WebServer":
        await context.control.scheduler.gather(*(_register(context, instance) for instance in instances))


async def _register(context: WorkflowContext, instance: Instance) -> None:
    await context.call_driver(context.driver.register, context.environment.id, instance.id)
    instance.registered = True


async def deregister_instances(context: WorkflowContext, instances: Sequence[Instance]) -> None:
    """Take targets out of the load balancer, waiting for them to drain."""
    registered = [each for each in instances if each.registered]
    await context.control.scheduler.gather(*(_deregister(context, each) for each in registered))


async def _deregister(context: WorkflowContext, instance: Instance) -> None:
    await context.call_driver(context.driver.deregister, context.environment.id, instance.id)
    instance.registered = False
