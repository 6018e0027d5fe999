# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Application versions: the bundle in S3, and the record that names it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import api, tags
from .common import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, already_exists, error_code
from .diff import DifferenceTracker
from .transformations import tags_in, version_out
from .waiters import Deadline

Result = tuple[bool, dict[str, Any]]
_UNFINISHED = ("PROCESSING", "BUILDING")


def get_version(client: Any, application: str, label: str) -> dict[str, Any] | None:
    """One version, or None."""
    found = api.describe_versions(client, application, [label])
    return next((item for item in found if item["VersionLabel"] == label), None)


def status_of(version: Mapping[str, Any]) -> str:
    """Status in upper case: the model has it capitalised, the service answers upper case."""
    return str(version.get("Status", "")).upper()


def wait_processed(client: Any, version: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Wait until Elastic Beanstalk has looked into the bundle; raises when it refuses it or takes too long."""
    application, label = version["ApplicationName"], version["VersionLabel"]
    current: Mapping[str, Any] | None = version
    while current is not None and status_of(current) in _UNFINISHED:
        if deadline.over:
            raise AnsibleBeanstalkError(
                message=f"The version {label} was not processed within {deadline.timeout:.0f} seconds; its status is "
                f"{status_of(current)}"
            )
        deadline.pause()
        current = get_version(client, application, label)
    if current is None:
        raise AnsibleBeanstalkError(message=f"The version {label} vanished while it was being processed")
    if status_of(current) == "FAILED":
        raise AnsibleBeanstalkError(
            message=f"Elastic Beanstalk could not process the version {label}: {_why_failed(client, current)} "
            "Remove the version (state: absent) before the label is used again"
        )
    return dict(current)


def _why_failed(client: Any, version: Mapping[str, Any]) -> str:
    found = api.describe_events(
        client, ApplicationName=version["ApplicationName"], VersionLabel=version["VersionLabel"]
    )
    errors = [event["Message"].strip() for event in found if event.get("Severity") in ("ERROR", "FATAL", "WARN")]
    return errors[-1] if errors else "there is a mistake in env.yaml or in a file under .ebextensions."


def ensure_version(client: Any, s3: Any, params: Mapping[str, Any], check_mode: bool) -> Result:
    """Make the version be as the parameters say; returns (changed, result)."""
    current = get_version(client, params["application"], params["version_label"])
    if params["state"] == "absent":
        return _ensure_absent(client, params, current, check_mode)
    if current is None:
        return _create(client, s3, params, check_mode)
    tracker = DifferenceTracker()
    if params["description"] is not None:
        tracker.add("description", current.get("Description") or "", params["description"])
    plan = None
    if params["tags"] is not None:
        plan = tags.plan_tags(client, current["ApplicationVersionArn"], params["tags"], params["purge_tags"])
        tags.record(tracker, plan)
    after = dict(current)
    if "description" in tracker.names:
        after["Description"] = params["description"]
        if not check_mode:
            after = api.update_version(client, params["application"], params["version_label"], params["description"])
    if plan is not None and "tags" in tracker.names and not check_mode:
        tags.apply_tags(client, current["ApplicationVersionArn"], plan)
    if not check_mode:
        after = wait_processed(client, after, _deadline(params))
    result = version_out(after, plan.after if plan else None)
    return not tracker.empty, {"version": result, "diff": tracker.diff()}


def _deadline(params: Mapping[str, Any]) -> Deadline:
    return Deadline(params["wait_timeout"], params["poll_interval"])


def _create(client: Any, s3: Any, params: Mapping[str, Any], check_mode: bool) -> Result:
    application, label, src = params["application"], params["version_label"], params["src"]
    if not src:
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {application} has no version {label}; give src to make it."
        )
    wanted = params["tags"] or {}
    key = f"{application}/{label}.zip"
    created: dict[str, Any] = {
        "ApplicationName": application,
        "VersionLabel": label,
        "Description": params["description"] or "",
        "Status": "PROCESSED" if params["process"] else "UNPROCESSED",
        "SourceBundle": {"S3Bucket": params["bucket"], "S3Key": key},
    }
    if not check_mode:
        if not os.path.isfile(src):  # noqa: PTH113
            raise AnsibleBeanstalkRefusedError(message=f"The source bundle {src} is not a file.")
        bucket = _upload(client, s3, params["bucket"], key, src)
        created = _register(client, params, bucket, key, wanted)
        created = wait_processed(client, created, _deadline(params))
    result = version_out(created, {str(name): str(value) for name, value in wanted.items()})
    shown = ("application", "version_label", "description", "tags")
    return True, {"version": result, "diff": {"before": {}, "after": {name: result[name] for name in shown}}}


def _upload(client: Any, s3: Any, bucket: str | None, key: str, src: str) -> str:
    """Upload the bundle; returns the bucket. Elastic Beanstalk's own one is made where it is not there yet."""
    if bucket:
        try:
            api.upload_bundle(s3, bucket, key, src)
            return bucket
        except AnsibleBeanstalkError as error:
            if error_code(error) != "NoSuchBucket" or not bucket.startswith("elasticbeanstalk-"):
                raise
    own = api.create_storage_location(client)
    api.upload_bundle(s3, own, key, src)
    return own


def _register(
    client: Any, params: Mapping[str, Any], bucket: str, key: str, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    extra = {"Tags": tags_in(wanted)} if wanted else {}
    try:
        return api.create_version(
            client,
            ApplicationName=params["application"],
            VersionLabel=params["version_label"],
            Description=params["description"] or "",
            SourceBundle={"S3Bucket": bucket, "S3Key": key},
            AutoCreateApplication=False,
            Process=params["process"],
            **extra,
        )
    except AnsibleBeanstalkError as error:
        # The answer to the first request was lost, or another run of the same deploy was quicker.
        found = get_version(client, params["application"], params["version_label"]) if already_exists(error) else None
        if found is None:
            raise
        return found


def _ensure_absent(client: Any, params: Mapping[str, Any], current: dict[str, Any] | None, check_mode: bool) -> Result:
    application, label = params["application"], params["version_label"]
    if current is None:
        return False, {"version": None, "diff": {"before": {}, "after": {}}}
    # Users report that the service deletes versions that run (eb-facts); new instances could not start then.
    users = api.describe_environments(client, ApplicationName=application, VersionLabel=label)
    if users:
        names = ", ".join(sorted(item["EnvironmentName"] for item in users))
        raise AnsibleBeanstalkRefusedError(
            message=f"The version {label} of {application} is in use by the environment(s) {names}."
        )
    if not check_mode:
        try:
            api.delete_version(client, application, label, params["delete_source_bundle"])
        except AnsibleBeanstalkError as error:
            # The version itself is gone then, only its zip is left.
            if error_code(error) not in ("SourceBundleDeletionFailure", "SourceBundleDeletionException"):
                raise
    return True, {"version": None, "diff": {"before": {"version_label": label}, "after": {}}}
