# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to an environment, and which parameters are refused before any call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import names, tags
from ..core.diff import DifferenceTracker
from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.user_errors import BundleError
from ..environment import secret_references
from ..environment.settings import EnvironmentSettings
from ..observe.verification import Verdict
from ..option_settings.comparison import to_api
from ..platform import resolution
from ..platform.resolution import Fit

Environment = Mapping[str, Any]


def check_params(params: Mapping[str, Any]) -> None:
    """Refuse names that Elastic Beanstalk would refuse, before any call."""
    try:
        names.check_application_name(params["application"])
        if params["name"]:
            names.check_environment_name(params["name"])
        if params["cname_prefix"]:
            names.check_cname_prefix(params["cname_prefix"])
        if params["version_label"]:
            names.check_version_label(params["version_label"])
        if params["description"]:
            names.check_description(params["description"])
        names.check_tags(params["tags"] or {})
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

    @property
    def empty(self) -> bool:
        """Whether nothing has to be done."""
        return self.tracker.empty and not self.actions

    def sentence(self, environment: Environment) -> str:
        """What is going to be done, for people."""
        label = self.update.get("VersionLabel")
        version = f" to version {label}" if label else ""
        return f"bringing the environment {environment['EnvironmentName']}{version} ({', '.join(self.actions)})"

    def redeploy(self, label: str, verdict: Verdict) -> None:
        """The version is there, but does not run everywhere."""
        self.tracker.add("instances_behind", list(verdict.instances) or verdict.reason, [])
        self.update["VersionLabel"] = label
        self.actions.append("redeploy")

    def platform(self) -> dict[str, Any]:
        """The new platform as parameters of a call; empty when it stays."""
        return _platform(self.update)


class Planner:
    """Compares an environment with what the module was told, as often as it is needed."""

    def __init__(self, client: Any, params: Mapping[str, Any], settings: EnvironmentSettings) -> None:
        self.client = client
        self.params = params
        self.settings = settings
        self.warnings: list[str] = []

    def plan(self, environment: Environment) -> Plan:
        """What differs now; reads only."""
        plan = Plan()
        params = self.params
        name = environment["EnvironmentName"]
        if params["version_label"] and environment.get("VersionLabel") != params["version_label"]:
            plan.tracker.add("version_label", environment.get("VersionLabel"), params["version_label"])
            plan.update["VersionLabel"] = params["version_label"]
            plan.actions.append("update_version")
        self._plan_platform(environment, plan)
        if params["description"] is not None and (environment.get("Description") or "") != params["description"]:
            plan.tracker.add("description", environment.get("Description") or "", params["description"])
            plan.update["Description"] = params["description"]
            plan.actions.append("update_description")
        tier = (environment.get("Tier") or {}).get("Name")
        if params["tier"] and tier and tier != params["tier"]:
            raise AnsibleBeanstalkRefusedError(
                message=f"The environment {name} is of the tier {tier}, which cannot be changed; make a new one."
            )
        self._plan_settings(environment, plan)
        platform = plan.platform()
        if platform or "OptionSettings" in plan.update:
            secret_references.check_platform(self.client, self.settings.wanted, platform or environment)
        plan.tag_plan = tags.plan_tags(
            self.client, environment.get("EnvironmentArn") or "", params["tags"], params["purge_tags"]
        )
        tags.record(plan.tracker, plan.tag_plan)
        if "tags" in plan.tracker.names:
            plan.actions.append("update_tags")
        return plan

    def _plan_platform(self, environment: Environment, plan: Plan) -> None:
        wanted = self.params["platform"]
        if not wanted:
            return
        resolution.refuse_other_kind(environment, wanted)
        fit = resolution.fit(environment, wanted)
        if fit is Fit.RIGHT:
            return
        if fit is Fit.NEWER and not self.params["platform_downgrade"]:
            self.warnings = [resolution.newer_sentence(environment, wanted)]
            return
        platform = resolution.choose(self.client, wanted)
        plan.tracker.add("platform", environment.get("SolutionStackName"), next(iter(platform.values())))
        plan.update.update(platform)
        plan.actions.append("update_platform")

    def _plan_settings(self, environment: Environment, plan: Plan) -> None:
        changes = self.settings.plan(environment)
        for change in changes:
            plan.tracker.add(change.key.label, *change.shown())
        to_set, to_remove = to_api(changes)
        if to_set:
            plan.update["OptionSettings"] = to_set
        if to_remove:
            plan.update["OptionsToRemove"] = to_remove
        if changes:
            plan.actions.append("update_settings")


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
