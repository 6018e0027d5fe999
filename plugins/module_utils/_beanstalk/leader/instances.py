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
ADDRESSES = ("private_ip", "public_ip", "private_dns", "public_dns", "instance_id")


def host_variables(instance: Mapping[str, Any], environment: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Variables of one instance; those of its environment have the names that the modules return, after eb_."""
    tags = tags_out(instance.get("Tags", []))
    known = environment_out(environment, region)
    return {
        "eb_application": known["application"],
        "eb_environment": known["name"],
        "eb_environment_id": known["id"],
        "eb_cname": known["cname"],
        "eb_cname_prefix": known["cname_prefix"],
        "eb_version_label": known["version_label"],
        "eb_status": known["status"],
        "eb_health": known["health"],
        "eb_health_status": known["health_status"],
        "eb_tier": known["tier"],
        "eb_platform": known["platform"],
        "eb_region": region,
        # Elastic Beanstalk copies an environment's tags to its instances.
        "eb_role": tags.get("jack:role"),
        "eb_logical": tags.get("jack:logical"),
        "instance_id": instance["InstanceId"],
        "instance_type": instance.get("InstanceType"),
        "launched_at": plain(instance.get("LaunchTime")),
        "availability_zone": (instance.get("Placement") or {}).get("AvailabilityZone"),
        "private_ip": instance.get("PrivateIpAddress") or None,
        "public_ip": instance.get("PublicIpAddress") or None,
        "private_dns": instance.get("PrivateDnsName") or None,
        "public_dns": instance.get("PublicDnsName") or None,
        "tags": tags,
    }


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
        host["eb_leader"] = host["instance_id"] in leaders
    return sorted(hosts, key=lambda host: (host["eb_application"], host["eb_environment"], host["instance_id"]))


def leaders_by_tag(hosts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Instances whose tag says that they led the deployment of the version that runs.

    Nobody leads an environment whose tags name two, or in which a tag tells of a later deployment.
    """
    told: dict[str, list[Evidence]] = {}
    for host in hosts:
        items = tag_evidence(host["instance_id"], host["tags"].get(LEADER_TAG))
        told.setdefault(host["eb_environment_id"], []).extend(
            item for item in items if item.version_label == host["eb_version_label"]
        )
    leaders = set()
    for items in told.values():
        newest = max((item.deployment_id or 0 for item in items), default=0)
        claims = {item.instance_id for item in items if item.says == LEADER and (item.deployment_id or 0) == newest}
        leaders |= claims if len(claims) == 1 else set()
    return leaders


def address_of(host: Mapping[str, Any], preferred: Sequence[str]) -> str | None:
    """The first address of the wanted kinds that an instance has."""
    return next((str(host[kind]) for kind in preferred if host.get(kind)), None)


def group_name(*words: str) -> str:
    """A group name that Ansible takes: anything but letters, digits and underscores becomes an underscore."""
    return re.sub(r"\W", "_", "_".join(words)).lower()


def groups_of(host: Mapping[str, Any]) -> list[str]:
    """Groups that a host is in without any configuration."""
    kinds = ("application", "environment", "tier", "health", "version_label", "role")
    named = {"version_label": "version"}
    groups = [
        group_name("eb", named.get(kind, kind), str(host[f"eb_{kind}"])) for kind in kinds if host.get(f"eb_{kind}")
    ]
    return [*groups, "eb_leader"] if host.get("eb_leader") else groups
