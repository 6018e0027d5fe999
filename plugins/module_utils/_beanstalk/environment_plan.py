# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to an environment, and which parameters are refused before any call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import naming, tags
from .bundle_types import BundleError
from .common import AnsibleBeanstalkRefusedError
from .diff import DifferenceTracker


def check_params(params: Mapping[str, Any]) -> None:
    """Refuse names that Elastic Beanstalk would refuse, before any call."""
    try:
        naming.check_application_name(params["application"])
        if params["name"]:
            naming.check_environment_name(params["name"])
        if params["cname_prefix"]:
            naming.check_cname_prefix(params["cname_prefix"])
        if params["version_label"]:
            naming.check_version_label(params["version_label"])
        if params["description"]:
            naming.check_description(params["description"])
        naming.check_tags(params["tags"] or {})
    except BundleError as error:
        raise AnsibleBeanstalkRefusedError(message=str(error)) from error
    if params["tier"] == "Worker" and params["cname_prefix"]:
        raise AnsibleBeanstalkRefusedError(message="An environment of the Worker tier has no CNAME; leave it out.")


class Plan:
    """What has to be done to an environment that exists."""

    def __init__(self) -> None:
        self.tracker = DifferenceTracker()
        self.actions: list[str] = []
        self.update: dict[str, Any] = {}
        self.tag_plan: tags.TagPlan | None = None

    def platform(self) -> dict[str, Any]:
        """The new platform as parameters of a call; empty when it stays."""
        return _platform(self.update)


def _platform(update: Mapping[str, Any]) -> dict[str, Any]:
    return {key: update[key] for key in ("SolutionStackName", "PlatformArn") if key in update}


def update_calls(update: Mapping[str, Any]) -> list[dict[str, Any]]:
    """UpdateEnvironment calls for an update: a new platform cannot be combined with a new version."""
    if not update:
        return []
    platform = _platform(update)
    if not platform or "VersionLabel" not in update:
        return [dict(update)]
    rest = {key: value for key, value in update.items() if key not in platform}
    return [platform, rest]
