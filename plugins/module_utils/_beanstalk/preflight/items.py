# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables of the inventory to what ``preflight_info`` takes, before there is a source bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..deployment.items import wanted_environment
from ..environment.secrets import SecretsError
from ..hooks.render import PRESETS


def preflight_item(host: str, variables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The arguments of one host; ``problem`` is a sentence where its secrets cannot be sorted."""
    mine = variables[host]
    try:
        environment, problem = wanted_environment(host, mine), ""
    except SecretsError as error:
        environment, problem = {"application": mine["eb_application"]}, str(error)
    image = mine.get("eb_image") or {}
    source = mine.get("eb_source") or {}
    return {
        "environment": environment,
        "problem": problem,
        "source": source.get("path", ""),
        "secrets": mine.get("eb_secrets_files") or [],
        "hook_commands": [_command(one) for one in mine.get("eb_hooks") or []],
        "base_image": "/".join(part for part in (image.get("registry"), image.get("name")) if part),
        "local_images": "eb_localstalk" in mine,
    }


def _command(hook: Mapping[str, Any]) -> str:
    return str(hook.get("command") or PRESETS.get(hook.get("preset") or "", {}).get("command", ""))
