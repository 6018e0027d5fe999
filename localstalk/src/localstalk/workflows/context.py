# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workflow works with: its environment, the region around it, events, waiting and options."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from localstalk.driver import DriverError, HealthCheck
from localstalk.model import settings
from localstalk.model.machines import X86, Machine
from localstalk.model.options import elements
from localstalk.model.region import Region
from localstalk.model.state import Environment, Instance, Severity
from localstalk.scheduler import sleep

T = TypeVar("T")
COMMAND = "aws:elasticbeanstalk:command"
ENVIRONMENT = settings.ENVIRONMENT
ASG = "aws:autoscaling:asg"
LAUNCH = settings.LAUNCH
PROCESS = "aws:elasticbeanstalk:environment:process:default"


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


class HealthMonitor(Protocol):
    """What workflows need of the monitoring, which itself starts workflows: Auto Scaling's."""

    async def observe(self, environment: Environment) -> frozenset[str]:
        """Ask which instances are healthy now, and remember it; their ids."""

    def assess(self, environment: Environment) -> None:
        """Judge the environment; write an event when its status changed."""


class WorkflowContext:
    """One workflow on one environment, on behalf of the call ``request_id`` ("" when EB itself started it)."""

    def __init__(self, region: Region, health: HealthMonitor, environment: Environment, request_id: str) -> None:
        self.region = region
        self.health = health
        self.environment = environment
        self.request_id = request_id
        self.control = region.control
        self.driver = region.control.driver
        self.fleet = region.fleet
        self.invocation_id = self.control.uuid()
        self.elects_leader = True
        self.log_holder: str | None = None
        """The instance that uploads the deployment log."""

    # --- events and time ---

    def record_event(self, message: str, severity: Severity = "INFO", *, linked: bool = True) -> None:
        """Write an event; ``linked`` events carry the call's request id."""
        request_id = (self.request_id or None) if linked else None
        self.region.events.record(message, severity, environment=self.environment, request_id=request_id)

    async def wait(self, seconds: float) -> None:
        """Wait on the clock; a point at which the user may abort."""
        await sleep(seconds)
        self.checkpoint()

    async def wait_for_others(self) -> None:
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

    async def call_driver(self, function: Callable[..., T], *args: object) -> T:
        """Call the driver outside the lock."""
        return await self.control.call_driver(function, *args)

    def finish(self) -> None:
        """The operation is over: Ready, whatever the outcome."""
        environment = self.environment
        environment.status = "Ready"
        environment.abortable = False
        environment.operation = None
        environment.updated = self.control.clock.now()

    # --- options ---

    def option(self, namespace: str, name: str, default: str = "") -> str:
        """The effective value of an option."""
        return settings.option(self.environment, namespace, name, default)

    def number(self, namespace: str, name: str, default: int) -> int:
        """The effective value of an option as a number."""
        value = self.option(namespace, name)
        return int(value) if value.lstrip("-").isdigit() else default

    @property
    def balancer(self) -> settings.Balancer:
        """The kind of load balancer that the options want; "" for none."""
        return settings.balancer(settings.effective_settings(self.environment), self.environment.tier)

    def machine(self) -> Machine:
        """What instances are launched as."""
        chosen, environment = settings.effective_settings(self.environment), self.environment
        architecture, *_others = elements(chosen[settings.INSTANCES, "SupportedArchitectures"]) or [X86]
        generated = environment.resources.security_groups.get("AWSEBSecurityGroup")
        own = [] if chosen.get((LAUNCH, "DisableDefaultEC2SecurityGroup")) == "true" or not generated else [generated]
        named = [each for each in elements(chosen.get((LAUNCH, "SecurityGroups"), "")) if each.startswith("sg-")]
        return Machine(
            chosen.get((LAUNCH, "ImageId")) or self.fleet.image(environment.platform, architecture),
            settings.instance_types(chosen)[0], tuple(dict.fromkeys((*named, *own))),
            chosen.get((LAUNCH, "EC2KeyName"), ""), chosen.get((LAUNCH, "IamInstanceProfile"), ""),
            chosen.get((LAUNCH, "DisableIMDSv1")) == "true",
        )  # fmt: skip

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
