# SPDX-License-Identifier: GPL-3.0-or-later
"""Updating an environment: a new version, new settings, or both (event texts: docs/elastic_beanstalk.md §3.4-3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from localstalk.driver import DriverError
from localstalk.model import references
from localstalk.model.options import define
from localstalk.model.settings import INSTANCES, LAUNCH, effective_settings, make_draft
from localstalk.model.state import Environment, Instance, Option, Platform, Settings
from localstalk.scheduler import sleep
from localstalk.workflows import checks, databases, scaling
from localstalk.workflows.bundle_settings import read_bundle_settings
from localstalk.workflows.commands import report_results, run_command
from localstalk.workflows.context import ASG, COMMAND, ENVIRONMENT, PROCESS, Aborted, Failed, WorkflowContext
from localstalk.workflows.deploy import deploy, replace_immutably
from localstalk.workflows.instances import (
    announce_instances,
    attach,
    launch_instances,
    register_instances,
    remove_instances,
)
from localstalk.workflows.launch import group_limits, identities_exist, open_balancer, prepare_balancer

_IDENTITIES = {(LAUNCH, "IamInstanceProfile"), (ENVIRONMENT, "ServiceRole")}
_ROLLING = "aws:autoscaling:updatepolicy:rollingupdate"
_ABORTED_TAIL = (
    "During an aborted deployment, some instances may have deployed the new application version. To ensure all "
    "instances are running the same version, re-deploy the appropriate application version."
)
_COMPLETE_WITH_ERRORS = (
    "Update environment operation is complete, but with errors. "
    "For more information, see troubleshooting documentation."
)
_REVERTED = "The environment was reverted to the previous configuration setting."
_BOTH_IMMUTABLE = (
    "To enable immutable config and application deployments together, you must set both the DeploymentPolicy option "
    "(aws:elasticbeanstalk:command namespace) and the RollingUpdateType option "
    "(aws:autoscaling:updatepolicy:rollingupdate namespace) to Immutable."
)


@dataclass
class Before:
    """What to go back to when an update fails."""

    api: Settings
    template: Settings
    bundle: Settings
    resources: dict[str, dict[str, Any]]
    platform: Platform
    effective: Settings

    @classmethod
    def of(cls, environment: Environment, effective: Settings) -> Before:
        """As the environment is now."""
        return cls(
            dict(environment.api_settings), dict(environment.template_settings), dict(environment.bundle_settings),
            dict(environment.bundle_resources), environment.platform, effective,
        )  # fmt: skip

    def restore_bundle(self, environment: Environment) -> None:
        """Forget what the configuration files of a version said that does not stay."""
        environment.bundle_settings, environment.bundle_resources = self.bundle, self.resources


@dataclass
class Change:
    """What an update is to change. ``label`` None: no deployment; ``configured``: settings or platform were given."""

    label: str | None
    configured: bool
    before: Before
    immutable: bool = False
    """Replace instances immutably whatever the options say (managed updates)."""
    options: set[Option] = field(default_factory=set)


async def update(context: WorkflowContext, change: Change) -> None:
    """From Updating to Ready; a failure shows in the events only."""
    environment = context.environment
    context.record_event("Environment update is starting.")
    await context.wait_for_others()
    await sleep(2)
    try:
        await _carry_out(context, change)
    except Aborted:
        await _aborted(context, change)
    except Failed:
        _failed(context, change)
    except DriverError as error:
        context.record_event(str(error), "ERROR")
        _failed(context, change)
    else:
        if change.label is not None:
            environment.version_label = change.label
        environment.expected_label = environment.version_label
        environment.draft = None
        context.fleet.mark(environment, "UPDATE_COMPLETE")
        context.record_event("Environment update completed successfully.")
    environment.deployment_ended = context.control.clock.seconds()
    context.finish()


async def _carry_out(context: WorkflowContext, change: Change) -> None:
    environment = context.environment
    if change.label is not None and not read_bundle_settings(context, change.label):
        raise Failed
    _check_immutable_pair(context, change)
    now = effective_settings(environment)
    old = change.before.effective
    change.options = {key for key in now.keys() | old.keys() if now.get(key) != old.get(key)}
    if change.configured:
        context.record_event(f"Updating environment {environment.name}'s configuration settings.")
    if change.options & _IDENTITIES and not identities_exist(context):
        raise Failed
    environment.deployment_id += 1
    environment.deployment_started = context.control.clock.seconds()
    replaced = await _configure(context, change)
    if change.label is not None and not replaced:
        await deploy(context, change.label)
    elif change.label is not None:
        context.record_event("New application version was deployed to running EC2 instances.")
    if change.configured:
        context.record_event("Successfully deployed new configuration to environment.")


def _check_immutable_pair(context: WorkflowContext, change: Change) -> None:
    if change.label is None or not change.configured:
        return
    policy = context.option(COMMAND, "DeploymentPolicy") == "Immutable"
    rolling = context.option(_ROLLING, "RollingUpdateType") == "Immutable"
    if policy != rolling and needs_replacement(context.environment, change, effective_settings(context.environment)):
        context.record_event(_BOTH_IMMUTABLE, "ERROR")
        raise Failed


def needs_replacement(environment: Environment, change: Change, now: Settings) -> bool:
    """Whether a change can only be made by new instances (docs/elastic_beanstalk.md §1.5)."""
    if change.before.platform != environment.platform:
        return True
    old = change.before.effective
    changed = {key for key in now.keys() | old.keys() if now.get(key) != old.get(key)}
    return any(_severity(key) == "RestartEnvironment" and key[0] != ENVIRONMENT for key in changed)


def _severity(key: Option) -> str:
    definition = define(*key)
    return definition.severity if definition else "NoInterruption"


async def _configure(context: WorkflowContext, change: Change) -> bool:
    """Apply changed options; returns whether all instances were replaced (with the new version, if there is one)."""
    environment = context.environment
    label = change.label or environment.version_label or ""
    if (ENVIRONMENT, "EnvironmentType") in change.options:
        await _become_balanced(context)
    if any(key[0] in (PROCESS, "aws:elasticbeanstalk:application") for key in change.options):
        await context.call_driver(context.driver.configure_load_balancer, environment.id, context.health_check())
    if environment.resources.auto_scaling_group and any(key[0] in (LAUNCH, INSTANCES) for key in change.options):
        _change_launch(context)
    await databases.adjust(context)
    await _scale(context, change)
    scaling.schedule(context)
    if needs_replacement(environment, change, effective_settings(environment)):
        await _replace(context, label, immutable=change.immutable)
        return True
    restart = any(_severity(key) == "RestartApplicationServer" for key in change.options)
    # A deployment restarts the application anyway.
    if restart and change.label is None:
        report_results(
            context, await run_command(context, "config-deploy", list(environment.instances.values()), label)
        )
        await checks.pass_health_checks(context, list(environment.instances.values()))
    return False


def _change_launch(context: WorkflowContext) -> None:
    group, machine = context.environment.resources.auto_scaling_group, context.machine()
    if problem := references.architecture_problem(context.fleet.ec2, machine.image, machine.kind):
        context.record_event(f"Updating Auto Scaling group named: {group} failed Reason: {problem}", "ERROR")
        raise Failed
    context.fleet.change_launch(context.environment, machine)


async def _become_balanced(context: WorkflowContext) -> None:
    environment = context.environment
    if environment.load_balanced or not context.balancer:
        return
    await prepare_balancer(context)
    if not environment.load_balanced:
        await open_balancer(context)


async def _scale(context: WorkflowContext, change: Change) -> None:
    """Bring the count of instances between MinSize and MaxSize; while these stay, so does what somebody set himself."""
    environment = context.environment
    if change.options.isdisjoint(((ASG, "MinSize"), (ASG, "MaxSize"), (ENVIRONMENT, "EnvironmentType"))):
        return
    if not environment.load_balanced and environment.tier == "WebServer":
        return
    least, most = group_limits(context, balanced=True)
    context.fleet.resize(environment, least, most)
    await add_instances(context, least - len(environment.instances))
    surplus = list(environment.instances.values())[most:]
    await remove_instances(context, surplus)


async def add_instances(context: WorkflowContext, count: int) -> None:
    """Launch more instances with the last version that was deployed successfully (docs/elastic_beanstalk.md §2.5)."""
    if count <= 0:
        return
    instances = await launch_instances(context, count)
    attach(context, instances)
    await context.wait(30)
    announce_instances(context, instances)
    report_results(
        context, await run_command(context, "app-deploy", instances, context.environment.version_label or "")
    )
    await register_instances(context, instances)


async def _replace(context: WorkflowContext, label: str, *, immutable: bool) -> None:
    environment = context.environment
    if immutable or context.option(_ROLLING, "RollingUpdateType") == "Immutable":
        await replace_immutably(context, label, "Immutable configuration update policy enabled.", "Update succeeded.")
        return
    old = list(environment.instances.values())
    enabled = context.option(_ROLLING, "RollingUpdateEnabled", "false") == "true"
    size = context.number(_ROLLING, "MaxBatchSize", -(-len(old) // 3)) if enabled else len(old)
    for start in range(0, len(old), max(1, size)):
        context.checkpoint()
        await _replace_batch(context, old[start : start + max(1, size)], label)


async def _replace_batch(context: WorkflowContext, batch: Sequence[Instance], label: str) -> None:
    new = await launch_instances(context, len(batch))
    attach(context, new)
    await sleep(30)
    announce_instances(context, new)
    try:
        report_results(context, await run_command(context, "app-deploy", new, label))
        await register_instances(context, new)
        await checks.pass_health_checks(context, new)
    except (Failed, Aborted):
        await remove_instances(context, new)
        raise
    await remove_instances(context, batch)


def _failed(context: WorkflowContext, change: Change) -> None:
    environment = context.environment
    environment.expected_label = environment.version_label
    if change.label is not None:
        context.record_event("Failed to deploy application.", "ERROR")
        context.record_event(_ABORTED_TAIL, "ERROR")
    if change.configured:
        if change.label is None:
            context.record_event("Failed to deploy configuration.", "ERROR")
        _revert(context, change)
        context.record_event(_REVERTED)
        if change.label is None:
            context.record_event(_COMPLETE_WITH_ERRORS, "ERROR")
    else:
        change.before.restore_bundle(environment)


def _revert(context: WorkflowContext, change: Change) -> None:
    environment, before = context.environment, change.before
    now = context.control.clock.now()
    created = environment.draft.created if environment.draft else now
    environment.draft = make_draft(environment, "failed", created, now)
    environment.api_settings, environment.template_settings = before.api, before.template
    environment.platform = before.platform
    before.restore_bundle(environment)
    scaling.schedule(context)


async def _aborted(context: WorkflowContext, change: Change) -> None:
    """In-place deployments just stop; settings go back to what they were (docs/elastic_beanstalk.md §2.4)."""
    environment = context.environment
    operation = environment.operation
    if operation is not None:
        context.request_id = operation.abort_request_id or context.request_id
    context.record_event("abortEnvironmentUpdate is starting.")
    environment.abortable = False
    environment.expected_label = environment.version_label
    if change.configured:
        _revert(context, change)
        restart = any(_severity(key) == "RestartApplicationServer" for key in change.options)
        if restart and change.label is None:
            instances = list(environment.instances.values())
            await run_command(context, "config-deploy", instances, environment.version_label or "")
        context.record_event(_REVERTED)
    if change.label is not None:
        if not change.configured:
            change.before.restore_bundle(environment)
        context.record_event(_ABORTED_TAIL, "ERROR")
    context.record_event("abortEnvironmentUpdate completed successfully.")
