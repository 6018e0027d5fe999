# SPDX-License-Identifier: GPL-3.0-or-later
"""``get-config`` of the platform scripts (developer guide, "Platform script tools"; docs/elastic_beanstalk.md §5.4)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from .layout import Layout

PLATFORM = {
    "AppDeployDir": "/var/app/current/",
    "AppStagingDir": "/var/app/staging/",
    "AppUser": "webapp",
    "ProxyServer": "nginx",
}


def _values(state: dict[str, Any], what: str) -> Any:
    instance = state.get("instance", {})
    if what == "environment":
        return state.get("properties", {})
    if what == "optionsettings":
        return state.get("options", {})
    if what == "platformconfig":
        version = {"al1": "2.0", "al2": "3.0", "al2023": "4.0"}.get(instance.get("generation", ""), "4.0")
        name = str(instance.get("branch") or "Docker").partition(" running on ")[0]
        return {
            **PLATFORM,
            "GenericName": name.split()[0].lower(),
            "PlatformName": name,
            "PlatformVersion": f"{version}.0",
        }
    if what == "container":
        return {
            "environment_name": instance.get("environment_name", ""),
            "instance_port": "80",
            "log_group_name_prefix": "",
        }
    return {}


def main(arguments: list[str], root: Path = Path("/")) -> int:
    """Print what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="get-config")
    parser.add_argument("what", choices=["optionsettings", "environment", "container", "addons", "platformconfig"])
    parser.add_argument("-k", "--key")
    parser.add_argument("-n", "--namespace")
    parser.add_argument("-o", "--option-name")
    parser.add_argument("--output", type=str.upper, choices=["JSON", "YAML"], default="JSON")
    chosen = parser.parse_args(arguments)
    path = Layout(root).state
    try:
        state = json.loads(path.read_text()) if path.exists() else {}
    except PermissionError:
        sys.stderr.write("get-config must be run by root\n")
        return 1
    found: Any = _values(state, chosen.what)
    for key in (chosen.namespace, chosen.option_name, chosen.key):
        if key is not None:
            if not isinstance(found, dict) or key not in found:
                sys.stderr.write(f"no value for {key}\n")
                return 1
            found = found[key]
    if isinstance(found, str):
        sys.stdout.write(found)
    elif chosen.output == "YAML":
        sys.stdout.write(yaml.safe_dump(found, default_flow_style=False))
    else:
        sys.stdout.write(json.dumps(found, separators=(",", ":"), ensure_ascii=False))
    return 0
