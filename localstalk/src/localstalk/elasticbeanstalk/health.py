# SPDX-License-Identifier: GPL-3.0-or-later
"""Enhanced health as the API shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.model.errors import ServiceError
from localstalk.model.health import COLORS, judge_instance
from localstalk.model.region import Region
from localstalk.model.settings import option
from localstalk.model.state import Call, Environment, Instance


class Health:
    """The two health operations."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def _enhanced(self, params: Params, operation: str) -> Environment:
        environment = self.region.find(params)
        if option(environment, "aws:elasticbeanstalk:healthreporting:system", "SystemType") != "enhanced":
            raise ServiceError("InvalidRequestException", f"{operation} is not supported.")
        return environment

    def describe_environment_health(self, call: Call, params: Params) -> Answer:
        """Health of an environment, limited to AttributeNames."""
        environment = self._enhanced(params, "DescribeEnvironmentHealth")
        health = environment.health
        states = ("NoData", "Unknown", "Pending", "Ok", "Info", "Warning", "Degraded", "Severe")
        everything: Answer = {
            "HealthStatus": health.status,
            "Status": environment.status,
            "Color": health.color,
            "Causes": list(health.causes),
            "ApplicationMetrics": _metrics([each.requests for each in environment.instances.values()]),
            "InstancesHealth": {state: health.counts.get(state, 0) for state in states},
            "RefreshedAt": health.refreshed or self.region.control.clock.now(),
        }
        return {"EnvironmentName": environment.name} | _wanted(everything, params)

    def describe_instances_health(self, call: Call, params: Params) -> Answer:
        """Health of every instance with its own deployment: what it really runs."""
        environment = self._enhanced(params, "DescribeInstancesHealth")
        instances = [
            {"InstanceId": each.id} | _wanted(self._describe_instance(environment, each), params)
            for each in environment.instances.values()
            if not self.region.control.faults.instance("missing", environment.name, each.id)
        ]
        return {
            "InstanceHealthList": instances,
            "RefreshedAt": environment.health.refreshed or self.region.control.clock.now(),
        }

    def _describe_instance(self, environment: Environment, instance: Instance) -> Answer:
        status, causes = judge_instance(environment, instance, self.region.control.clock.seconds())
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


def _wanted(everything: Answer, params: Params) -> Answer:
    names = params.get("AttributeNames") or []
    if "All" in names:
        return everything
    always = {"LaunchedAt"} if "RefreshedAt" in names else set()
    return {name: value for name, value in everything.items() if name in names or name in always}


def _metrics(rates: Iterable[Mapping[str, float]]) -> Answer:
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
