# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on the instances of an environment, and the events that tell how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from localstalk.driver import Command, CommandName, CommandResult, DriverError, InstanceEvent
from localstalk.model import bundles
from localstalk.model.secrets import SecretError, environment_properties
from localstalk.model.settings import effective_settings
from localstalk.model.state import Deployment, Instance, Settings
from localstalk.scheduler import sleep
from localstalk.workflows import deployment_logs
from localstalk.workflows.context import COMMAND, Failed, WorkflowContext

_SECONDS: dict[CommandName, float] = {
    "app-deploy": 20.0,
    "config-deploy": 10.0,
    "restart-app-server": 5.0,
    "tail-log": 3.0,
    "bundle-log": 5.0,
}
"""How long a simulated command takes."""
_TIMEOUT_GRACE = 240.0
"""EB waits that much longer than the Timeout option says (Developer Guide, aws:elasticbeanstalk:command)."""
_FAILED_ON_INSTANCE = InstanceEvent("ERROR", "Instance deployment failed. For details, see 'eb-engine.log'.")


async def run_command(
    context: WorkflowContext, name: CommandName, instances: Sequence[Instance], label: str
) -> list[CommandResult]:
    """Run a command on instances at once. All commands of a workflow are one invocation: batches share a leader.

    Nobody has written down whether they do in AWS, so a fault can have it the other way.
    """
    environment, control = context.environment, context.control
    path, key = (None, "")
    if name == "app-deploy":
        path, key = await _bundle_for(context, instances, label)
    settings = effective_settings(environment)
    options: dict[str, dict[str, str]] = {}
    for (namespace, option), value in settings.items():
        options.setdefault(namespace, {})[option] = value
    properties, problem = _properties(context, name, settings)
    invocation_id = control.uuid() if control.faults.election(environment.name) else context.invocation_id
    command = Command(
        name, invocation_id, environment.deployment_id, label,
        float(context.number(COMMAND, "Timeout", 600)), path, key, properties, options, context.elects_leader,
    )  # fmt: skip
    results: list[CommandResult] = await control.scheduler.gather(
        *(_run(context, instance, command, problem) for instance in instances)
    )
    return results


async def _bundle_for(context: WorkflowContext, instances: Sequence[Instance], label: str) -> tuple[Path, str]:
    """The bundle. An instance that was just launched fetches it itself, and its first deployment fails without."""
    try:
        return await _bundle(context, label)
    except DriverError:
        now = context.control.clock.now()
        for instance in instances:
            if instance.deployment is None:
                instance.deployment = Deployment(context.environment.deployment_id, label, "Failed", now)
        raise


async def _bundle(context: WorkflowContext, label: str) -> tuple[Path, str]:
    """The bundle of a version on disk, and its bucket/key. Raises :class:`DriverError` when S3 lost it."""
    version = context.region.version(context.environment.application, label)
    content = context.region.storage.read(version.bucket, version.key)
    if content is None:
        raise DriverError(
            f"Unable to download from S3 location (Bucket: {version.bucket}  Key: {version.key}). Reason: Not Found"
        )
    path = await context.call_driver(bundles.save, context.control.bundles, content)
    return path, f"{version.bucket}/{version.key}"


def _properties(context: WorkflowContext, name: CommandName, settings: Settings) -> tuple[dict[str, str], str]:
    """Environment properties, and why a secret among them cannot be fetched ("" when all can)."""
    if name in ("tail-log", "bundle-log"):
        return {}, ""
    region = context.region
    try:
        given = environment_properties(region.account, region.name, settings)
    except SecretError as error:
        return {}, str(error)
    return region.databases.properties(context.environment, settings) | given, ""


async def _run(context: WorkflowContext, instance: Instance, command: Command, problem: str) -> CommandResult:
    deploying = command.name in ("app-deploy", "config-deploy")
    now = context.control.clock.now
    if command.name != "app-deploy" and instance.deployment is not None:
        # Only a deployment changes the version; after a failed one this may not be the environment's.
        command = replace(command, version_label=instance.deployment.label)
    if deploying:
        instance.deployment = Deployment(command.deployment_id, command.version_label, "In Progress", now())
    command = replace(command, deployment_log=deployment_logs.file_name(context, instance.id, command))
    upload = deployment_logs.Upload(context, instance.id, command)
    if upload.running:
        context.control.scheduler.spawn(upload.follow(), f"deployment log of {context.environment.name}")
    if context.control.simulated:
        await sleep(_SECONDS[command.name])
    try:
        if problem:
            raise DriverError(f"Engine execution has encountered an error: {problem}")
        result = await context.call_driver(context.driver.run, instance.id, command)
    except DriverError as error:
        result = CommandResult(instance.id, "FAILURE", 1, str(error))
    finally:
        await upload.finish()
    result = _spoil(context, result, command)
    if command.name == "app-deploy":
        instance.led = command.deployment_id if result.leader else None
    if result.status == "TIMEOUT" and context.control.simulated:
        await sleep(command.timeout + _TIMEOUT_GRACE)
    if deploying:
        status = "Deployed" if result.status == "SUCCESS" else "Failed"
        label = command.version_label
        instance.deployment = Deployment(command.deployment_id, label, status, now())  # type: ignore[arg-type]
    return result


def _spoil(context: WorkflowContext, result: CommandResult, command: Command) -> CommandResult:
    """Let a fault decide: the command ran to its end, then its last hook failed or never came back."""
    name = context.environment.name
    outcome = context.control.faults.command(command.name, name, result.instance_id, command.version_label)
    if outcome == "FAILURE":
        text = "Engine execution has encountered an error."
        return CommandResult(result.instance_id, "FAILURE", 1, text, result.leader, (_FAILED_ON_INSTANCE,))
    if outcome == "TIMEOUT":
        return CommandResult(result.instance_id, "TIMEOUT", leader=result.leader)
    return result


def report_results(
    context: WorkflowContext, results: Sequence[CommandResult], *, done: int = 0, total: int = 0, between: str = ""
) -> None:
    """Write the events of a command; raises :class:`Failed` (after EB's own texts) unless all went well.

    With a ``total`` above 1, say how many of them are ``done``, those of earlier batches included; before that comes
    the line ``between``.
    """
    for result in results:
        for event in result.events:
            context.record_event(event.message, event.severity)
    failed = [result for result in results if result.status == "FAILURE"]
    late = [result for result in results if result.status == "TIMEOUT"]
    if failed or late:
        _report_failure(context, len(results), failed, late)
        raise Failed
    if between:
        context.record_event(between)
    if total > 1:
        context.record_event(
            f"Command execution completed on {done + len(results)} of {total} instances in environment."
        )


def _report_failure(
    context: WorkflowContext, count: int, failed: list[CommandResult], late: list[CommandResult]
) -> None:
    for result in failed:
        text = f"Command failed on instance. Return code: {result.returncode} Output: {result.output}."
        context.record_event(f"[Instance: {result.instance_id}] {text}", "ERROR")
    if late:
        ids = ", ".join(result.instance_id for result in late)
        context.record_event(
            "The following instances have not responded in the allowed command timeout time "
            f"(they might still finish eventually on their own): [{ids}].",
            "WARN",
        )
    parts = [f"Successful: {count - len(failed) - len(late)}"]
    parts += [f"Failed: {len(failed)}"] if failed else []
    parts += [f"TimedOut: {len(late)}"] if late else []
    context.record_event(f"Command execution completed on all instances. Summary: [{', '.join(parts)}].")
    ids = ", ".join(result.instance_id for result in [*failed, *late])
    text = f"Unsuccessful command execution on instance id(s) '{ids}'. Aborting the operation."
    context.record_event(text, "ERROR")
