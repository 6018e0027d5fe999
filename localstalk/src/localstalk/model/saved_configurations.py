# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved configurations as files in S3, where the service keeps them and ``eb config get`` and ``put`` find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from localstalk.model import options
from localstalk.model.state import TIER_TYPES, Settings, Template

_VERSION = "1.1.0.0"


@dataclass(frozen=True)
class Saved:
    """What a file says. ``platform`` has SolutionStackName or PlatformArn, or is empty."""

    settings: Settings
    platform: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


def key(application: str, name: str) -> str:
    """Where the file is in the storage location (Developer Guide, environment-configuration-savedconfig)."""
    return f"resources/templates/{application}/{name}"


def write(template: Template) -> bytes:
    """The file of a saved configuration."""
    namespaces: dict[str, dict[str, str]] = {}
    for (namespace, option), value in sorted(template.settings.items()):
        if option != "DBPassword":
            namespaces.setdefault(namespace, {})[option] = value
    content: dict[str, Any] = {
        "EnvironmentConfigurationMetadata": {
            "Description": template.description or "",
            "DateCreated": str(int(template.created.timestamp() * 1000)),
            "DateModified": str(int(template.updated.timestamp() * 1000)),
        },
        "Platform": {"PlatformArn": template.platform.arn},
        "OptionSettings": namespaces,
        "EnvironmentTier": {"Type": TIER_TYPES[template.tier], "Name": template.tier},
        "AWSConfigurationTemplateVersion": _VERSION,
    }
    if template.tags:
        content["Tags"] = dict(template.tags)
    return yaml.safe_dump(content, sort_keys=False).encode()


def read(text: bytes | str) -> Saved:
    """What a file says (YAML, of which JSON is a part). Raises ValueError when it is not one."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError("it is not YAML") from error
    sections = _mapping(content, "the file")
    settings = {
        options.qualify(bare, str(option), resource): _text(value)
        for namespace, pairs in _mapping(sections.get("OptionSettings"), "OptionSettings").items()
        for resource, bare in [options.split(str(namespace))]
        for option, value in _mapping(pairs, str(namespace)).items()
    }
    platform = _mapping(sections.get("Platform"), "Platform")
    if sections.get("SolutionStack"):
        platform = {"SolutionStackName": sections["SolutionStack"]}
    metadata = _mapping(sections.get("EnvironmentConfigurationMetadata"), "EnvironmentConfigurationMetadata")
    tags = _mapping(sections.get("Tags"), "Tags")
    return Saved(
        settings,
        {name: str(platform[name]) for name in ("SolutionStackName", "PlatformArn") if platform.get(name)},
        _text(metadata["Description"]) if metadata.get("Description") else None,
        {str(name): _text(value) for name, value in tags.items()},
    )


def _mapping(value: Any, name: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a mapping")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
