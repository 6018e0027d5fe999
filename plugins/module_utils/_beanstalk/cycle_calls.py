# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of a cycle that change something. Each is sent once.

A request that the SDK repeats on its own may take effect twice, and a swap that takes effect twice is undone. So the
client for these calls must not retry (:data:`ONE_ATTEMPT`), and nothing here does: the planner looks at the world
again and decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from . import settings
from .common import translate_errors
from .cycle_account import ASG
from .transformations import tags_in

# For botocore.config.Config. The time limits together stay below what Policy.settle leaves after step_fresh.
ONE_ATTEMPT = {"retries": {"total_max_attempts": 1}, "connect_timeout": 10, "read_timeout": 45}

RDS = "aws:rds:dbinstance"
# What belongs to one environment only: a coupled database, its stack's parameters.
_NEVER_COPIED = frozenset({RDS, "aws:cloudformation:template:parameter"})
_SECURITY_GROUPS = frozenset({"securitygroups", "managedsecuritygroup"})
_TOPICS = "aws:elasticbeanstalk:sns:topics"
_OWN_TOPIC = "ElasticBeanstalkNotifications-Environment-"  # EB's name for the topic that it makes for an endpoint


@translate_errors("create the candidate")
def create(client: Any, live: Mapping[str, Any], described: Sequence[Mapping[str, Any]], **given: Any) -> None:
    """Start to create a candidate like ``live``, whose option settings were ``described``.

    ``given`` has name, label, tags, settings (namespace to option to value, in place of what was described), platform
    (parameters of the call; empty takes the live environment's own), and generated (ids of security groups and machine
    images that nobody chose).
    """
    platform = given["platform"] or _own_platform(live)
    call = {
        "ApplicationName": live["ApplicationName"],
        "EnvironmentName": given["name"],
        "Description": live.get("Description"),
        "VersionLabel": given["label"],
        "Tier": {key: live["Tier"][key] for key in ("Name", "Type") if live.get("Tier", {}).get(key)},
        "OptionSettings": changed_settings(copied_settings(described, given["generated"]), given["settings"]),
        "Tags": tags_in(given["tags"]),
        **platform,
    }
    client.create_environment(**{key: value for key, value in call.items() if value})


def _own_platform(live: Mapping[str, Any]) -> dict[str, str]:
    if live.get("PlatformArn"):
        return {"PlatformArn": live["PlatformArn"]}
    return {"SolutionStackName": live["SolutionStackName"]}


def security_groups(described: Iterable[Mapping[str, Any]]) -> list[str]:
    """All security groups that option settings name."""
    lists = [
        str(item.get("Value") or "")
        for item in described
        if str(item["OptionName"]).lower() in _SECURITY_GROUPS and item["Namespace"] != settings.PROPERTIES
    ]
    return [group.strip() for one in lists for group in one.split(",") if group.strip()]


def copied_settings(
    described: Iterable[Mapping[str, Any]], generated: Collection[str] = frozenset()
) -> list[dict[str, str]]:
    """The option settings of a candidate: those of the live environment minus what must not be copied."""
    copied = []
    for item in described:
        namespace, option, value = str(item["Namespace"]), str(item["OptionName"]), item.get("Value")
        if value in (None, "") or namespace in _NEVER_COPIED:
            continue
        if (namespace == _TOPICS and _OWN_TOPIC in str(value)) or (option == "ImageId" and value in generated):
            continue
        if option.lower() in _SECURITY_GROUPS and namespace != settings.PROPERTIES:
            # EB makes groups of its own for every environment, and lists them beside the user's.
            groups = [group.strip() for group in str(value).split(",")]
            value = ",".join(one for one in groups if not one.startswith("awseb-") and one not in generated)
            if not value:
                continue
        setting = {"Namespace": namespace, "OptionName": option, "Value": str(value)}
        if item.get("ResourceName"):
            setting["ResourceName"] = str(item["ResourceName"])
        copied.append(setting)
    return copied


def changed_settings(copied: Iterable[Mapping[str, str]], wanted: settings.Settings) -> list[dict[str, str]]:
    """The copied option settings with the user's wishes in place of the same ones; None drops one."""
    asked = {(space, option): value for space, options in wanted.items() for option, value in options.items()}
    kept = [dict(one) for one in copied if (one["Namespace"], one["OptionName"]) not in asked]
    return kept + [
        {"Namespace": space, "OptionName": option, "Value": value}
        for (space, option), value in asked.items()
        if value is not None
    ]


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
    setting = {"Namespace": ASG, "OptionName": "MinSize", "Value": str(least)}
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
