# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of a cycle that change something. Each is sent once.

A request that the SDK repeats on its own may take effect twice, and a swap that takes effect twice is undone. So the
client for these calls must not retry (run.clients.ONE_ATTEMPT), and nothing here does: the planner observes again
and decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import translate_errors
from ..core.transformations import tags_in
from ..option_settings.comparison import specification
from ..option_settings.copying import to_call
from ..option_settings.keys import Settings
from .settings import MIN_SIZE


@translate_errors("create the candidate")
def create(client: Any, live: Mapping[str, Any], settings: Settings, **given: Any) -> None:
    """Start to create a candidate like ``live``, with these option settings.

    ``given`` has name, label, tags and platform (parameters of the call; empty takes the live environment's own).
    """
    platform = given["platform"] or _own_platform(live)
    call = {
        "ApplicationName": live["ApplicationName"],
        "EnvironmentName": given["name"],
        "Description": live.get("Description"),
        "VersionLabel": given["label"],
        "Tier": {key: live["Tier"][key] for key in ("Name", "Type") if live.get("Tier", {}).get(key)},
        "OptionSettings": to_call(settings),
        "Tags": tags_in(given["tags"]),
        **platform,
    }
    client.create_environment(**{key: value for key, value in call.items() if value})


def _own_platform(live: Mapping[str, Any]) -> dict[str, str]:
    if live.get("PlatformArn"):
        return {"PlatformArn": live["PlatformArn"]}
    return {"SolutionStackName": live["SolutionStackName"]}


@translate_errors("swap the CNAMEs")
def swap(client: Any, one: str, other: str) -> None:
    """Exchange the CNAMEs of two environments, by id."""
    client.swap_environment_cnames(SourceEnvironmentId=other, DestinationEnvironmentId=one)


@translate_errors("terminate the environment")
def terminate(client: Any, environment_id: str) -> None:
    """Start to terminate an environment."""
    client.terminate_environment(EnvironmentId=environment_id, TerminateResources=True)


@translate_errors("set the size of the environment")
def resize(client: Any, environment_id: str, least: int) -> None:
    """Set MinSize, which replaces no instance."""
    setting = {**specification(MIN_SIZE), "Value": str(least)}
    client.update_environment(EnvironmentId=environment_id, OptionSettings=[setting])


@translate_errors("abort the update")
def abort(client: Any, environment_id: str) -> None:
    """Ask for the end of an update under way."""
    client.abort_environment_update(EnvironmentId=environment_id)


@translate_errors("tag the environment")
def tag(client: Any, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags, which starts a short update."""
    client.update_tags_for_resource(ResourceArn=arn, TagsToAdd=tags_in(tags))


@translate_errors("delete the saved configuration")
def delete_template(client: Any, application: str, name: str) -> None:
    """Delete a saved configuration."""
    client.delete_configuration_template(ApplicationName=application, TemplateName=name)


@translate_errors("delete the application version")
def delete_version(client: Any, application: str, label: str) -> None:
    """Delete a version with its bundle."""
    client.delete_application_version(ApplicationName=application, VersionLabel=label, DeleteSourceBundle=True)
