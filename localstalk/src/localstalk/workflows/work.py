# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools of a workflow: events, waiting, instances and commands of one environment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from localstalk.drivers.base import (
    Command,
    CommandName,
    CommandResult,
    DriverError,
    HealthCheck,
    InstanceEvent,
    InstanceSpec,
)
from localstalk.elasticbeanstalk import bundles
from localstalk.elasticbeanstalk.secrets import SecretError
from localstalk.elasticbeanstalk.state import Deployment, Environment, Instance, Settings, Severity
from localstalk.scheduler import sleep

if TYPE_CHECKING:
    from localstalk.elasticbeanstalk.region import Region

T = TypeVar("T")
COMMAND = "aws:elasticbeanstalk:command"
ENVIRONMENT = "aws:elasticbeanstalk:environment"
ASG = "aws:autoscaling:asg"
LAUNCH = "aws:autoscaling:launchconfiguration"
PROCESS = "aws:elasticbeanstalk:environment:process:default"
_SECONDS: dict[CommandName, float] = {
    "app-deploy": 20.0,
    "config-deploy": 10.0,
    "restart-app-server": 5.0,
    "tail-log": 3.0,
    "bundle-log": 5.0,
}
"""How long a simulated command takes."""
_TIMEOUT_GRACE = 240.0
"""EB waits that much longer than the Timeout option says (eb-facts §3.5)."""

_FAILED_ON_INSTANCE = InstanceEvent("ERROR", "Instance deployment failed. For details, see 'eb-engine.log'.")


class NotCreated(DriverError):  # noqa: N818 - an outcome, as the next ones
    """A resource of the environment's stack could not be made. ``what`` is how EB's events call it."""

    def __init__(self, what: str, logical_id: str, reason: str) -> None:
        super().__init__(reason)
        self.what = what
        self.logical_id = logical_id


class Failed(Exception):  # noqa: N818 - an outcome, not an error
    """The workflow ends in failure; its events were written already."""


class Superseded(Exception):  # noqa: N818 - an outcome, not an error
    """Another operation, a termination, has taken over the environment."""


class Aborted(Exception):  # noqa: N818 - an outcome, not an error
    """The user asked to abort, and the workflow is at a point where it can stop."""


class Work:
    """One workflow on one environment, on behalf of the call ``request_id`` ("" when EB itself started it)."""

    def __init__(self, region: Region, environment: Environment, request_id: str) -> None:
        self.region = region
        self.environment = environment
        self.request_id = request_id
        self.control = region.control
        self.driver = region.control.driver
        self.fleet = region.fleet
        self.invocation_id = self.control.uuid()
        self.elects_leader = True

    # --- events and time ---

    def say(self, message: str, severity: Severity = "INFO", *, linked: bool = True) -> None:
        """Write an event; ``linked`` events carry the call's request id."""
        request_id = (self.request_id or None) if linked else None
        self.region.record(message, severity, environment=self.environment, request_id=request_id)

    async def wait(self, seconds: float) -> None:
        """Wait on the clock; a point at which the user may abort."""
        await sleep(seconds)
        self.checkpoint()

    async def alone(self) -> None:
        """Wait until workflows that this one takes over from have ended."""
        while self.environment.workflows > 1:
            await sleep(1)

    def checkpoint(self) -> None:
        """Raise :class:`Aborted` if the user asked for it and the operation still can be aborted."""
        operation = self.environment.operation
        if operation is not None and operation.request_id != self.request_id:
            raise Superseded
        if operation is not None and operation.abort_requested and self.environment.abortable:
            raise Aborted

    async def drive(self, function: Callable[..., T], *args: object) -> T:
        """Call the driver."""
        return await self.control.drive(function, *args)

    # --- options ---

    def option(self, namespace: str, name: str, default: str = "") -> str:
        """The effective value of an option."""
        return self.region.option(self.environment, namespace, name, default)

    @property
    def balancer(self) -> Literal["", "classic", "application", "network"]:
        """The kind of load balancer that the options want; "" for none. "classic" unless they say otherwise."""
        kind = self.option(ENVIRONMENT, "EnvironmentType", "LoadBalanced")
        if kind != "LoadBalanced" or self.environment.tier != "WebServer":
            return ""
        wanted = self.option(ENVIRONMENT, "LoadBalancerType", "classic")
        return cast(Literal["classic", "application", "network"], wanted)

    def number(self, namespace: str, name: str, default: int) -> int:
        """The effective value of an option as a number."""
        value = self.option(namespace, name)
        return int(value) if value.lstrip("-").isdigit() else default

    def health_check(self) -> HealthCheck:
        """The load balancer's health check, from the process "default"."""
        path = self.option(PROCESS, "HealthCheckPath", "/")
        url = self.option("aws:elasticbeanstalk:application", "Application Healthcheck URL")
        if url and path == "/":
            # HTTP:80/path, HTTP:/path or just /path; TCP checks have no path.
            path = "/" + url.partition("/")[2]
        return HealthCheck(
            path=path,
            matcher=self.option(PROCESS, "MatcherHTTPCode", "200") or "200",
            interval=self.number(PROCESS, "HealthCheckInterval", 15),
            timeout=self.number(PROCESS, "HealthCheckTimeout", 5),
            healthy_threshold=self.number(PROCESS, "HealthyThresholdCount", 3),
            unhealthy_threshold=self.number(PROCESS, "UnhealthyThresholdCount", 5),
            deregistration_delay=self.number(PROCESS, "DeregistrationDelay", 20),
        )

    def batches(self, instances: Sequence[Instance]) -> list[list[Instance]]:
        """Cut the instances into batches as BatchSize and BatchSizeType say."""
        size = self.batch_size(len(instances))
        return [list(instances[start : start + size]) for start in range(0, len(instances), size)]

    def batch_size(self, count: int) -> int:
        """How many of ``count`` instances make a batch; at least one."""
        wanted = self.number(COMMAND, "BatchSize", 100)
        if self.option(COMMAND, "BatchSizeType", "Percentage") == "Percentage":
            wanted = math.ceil(count * min(wanted, 100) / 100)
        return max(1, min(wanted, count or 1))

    # --- instances ---

    async def launch(self, count: int) -> list[Instance]:
        """Launch instances; they are in the environment from then on. Raises :class:`DriverError`."""
        kind = self.option(LAUNCH, "InstanceType") or "t3.micro"
        started = []
        for _ in range(count):
            instance_id, zone = self.fleet.launch(self.environment, kind)
            clock = self.control.clock
            instance = Instance(instance_id, clock.now(), clock.seconds(), zone=zone, kind=kind)
            self.environment.instances[instance_id] = instance
            started.append(instance)
        await self.control.scheduler.gather(*(self._start(instance) for instance in started))
        return started

    async def _start(self, instance: Instance) -> None:
        environment = self.environment
        spec = InstanceSpec(
            instance.id, environment.id, environment.name, environment.application, self.region.name,
            environment.platform.generation, self.region.account, self.option(LAUNCH, "IamInstanceProfile"),
            self.option(LAUNCH, "DisableIMDSv1", "false") != "true",
        )  # fmt: skip
        addresses = await self.drive(self.driver.launch, spec)
        instance.address = addresses.private_ip
        self.fleet.set_addresses(instance.id, addresses.private_ip)

    def announce(self, instances: Sequence[Instance]) -> None:
        """ "Added instance" events come from monitoring: they carry no request id (eb-facts §1.6)."""
        for instance in instances:
            instance.announced = True
        ids = ", ".join(instance.id for instance in instances)
        if len(instances) == 1:
            self.say(f"Added instance [{ids}] to your environment.", linked=False)
        elif instances:
            self.say(f"Added instances [{ids}] to your environment.", linked=False)

    async def remove(self, instances: Sequence[Instance], *, say: bool = True) -> None:
        """Deregister and terminate instances, all at once."""
        await self.deregister(instances)
        await self.control.scheduler.gather(*(self._stop(instance) for instance in instances))
        ids = ", ".join(instance.id for instance in instances)
        if say and instances:
            plural = "instance" if len(instances) == 1 else "instances"
            self.say(f"Removed {plural} [{ids}] from your environment.", linked=False)

    async def _stop(self, instance: Instance) -> None:
        await self.drive(self.driver.terminate, instance.id)
        self.fleet.terminate(self.environment, instance.id)
        self.environment.instances.pop(instance.id, None)

    async def register(self, instances: Sequence[Instance]) -> None:
        """Make instances targets of the load balancer, if there is one."""
        if self.environment.tier == "WebServer":
            await self.control.scheduler.gather(*(self._register(instance) for instance in instances))

    async def _register(self, instance: Instance) -> None:
        await self.drive(self.driver.register, self.environment.id, instance.id)
        instance.registered = True

    async def deregister(self, instances: Sequence[Instance]) -> None:
        """Take targets out of the load balancer, waiting for them to drain."""
        await self.control.scheduler.gather(*(self._deregister(each) for each in instances if each.registered))

    async def _deregister(self, instance: Instance) -> None:
        await self.drive(self.driver.deregister, self.environment.id, instance.id)
        instance.registered = False

    # --- commands ---

    async def bundle(self, label: str) -> tuple[Path, str]:
        """The bundle of a version on disk, and its bucket/key. Raises :class:`DriverError` when S3 lost it."""
        version = self.region.version(self.environment.application, label)
        content = self.region.storage.read(version.bucket, version.key)
        if content is None:
            raise DriverError(
                f"Unable to download from S3 location (Bucket: {version.bucket}  Key: {version.key}). Reason: Not Found"
            )
        path = await self.drive(bundles.save, self.control.bundles, content)
        return path, f"{version.bucket}/{version.key}"

    async def command(self, name: CommandName, instances: Sequence[Instance], label: str) -> list[CommandResult]:
        """Run a command on instances at once. All commands of a workflow are one invocation: batches share a leader.

        Nobody has written down whether they do in AWS, so a fault can have it the other way.
        """
        path, key = (None, "")
        if name == "app-deploy":
            path, key = await self.bundle(label)
        settings = self.region.effective(self.environment)
        options: dict[str, dict[str, str]] = {}
        for (namespace, option), value in settings.items():
            options.setdefault(namespace, {})[option] = value
        properties, problem = self._properties(name, settings)
        split = self.control.faults.election(self.environment.name)
        invocation_id = self.control.uuid() if split else self.invocation_id
        command = Command(
            name, invocation_id, self.environment.deployment_id, label,
            float(self.number(COMMAND, "Timeout", 600)), path, key, properties, options,
            self.elects_leader,
        )  # fmt: skip
        results: list[CommandResult] = await self.control.scheduler.gather(
            *(self._command(instance, command, problem) for instance in instances)
        )
        return results

    def _properties(self, name: CommandName, settings: Settings) -> tuple[dict[str, str], str]:
        """Environment properties, and why a secret among them cannot be fetched ("" when all can)."""
        if name in ("tail-log", "bundle-log"):
            return {}, ""
        try:
            return self.region.databases.properties(self.environment, settings) | self.region.properties(settings), ""
        except SecretError as error:
            return {}, str(error)

    async def _command(self, instance: Instance, command: Command, problem: str = "") -> CommandResult:
        deploying = command.name in ("app-deploy", "config-deploy")
        now = self.control.clock.now
        if command.name != "app-deploy" and instance.deployment is not None:
            # Only a deployment changes the version; after a failed one this may not be the environment's.
            command = replace(command, version_label=instance.deployment.label)
        if deploying:
            instance.deployment = Deployment(command.deployment_id, command.version_label, "In Progress", now())
        if self.control.simulated:
            await sleep(_SECONDS[command.name])
        try:
            if problem:
                raise DriverError(f"Engine execution has encountered an error: {problem}")
            result = await self.drive(self.driver.run, instance.id, command)
        except DriverError as error:
            result = CommandResult(instance.id, "FAILURE", 1, str(error))
        result = self._spoil(result, command)
        if command.name == "app-deploy":
            instance.led = command.deployment_id if result.leader else None
        if result.status == "TIMEOUT" and self.control.simulated:
            await sleep(command.timeout + _TIMEOUT_GRACE)
        if deploying:
            status = "Deployed" if result.status == "SUCCESS" else "Failed"
            label = command.version_label
            instance.deployment = Deployment(command.deployment_id, label, status, now())  # type: ignore[arg-type]
        return result

    def _spoil(self, result: CommandResult, command: Command) -> CommandResult:
        """Let a fault decide: the command ran to its end, then its last hook failed or never came back."""
        name = self.environment.name
        outcome = self.control.faults.command(command.name, name, result.instance_id, command.version_label)
        if outcome == "FAILURE":
            text = "Engine execution has encountered an error."
            return CommandResult(result.instance_id, "FAILURE", 1, text, result.leader, (_FAILED_ON_INSTANCE,))
        if outcome == "TIMEOUT":
            return CommandResult(result.instance_id, "TIMEOUT", leader=result.leader)
        return result

    def report(self, results: Sequence[CommandResult], *, done: int = 0, total: int = 0, between: str = "") -> None:
        """Write the events of a command; raises :class:`Failed` (after EB's texts, eb-facts §3.5) unless all went well.

        With a ``total`` above 1, say how many of them are ``done``, those of earlier batches included; before that
        comes the line ``between``.
        """
        for result in results:
            for event in result.events:
                self.say(event.message, event.severity)
        failed = [result for result in results if result.status == "FAILURE"]
        late = [result for result in results if result.status == "TIMEOUT"]
        if failed or late:
            self._report_failure(len(results), failed, late)
            raise Failed
        if between:
            self.say(between)
        if total > 1:
            self.say(f"Command execution completed on {done + len(results)} of {total} instances in environment.")

    def _report_failure(self, count: int, failed: list[CommandResult], late: list[CommandResult]) -> None:
        for result in failed:
            text = f"Command failed on instance. Return code: {result.returncode} Output: {result.output}."
            self.say(f"[Instance: {result.instance_id}] {text}", "ERROR")
        if late:
            ids = ", ".join(result.instance_id for result in late)
            self.say(
                "The following instances have not responded in the allowed command timeout time "
                f"(they might still finish eventually on their own): [{ids}].",
                "WARN",
            )
        parts = [f"Successful: {count - len(failed) - len(late)}"]
        parts += [f"Failed: {len(failed)}"] if failed else []
        parts += [f"TimedOut: {len(late)}"] if late else []
        self.say(f"Command execution completed on all instances. Summary: [{', '.join(parts)}].")
        ids = ", ".join(result.instance_id for result in [*failed, *late])
        self.say(f"Unsuccessful command execution on instance id(s) '{ids}'. Aborting the operation.", "ERROR")

    # --- the state of the environment ---

    def finish(self) -> None:
        """The operation is over: Ready, whatever the outcome (eb-facts §2.1)."""
        environment = self.environment
        environment.status = "Ready"
        environment.abortable = False
        environment.operation = None
        environment.updated = self.control.clock.now()
