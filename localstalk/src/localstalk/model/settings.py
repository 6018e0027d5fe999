# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings in effect, from where they were given.

Precedence: API call, saved configuration, .ebextensions, default (Developer Guide, "Configuration options").
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Literal, cast

from localstalk.driver import Generation
from localstalk.model import options
from localstalk.model.state import Draft, Environment, Platform, Settings

LAUNCH = "aws:autoscaling:launchconfiguration"
ENVIRONMENT = "aws:elasticbeanstalk:environment"
INSTANCES = "aws:ec2:instances"
Balancer = Literal["", "classic", "application", "network"]
INSTANCE_TYPES = "t3.micro, t3.small"
"""Without a wish, as captured in 2025; so the first of them is the type."""
_PYTHONPATH = "/var/app/venv/staging-LQM1lest/bin"
"""That of every Python platform since Amazon Linux 2, set by nobody (docs/elastic_beanstalk.md §13)."""


def effective_settings(environment: Environment) -> Settings:
    """All settings."""
    return {**default_settings(environment.platform), **given_settings(environment)}


def given_settings(environment: Environment) -> Settings:
    """The effective settings without the defaults."""
    return {**environment.bundle_settings, **environment.template_settings, **environment.api_settings}


def option(environment: Environment, namespace: str, name: str, default: str = "") -> str:
    """One effective setting."""
    key = (namespace, name)
    for settings in (environment.api_settings, environment.template_settings, environment.bundle_settings):
        if key in settings:
            return settings[key]
    return default_settings(environment.platform).get(key, default)


def default_settings(platform: Platform) -> Settings:
    """What holds where nothing was given."""
    return _defaults(platform.generation, platform.category)


@cache
def _defaults(generation: Generation, category: str) -> Settings:
    found = dict(options.defaults())
    if generation != "al1":
        # AL2 and later always report enhanced health, whatever the documented default.
        found["aws:elasticbeanstalk:healthreporting:system", "SystemType"] = "enhanced"
        if category == "Python":
            found[options.ENVIRONMENT, "PYTHONPATH"] = _PYTHONPATH
    if generation == "al2023":
        found[LAUNCH, "DisableIMDSv1"] = "true"
    return found


def balancer(settings: Settings, tier: str) -> Balancer:
    """The kind of load balancer that settings want; "" for none. "classic" unless they say otherwise."""
    kind = settings.get((ENVIRONMENT, "EnvironmentType")) or "LoadBalanced"
    if kind != "LoadBalanced" or tier != "WebServer":
        return ""
    return cast(Balancer, settings.get((ENVIRONMENT, "LoadBalancerType")) or "classic")


def instance_types(settings: Settings) -> list[str]:
    """Types of instances, the one that is used first: InstanceTypes decides over InstanceType."""
    wanted = settings.get((INSTANCES, "InstanceTypes")) or settings.get((LAUNCH, "InstanceType")) or INSTANCE_TYPES
    return options.elements(wanted)


def needs_launch_template(settings: Settings) -> bool:
    """Whether instances cannot come from a launch configuration (Developer Guide, "Migrating your Elastic Beanstalk
    environment to launch templates")."""
    return (
        settings.get((LAUNCH, "DisableIMDSv1")) == "true"
        or settings.get((LAUNCH, "RootVolumeType")) == "gp3"
        or "gp3" in settings.get((LAUNCH, "BlockDeviceMappings"), "")
        or settings.get((INSTANCES, "EnableSpot")) == "true"
    )


def make_draft(
    environment: Environment, status: Literal["pending", "failed"], created: datetime, updated: datetime
) -> Draft:
    """The settings as they would be, kept while they are deployed or after that failed."""
    return Draft(given_settings(environment), status, created, updated)
