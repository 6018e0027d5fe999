# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting old application versions, and keeping what anybody may still need.

Elastic Beanstalk restores an environment that was terminated up to six weeks ago only while its version is there, and
its own lifecycle policy spares versions that an environment had less than ten weeks ago; so does this code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, error_code
from .versions import status_of

_AT_REST = ("Ready", "Terminated")
_BUNDLE_LEFT = ("SourceBundleDeletionFailure", "SourceBundleDeletionException")


def sort_out(
    versions: Sequence[Mapping[str, Any]], environments: Sequence[Mapping[str, Any]], keep: int, prefix: str
) -> tuple[list[str], dict[str, str]]:
    """Labels to delete, oldest first, and for every other label why it stays."""
    users: dict[str, list[str]] = {}
    for item in environments:
        if item.get("VersionLabel"):
            users.setdefault(item["VersionLabel"], []).append(str(item["EnvironmentName"]))
    doomed: list[str] = []
    kept: dict[str, str] = {}
    # Versions with other prefixes are somebody else's: they are not counted either.
    ours = [item for item in versions if item["VersionLabel"].startswith(prefix)]
    kept.update({item["VersionLabel"]: "has another prefix" for item in versions if item not in ours})
    ours.sort(key=lambda item: (item["DateCreated"], item["VersionLabel"]), reverse=True)
    for place, item in enumerate(ours):
        label = item["VersionLabel"]
        if label in users:
            kept[label] = f"used by {', '.join(sorted(set(users[label])))}"
        elif place < keep:
            kept[label] = f"one of the newest {keep}"
        elif status_of(item) in ("PROCESSING", "BUILDING"):
            kept[label] = "is being processed"
        else:
            doomed.insert(0, label)
    return doomed, kept


def prune(client: Any, params: Mapping[str, Any], check_mode: bool) -> tuple[bool, dict[str, Any]]:
    """Delete old versions of an application; returns (changed, result)."""
    application = params["application"]
    if params["keep"] < 1 or params["used_within_days"] < 0:
        raise AnsibleBeanstalkRefusedError(message="keep has to be at least 1, and used_within_days at least 0.")
    versions = api.describe_versions(client, application)
    since = datetime.now(UTC) - timedelta(days=params["used_within_days"])
    # Asked for last: what was deployed in between is seen.
    environments = api.describe_recent_environments(client, application, since)
    doomed, kept = sort_out(versions, environments, params["keep"], params["label_prefix"])
    moving = sorted(item["EnvironmentName"] for item in environments if item.get("Status") not in _AT_REST)
    result: dict[str, Any] = {"kept": kept, "deleted": [], "postponed": []}
    if moving and doomed:
        # The version that an environment is about to get is shown only when it has it.
        result["postponed"] = doomed
        result["reason"] = f"An operation is running on {', '.join(moving)}, whose new version is not known yet."
        doomed = []
    for label in doomed:
        if check_mode or _delete(client, application, label, params["delete_source_bundle"]):
            result["deleted"].append(label)
    labels = sorted(item["VersionLabel"] for item in versions)
    after = [label for label in labels if label not in result["deleted"]]
    result["diff"] = {"before": {"version_labels": labels}, "after": {"version_labels": after}}
    return bool(result["deleted"]), result


def _delete(client: Any, application: str, label: str, with_bundle: bool) -> bool:
    """Delete one version; False when another run was quicker."""
    try:
        api.delete_version(client, application, label, with_bundle)
    except AnsibleBeanstalkError as error:
        # The version itself is gone then, only its zip is left.
        if error_code(error) in _BUNDLE_LEFT:
            return True
        if api.describe_versions(client, application, [label]):
            raise
        return False
    return True
