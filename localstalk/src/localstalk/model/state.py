# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service remembers. Plain data; the operations and workflows change it under the scheduler's lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from localstalk.driver import Generation

Option = tuple[str, str]
"""Namespace and option name. Of resources that users name, the namespace has the name before it, as in saved
configurations: ``Up.aws:autoscaling:scheduledaction``."""
Settings = dict[Option, str]
Status = Literal["Aborting", "Launching", "Updating", "LinkingFrom", "LinkingTo", "Ready", "Terminating", "Terminated"]
OperationKind = Literal["create", "deploy", "config", "terminate", "rebuild", "restart", "swap", "tags"]
Severity = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


@dataclass(frozen=True)
class Call:
    """One API call. ``endpoint`` is the URL under which the client reached this daemon."""

    request_id: str
    operation: str
    endpoint: str
    clone_of: str | None = None
    """``TemplateSpecification.TemplateSource.EnvironmentName``, sent by the eb CLI but not in the public model."""
    contents: str | None = None
    """``TemplateSpecification.TemplateSource.SourceContents``, likewise: a configuration file."""


@dataclass
class Application:
    """An application and its life cycle configuration."""

    name: str
    arn: str
    created: datetime
    updated: datetime
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    lifecycle: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)


@dataclass
class Version:
    """An application version. ``status`` is upper case, as the service answers (docs/elastic_beanstalk.md §1.1)."""

    application: str
    label: str
    arn: str
    created: datetime
    updated: datetime
    bucket: str
    key: str
    description: str | None = None
    status: str = "UNPROCESSED"
    processed: bool = False
    """Whether its configuration files were to be looked at."""
    build_arn: str | None = None
    build_information: dict[str, str] | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Template:
    """A saved configuration."""

    application: str
    name: str
    arn: str
    platform: Platform
    created: datetime
    updated: datetime
    settings: Settings
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    tier: str = "WebServer"
    content: bytes = b""
    """The file in S3 as it was last written or read."""


@dataclass(frozen=True)
class Platform:
    """One platform version."""

    arn: str
    name: str
    version: str
    branch: str
    branch_order: int
    branch_state: str
    """``Supported``, ``Deprecated``, ``Retired`` or ``Beta``."""
    solution_stack: str | None
    operating_system: str
    operating_system_version: str
    generation: Generation
    lifecycle: str = "Recommended"
    owner: str = "AWSElasticBeanstalk"
    status: str = "Ready"
    category: str = ""
    tiers: tuple[str, ...] = ("WebServer/Standard", "Worker/SQS/HTTP")
    addons: tuple[str, ...] = ("Log/S3", "Monitoring/Healthd", "WorkerDaemon/SQSD")
    file_types: tuple[str, ...] = ("zip",)
    languages: tuple[tuple[str, str], ...] = ()


@dataclass
class Deployment:
    """What an instance runs: DescribeInstancesHealth's Deployment."""

    id: int
    label: str
    status: Literal["In Progress", "Deployed", "Failed"]
    time: datetime


@dataclass
class Instance:
    """One EC2 instance of an environment."""

    id: str
    launched: datetime
    launched_at: float
    address: str = ""
    zone: str = ""
    kind: str = "t3.micro"
    deployment: Deployment | None = None
    registered: bool = False
    cpu_percent: float = 0.0
    requests: Mapping[str, float] = field(default_factory=dict)
    """Per second, by the first digit of their status."""
    failing_since: float | None = None
    led: int | None = None
    """Id of the deployment for which it was elected leader, if that was its last one."""


@dataclass
class Stack:
    """An environment's CloudFormation stack. ``status`` is CloudFormation's word; ``history``: when, what, why."""

    name: str = ""
    arn: str = ""
    created: datetime | None = None
    status: str = ""
    history: list[tuple[datetime, str, str]] = field(default_factory=list)


@dataclass
class Resources:
    """Names and ARNs of what an environment is made of; empty text means it has none."""

    stack: Stack = field(default_factory=Stack)
    auto_scaling_group: str = ""
    launch: str = ""
    """Name of the launch configuration, of environments that have one instead of a template."""
    launch_template: str = ""
    """Id of the launch template."""
    load_balancer_arn: str = ""
    load_balancer_name: str = ""
    load_balancer_dns: str = ""
    target_group_arn: str = ""
    listener_arn: str = ""
    security_groups: dict[str, str] = field(default_factory=dict)
    """Ids by logical id, oldest first."""
    security_group_names: list[str] = field(default_factory=list)
    """What EB's events call them."""
    database: str = ""
    """Identifier of the coupled database."""
    policies: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    elastic_ip: str = ""
    elastic_ip_allocation: str = ""
    queue_url: str = ""
    dead_letter_queue_url: str = ""


@dataclass
class Operation:
    """The change under way in an environment. ``kind`` decides whether and how it can be aborted."""

    kind: OperationKind
    request_id: str
    started: float
    abort_requested: bool = False
    abort_request_id: str = ""


@dataclass
class Health:
    """An environment's health as the last look found it."""

    color: str = "Grey"
    status: str = "Pending"
    causes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    refreshed: datetime | None = None
    since: float = 0.0


@dataclass
class LogSample:
    """An answer of RetrieveEnvironmentInfo: an object in S3 for one instance."""

    kind: str
    instance_id: str
    time: datetime
    bucket: str
    key: str


@dataclass
class Draft:
    """A configuration that is being deployed, or was and failed. ``settings``: what was given."""

    settings: Settings
    status: Literal["pending", "failed"]
    created: datetime
    updated: datetime


@dataclass
class ManagedAction:
    """A managed action, from its scheduling to its end."""

    id: str
    description: str
    kind: str
    status: str
    window: datetime | None
    executed: datetime | None = None
    finished: datetime | None = None
    failure: tuple[str, str] | None = None


@dataclass
class Scaling:
    """What Auto Scaling remembers, in the clock's seconds; None: not so."""

    above_since: float | None = None
    below_since: float | None = None
    acted: float | None = None
    owed: int = 0
    """Instances that could not be launched."""
    scheduled_until: datetime | None = None
    """Up to when scheduled actions have been carried out."""


TIER_TYPES = {"WebServer": "Standard", "Worker": "SQS/HTTP"}


@dataclass
class Environment:
    """One environment, from its creation until it stops lingering after its end."""

    id: str
    name: str
    application: str
    arn: str
    created: datetime
    updated: datetime
    platform: Platform
    tier: str = "WebServer"
    description: str | None = None
    cname: str = ""
    endpoint_url: str = ""
    version_label: str | None = None
    template: str | None = None
    status: Status = "Launching"
    abortable: bool = False
    health: Health = field(default_factory=Health)
    tags: dict[str, str] = field(default_factory=dict)
    api_settings: Settings = field(default_factory=dict)
    template_settings: Settings = field(default_factory=dict)
    bundle_settings: Settings = field(default_factory=dict)
    bundle_resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    """``Resources`` of the bundle's configuration files, by logical id."""
    draft: Draft | None = None
    deployment_id: int = 0
    deployment_started: float = 0.0
    deployment_ended: float = 0.0
    deployment_kind: str = "Application"
    expected_label: str | None = None
    instances: dict[str, Instance] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    operation: Operation | None = None
    workflows: int = 0
    """Workflows under way; two for a moment when a termination takes over from a launch."""
    scaling: Scaling = field(default_factory=Scaling)
    links: dict[str, str] = field(default_factory=dict)
    operations_role: str | None = None
    samples: list[LogSample] = field(default_factory=list)
    actions: list[ManagedAction] = field(default_factory=list)
    started_at: float = 0.0
    ready_at: float = 0.0
    terminated_at: float | None = None
    terminated: datetime | None = None

    @property
    def load_balanced(self) -> bool:
        """Whether instances stand behind a load balancer."""
        return bool(self.resources.load_balancer_name)

    @property
    def own_tags(self) -> dict[str, str]:
        """Tags that the service sets on the environment and on all that belongs to it."""
        return {
            "Name": self.name,
            "elasticbeanstalk:environment-id": self.id,
            "elasticbeanstalk:environment-name": self.name,
        }

    @property
    def tier_answer(self) -> dict[str, str]:
        """The tier as answers have it."""
        return {"Name": self.tier, "Type": TIER_TYPES[self.tier], "Version": "1.0"}


@dataclass(frozen=True)
class Renamed:
    """What a swap did to one environment: its CNAME before and after."""

    environment_id: str
    environment_name: str
    before: str
    after: str


@dataclass(frozen=True)
class Swap:
    """One exchange of CNAMEs; no operation of the service tells of past ones."""

    date: datetime
    source: Renamed
    destination: Renamed


@dataclass(frozen=True)
class Event:
    """One line of DescribeEvents. ``request_id`` None: not linked to a call (docs/elastic_beanstalk.md §1.6)."""

    date: datetime
    message: str
    severity: Severity
    application: str | None = None
    environment_name: str | None = None
    environment_id: str | None = None
    version_label: str | None = None
    template: str | None = None
    platform_arn: str | None = None
    request_id: str | None = None
