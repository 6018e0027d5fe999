# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings as DescribeConfigurationSettings tells them, which is not what was sent.

Every option that belongs to the kind of environment is told, set or not, with the resource that it ends up in; options
of other kinds are taken and not told. Sources: docs/elastic_beanstalk.md §13, and the captured answers among the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from localstalk.model import options, settings
from localstalk.model.machines import X86
from localstalk.model.settings import ENVIRONMENT, INSTANCES, LAUNCH, Balancer
from localstalk.model.state import Environment, Option, Platform, Resources, Settings

Setting = dict[str, str]
Values = dict[Option, str | None]
PARAMETERS = "aws:cloudformation:template:parameter"
ASG = "aws:autoscaling:asg"
VPC = "aws:ec2:vpc"
_NEVER_TOLD = "DBPassword"
_ABOVE_BASE = (INSTANCES, "SpotFleetOnDemandAboveBasePercentage")
_SERVICE_ROLE = "AWSServiceRoleForElasticBeanstalk"
_PROCESS = "aws:elasticbeanstalk:environment:process:"
_LAUNCH_TEMPLATE, _LAUNCH_CONFIGURATION = "AWSEBEC2LaunchTemplate", "AWSEBAutoScalingLaunchConfiguration"
_NETWORK = {
    (f"{_PROCESS}*", "Protocol"): "TCP",
    (f"{_PROCESS}*", "HealthCheckInterval"): "30",
    (f"{_PROCESS}*", "HealthyThresholdCount"): "5",
    ("aws:elbv2:listener:*", "Protocol"): "TCP",
}
"""Defaults of a network load balancer (Developer Guide, "General options for all environments")."""


@dataclass(frozen=True)
class Subject:
    """Of what settings are described: an environment, or one that a saved configuration would make."""

    platform: Platform
    tier: str
    region: str
    image: Callable[[str], str]
    """The id of the platform's machine image for an architecture."""
    resources: Resources = field(default_factory=Resources)

    @classmethod
    def of(cls, environment: Environment, region: str, image: Callable[[Platform, str], str]) -> Subject:
        """What the settings of an environment depend on."""
        platform = environment.platform
        return cls(platform, environment.tier, region, lambda kind: image(platform, kind), environment.resources)


def describe(given: Settings, subject: Subject) -> list[Setting]:
    """OptionSettings of an answer, in order. ``given``: what was set anywhere."""
    effective = {**settings.default_settings(subject.platform), **given}
    kind = _Kind(settings.balancer(effective, subject.tier), subject)
    values = {option: value for option, value in _told(given, kind) if kind.has(*option)}
    values |= _computed(given, effective, subject, kind)
    return [_setting(option, values[option], kind) for option in sorted(values, key=options.order)]


@dataclass(frozen=True)
class _Kind:
    """What kind of environment has which options."""

    balancer: Balancer
    subject: Subject

    @property
    def scales(self) -> bool:
        return bool(self.balancer) or self.subject.tier == "Worker"

    @property
    def language(self) -> str:
        return self.subject.platform.category.lower().replace(".", "")

    @property
    def families(self) -> tuple[str, ...]:
        """Namespaces of families that are there without being named."""
        if self.balancer == "classic":
            return ("aws:elb:listener:80",)
        return (f"{_PROCESS}default", "aws:elbv2:listener:default") if self.balancer else ()

    def has(self, namespace: str, name: str) -> bool:
        """Whether an option belongs to this kind."""
        bare = options.split(namespace)[1]
        for start, belongs in self._only.items():
            if bare.startswith(start):
                return belongs
        return self._only_options.get((bare, name), True)

    @cached_property
    def _only(self) -> Mapping[str, bool]:
        second = self.balancer in ("application", "network")
        return {
            "aws:elb:": self.balancer == "classic",
            "aws:elbv2:": second,
            _PROCESS: second,
            "aws:elasticbeanstalk:trafficsplitting": self.balancer == "application",
            "aws:autoscaling:trigger": self.scales,
            options.SCHEDULED: self.scales,
            "aws:elasticbeanstalk:sqsd": self.subject.tier == "Worker",
            f"aws:elasticbeanstalk:container:{self.language}": True,
            "aws:elasticbeanstalk:container:": False,
            "aws:elasticbeanstalk:customoption": False,
            PARAMETERS: False,
        }

    @cached_property
    def _only_options(self) -> Mapping[Option, bool]:
        return {
            (ENVIRONMENT, "LoadBalancerType"): bool(self.balancer),
            (ENVIRONMENT, "LoadBalancerIsShared"): self.balancer == "application",
            (VPC, "ELBScheme"): bool(self.balancer),
            (VPC, "ELBSubnets"): bool(self.balancer),
            ("aws:elasticbeanstalk:environment:proxy", "ProxyServer"): self.subject.platform.generation != "al1",
        }


def _told(given: Settings, kind: _Kind) -> Iterator[tuple[Option, str | None]]:
    """Options that are told in any case, with their defaults, then those that were set."""
    defaults = settings.default_settings(kind.subject.platform)
    for option, definition in options.definitions().items():
        if definition.shown and not option[0].endswith(":*"):
            yield option, defaults.get(option, definition.default)
    for option, value in defaults.items():
        if option[0] == options.ENVIRONMENT:
            yield option, value
    named = [namespace for namespace, _ in given if options.family(namespace)]
    for namespace in dict.fromkeys((*kind.families, *named)):
        yield from _family(namespace, kind)
    yield from given.items()


def _family(namespace: str, kind: _Kind) -> Iterator[tuple[Option, str | None]]:
    """All options of a process, listener, rule or policy, of which one may have been set."""
    members = options.family(namespace)
    for option, definition in options.definitions().items():
        if members is not None and option[0] == members[0] and definition.shown:
            default = _NETWORK.get(option) if kind.balancer == "network" else None
            yield (namespace, option[1]), default or definition.default


def _computed(given: Settings, effective: Settings, subject: Subject, kind: _Kind) -> Values:
    """What Elastic Beanstalk fills in, or words anew."""
    types, groups = settings.instance_types(effective), subject.resources.security_groups
    generated = "" if effective.get((LAUNCH, "DisableDefaultEC2SecurityGroup")) == "true" else "AWSEBSecurityGroup"
    architecture = options.elements(effective.get((INSTANCES, "SupportedArchitectures"), ""))
    found: Values = {
        (LAUNCH, "ImageId"): given.get((LAUNCH, "ImageId")) or subject.image((architecture or [X86])[0]),
        (LAUNCH, "InstanceType"): types[0],
        (LAUNCH, "SecurityGroups"): _groups(given, LAUNCH, groups.get(generated, "")),
        (INSTANCES, "InstanceTypes"): ", ".join(types),
        (ENVIRONMENT, "ServiceRole"): given.get((ENVIRONMENT, "ServiceRole")) or _SERVICE_ROLE,
        **_parameters(effective, subject, types[0]),
    }
    if kind.balancer:
        space = "aws:elb:loadbalancer" if kind.balancer == "classic" else "aws:elbv2:loadbalancer"
        own = "" if given.get((space, "ManagedSecurityGroup")) else "AWSEBLoadBalancerSecurityGroup"
        found[space, "SecurityGroups"] = _groups(given, space, groups.get(own, ""))
    if not kind.scales:
        found[ASG, "MinSize"] = found[ASG, "MaxSize"] = "1"
        found |= {_ABOVE_BASE: given.get(_ABOVE_BASE, "0")}
    return found


def _groups(given: Settings, namespace: str, generated: str) -> str | None:
    named = options.elements(given.get((namespace, "SecurityGroups"), ""))
    groups = [*(each for each in named if each != generated), generated]
    return ",".join(filter(None, groups)) or None


def _parameters(effective: Settings, subject: Subject, instance_type: str) -> Values:
    """Parameters of the environment's stack. The addresses of the platform's assets are ours."""
    platform = subject.platform
    family = platform.category.replace(" ", "")
    folder = f"eb_{family.lower()}_{platform.generation}_{platform.version}"
    assets = f"https://elasticbeanstalk-platform-assets-{subject.region}.s3.amazonaws.com/stalks/{folder}"
    properties = sorted((name, value) for (space, name), value in effective.items() if space == options.ENVIRONMENT)
    found: Values = {
        (PARAMETERS, "AppSource"): f"{assets}/sampleapp/EBSampleApp-{family}.zip",
        (PARAMETERS, "EnvironmentVariables"): ",".join(f"{name}={value}" for name, value in properties) or None,
        (PARAMETERS, "HooksPkgUrl"): f"{assets}/lib/hooks.tar.gz",
        (PARAMETERS, "InstancePort"): "80",
        (PARAMETERS, "InstanceTypeFamily"): instance_type.partition(".")[0],
    }
    return found if platform.category == "Docker" else found | {(PARAMETERS, "StaticFiles"): None}


def _setting(option: Option, value: str | None, kind: _Kind) -> Setting:
    setting = options.members(option)
    resource = setting.get("ResourceName") or _resource(option, kind)
    setting |= {"ResourceName": resource} if resource else {}
    # A password goes in, but never comes out again.
    return setting if value is None or option[1] == _NEVER_TOLD else setting | {"Value": value}


def _resource(option: Option, kind: _Kind) -> str | None:
    definition, members = options.define(*option), options.family(option[0])
    resource = definition.resource if definition else None
    if resource == _LAUNCH_TEMPLATE and kind.subject.resources.launch:
        return _LAUNCH_CONFIGURATION
    if option == (VPC, "VPCId") and kind.balancer in ("application", "network"):
        return "AWSEBLoadBalancerSecurityGroup"
    if resource and members and members[1] != "default" and resource.startswith("AWSEBV2"):
        return resource + members[1]
    return resource
