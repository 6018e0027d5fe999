# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap, restart, tags, log collection and managed updates (event texts: eb-facts §3.7, §1.7)."""

from __future__ import annotations

from typing import Literal

from localstalk.drivers.base import CommandResult, DriverError
from localstalk.elasticbeanstalk.state import Environment, Instance, LogSample, ManagedAction, Renamed, Swap
from localstalk.scheduler import sleep
from localstalk.workflows.update import Change, update
from localstalk.workflows.work import COMMAND, Failed, Work

_SWAP_SECONDS = 4.0


async def swap(work: Work, destination: Environment) -> None:
    """Exchange the CNAMEs; name, id, endpoint and version of both stay."""
    source = work.environment
    work.say("swapEnvironmentCNAMEs is starting.")
    await sleep(1)
    work.say(f"Swapping CNAMEs for environments '{source.name}' and '{destination.name}'.")
    offset = work.control.faults.dns(source.name) or work.control.faults.dns(destination.name)
    await sleep(_SWAP_SECONDS + min(0.0, offset))
    names, region = work.control.names, work.region.name
    if offset < 0:
        for holder, other in ((source, destination), (destination, source)):
            await work.drive(work.driver.point, other.cname, holder.id)
        await sleep(-offset)
    before = source.cname, destination.cname
    destination.cname, source.cname = before
    sides = (Renamed(source.id, source.name, *before), Renamed(destination.id, destination.name, *reversed(before)))
    work.region.swaps.append(Swap(work.control.clock.now(), *sides))
    for environment in (source, destination):
        names[region, environment.cname] = environment.id
    if offset > 0:
        late = _point_later(work, [source.cname, destination.cname], offset)
        work.control.scheduler.spawn(late, f"late DNS of {source.name}")
    elif offset == 0:
        for environment in (source, destination):
            await work.drive(work.driver.point, environment.cname, environment.id)
    work.say(f"'{source.cname}' now points to '{source.endpoint_url}'.")
    work.say(f"Completed swapping CNAMEs for environments '{source.name}' and '{destination.name}'.")
    for environment in (source, destination):
        environment.status, environment.operation = "Ready", None
        environment.updated = work.control.clock.now()


async def _point_later(work: Work, cnames: list[str], seconds: float) -> None:
    """Let names lead to whoever holds them then: another swap may come first."""
    await sleep(seconds)
    for cname in cnames:
        holder = work.control.names.get((work.region.name, cname))
        if holder is not None:
            await work.drive(work.driver.point, cname, holder)


async def restart(work: Work) -> None:
    """Restart the application, batch by batch if a batch size is set; hooks do not run again."""
    environment = work.environment
    work.say("restartAppServer is starting.")
    await work.alone()
    label = environment.version_label or ""
    environment.deployment_started = work.control.clock.seconds()
    rolling = work.option(COMMAND, "DeploymentPolicy", "AllAtOnce") != "AllAtOnce"
    instances = list(environment.instances.values())
    try:
        for batch in work.batches(instances) if rolling else [instances]:
            work.report(await work.command("restart-app-server", batch, label))
    except (Failed, DriverError):
        work.say("Failed to restart the application server.", "ERROR")
    else:
        work.say("restartAppServer completed successfully.")
    work.finish()


async def retag(work: Work, added: dict[str, str], removed: list[str]) -> None:
    """Change tags; they reach the environment's resources too."""
    environment = work.environment
    work.say("Environment tag update is starting.")
    await sleep(10)
    environment.tags.update(added)
    for key in removed:
        environment.tags.pop(key, None)
    work.fleet.retag(environment, added, removed)
    work.say("Environment tag update completed successfully.")
    work.finish()


async def collect_logs(work: Work, kind: Literal["tail", "bundle"]) -> None:
    """Let every instance hand over its logs, and put them into S3."""
    environment = work.environment
    work.say("requestEnvironmentInfo is starting.")
    instances = list(environment.instances.values())
    command: Literal["tail-log", "bundle-log"] = "tail-log" if kind == "tail" else "bundle-log"
    results = await work.command(command, instances, environment.version_label or "")
    good = [result for result in results if result.status == "SUCCESS"]
    if not good:
        work.say("Failed to pull logs for environment instances.", "ERROR")
        return
    for result in good:
        _keep(work, kind, environment.instances.get(result.instance_id), result)
    work.say("Pulled logs for environment instances.")
    verb = "tailing" if kind == "tail" else "bundling"
    work.say(f"Successfully finished {verb} {len(good)} log(s)")


def _keep(work: Work, kind: str, instance: Instance | None, result: CommandResult) -> None:
    environment, now = work.environment, work.control.clock.now()
    name = f"TailLogs-{now:%s}.txt" if kind == "tail" else f"BundleLogs-{now:%s}.zip"
    key = f"resources/environments/logs/{kind}/{environment.id}/{result.instance_id}/{name}"
    content = result.output.encode() if kind == "tail" else result.archive or b""
    work.region.storage.write(work.region.bucket, key, content)
    environment.samples = [
        each for each in environment.samples if (each.kind, each.instance_id) != (kind, result.instance_id)
    ]
    environment.samples.append(LogSample(kind, result.instance_id, now, work.region.bucket, key))


async def managed_update(work: Work, change: Change, action: ManagedAction) -> None:
    """A platform update inside its window, or on demand."""
    wanted = work.environment.platform
    await update(work, change)
    action.finished = work.control.clock.now()
    if work.environment.platform == wanted:
        action.status = "Completed"
    else:
        action.status, action.failure = (
            "Failed",
            ("RollbackSuccessful", "The platform update failed and was rolled back."),
        )
