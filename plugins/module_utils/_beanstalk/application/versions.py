# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Application versions: the bundle in S3, and the record that names it."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..bundle import contents
from ..core import api, tags
from ..core.cache import cache_of
from ..core.diff import DifferenceTracker
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, already_exists, error_code
from ..core.names import own_bucket
from ..core.reading import within
from ..core.transformations import tags_in, version_out
from ..core.waiters import Deadline
from .bundle_checksum import missing_bundle, record_checksum
from .bundle_contents import bundle_marks

Result = tuple[bool, dict[str, Any]]
_UNFINISHED = ("PROCESSING", "BUILDING")
# What Elastic Beanstalk takes to look into a bundle, so the pace of asking whether it has.
_PROCESSING_SECONDS = 1.3
_CACHED = 50
# After that, somebody may have put another bundle in its place: any instance may write to Elastic Beanstalk's bucket.
_FRESH_SECONDS = 300.0


class Wanted(NamedTuple):
    """A version that a deployment needs, and the bundle to make it of."""

    application: str
    label: str
    src: str
    description: str = ""


def get_version(client: Any, application: str, label: str) -> dict[str, Any] | None:
    """One version, or None."""
    found = api.describe_versions(client, application, [label])
    return next((item for item in found if item["VersionLabel"] == label), None)


def bundle_changes(client: Any, s3: Callable[[], Any], application: str, src: str, running: str) -> dict[str, Any]:
    """What of a bundle differs from that of the version ``running``, by name; empty without diff mode.

    ``s3`` makes the client. What cannot be read is said in place of the names.
    """
    new = contents.noted(src)
    if new is None or not running:
        return {}
    try:
        place = (get_version(client, application, running) or {}).get("SourceBundle") or {}
        if not place.get("S3Key"):
            return {"files": f"not known: the version {running} has no bundle any more"}
        return dict(contents.changes(new, bundle_marks(s3(), place["S3Bucket"], place["S3Key"])))
    except AnsibleBeanstalkError as error:
        return {"files": f"not known: {error}"}


def status_of(version: Mapping[str, Any]) -> str:
    """Status in upper case: the model has it capitalised, the service answers upper case."""
    return str(version.get("Status", "")).upper()


def wait_processed(
    client: Any, version: Mapping[str, Any], deadline: Deadline, pause: float | None = None
) -> dict[str, Any]:
    """Wait until Elastic Beanstalk has looked into the bundle; raises when it refuses it or takes too long.

    ``pause`` in seconds is for another pace than that of the deadline.
    """
    application, label = version["ApplicationName"], version["VersionLabel"]
    current: Mapping[str, Any] | None = version
    while current is not None and status_of(current) in _UNFINISHED:
        if deadline.over:
            raise AnsibleBeanstalkError(
                message=f"The version {label} was not processed within {deadline.timeout:.0f} seconds; its status is "
                f"{status_of(current)}"
            )
        deadline.pause(pause)
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
    deadline = Deadline(params["wait_timeout"], params["poll_interval"])
    current = get_version(client, params["application"], params["version_label"])
    if params["state"] == "absent":
        return _ensure_absent(client, params, current, check_mode)
    if current is None:
        return _create(client, s3, params, check_mode, deadline)
    tracker = DifferenceTracker()
    if params["description"] is not None:
        tracker.add("description", current.get("Description") or "", params["description"])
    plan = None
    if params["tags"] is not None:
        plan = tags.plan_tags(client, current["ApplicationVersionArn"], params["tags"], params["purge_tags"])
        tags.record(tracker, plan)
    if params["src"] and (why := missing_bundle(client, s3, current)):
        tracker.add("source_bundle", why, "uploaded")
        if not check_mode:
            _upload_again(client, s3, current, params["src"], deadline)
    after = dict(current)
    if "description" in tracker.names:
        after["Description"] = params["description"]
        if not check_mode:
            after = api.update_version(client, params["application"], params["version_label"], params["description"])
    if plan is not None and "tags" in tracker.names and not check_mode:
        tags.apply_tags(client, current["ApplicationVersionArn"], plan)
    if not check_mode:
        after = wait_processed(client, after, deadline)
    result = version_out(after, plan.after if plan else None)
    return not tracker.empty, {"version": result, "diff": tracker.diff()}


def provide(client: Any, s3: Callable[[], Any], wanted: Wanted, arn: str, deadline: Deadline) -> bool:
    """See to it that an application has a processed version with its own bundle; returns whether it was made.

    Every deployment of one version on this controller waits for the first, and asks nothing itself for a few minutes.
    ``s3`` makes the client, ``arn`` is that of anything of Elastic Beanstalk's in the account, or "".
    """
    cache = cache_of(client, wanted.application)
    with cache.exclusive_lock(deadline.left):
        if time.time() - (cache.get("provided") or {}).get(wanted.label, 0.0) < _FRESH_SECONDS:
            return False
        version, made = _provide(client, s3(), wanted, arn, deadline)
        wait_processed(client, version, deadline, _PROCESSING_SECONDS)
        known = list((cache.get("provided") or {}).items())[-_CACHED:]
        cache.put(provided={**dict(known), wanted.label: time.time()})
    return made


def restore(client: Any, s3: Callable[[], Any], wanted: Wanted, deadline: Deadline) -> bool:
    """Make a version usable again that is gone, or whose bundle is: upload the bundle to where the version has it.

    What this controller cached of the application is dropped. Returns whether the version itself was made.
    """
    cache, made = cache_of(client, wanted.application), False
    with cache.exclusive_lock(deadline.left):
        cache.invalidate()
        found = get_version(client, wanted.application, wanted.label)
        if found is None:
            found, made = _provide(client, s3(), wanted, "", deadline)
        else:
            _upload_again(client, s3(), found, wanted.src, deadline)
        wait_processed(client, found, deadline, _PROCESSING_SECONDS)
        cache.put(provided={wanted.label: time.time()})
    return made


def _provide(client: Any, s3: Any, wanted: Wanted, arn: str, deadline: Deadline) -> tuple[dict[str, Any], bool]:
    _check_file(wanted.src)
    bucket, key = own_bucket(arn), f"{wanted.application}/{wanted.label}.zip"
    try:
        # Where the bundle is there already, S3 says so before its bytes are sent.
        bucket, checksum = _upload(client, s3, bucket, key, wanted.src, deadline, new=True)
    except AnsibleBeanstalkError as error:
        if error_code(error) not in ("PreconditionFailed", "412"):
            raise
        found = get_version(client, wanted.application, wanted.label)
        if found is not None:
            if missing_bundle(client, s3, found):
                _upload_again(client, s3, found, wanted.src, deadline)
            return found, False
        bucket, checksum = _upload(client, s3, bucket, key, wanted.src, deadline)
    params = {"application": wanted.application, "version_label": wanted.label, "process": True}
    params["description"] = wanted.description
    made = _register(client, params, bucket, key, {}, create_application=True)
    record_checksum(client, wanted.application, wanted.label, checksum)
    return made, True


def _upload_again(client: Any, s3: Any, version: Mapping[str, Any], src: str, deadline: Deadline) -> None:
    """Put a bundle to where a version has its own."""
    _check_file(src)
    place = version["SourceBundle"]
    _bucket, checksum = _upload(client, s3, place["S3Bucket"], place["S3Key"], src, deadline)
    record_checksum(client, version["ApplicationName"], version["VersionLabel"], checksum)


def _check_file(src: str) -> None:
    if not os.path.isfile(src):  # noqa: PTH113
        raise AnsibleBeanstalkRefusedError(message=f"The source bundle {src} is not a file.")


def _create(client: Any, s3: Any, params: Mapping[str, Any], check_mode: bool, deadline: Deadline) -> Result:
    application, label, src = params["application"], params["version_label"], params["src"]
    if not src:
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {application} has no version {label}; give src to make it."
        )
    wanted = params["tags"] or {}
    changes = bundle_changes(client, lambda: s3, application, src, params.get("diff_with") or "")
    key = f"{application}/{label}.zip"
    created: dict[str, Any] = {
        "ApplicationName": application,
        "VersionLabel": label,
        "Description": params["description"] or "",
        "Status": "PROCESSED" if params["process"] else "UNPROCESSED",
        "SourceBundle": {"S3Bucket": params["bucket"], "S3Key": key},
    }
    if not check_mode:
        _check_file(src)
        bucket, checksum = _upload(client, s3, params["bucket"], key, src, deadline)
        created = _register(client, params, bucket, key, wanted)
        record_checksum(client, application, label, checksum)
        created = wait_processed(client, created, deadline)
    result = version_out(created, {str(name): str(value) for name, value in wanted.items()})
    shown = ("application_name", "version_label", "description", "tags")
    after = {**{name: result[name] for name in shown}, **changes}
    return True, {"version": result, "diff": {"before": {}, "after": after}}


def _upload(
    client: Any, s3: Any, bucket: str | None, key: str, src: str, deadline: Deadline, new: bool = False
) -> tuple[str, str]:
    """Upload the bundle; returns bucket and checksum. Elastic Beanstalk's own bucket is made if need be."""
    if bucket:
        try:
            return bucket, _send(s3, bucket, key, src, deadline, new)
        except AnsibleBeanstalkError as error:
            if error_code(error) != "NoSuchBucket" or not bucket.startswith("elasticbeanstalk-"):
                raise
    own = api.create_storage_location(client)
    return own, _send(s3, own, key, src, deadline, new)


def _send(s3: Any, bucket: str, key: str, src: str, deadline: Deadline, new: bool) -> str:
    """Upload the bundle within what is left of the time; returns its checksum.

    botocore's timeouts are those of one read or write: a connection that takes a little now and then has none.
    """
    # An upload that was left ends when it reads on: its file is closed.
    with open(src, "rb") as file:  # noqa: PTH123
        try:
            return within(deadline.left, functools.partial(api.upload_bundle, s3, bucket, key, file, new))
        except TimeoutError:
            raise AnsibleBeanstalkError(
                message=f"The source bundle {src} was not uploaded to the bucket {bucket} within "
                f"{deadline.timeout:.0f} seconds; check the connection to S3, or give it more time (wait_timeout)."
            ) from None


def _register(
    client: Any,
    params: Mapping[str, Any],
    bucket: str,
    key: str,
    wanted: Mapping[str, Any],
    create_application: bool = False,
) -> dict[str, Any]:
    extra = {"Tags": tags_in(wanted)} if wanted else {}
    try:
        return api.create_version(
            client,
            ApplicationName=params["application"],
            VersionLabel=params["version_label"],
            Description=params["description"] or "",
            SourceBundle={"S3Bucket": bucket, "S3Key": key},
            AutoCreateApplication=create_application,
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
    # Users report that the service deletes versions that run; new instances could not start then.
    # See docs/elastic_beanstalk.md §1.3.
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
