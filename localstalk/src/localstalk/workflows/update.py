# SPDX-License-Identifier: GPL-3.0-or-later
"""Updating an environment: a new version, new settings, or both (event texts: eb-facts §3.4-3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from localstalk.drivers.base import DriverError
from localstalk.elasticbeanstalk.options import define
from localstalk.elasticbeanstalk.state import Environment, Instance, Option, Platform, Settings
from localstalk.scheduler import sleep
from localstalk.workflows import checks, databases
from localstalk.workflows.deploy import attach, deploy, replace_immutably
from localstalk.workflows.launch import group_limits, open_balancer, prepare_balancer
from localstalk.workflows.work import COMMAND, ENVIRONMENT, PROCESS, Aborted, Failed, Work

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


async def update(work: Work, change: Change) -> None:
    """From Updating to Ready; a failure shows in the events only."""
    environment = work.environment
    work.say("Environment update is starting.")
    await work.alone()
    await sleep(2)
    try:
        await _carry_out(work, change)
    except Aborted:
        await _aborted(work, change)
    except Failed:
        _failed(work, change)
    except DriverError as error:
        work.say(str(error), "ERROR")
        _failed(work, change)
    else:
        if change.label is not None:
            environment.version_label = change.label
        environment.expected_label = environment.version_label
        environment.failed_label = None
        environment.draft = None
        work.fleet.mark(environment, "UPDATE_COMPLETE")
        work.say("Environment update completed successfully.")
    environment.deployment_ended = work.control.clock.seconds()
    work.finish()


async def _carry_out(work: Work, change: Change) -> None:
    environment = work.environment
    if change.label is not None and not work.region.read_bundle_settings(work, change.label):
        raise Failed
    _check_immutable_pair(work, change)
    now = work.region.effective(environment)
    old = change.before.effective
    change.options = {key for key in now.keys() | old.keys() if now.get(key) != old.get(key)}
    if change.configured:
        work.say(f"Updating environment {environment.name}'s configuration settings.")
    environment.deployment_id += 1
    environment.deployment_started = work.control.clock.seconds()
    replaced = await _configure(work, change)
    if change.label is not None and not replaced:
        await deploy(work, change.label)
    elif change.label is not None:
        work.say("New application version was deployed to running EC2 instances.")
    if change.configured:
        work.say("Successfully deployed new configuration to environment.")


def _check_immutable_pair(work: Work, change: Change) -> None:
    if change.label is None or not change.configured:
        return
    policy = work.option(COMMAND, "DeploymentPolicy") == "Immutable"
    rolling = work.option(_ROLLING, "RollingUpdateType") == "Immutable"
    if policy != rolling and needs_replacement(work.environment, change, work.region.effective(work.environment)):
        work.say(_BOTH_IMMUTABLE, "ERROR")
        raise Failed


def needs_replacement(environment: Environment, change: Change, now: Settings) -> bool:
    """Whether a change can only be made by new instances (eb-facts §1.5)."""
    if change.before.platform != environment.platform:
        return True
    old = change.before.effective
    changed = {key for key in now.keys() | old.keys() if now.get(key) != old.get(key)}
    return any(_severity(key) == "RestartEnvironment" and key[0] != ENVIRONMENT for key in changed)


def _severity(key: Option) -> str:
    definition = define(*key)
    return definition.severity if definition else "NoInterruption"


async def _configure(work: Work, change: Change) -> bool:
    """Apply changed options; returns whether all instances were replaced (with the new version, if there is one)."""
    environment = work.environment
    label = change.label or environment.version_label or ""
    if (ENVIRONMENT, "EnvironmentType") in change.options:
        await _become_balanced(work)
    if any(key[0] in (PROCESS, "aws:elasticbeanstalk:application") for key in change.options):
        await work.drive(work.driver.configure_load_balancer, environment.id, work.health_check())
    await databases.adjust(work)
    await _scale(work)
    if needs_replacement(environment, change, work.region.effective(environment)):
        await _replace(work, label, immutable=change.immutable)
        return True
    restart = any(_severity(key) == "RestartApplicationServer" for key in change.options)
    # A deployment restarts the application anyway.
    if restart and change.label is None:
        work.report(await work.command("config-deploy", list(environment.instances.values()), label))
        await checks.pass_health_checks(work, list(environment.instances.values()))
    return False


async def _become_balanced(work: Work) -> None:
    environment = work.environment
    if environment.load_balanced or not work.balancer:
        return
    await prepare_balancer(work)
    if not environment.load_balanced:
        await open_balancer(work)


async def _scale(work: Work) -> None:
    """Bring the count of instances between MinSize and MaxSize."""
    environment = work.environment
    if not environment.load_balanced and environment.tier == "WebServer":
        return
    least, most = group_limits(work, balanced=True)
    work.fleet.resize(environment, least, most)
    await add_instances(work, least - len(environment.instances))
    surplus = list(environment.instances.values())[most:]
    await work.remove(surplus)


async def add_instances(work: Work, count: int) -> None:
    """Launch more instances with the last version that was deployed successfully (eb-facts §2.5)."""
    if count <= 0:
        return
    instances = await work.launch(count)
    attach(work, instances)
    await work.wait(30)
    work.announce(instances)
    work.report(await work.command("app-deploy", instances, work.environment.version_label or ""))
    await work.register(instances)


async def _replace(work: Work, label: str, *, immutable: bool) -> None:
    environment = work.environment
    if immutable or work.option(_ROLLING, "RollingUpdateType") == "Immutable":
        await replace_immutably(work, label, "Immutable configuration update policy enabled.", "Update succeeded.")
        return
    old = list(environment.instances.values())
    enabled = work.option(_ROLLING, "RollingUpdateEnabled", "false") == "true"
    size = work.number(_ROLLING, "MaxBatchSize", -(-len(old) // 3)) if enabled else len(old)
    for start in range(0, len(old), max(1, size)):
        work.checkpoint()
        await _replace_batch(work, old[start : start + max(1, size)], label)


async def _replace_batch(work: Work, batch: Sequence[Instance], label: str) -> None:
    new = await work.launch(len(batch))
    attach(work, new)
    await sleep(30)
    work.announce(new)
    try:
        work.report(await work.command("app-deploy", new, label))
        await work.register(new)
        await checks.pass_health_checks(work, new)
    except (Failed, Aborted):
        await work.remove(new)
        raise
    await work.remove(batch)


def _failed(work: Work, change: Change) -> None:
    environment = work.environment
    environment.expected_label = environment.version_label
    if change.label is not None:
        environment.failed_label = change.label
        work.say("Failed to deploy application.", "ERROR")
        work.say(_ABORTED_TAIL, "ERROR")
    if change.configured:
        if change.label is None:
            work.say("Failed to deploy configuration.", "ERROR")
        _revert(work, change)
        work.say(_REVERTED)
        if change.label is None:
            work.say(_COMPLETE_WITH_ERRORS, "ERROR")
    else:
        change.before.restore_bundle(environment)


def _revert(work: Work, change: Change) -> None:
    environment, before = work.environment, change.before
    now = work.control.clock.now()
    created = environment.draft.created if environment.draft else now
    environment.draft = work.region.draft(environment, "failed", created)
    environment.api_settings, environment.template_settings = before.api, before.template
    environment.platform = before.platform
    before.restore_bundle(environment)


async def _aborted(work: Work, change: Change) -> None:
    """In-place deployments just stop; settings go back to what they were (eb-facts §2.4)."""
    environment = work.environment
    operation = environment.operation
    if operation is not None:
        work.request_id = operation.abort_request_id or work.request_id
    work.say("abortEnvironmentUpdate is starting.")
    environment.abortable = False
    environment.expected_label = environment.version_label
    if change.configured:
        _revert(work, change)
        restart = any(_severity(key) == "RestartApplicationServer" for key in change.options)
        if restart and change.label is None:
            instances = list(environment.instances.values())
            await work.command("config-deploy", instances, environment.version_label or "")
        work.say(_REVERTED)
    if change.label is not None:
        if not change.configured:
            change.before.restore_bundle(environment)
        work.say(_ABORTED_TAIL, "ERROR")
    work.say("abortEnvironmentUpdate completed successfully.")
