# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring: a loop asks the instances, judges the environments, and starts what Auto Scaling has to do."""

from __future__ import annotations

from collections import Counter

from localstalk.driver import DriverError
from localstalk.model import health, settings
from localstalk.model.groups import Group
from localstalk.model.region import Region
from localstalk.model.state import Environment, Instance
from localstalk.scheduler import blocking, sleep
from localstalk.workflows import scaling
from localstalk.workflows.context import PROCESS, WorkflowContext
from localstalk.workflows.runner import Workflow, guard

_TICK = 10.0
_REAL_TICK = 1.0
"""However fast the clock: real instances are not asked more often than this many real seconds."""


class Monitor:
    """The health of one region's environments."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._watching = False

    def watch(self) -> None:
        """Start the loop, with the first environment."""
        if not self._watching:
            self._watching = True
            self.region.control.scheduler.spawn(self._watch(), "health")

    async def _watch(self) -> None:
        clock = self.region.control.clock
        while True:
            await sleep(max(_TICK, _REAL_TICK * clock.speed if clock.speed > 1 else 0))
            for environment in list(self.region.environments.values()):
                if environment.status in ("Launching", "Terminating", "Terminated"):
                    continue
                context = WorkflowContext(self.region, self, environment, "")
                watched = scaling.watches_cpu(context)
                try:
                    healthy = await self.observe(environment)
                    self._follow_schedule(environment)
                    group = self.region.fleet.group(environment)
                    lost = await self._lost(environment, healthy, group)
                    await scaling.measure(context)
                except DriverError:
                    continue
                self.assess(environment)
                if environment.status != "Ready" or environment.workflows or group is None:
                    continue
                self._rescale(context, group, lost, watched=watched)

    async def _lost(self, environment: Environment, healthy: frozenset[str], group: Group | None) -> list[Instance]:
        """Instances that are gone or stopped; the driver is asked only for those that answer nothing."""
        lost = []
        driver, members = self.region.control.driver, group.members if group is not None else {}
        for instance in list(environment.instances.values()):
            if instance.id in members and not members[instance.id].running:
                # Somebody has ended it in EC2.
                await blocking(driver.terminate, instance.id)
                lost.append(instance)
            elif instance.id not in healthy and instance.address:
                probe = await blocking(driver.probe, instance.id, "/")
                if not probe.running:
                    lost.append(instance)
        return lost

    def _follow_schedule(self, environment: Environment) -> None:
        """Carry out scheduled actions; what comes due while an environment changes is made up for afterwards."""
        now, known = self.region.control.clock.now(), environment.scaling
        if environment.status != "Ready" or environment.workflows:
            return
        if known.scheduled_until is not None:
            self.region.fleet.carry_out_schedule(environment, known.scheduled_until, now)
        known.scheduled_until = now

    def _rescale(self, context: WorkflowContext, group: Group, lost: list[Instance], *, watched: bool) -> None:
        """Start what Auto Scaling has to do now, one thing at a time."""
        environment = context.environment
        if group.wanted != len(group.members):
            self.region.fleet.settle(environment)
            group = self.region.fleet.group(environment) or group
        if scaling.differs(environment, group):
            self._start(environment, scaling.follow(context, group))
        elif lost and group.allows("HealthCheck", "ReplaceUnhealthy", "Terminate"):
            self._start(environment, scaling.replace_lost(context, lost, group))
        elif owed := scaling.owed(context, group):
            self._start(environment, scaling.add(context, owed))
        elif watched and (change := scaling.decide(context, group)):
            self._start(environment, scaling.scale(context, change))

    def _start(self, environment: Environment, workflow: Workflow) -> None:
        """Let Auto Scaling work on an environment, which stays Ready."""
        guarded = guard(self.region, environment, "", workflow)
        self.region.control.scheduler.spawn(guarded, f"scaling of {environment.name}")

    async def observe(self, environment: Environment) -> frozenset[str]:
        """Ask which instances are healthy now, and remember it."""
        driver = self.region.control.driver
        healthy = frozenset[str]()
        if environment.tier == "WebServer":
            healthy = await blocking(driver.healthy_targets, environment.id)
        unregistered = [each for each in environment.instances.values() if not each.registered and each.address]
        path = settings.option(environment, PROCESS, "HealthCheckPath", "/")
        for instance in unregistered:
            probe = await blocking(driver.probe, instance.id, path)
            if probe.http_status is not None and (probe.http_status < 400 or environment.tier == "Worker"):
                healthy |= {instance.id}
        faults = self.region.control.faults
        if faults:
            healthy = frozenset(each for each in healthy if not faults.instance("unhealthy", environment.name, each))
        now = self.region.control.clock.seconds()
        for instance in environment.instances.values():
            if instance.id in healthy:
                instance.failing_since = None
            elif instance.failing_since is None:
                instance.failing_since = now
        return healthy

    def assess(self, environment: Environment) -> None:
        """Judge the environment; write an event when its status changed."""
        control, known = self.region.control, environment.health
        now = control.clock.seconds()
        judged = {each.id: health.judge_instance(environment, each, now) for each in environment.instances.values()}
        known.counts = Counter(status for status, _ in judged.values())
        before, first = known.status, known.refreshed is None
        verdict = health.judge_environment(environment, judged, now, control.faults.health(environment.name))
        known.color, known.status, known.causes = verdict
        known.refreshed = control.clock.now()
        if known.status == before and not first:
            return
        known.since = now
        text = health.transition(environment, None if first else before, now)
        self.region.events.record(text, "WARN" if known.status in health.BAD else "INFO", environment=environment)
