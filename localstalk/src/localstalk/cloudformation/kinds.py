# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Beanstalk's resource types, as CloudFormation's resource specification has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "AWS::ElasticBeanstalk::"


@dataclass(frozen=True)
class Kind:
    """One type: its properties, those that a new resource is needed for when they change, and its attributes."""

    properties: frozenset[str]
    replacing: frozenset[str]
    attributes: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset({"ApplicationName"})
    name: str | None = None
    """The property that names the resource; without one, its name is always a generated one."""

    def problem(self, logical_id: str, properties: Mapping[str, Any]) -> str | None:
        """Why the properties are refused, in CloudFormation's words; None when they are not."""
        problems = [f"#: required key [{key}] not found" for key in sorted(self.required - properties.keys())]
        problems += [
            f"#: extraneous key [{key}] is not permitted" for key in sorted(properties.keys() - self.properties)
        ]
        if not problems:
            return None
        return "\n".join([f"Properties validation failed for resource {logical_id} with message:", *problems])

    def replaces(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a change of properties needs a new resource."""
        return any(_at(old, path) != _at(new, path) for path in self.replacing)


def _at(properties: Mapping[str, Any], path: str) -> Any:
    value: Any = properties
    for part in path.split("/"):
        value = (value or {}).get(part)
    return value


APPLICATION = Kind(
    frozenset({"ApplicationName", "Description", "ResourceLifecycleConfig"}),
    frozenset({"ApplicationName"}),
    required=frozenset(),
    name="ApplicationName",
)
VERSION = Kind(
    frozenset(
        {"ApplicationName", "BuildConfiguration", "Description", "ImageConfiguration", "Process", "SourceBundle"}
    ),
    frozenset({"ApplicationName", "BuildConfiguration", "ImageConfiguration", "Process", "SourceBundle"}),
    frozenset({"Id"}),
)
TEMPLATE = Kind(
    frozenset(
        {
            "ApplicationName", "Description", "EnvironmentId", "OptionSettings", "PlatformArn", "SolutionStackName",
            "SourceConfiguration",
        }
    ),
    frozenset({"ApplicationName", "EnvironmentId", "PlatformArn", "SolutionStackName", "SourceConfiguration"}),
    frozenset({"TemplateName"}),
)  # fmt: skip
ENVIRONMENT = Kind(
    frozenset(
        {
            "ApplicationName", "CNAMEPrefix", "Description", "EnvironmentName", "OperationsRole", "OptionSettings",
            "PlatformArn", "SolutionStackName", "Tags", "TemplateName", "Tier", "VersionLabel",
        }
    ),
    frozenset({"ApplicationName", "CNAMEPrefix", "EnvironmentName", "SolutionStackName", "Tier/Name", "Tier/Type"}),
    frozenset({"EndpointURL"}),
    name="EnvironmentName",
)  # fmt: skip
