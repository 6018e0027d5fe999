# SPDX-License-Identifier: GPL-3.0-or-later
"""An Elastic Beanstalk of one application in simulated time, and a lane that runs cycles against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import api
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.answers import Answers
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.limiter import RateLimiter
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import ITEMS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.job import cycle_item
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.engine import Services
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.lane import Lane
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.leases import ApplicationLeases
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ProgressFile
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.single_flight import SingleFlight
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import ApplicationWatcher
from botocore.exceptions import ClientError
from inline import Inline

from ..run.simulation import Heard, SimulatedBucket, SimulatedClock

REGION = "eu-central-1"
_SIZE = [
    {"Namespace": "aws:autoscaling:asg", "OptionName": name, "Value": value}
    for name, value in (("MinSize", "1"), ("MaxSize", "4"))
]
_META = SimpleNamespace(
    endpoint_url=f"https://elasticbeanstalk.{REGION}.amazonaws.com",
    region_name=REGION,
    events=SimpleNamespace(register=lambda *_given, **_more: None),
)


def refused(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class Beanstalk:
    """Each request is counted and takes ``latency`` seconds; ``operation`` is what each kind takes."""

    clock: SimulatedClock
    latency: float = 0.01
    operation: dict[str, float] = field(default_factory=lambda: {"create": 600.0, "swap": 10.0, "terminate": 180.0})
    calls: Counter[str] = field(default_factory=Counter)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    broken: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By operation, what happens before it is carried out; it may raise."""
    meta = _META

    def add(self, name: str, prefix: str, label: str = "v1", status: str = "Ready") -> dict[str, Any]:
        number = f"e-{len(self.found):04d}"
        one = self.found[number] = {
            "EnvironmentId": number,
            "EnvironmentName": name,
            "EnvironmentArn": number,
            "ApplicationName": "shop",
            "CNAME": f"{prefix}.{REGION}.elasticbeanstalk.com",
            "Status": status,
            "Health": "Green" if status == "Ready" else "Grey",
            "HealthStatus": "Ok",
            "VersionLabel": label,
            "Tier": {"Name": "WebServer"},
            "SolutionStackName": "64bit Amazon Linux 2023 running Docker",
            "DateCreated": datetime.fromtimestamp(0, tz=UTC) if status == "Ready" else self.clock.moment(),
            "DateUpdated": self.clock.moment(),
        }
        self.tags[number] = {}
        return one

    def _request(self, operation: str) -> None:
        self.calls[operation] += 1
        self.clock.sleep(self.latency)
        self.broken.get(operation, lambda: None)()

    def _change(self, seconds: float, one: dict[str, Any], status: str, **then: Any) -> None:
        one["Status"] = status

        def end() -> None:
            one.update({"Status": "Ready", "DateUpdated": self.clock.moment(), **then})

        self.clock.plan(seconds, end)

    # -- what changes something ---------------------------------------------------------------------------------------

    def create_environment(self, EnvironmentName: str, VersionLabel: str, Tags: Any, **_more: Any) -> None:  # noqa: N803
        self._request("create")
        one = self.add(EnvironmentName, f"{EnvironmentName}.eba-x", VersionLabel, "Launching")
        self.tags[one["EnvironmentId"]] = {tag["Key"]: tag["Value"] for tag in Tags}
        self._change(self.operation["create"], one, "Launching", Health="Green")

    def swap_environment_cnames(self, SourceEnvironmentId: str, DestinationEnvironmentId: str) -> None:  # noqa: N803
        self._request("swap")
        one, other = self.found[SourceEnvironmentId], self.found[DestinationEnvironmentId]
        names = one["CNAME"], other["CNAME"]
        self._change(self.operation["swap"], one, "Updating", CNAME=names[1])
        self._change(self.operation["swap"], other, "Updating", CNAME=names[0])

    def terminate_environment(self, EnvironmentId: str, **_more: Any) -> None:  # noqa: N803
        self._request("terminate")
        self._change(self.operation["terminate"], self.found[EnvironmentId], "Terminating", Status="Terminated")

    def update_tags_for_resource(self, ResourceArn: str, TagsToAdd: Any) -> None:  # noqa: N803
        self._request("tag")
        self.tags[ResourceArn] |= {tag["Key"]: tag["Value"] for tag in TagsToAdd}
        self._change(5.0, self.found[ResourceArn], "Updating")

    # -- what is asked ------------------------------------------------------------------------------------------------

    def describe_environments(self, EnvironmentIds: Any = (), **_more: Any) -> dict[str, Any]:  # noqa: N803
        self._request("one environment" if EnvironmentIds else "environments")
        there = [one for one in self.found.values() if one["Status"] != "Terminated"]
        wanted = [one for one in there if not EnvironmentIds or one["EnvironmentId"] in EnvironmentIds]
        return {"Environments": [dict(one) for one in wanted]}

    def list_tags_for_resource(self, ResourceArn: str) -> dict[str, Any]:  # noqa: N803
        self._request("tags")
        tags = self.tags[ResourceArn]
        return {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def describe_configuration_settings(self, **_which: Any) -> dict[str, Any]:
        self._request("settings")
        return {"ConfigurationSettings": [{"OptionSettings": _SIZE}]}

    def describe_environment_resources(self, EnvironmentId: str) -> dict[str, Any]:  # noqa: N803
        self._request("resources")
        found = {"AutoScalingGroups": [{"Name": EnvironmentId}], "Instances": [{"Id": "i-1"}]}
        return {"EnvironmentResources": found}

    def describe_instances_health(self, EnvironmentId: str, **_more: Any) -> dict[str, Any]:  # noqa: N803
        self._request("instances")
        label = self.found[EnvironmentId]["VersionLabel"]
        deployment = {"VersionLabel": label, "Status": "Deployed", "DeploymentId": 1}
        one = {"InstanceId": "i-1", "HealthStatus": "Ok", "Color": "Green", "Deployment": deployment}
        return {"InstanceHealthList": [one]}

    def describe_environment_health(self, **_which: Any) -> dict[str, Any]:
        self._request("health")
        return {"ApplicationMetrics": {"RequestCount": 0, "Duration": 10}}

    def describe_events(self, **_which: Any) -> dict[str, Any]:
        self._request("events")
        return {"Events": []}

    def request_environment_info(self, **_which: Any) -> None:
        self._request("logs")
        raise refused("InvalidParameterValue", "Environment is in an invalid state for this operation.", "Request")

    def describe_application_versions(self, **_which: Any) -> dict[str, Any]:
        self._request("versions")
        return {"ApplicationVersions": [{"VersionLabel": "v1", "DateCreated": self.clock.moment()}]}

    def describe_applications(self, **_which: Any) -> dict[str, Any]:
        self._request("applications")
        return {"Applications": [{"ConfigurationTemplates": []}]}

    def describe_account_attributes(self) -> dict[str, Any]:
        self._request("quotas")
        return {"ResourceQuotas": {"EnvironmentQuota": {"Maximum": 10_000}}}

    def create_storage_location(self) -> dict[str, Any]:
        self._request("storage")
        return {"S3Bucket": "bucket"}

    def check_dns_availability(self, **_which: Any) -> dict[str, Any]:
        self._request("dns")
        return {"Available": False}


class Scaling:
    """An Auto Scaling whose groups have one instance each, and room for more."""

    meta = _META

    def describe_account_limits(self) -> dict[str, Any]:
        return {"NumberOfAutoScalingGroups": 1, "MaxNumberOfAutoScalingGroups": 10_000}

    def describe_auto_scaling_groups(self, **_which: Any) -> dict[str, Any]:
        return {"AutoScalingGroups": [{"DesiredCapacity": 1}]}


class Source:
    """Snapshots of the simulated service."""

    def __init__(self, eb: Beanstalk) -> None:
        self._eb = eb

    def environments(self, application: str) -> list[dict[str, Any]]:
        return api.describe_environments(self._eb, ApplicationName=application)

    def events(self, _application: str, _since: datetime | None) -> list[dict[str, Any]]:
        raise AssertionError("a cycle needs no events while it waits")

    def now(self) -> datetime:
        return self._eb.clock.moment()


class Night:
    """A lane of cycles. ``rate`` is how many requests a second AWS takes."""

    def __init__(self, rate: float = 500.0, owner: str = "night", bucket: SimulatedBucket | None = None) -> None:
        self.clock = bucket.clock if bucket else SimulatedClock()
        self.bucket = bucket or SimulatedBucket(self.clock)
        self.eb, self.heard = Beanstalk(self.clock), Heard(self.clock)
        self.rate, self.owner = rate, owner
        self.lane = self.new_lane()

    def new_lane(self) -> Lane:
        """A lane as a run of its own has it."""
        clock = self.clock
        clients = {"elasticbeanstalk": self.eb, "autoscaling": Scaling(), "s3": SimulatedBucket(clock)}
        new = SimpleNamespace(get=clients.__getitem__, new=lambda service, _config: clients[service])
        limiter, service_clock = RateLimiter(clock, self.rate), SimpleNamespace(attach=lambda _client: None)
        counter = api.CallCounter()
        first: Any = (new, clock, service_clock)
        more = (SingleFlight(clock), Answers(clock.now), self.owner)
        self.services = Services(*first, counter, limiter, *more)

        def watch(application: str) -> ApplicationWatcher:
            return ApplicationWatcher(Source(self.eb), application, clock, 10.0)

        def lock(*_where: str) -> ApplicationLeases:
            return ApplicationLeases(self.bucket.store(), self.owner, clock)

        self.lane = Lane(clock, watch, lock, Inline(), Inline(), self.heard)
        return self.lane

    def add(self, name: str, check_mode: bool = False, **given: Any) -> None:
        """A cycle of a logical environment."""
        item = {"item": name, "application": "shop", "cname_prefix": name, "name_prefix": name, **given}
        good, bad = ITEMS.checked([item], aws_argument_spec(), {})
        assert not bad, bad
        made = cycle_item(name, good[name], check_mode, ProgressFile())
        reconciler = made.job.reconcile(self.services, made.progress)
        self.lane.add(name, reconciler, self.clock.now() + made.timeout)

    def live(self, name: str) -> list[dict[str, Any]]:
        """Who holds a name."""
        cname = f"{name}.{REGION}.elasticbeanstalk.com"
        return [one for one in self.eb.found.values() if one["CNAME"] == cname and one["Status"] != "Terminated"]
