# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap, restart, tags and managed updates (event texts: docs/elastic_beanstalk.md §3.7, §1.7)."""

from __future__ import annotations

from localstalk.driver import DriverError
from localstalk.model.state import Environment, ManagedAction, Renamed, Swap
from localstalk.scheduler import sleep
from localstalk.workflows.commands import report_results, run_command
from localstalk.workflows.context import COMMAND, Failed, WorkflowContext
from localstalk.workflows.update import Change, update

_SWAP_SECONDS = 4.0


async def swap(context: WorkflowContext, destination: Environment) -> None:
    """Exchange the CNAMEs; name, id, endpoint and version of both stay."""
    source = context.environment
    context.record_event("swapEnvironmentCNAMEs is starting.")
    await sleep(1)
    context.record_event(f"Swapping CNAMEs for environments '{source.name}' and '{destination.name}'.")
    offset = context.control.faults.dns(source.name) or context.control.faults.dns(destination.name)
    await sleep(_SWAP_SECONDS + min(0.0, offset))
    if offset < 0:
        for holder, other in ((source, destination), (destination, source)):
            await context.call_driver(context.driver.point, other.cname, holder.id)
        await sleep(-offset)
    before = source.cname, destination.cname
    destination.cname, source.cname = before
    sides = (Renamed(source.id, source.name, *before), Renamed(destination.id, destination.name, *reversed(before)))
    context.region.swaps.append(Swap(context.control.clock.now(), *sides))
    for environment in (source, destination):
        context.region.hold(environment.cname, environment.id)
    if offset > 0:
        late = _point_later(context, [source.cname, destination.cname], offset)
        context.control.scheduler.spawn(late, f"late DNS of {source.name}")
    elif offset == 0:
        for environment in (source, destination):
            await context.call_driver(context.driver.point, environment.cname, environment.id)
    context.record_event(f"'{source.cname}' now points to '{source.endpoint_url}'.")
    context.record_event(f"Completed swapping CNAMEs for environments '{source.name}' and '{destination.name}'.")
    for environment in (source, destination):
        environment.status, environment.operation = "Ready", None
        environment.updated = context.control.clock.now()


async def _point_later(context: WorkflowContext, cnames: list[str], seconds: float) -> None:
    """Let names lead to whoever holds them then: another swap may come first."""
    await sleep(seconds)
    for cname in cnames:
        holder = context.region.holder(cname)
        if holder is not None:
            await context.call_driver(context.driver.point, cname, holder)


async def restart(context: WorkflowContext) -> None:
    """Restart the application, batch by batch if a batch size is set; hooks do not run again."""
    environment = context.environment
    context.record_event("restartAppServer is starting.")
    await context.wait_for_others()
    label = environment.version_label or ""
    environment.deployment_started = context.control.clock.seconds()
    rolling = context.option(COMMAND, "DeploymentPolicy", "AllAtOnce") != "AllAtOnce"
    instances = list(environment.instances.values())
    try:
        for batch in context.batches(instances) if rolling else [instances]:
            report_results(context, await run_command(context, "restart-app-server", batch, label))
    except (Failed, DriverError):
        context.record_event("Failed to restart the application server.", "ERROR")
    else:
        context.record_event("restartAppServer completed successfully.")
    context.finish()


async def retag(context: WorkflowContext, added: dict[str, str], removed: list[str]) -> None:
    """Change tags; they reach the environment's resources too."""
    environment = context.environment
    context.record_event("Environment tag update is starting.")
    await sleep(10)
    environment.tags.update(added)
    for key in removed:
        environment.tags.pop(key, None)
    context.fleet.retag(environment, added, removed)
    context.record_event("Environment tag update completed successfully.")
    context.finish()


async def managed_update(context: WorkflowContext, change: Change, action: ManagedAction) -> None:
    """A platform update inside its window, or on demand."""
    wanted = context.environment.platform
    await update(context, change)
    action.finished = context.control.clock.now()
    if context.environment.platform == wanted:
        action.status = "Completed"
    else:
        action.status, action.failure = (
            "Failed",
            ("RollbackSuccessful", "The platform update failed and was rolled back."),
        )
