# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import api, tags
from ..core.diff import DifferenceTracker
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, already_exists
from ..core.transformations import application_out, tags_in

Result = tuple[bool, dict[str, Any]]


def get_application(client: Any, name: str) -> dict[str, Any] | None:
    """One application, or None."""
    found = api.describe_applications(client, [name])
    return next((item for item in found if item["ApplicationName"] == name), None)


def ensure_application(client: Any, params: Mapping[str, Any], check_mode: bool) -> Result:
    """Make the application be as the parameters say; returns (changed, result)."""
    current = get_application(client, params["name"])
    if params["state"] == "absent":
        return _ensure_absent(client, params["name"], current, check_mode)
    if current is None:
        return _create(client, params, check_mode)
    tracker = DifferenceTracker()
    if params["description"] is not None:
        tracker.add("description", current.get("Description") or "", params["description"])
    plan = tags.plan_tags(client, current["ApplicationArn"], params["tags"], params["purge_tags"])
    tags.record(tracker, plan)
    after = dict(current)
    if "description" in tracker.names:
        after["Description"] = params["description"]
        if not check_mode:
            after = api.update_application(client, params["name"], params["description"])
    if plan is not None and "tags" in tracker.names and not check_mode:
        tags.apply_tags(client, current["ApplicationArn"], plan)
    result = application_out(after, plan.after if plan else None)
    return not tracker.empty, {"application": result, "diff": tracker.diff()}


def _create(client: Any, params: Mapping[str, Any], check_mode: bool) -> Result:
    wanted = params["tags"] or {}
    created: dict[str, Any] = {"ApplicationName": params["name"], "Description": params["description"] or ""}
    if not check_mode:
        extra = {"Tags": tags_in(wanted)} if wanted else {}
        try:
            created = api.create_application(client, **created, **extra)
        except AnsibleBeanstalkError as error:
            # Somebody else (or a repeated request whose first answer was lost) made it just now.
            found = get_application(client, params["name"]) if already_exists(error) else None
            if found is None:
                raise
            created = found
    result = application_out(created, {str(key): str(value) for key, value in wanted.items()})
    diff = {"before": {}, "after": {key: result[key] for key in ("application_name", "description", "tags")}}
    return True, {"application": result, "diff": diff}


def _ensure_absent(client: Any, name: str, current: dict[str, Any] | None, check_mode: bool) -> Result:
    if current is None:
        return False, {"application": None, "diff": {"before": {}, "after": {}}}
    running = api.describe_environments(client, ApplicationName=name)
    if running:
        names = ", ".join(sorted(item["EnvironmentName"] for item in running))
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {name} still has environments ({names}); terminate them first."
        )
    if not check_mode:
        api.delete_application(client, name)
    return True, {"application": None, "diff": {"before": {"application_name": name}, "after": {}}}
