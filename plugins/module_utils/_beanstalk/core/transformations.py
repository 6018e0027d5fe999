# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of Elastic Beanstalk as Ansible returns them: snake_case, times as ISO 8601 text, keys of users untouched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .cnames import prefix_of
from .shown import all_shown, shown

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# The words that the rule would tear apart or glue together.
_SPECIAL = {"CNAME": "cname", "EndpointURL": "endpoint_url", "CPUUtilization": "cpu_utilization", "P999": "p999"}


def snake(name: str) -> str:
    """snake_case of an API name: EnvironmentId -> environment_id, EC2InstanceId -> ec2_instance_id."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    return _WORD.sub("_", name).lower()


def iso(moment: datetime) -> str:
    """A moment as UTC text with milliseconds: 2026-03-03T12:38:46.231Z."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """An API value with snake_case keys and text times."""
    if isinstance(value, Mapping):
        return {snake(key): plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return iso(value) if isinstance(value, datetime) else value


def tags_out(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags as a dictionary; their keys are the user's."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def tags_in(tags: Mapping[str, Any]) -> list[dict[str, str]]:
    """Tags as the API wants them, in a fixed order."""
    return [{"Key": str(key), "Value": str(tags[key])} for key in sorted(tags)]


def application_out(application: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An application as the modules return it."""
    result = {
        "application_name": application["ApplicationName"],
        "application_arn": application.get("ApplicationArn"),
        "description": application.get("Description") or "",
        "date_created": plain(application.get("DateCreated")),
        "date_updated": plain(application.get("DateUpdated")),
    }
    if tags is not None:
        result["tags"] = dict(tags)
    return result


def version_out(version: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An application version as the modules return it; its status in upper case, as the service answers it."""
    bundle = version.get("SourceBundle") or {}
    result = {
        "application_name": version["ApplicationName"],
        "version_label": version["VersionLabel"],
        "description": version.get("Description") or "",
        "status": str(version.get("Status", "")).upper(),
        "application_version_arn": version.get("ApplicationVersionArn"),
        "source_bundle": {"s3_bucket": bundle.get("S3Bucket"), "s3_key": bundle.get("S3Key")},
        "date_created": plain(version.get("DateCreated")),
        "date_updated": plain(version.get("DateUpdated")),
    }
    if tags is not None:
        result["tags"] = dict(tags)
    return result


def environment_out(environment: Mapping[str, Any], region: str) -> dict[str, Any]:
    """An environment of this region as the modules return it."""
    tier = environment.get("Tier") or {}
    arn = environment.get("PlatformArn")
    cname = environment.get("CNAME") or None
    return {
        "environment_name": environment["EnvironmentName"],
        "environment_id": environment["EnvironmentId"],
        "environment_arn": environment.get("EnvironmentArn"),
        "application_name": environment["ApplicationName"],
        "description": environment.get("Description") or "",
        "version_label": environment.get("VersionLabel"),
        "status": environment.get("Status"),
        "health": environment.get("Health"),
        "health_status": environment.get("HealthStatus"),
        "cname": cname,
        "cname_prefix": prefix_of(cname, region),
        "url": f"http://{cname}/" if cname else None,
        "endpoint_url": environment.get("EndpointURL"),
        "platform": environment.get("SolutionStackName") or arn,
        "platform_arn": arn,
        "tier": tier.get("Name"),
        "abortable_operation_in_progress": bool(environment.get("AbortableOperationInProgress")),
        "date_created": plain(environment.get("DateCreated")),
        "date_updated": plain(environment.get("DateUpdated")),
    }


def instance_out(instance: Mapping[str, Any]) -> dict[str, Any]:
    """An instance's health and deployment as the modules return them."""
    deployment = instance.get("Deployment") or {}
    return {
        "instance_id": instance.get("InstanceId"),
        "version_label": deployment.get("VersionLabel"),
        "deployment_id": deployment.get("DeploymentId"),
        "deployment_status": deployment.get("Status"),
        "health_status": instance.get("HealthStatus"),
        "color": instance.get("Color"),
        "causes": all_shown(instance.get("Causes") or []),
    }


def event_out(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the modules return it."""
    return {
        "event_date": plain(event.get("EventDate")),
        "severity": event.get("Severity"),
        "message": shown(str(event.get("Message") or "")),
        "environment_name": event.get("EnvironmentName"),
        "request_id": event.get("RequestId"),
    }
