# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 instances of Elastic Beanstalk as inventory hosts: pure functions over two services' answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core.transformations import environment_out, plain, tags_out
from .evidence import LEADER, LEADER_TAG, Evidence, tag_evidence

ID_TAG = "elasticbeanstalk:environment-id"
PREFIX = "eb_instance_"

_OF_ENVIRONMENT = (
    *("application_name", "environment_name", "environment_id", "cname", "cname_prefix", "version_label"),
    *("status", "health", "health_status", "tier", "platform"),
)
_GROUPS = {
    "application": "application_name",
    "environment": "environment_name",
    "tier": "tier",
    "health": "health",
    "version": "version_label",
    "role": "role",
}
"""By the word in a group's name, the variable whose values make the groups."""


def host_variables(instance: Mapping[str, Any], environment: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Variables of one instance; those of its environment have the names that the modules return, after eb_instance_.

    None of them is a variable that somebody writes into an inventory for a playbook of this collection.
    """
    tags = tags_out(instance.get("Tags", []))
    known = environment_out(environment, region)
    told = {
        **{name: known[name] for name in _OF_ENVIRONMENT},
        "region": region,
        # Elastic Beanstalk copies an environment's tags to its instances.
        "role": tags.get("jack:role"),
        "logical": tags.get("jack:logical"),
        "id": instance["InstanceId"],
        "type": instance.get("InstanceType"),
        "launched_at": plain(instance.get("LaunchTime")),
        "availability_zone": (instance.get("Placement") or {}).get("AvailabilityZone"),
        "private_ip": instance.get("PrivateIpAddress") or None,
        "public_ip": instance.get("PublicIpAddress") or None,
        "private_dns": instance.get("PrivateDnsName") or None,
        "public_dns": instance.get("PublicDnsName") or None,
        "tags": tags,
    }
    return {f"{PREFIX}{name}": value for name, value in told.items()}


def join(
    instances: Iterable[Mapping[str, Any]], environments: Iterable[Mapping[str, Any]], region: str
) -> list[dict[str, Any]]:
    """Variables of all instances whose environment is known, ordered by environment and instance."""
    by_id = {item["EnvironmentId"]: item for item in environments}
    hosts = []
    for instance in instances:
        environment = by_id.get(tags_out(instance.get("Tags", [])).get(ID_TAG, ""))
        if environment is not None:
            hosts.append(host_variables(instance, environment, region))
    leaders = leaders_by_tag(hosts)
    for host in hosts:
        host["eb_instance_leader"] = host["eb_instance_id"] in leaders
    order = [f"{PREFIX}{name}" for name in ("application_name", "environment_name", "id")]
    return sorted(hosts, key=lambda host: [host[name] for name in order])


def leaders_by_tag(hosts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Instances whose tag says that they led the deployment of the version that runs.

    Nobody leads an environment whose tags name two, or in which a tag tells of a later deployment.
    """
    told: dict[str, list[Evidence]] = {}
    for host in hosts:
        items = tag_evidence(host["eb_instance_id"], host["eb_instance_tags"].get(LEADER_TAG))
        told.setdefault(host["eb_instance_environment_id"], []).extend(
            item for item in items if item.version_label == host["eb_instance_version_label"]
        )
    leaders = set()
    for items in told.values():
        newest = max((item.deployment_id or 0 for item in items), default=0)
        claims = {item.instance_id for item in items if item.says == LEADER and (item.deployment_id or 0) == newest}
        leaders |= claims if len(claims) == 1 else set()
    return leaders


def address_of(host: Mapping[str, Any], preferred: Sequence[str]) -> str | None:
    """The first address of the wanted kinds that an instance has."""
    names = [f"{PREFIX}{kind.removeprefix('instance_')}" for kind in preferred]
    return next((str(host[name]) for name in names if host.get(name)), None)


def group_name(*words: str) -> str:
    """A group name that Ansible takes: anything but letters, digits and underscores becomes an underscore."""
    return re.sub(r"\W", "_", "_".join(words)).lower()


def groups_of(host: Mapping[str, Any]) -> list[str]:
    """Groups that a host is in without any configuration."""
    found = {word: host.get(f"{PREFIX}{name}") for word, name in _GROUPS.items()}
    groups = [group_name("eb", word, str(value)) for word, value in found.items() if value]
    return [*groups, "eb_leader"] if host.get("eb_instance_leader") else groups
