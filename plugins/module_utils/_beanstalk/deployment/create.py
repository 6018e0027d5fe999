# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parameters of CreateEnvironment, and what a diff shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.transformations import tags_in
from ..option_settings.comparison import HIDDEN
from ..option_settings.copying import to_call
from ..option_settings.keys import Settings, is_hidden


def create_call(params: Mapping[str, Any], platform: Mapping[str, str], wanted: Settings) -> dict[str, Any]:
    """The call for the module's parameters; ``wanted`` are option settings, None for unset."""
    call: dict[str, Any] = {
        "ApplicationName": params["application"],
        "EnvironmentName": params["name"],
        "OptionSettings": to_call(wanted),
        "Tags": tags_in(params["tags"] or {}),
        **platform,
    }
    optional = {"CNAMEPrefix": "cname_prefix", "VersionLabel": "version_label", "Description": "description"}
    call.update({key: params[name] for key, name in optional.items() if params[name]})
    if params["tier"] == "Worker":
        call["Tier"] = {"Name": "Worker", "Type": "SQS/HTTP"}
    elif params["tier"]:
        call["Tier"] = {"Name": "WebServer", "Type": "Standard"}
    return {key: value for key, value in call.items() if value}


def create_diff(params: Mapping[str, Any], platform: Mapping[str, str], wanted: Settings) -> dict[str, Any]:
    """What is made, without secret values."""
    shown = {key: params[key] for key in ("name", "application", "cname_prefix", "version_label", "tags")}
    shown["platform"] = next(iter(platform.values()))
    return shown | {key.label: HIDDEN if is_hidden(key) else value for key, value in sorted(wanted.items())}


def predicted(params: Mapping[str, Any], platform: Mapping[str, str]) -> dict[str, Any]:
    """The environment as it would be described."""
    return {
        "ApplicationName": params["application"],
        "EnvironmentName": params["name"],
        "EnvironmentId": None,
        "VersionLabel": params["version_label"],
        "Tier": {"Name": params["tier"] or "WebServer"},
        **platform,
    }
