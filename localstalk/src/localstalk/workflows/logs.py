# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs and analyses on request, as objects in S3 (docs/elastic_beanstalk.md §1.7)."""

from __future__ import annotations

from typing import Literal

from localstalk.driver import DriverError
from localstalk.model.state import LogSample
from localstalk.workflows.commands import run_command
from localstalk.workflows.context import WorkflowContext

_FAILED = "Failed to pull logs for environment instances."
_EVENTS = 50
"""So many of the newest events are told in an analysis."""


async def collect_logs(context: WorkflowContext, kind: Literal["tail", "bundle"]) -> None:
    """Let every instance hand over its logs, and put them into S3."""
    environment = context.environment
    context.record_event("requestEnvironmentInfo is starting.")
    instances = list(environment.instances.values())
    command: Literal["tail-log", "bundle-log"] = "tail-log" if kind == "tail" else "bundle-log"
    results = await run_command(context, command, instances, environment.version_label or "")
    good = [result for result in results if result.status == "SUCCESS"]
    if not good:
        context.record_event(_FAILED, "ERROR")
        return
    for result in good:
        _keep(context, kind, result.instance_id, result.output.encode() if kind == "tail" else result.archive or b"")
    context.record_event("Pulled logs for environment instances.")
    verb = "tailing" if kind == "tail" else "bundling"
    context.record_event(f"Successfully finished {verb} {len(good)} log(s)")


async def analyze(context: WorkflowContext) -> None:
    """Let one instance collect events, health and logs. There is no model here to be asked what they mean."""
    environment = context.environment
    context.record_event("requestEnvironmentInfo is starting.")
    for instance in list(environment.instances.values())[:1]:
        try:
            (result,) = await run_command(context, "tail-log", [instance], environment.version_label or "")
        except DriverError:
            break
        if result.status == "SUCCESS":
            _keep(context, "analyze", instance.id, f"{_findings(context)}\n\n{result.output}".encode())
            context.record_event("AI analysis request has completed.")
            return
    context.record_event(_FAILED, "ERROR")


def _findings(context: WorkflowContext) -> str:
    environment = context.environment
    health = environment.health
    events = [
        each
        for each in context.region.events.of_environment(environment.id)
        if each.severity not in ("TRACE", "DEBUG", "INFO")
    ]
    lines = [f"Environment {environment.name} ({environment.id}): status {environment.status}, health {health.status}"]
    lines += [f"Cause: {cause}" for cause in health.causes]
    lines += [f"{each.date:%Y-%m-%d %H:%M:%S} {each.severity} {each.message}" for each in events[-_EVENTS:]]
    lines.append("localstalk asks no model: this is what Amazon Bedrock would have been sent.")
    return "\n".join(lines)


def _keep(context: WorkflowContext, kind: str, instance_id: str, content: bytes) -> None:
    environment, now = context.environment, context.control.clock.now()
    name = {"tail": "TailLogs-{}.txt", "bundle": "BundleLogs-{}.zip", "analyze": "Analysis-{}.txt"}[kind]
    key = f"resources/environments/logs/{kind}/{environment.id}/{instance_id}/{name.format(int(now.timestamp()))}"
    context.region.storage.write(context.region.bucket, key, content)
    environment.samples = [each for each in environment.samples if (each.kind, each.instance_id) != (kind, instance_id)]
    environment.samples.append(LogSample(kind, instance_id, now, context.region.bucket, key))
