# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saved configurations, which the API calls configuration templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import api, names
from ..core.diff import DifferenceTracker
from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.transformations import plain
from ..core.user_errors import BundleError
from ..observe.lookup import find_environment
from ..option_settings import comparison
from ..option_settings.given import doubts, parse
from ..option_settings.keys import Settings
from ..platform import resolution
from ..platform.resolution import Fit
from .settings import without_defaults

Result = tuple[bool, dict[str, Any]]


def ensure_saved(client: Any, params: Mapping[str, Any], check_mode: bool) -> Result:
    """Make the saved configuration be as the parameters say; returns (changed, result)."""
    try:
        names.check_application_name(params["application"])
        names.check_description(params["description"] or "")
    except BundleError as error:
        raise AnsibleBeanstalkRefusedError(message=str(error)) from error
    wanted = parse(params["option_settings"])
    current = api.describe_template(client, params["application"], params["name"])
    if params["state"] == "absent":
        return _ensure_absent(client, params, current, check_mode)
    if current is None:
        changed, result = _create(client, params, wanted, check_mode)
    else:
        changed, result = _update(client, params, wanted, current, check_mode)
    return changed, {**result, "warnings": doubts(wanted)}


def _create(client: Any, params: Mapping[str, Any], wanted: Settings, check_mode: bool) -> Result:
    changes = comparison.compare(wanted, [])
    to_set, _to_remove = comparison.to_api(changes)
    call: dict[str, Any] = {
        "ApplicationName": params["application"],
        "TemplateName": params["name"],
        "Description": params["description"] or "",
        "OptionSettings": to_set,
    }
    if params["environment"]:
        source = find_environment(client, {"application": params["application"], "name": params["environment"]})
        if source is None:
            raise AnsibleBeanstalkRefusedError(
                message=f"The application {params['application']} has no environment {params['environment']}."
            )
        call["EnvironmentId"] = source["EnvironmentId"]
    elif params["platform"]:
        call.update(resolution.choose(client, params["platform"]))
    else:
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {params['application']} has no saved configuration {params['name']}; "
            "environment or platform is needed to make one."
        )
    after = {"description": call["Description"]}
    after.update({change.key.label: change.shown()[1] for change in changes})
    if not check_mode:
        api.create_template(client, **{key: value for key, value in call.items() if value})
    return True, {"saved_configuration": _out(call), "diff": {"before": {}, "after": after}}


def _update(
    client: Any, params: Mapping[str, Any], wanted: Settings, current: Mapping[str, Any], check_mode: bool
) -> Result:
    if params["platform"] and resolution.fit(current, params["platform"]) is not Fit.RIGHT:
        raise AnsibleBeanstalkRefusedError(
            message=f"The saved configuration {params['name']} is for {current.get('SolutionStackName')}, which cannot "
            "be changed; remove it first, or make one of another name."
        )
    tracker = DifferenceTracker()
    call: dict[str, Any] = {"ApplicationName": params["application"], "TemplateName": params["name"]}
    if params["description"] is not None:
        tracker.add("description", current.get("Description") or "", params["description"])
        call["Description"] = params["description"]
    changes = comparison.compare(wanted, current.get("OptionSettings", []))
    place = {"ApplicationName": params["application"], "TemplateName": params["name"]}
    changes = without_defaults(client, changes, **place)
    for change in changes:
        tracker.add(change.key.label, *change.shown())
    to_set, to_remove = comparison.to_api(changes)
    call.update({key: value for key, value in (("OptionSettings", to_set), ("OptionsToRemove", to_remove)) if value})
    if not tracker.empty and not check_mode:
        api.update_template(client, **call)
    shown = {**current, **{key: call[key] for key in ("Description",) if key in call}}
    return not tracker.empty, {"saved_configuration": _out(shown), "diff": tracker.diff()}


def _ensure_absent(
    client: Any, params: Mapping[str, Any], current: Mapping[str, Any] | None, check_mode: bool
) -> Result:
    if current is None:
        return False, {"saved_configuration": None, "diff": {"before": {}, "after": {}}}
    if not check_mode:
        api.delete_template(client, params["application"], params["name"])
    return True, {"saved_configuration": None, "diff": {"before": {"template_name": params["name"]}, "after": {}}}


def _out(template: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "template_name": template["TemplateName"],
        "application_name": template["ApplicationName"],
        "description": template.get("Description") or "",
        "platform": template.get("SolutionStackName") or template.get("PlatformArn"),
        "date_created": plain(template.get("DateCreated")),
        "date_updated": plain(template.get("DateUpdated")),
    }
