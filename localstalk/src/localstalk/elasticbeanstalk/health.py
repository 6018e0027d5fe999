# SPDX-License-Identifier: GPL-3.0-or-later
"""Enhanced health: a loop looks at instances, judges environments, and writes transition events (eb-facts §2.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from localstalk.drivers.base import DriverError
from localstalk.elasticbeanstalk.environments import Environments
from localstalk.elasticbeanstalk.errors import ServiceError
from localstalk.elasticbeanstalk.state import Call, Environment, Instance
from localstalk.scheduler import blocking, sleep
from localstalk.workflows import scaling
from localstalk.workflows.work import PROCESS, Work

COLORS = {
    "Ok": "Green", "Info": "Green", "Warning": "Yellow", "Degraded": "Red", "Severe": "Red",
    "Pending": "Grey", "Unknown": "Grey", "Suspended": "Grey", "NoData": "Grey",
}  # fmt: skip
_BAD = ("Warning", "Degraded", "Severe")
_TICK = 10.0
_REAL_TICK = 1.0
"""However fast the clock: real instances are not asked more often than this many real seconds."""
_GRACE = 30.0
"""An application that stops answering turns red only after several checks: health lags (eb-facts §2.2)."""


class Health(Environments):
    """The two health operations, and the loop behind them."""

    _watching = False

    def watch_health(self) -> None:
        """Start the loop with the first environment."""
        if not self._watching:
            self._watching = True
            self.control.scheduler.spawn(self._watch(), "health")

    async def _watch(self) -> None:
        clock = self.control.clock
        while True:
            await sleep(max(_TICK, _REAL_TICK * clock.speed if clock.speed > 1 else 0))
            for environment in list(self.environments.values()):
                if environment.status in ("Launching", "Terminating", "Terminated"):
                    continue
                work = Work(self._region(), environment, "")
                watched = scaling.watches_cpu(work)
                try:
                    healthy = await self.look(environment)
                    lost = await self._lost(environment, healthy)
                    await scaling.measure(work)
                except DriverError:
                    continue
                self.assess(environment)
                if environment.status != "Ready" or environment.workflows:
                    continue
                self._rescale(work, lost, watched=watched)

    async def _lost(self, environment: Environment, healthy: frozenset[str]) -> list[Instance]:
        """Instances that are gone altogether; only those that answer nothing are asked."""
        lost = []
        for instance in list(environment.instances.values()):
            if instance.id not in healthy and instance.address:
                probe = await blocking(self.control.driver.probe, instance.id, "/")
                if not probe.running:
                    lost.append(instance)
        return lost

    def _rescale(self, work: Work, lost: list[Instance], *, watched: bool) -> None:
        """Start what Auto Scaling has to do now, one thing at a time."""
        if lost:
            self._scale(work.environment, scaling.replace_lost(work, lost))
        elif owed := scaling.owed(work):
            self._scale(work.environment, scaling.add(work, owed))
        elif watched and (change := scaling.decide(work)):
            self._scale(work.environment, scaling.scale(work, change))

    def _scale(self, environment: Environment, work: Coroutine[Any, Any, None]) -> None:
        """Let Auto Scaling work on an environment, which stays Ready."""
        guarded = self._guard(environment, Call("", "AutoScaling", ""), work)
        self.control.scheduler.spawn(guarded, f"scaling of {environment.name}")

    async def look(self, environment: Environment) -> frozenset[str]:
        """Ask which instances are healthy now, and remember it."""
        driver = self.control.driver
        healthy = frozenset[str]()
        if environment.tier == "WebServer":
            healthy = await blocking(driver.healthy_targets, environment.id)
        unregistered = [each for each in environment.instances.values() if not each.registered and each.address]
        path = self.option(environment, PROCESS, "HealthCheckPath", "/")
        for instance in unregistered:
            probe = await blocking(driver.probe, instance.id, path)
            if probe.http_status is not None and (probe.http_status < 400 or environment.tier == "Worker"):
                healthy |= {instance.id}
        faults = self.control.faults
        if faults:
            healthy = frozenset(each for each in healthy if not faults.instance("unhealthy", environment.name, each))
        now = self.control.clock.seconds()
        for instance in environment.instances.values():
            if instance.id in healthy:
                instance.failing_since = None
            elif instance.failing_since is None:
                instance.failing_since = now
        return healthy

    # --- judgement ---

    def instance_health(self, environment: Environment, instance: Instance) -> tuple[str, list[str]]:
        """Status and causes of one instance."""
        deployment = instance.deployment
        if deployment is None or not instance.address:
            return "Pending", ["Instance initialization in progress."]
        if deployment.status == "In Progress":
            return "Info", [
                f"Application deployment in progress (running for {self._since(environment.deployment_started)})."
            ]
        causes = []
        status = "Ok"
        if deployment.status == "Failed":
            status = "Degraded"
            causes.append(
                f"Application deployment failed at {deployment.time:%Y-%m-%dT%H:%M:%SZ} with exit status 1 and error: "
                "Engine execution has encountered an error."
            )
        elif environment.operation is None and deployment.label != environment.version_label:
            status = "Degraded"
            causes.append(
                f'Incorrect application version "{deployment.label}" (deployment {deployment.id}). '
                f'Expected version "{environment.version_label}" (deployment {self._expected_id(environment)}).'
            )
        if instance.failing_since is not None and self._failed_for(instance) >= _GRACE:
            status = "Severe"
            minutes = int(self._failed_for(instance) // 60)
            since = f" for {minutes} minutes" if minutes > 1 else ""
            causes.append(f"Process default has been unhealthy{since} (Target.FailedHealthChecks).")
        return status, causes

    def _failed_for(self, instance: Instance) -> float:
        return self.control.clock.seconds() - (instance.failing_since or 0.0)

    def _since(self, moment: float) -> str:
        return duration(self.control.clock.seconds() - moment)

    def _expected_id(self, environment: Environment) -> int:
        ids = [
            each.deployment.id
            for each in environment.instances.values()
            if each.deployment and each.deployment.label == environment.version_label
        ]
        return max(ids, default=max(1, environment.deployment_id - 1))

    def assess(self, environment: Environment) -> None:
        """Judge the environment; write an event when its status changed."""
        health = environment.health
        judged = {each.id: self.instance_health(environment, each) for each in environment.instances.values()}
        health.counts = Counter(status for status, _ in judged.values())
        before, first = health.status, health.refreshed is None
        color, status, causes = self._judge(environment, judged)
        health.color, health.status, health.causes = color, status, causes
        health.refreshed = self.control.clock.now()
        if status == before and not first:
            return
        health.since = self.control.clock.seconds()
        origin = "" if first else f"from {before} "
        said = causes or self._recovery(environment, before)
        text = " ".join([f"Environment health has transitioned {origin}to {status}.", *said])
        self.record(text, "WARN" if status in _BAD else "INFO", environment=environment)

    def _judge(self, environment: Environment, judged: dict[str, tuple[str, list[str]]]) -> tuple[str, str, list[str]]:
        forced = self.control.faults.health(environment.name)
        if forced is not None:
            return *forced, ["Environment health was set by a fault."]
        operation = environment.operation
        if environment.status == "Launching":
            causes = [f"Initialization in progress (running for {self._since(environment.started_at)})."]
            return "Grey", "Pending", [*causes, "There are no instances."] if not judged else causes
        if operation is not None and operation.kind in ("deploy", "config", "restart"):
            return "Green", "Info", [self._progress(environment)]
        if not judged:
            return "Grey", "NoData", ["There are no instances."]
        bad = [status for status, _ in judged.values() if status in _BAD]
        if not bad:
            pending = any(status == "Pending" for status, _ in judged.values())
            return ("Grey", "Pending", []) if pending else ("Green", "Ok", [])
        severe = bad.count("Severe")
        status = "Severe" if severe * 2 >= len(judged) and severe else "Degraded"
        return COLORS[status], status, self._causes(environment, judged)

    def _progress(self, environment: Environment) -> str:
        total = len(environment.instances)
        done = sum(
            1
            for each in environment.instances.values()
            if each.deployment
            and each.deployment.id == environment.deployment_id
            and each.deployment.status == "Deployed"
        )
        return (
            f"{environment.deployment_kind} update in progress on {_instances(total)}. {done} out of "
            f"{_instances(total)} completed (running for {self._since(environment.deployment_started)})."
        )

    def _causes(self, environment: Environment, judged: dict[str, tuple[str, list[str]]]) -> list[str]:
        causes = []
        total = len(judged)
        wrong = [
            each
            for each in environment.instances.values()
            if each.deployment and each.deployment.label != environment.version_label
        ]
        if wrong:
            causes.append(
                f"Incorrect application version found on {_share(len(wrong), total)}. Expected version "
                f'"{environment.version_label}" (deployment {self._expected_id(environment)}).'
            )
        severe = sum(1 for status, _ in judged.values() if status == "Severe")
        if severe:
            causes.append(f"ELB processes are not healthy on {_share(severe, total)}.")
        failed = sum(
            1 for each in environment.instances.values() if each.deployment and each.deployment.status == "Failed"
        )
        if failed and not wrong:
            causes.append(f"Application deployment failed on {_share(failed, total)}.")
        return causes

    def _recovery(self, environment: Environment, before: str) -> list[str]:
        if before == "Pending" and environment.ready_at:
            took = duration(environment.ready_at - environment.started_at)
            return [f"Initialization completed {self._since(environment.ready_at)} ago and took {took}."]
        if before == "Info" and environment.deployment_ended:
            took = duration(environment.deployment_ended - environment.deployment_started)
            ago = self._since(environment.deployment_ended)
            return [f"{environment.deployment_kind} update completed {ago} ago and took {took}."]
        return []

    # --- operations ---

    def _enhanced(self, params: dict[str, Any], operation: str) -> Environment:
        environment = self.named(params)
        if self.option(environment, "aws:elasticbeanstalk:healthreporting:system", "SystemType") != "enhanced":
            raise ServiceError("InvalidRequestException", f"{operation} is not supported.")
        return environment

    def describe_environment_health(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Health of an environment, limited to AttributeNames."""
        environment = self._enhanced(params, "DescribeEnvironmentHealth")
        health = environment.health
        states = ("NoData", "Unknown", "Pending", "Ok", "Info", "Warning", "Degraded", "Severe")
        everything: dict[str, Any] = {
            "HealthStatus": health.status,
            "Status": environment.status,
            "Color": health.color,
            "Causes": list(health.causes),
            "ApplicationMetrics": _metrics([each.requests for each in environment.instances.values()]),
            "InstancesHealth": {state: health.counts.get(state, 0) for state in states},
            "RefreshedAt": health.refreshed or self.control.clock.now(),
        }
        return {"EnvironmentName": environment.name} | _wanted(everything, params)

    def describe_instances_health(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Health of every instance with its own deployment: what it really runs."""
        environment = self._enhanced(params, "DescribeInstancesHealth")
        instances = [
            {"InstanceId": each.id} | _wanted(self._describe_instance(environment, each), params)
            for each in environment.instances.values()
            if not self.control.faults.instance("missing", environment.name, each.id)
        ]
        return {
            "InstanceHealthList": instances,
            "RefreshedAt": environment.health.refreshed or self.control.clock.now(),
        }

    def _describe_instance(self, environment: Environment, instance: Instance) -> dict[str, Any]:
        status, causes = self.instance_health(environment, instance)
        deployment = instance.deployment
        busy = instance.cpu_percent
        return {
            "HealthStatus": status,
            "Color": COLORS[status],
            "Causes": causes,
            "LaunchedAt": instance.launched,
            "RefreshedAt": environment.health.refreshed,
            "ApplicationMetrics": _metrics([instance.requests]),
            "System": {
                "CPUUtilization": {
                    "User": busy,
                    "Nice": 0.0,
                    "System": 0.0,
                    "Idle": 100.0 - busy,
                    "IOWait": 0.0,
                    "IRQ": 0.0,
                    "SoftIRQ": 0.0,
                },
                "LoadAverage": [0.0, 0.0],
            },
            "Deployment": None
            if deployment is None
            else {
                "VersionLabel": deployment.label,
                "DeploymentId": deployment.id,
                "Status": deployment.status,
                "DeploymentTime": deployment.time,
            },
            "AvailabilityZone": instance.zone,
            "InstanceType": instance.kind,
        }


def _wanted(everything: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    names = params.get("AttributeNames") or []
    if "All" in names:
        return everything
    always = {"LaunchedAt"} if "RefreshedAt" in names else set()
    return {name: value for name, value in everything.items() if name in names or name in always}


def _metrics(rates: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    """Requests of ten seconds, from rates per second by the first digit of the status."""
    counts: Counter[str] = Counter()
    for each in rates:
        counts.update({digit: rate * 10 for digit, rate in each.items()})
    return {
        "Duration": 10,
        "RequestCount": round(sum(counts.values())),
        "StatusCodes": {f"Status{digit}xx": round(counts[digit]) for digit in "2345"},
        "Latency": {},
    }


def _instances(count: int) -> str:
    return "1 instance" if count == 1 else f"{count} instances"


def _share(count: int, total: int) -> str:
    return "all instances" if count == total else f"{count} out of {_instances(total)}"


def duration(seconds: float) -> str:
    """A length of time in EB's words: seconds below a minute, else whole minutes, hours or days."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    count = max(0, int(seconds))
    return f"{count} second" + ("" if count == 1 else "s")
