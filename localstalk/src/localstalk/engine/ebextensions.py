# SPDX-License-Identifier: GPL-3.0-or-later
"""Read ``.ebextensions/*.config`` files; pure, used by the engine in the instance and by the control plane.

Source of the facts: AWS developer guide, "Advanced environment customization with configuration files"
(docs/elastic_beanstalk.md §5.2).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

DIRECTORY = ".ebextensions"
ENVIRONMENT_NAMESPACE = "aws:elasticbeanstalk:application:environment"

INSTANCE_KEYS = (
    "packages",
    "groups",
    "users",
    "sources",
    "files",
    "commands",
    "services",
    "container_commands",
)
"""Keys that the instance handles, in the order in which it does."""

KNOWN_KEYS = frozenset(
    {*INSTANCE_KEYS, "option_settings", "Resources", "Outputs", "Mappings", "Conditions", "Parameters"}
)

MAX_FILE_BYTES = 2 * 1024 * 1024
"""More than this is no configuration file: refuse it before YAML anchors can make it bigger still."""


@dataclass(frozen=True)
class ConfigFile:
    """One configuration file.

    ``name`` is the path inside the bundle (``.ebextensions/01.config``). ``error`` is None, or the text of the event
    that EB writes. A file with an error has empty ``data``. ``fatal`` tells a file that cannot be parsed (EB fails the
    operation) from one with an unknown key (EB skips the file with a warning).
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    fatal: bool = False


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without dates and octal numbers: ``mode: 000755`` and ``2026-01-01`` stay what the user wrote."""


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    text = str(loader.construct_scalar(node))
    if len(text) > 1 and text.startswith("0") and text.isdigit():
        return text
    return loader.construct_yaml_int(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _invalid(name: str, version_label: str, yaml_error: str, json_error: str) -> ConfigFile:
    return ConfigFile(
        name,
        error=(
            f"The configuration file {name} in application version {version_label} contains invalid YAML or JSON. "
            f"YAML exception: Invalid Yaml: {yaml_error}, JSON exception: Invalid JSON: {json_error}. "
            "Update the configuration file."
        ),
        fatal=True,
    )


def parse_text(name: str, text: str, version_label: str = "") -> ConfigFile:
    """Parse one file, YAML or JSON; never raises."""
    try:
        # No SafeLoader by name, but a subclass of it that constructs even fewer types.
        data = yaml.load(text.expandtabs(4) if text.lstrip().startswith("{") else text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yaml_error = " ".join(str(error).split())
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as json_error:
            return _invalid(name, version_label, yaml_error, str(json_error))
    if data is None:
        return ConfigFile(name)
    if not isinstance(data, dict):
        return _invalid(name, version_label, "the top level is not a mapping", "the top level is not an object")
    for key in data:
        if key not in KNOWN_KEYS:
            return ConfigFile(
                name,
                error=(
                    f"Error processing file (Skipping): '{name}' - Contains invalid key: '{key}'. For information "
                    "about valid keys, see http://docs.aws.amazon.com/elasticbeanstalk/latest/dg/ebextensions.html"
                ),
            )
    problem = _malformed(data)
    if problem:
        return _invalid(name, version_label, problem, problem)
    return ConfigFile(name, data)


def _malformed(data: dict[str, Any]) -> str | None:
    for key in INSTANCE_KEYS:
        if data.get(key) is not None and not isinstance(data[key], dict):
            return f"{key} is not a mapping"
    for key in ("commands", "container_commands"):
        for command, body in (data.get(key) or {}).items():
            if not isinstance(body, dict) or "command" not in body:
                return f"{key}.{command} has no command"
    for path, body in (data.get("files") or {}).items():
        if not isinstance(body, dict) or not str(path).startswith("/"):
            return f"files.{path} must be an absolute path with a mapping"
    resources = data.get("Resources")
    if resources is not None and not (
        isinstance(resources, dict) and all(isinstance(body, dict) for body in resources.values())
    ):
        return "Resources is not a mapping of mappings"
    settings = data.get("option_settings")
    if settings is not None and not isinstance(settings, list | dict):
        return "option_settings is neither a list nor a mapping"
    return None


def _is_config(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix == ".config" and path.parent == PurePosixPath(DIRECTORY)


def parse_bundle(zip_path: Path, version_label: str = "") -> list[ConfigFile]:
    """Return the configuration files of a source bundle in the order in which EB handles them (alphabetical).

    A bundle that is no zip file (a bare Dockerfile or Dockerrun.aws.json, docs/elastic_beanstalk.md §6) has none.
    ``version_label`` only appears in error texts. Raises OSError when the bundle cannot be read.
    """
    if not zipfile.is_zipfile(zip_path):
        return []
    with zipfile.ZipFile(zip_path) as bundle:
        found: list[ConfigFile] = []
        for info in sorted(bundle.infolist(), key=lambda info: info.filename):
            if not _is_config(info.filename):
                continue
            if info.file_size > MAX_FILE_BYTES:
                found.append(_invalid(info.filename, version_label, "the file is too large", "the file is too large"))
                continue
            text = bundle.read(info).decode("utf-8", errors="replace").removeprefix("\ufeff")
            found.append(parse_text(info.filename, text, version_label))
        return found


def option_value(value: Any) -> str:
    """Return an option's value as the API shows it: text; booleans in lower case, null as the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def resources(files: Iterable[ConfigFile]) -> dict[str, dict[str, Any]]:
    """Return ``Resources`` of all files by logical id; of two with the same id, the later one's keys win."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        for logical_id, body in (file.data.get("Resources") or {}).items():
            found[str(logical_id)] = found.get(str(logical_id), {}) | body
    return found


def option_settings(files: Iterable[ConfigFile]) -> list[tuple[str, str, str, str]]:
    """Return (namespace, option, resource name or "", value) of all files, in order: a later one wins.

    Both the list form (``namespace``, ``option_name``, ``value``; the namespace defaults to that of environment
    properties) and the map form (namespace -> option -> value) are read.
    """
    found: list[tuple[str, str, str, str]] = []
    for file in files:
        settings = file.data.get("option_settings")
        if isinstance(settings, list):
            for item in settings:
                if isinstance(item, dict) and "option_name" in item:
                    namespace = str(item.get("namespace") or ENVIRONMENT_NAMESPACE)
                    resource = str(item.get("resource_name") or "")
                    found.append((namespace, str(item["option_name"]), resource, option_value(item.get("value"))))
        elif isinstance(settings, dict):
            for namespace, options in settings.items():
                if isinstance(options, dict):
                    found += [(str(namespace), str(name), "", option_value(value)) for name, value in options.items()]
    return found
