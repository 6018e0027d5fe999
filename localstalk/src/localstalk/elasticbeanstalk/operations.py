# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Beanstalk in one account and region: every operation of the service model, composed of its topics."""

from __future__ import annotations

from collections.abc import Callable

from botocore import xform_name

from localstalk.elasticbeanstalk import wire
from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.elasticbeanstalk.applications import Applications
from localstalk.elasticbeanstalk.changes import Changes
from localstalk.elasticbeanstalk.composition import Composition
from localstalk.elasticbeanstalk.configuration import Configuration
from localstalk.elasticbeanstalk.descriptions import Descriptions
from localstalk.elasticbeanstalk.environments import Environments
from localstalk.elasticbeanstalk.events import Events
from localstalk.elasticbeanstalk.health import Health
from localstalk.elasticbeanstalk.information import Information
from localstalk.elasticbeanstalk.managed_actions import ManagedActions
from localstalk.elasticbeanstalk.platforms import Platforms
from localstalk.elasticbeanstalk.tags import Tags
from localstalk.elasticbeanstalk.templates import Templates
from localstalk.elasticbeanstalk.versions import Versions
from localstalk.model.region import Region
from localstalk.model.state import Call
from localstalk.workflows.monitor import Monitor
from localstalk.workflows.runner import Runner

Operation = Callable[[Call, Params], Answer | None]


def operations(region: Region) -> dict[str, Operation]:
    """What answers each operation, by its name in the service model. A topic's method has that name in snake case."""
    monitor = Monitor(region)
    runner = Runner(region, monitor)
    platforms, versions = Platforms(region), Versions(region)
    templates = Templates(region, platforms)
    environments = Environments(region, runner, monitor, versions, platforms, templates)
    topics = (
        Applications(region, environments.terminate_environment),
        Changes(region, runner),
        Composition(region, environments),
        Configuration(region, platforms, templates),
        Descriptions(region),
        Events(region),
        Health(region),
        Information(region, runner),
        ManagedActions(region, runner),
        Tags(region, runner, platforms),
        environments,
        platforms,
        templates,
        versions,
    )
    return {
        name: getattr(topic, xform_name(name))
        for topic in topics
        for name in wire.service_model().operation_names
        if hasattr(topic, xform_name(name))
    }
