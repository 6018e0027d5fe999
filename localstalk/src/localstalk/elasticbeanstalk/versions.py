# SPDX-License-Identifier: GPL-3.0-or-later
"""Application versions, their processing and their life cycle."""

from __future__ import annotations

from datetime import timedelta

from localstalk.elasticbeanstalk.api import Answer, Params, page, read_tags
from localstalk.elasticbeanstalk.applications import new_application
from localstalk.model import bundles
from localstalk.model.errors import InvalidParameterCombination, InvalidParameterValue, ServiceError
from localstalk.model.region import Region
from localstalk.model.state import Application, Call, Severity, Version
from localstalk.scheduler import sleep

_LIFECYCLE_RUN = 100
"""Versions that one run of the life cycle policy deletes at most (Developer Guide, application version lifecycle)."""
_PROCESS_SECONDS = 5.0
_RECENT = timedelta(weeks=10)


class Versions:
    """Operations on application versions."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def create_application_version(self, call: Call, params: Params) -> Answer:
        """A new version. Stricter than known: the bundle must exist (docs/elastic_beanstalk.md §12.5)."""
        name, label = params["ApplicationName"], params["VersionLabel"]
        bundle, build = params.get("SourceBundle"), params.get("SourceBuildInformation")
        if bundle and build:
            raise InvalidParameterCombination("SourceBundle and SourceBuildInformation cannot be specified together.")
        if name not in self.region.applications:
            if not params.get("AutoCreateApplication"):
                raise InvalidParameterValue(f"No Application named '{name}' found.")
            new_application(self.region, call, name, None)
        application = self.region.applications[name]
        if label in application.versions:
            raise InvalidParameterValue(f"Application Version {label} already exists.")
        bucket, key = self.source(bundle)
        self._check_version_quota()
        version = self.add(call, application, params, bucket, key)
        if params.get("Process") or build:
            version.status = "PROCESSING"
            self.region.control.scheduler.spawn(self._process(call, version), f"process {label}")
        self._apply_lifecycle(application, label)
        return {"ApplicationVersion": describe_version(version)}

    def source(self, bundle: dict[str, str] | None) -> tuple[str, str]:
        """Bucket and key of a bundle, which must exist; of the sample application where none is given."""
        if not bundle:
            key = "GenericSampleApplication/sample.zip"
            if self.region.storage.size(self.region.bucket, key) is None:
                self.region.storage.write(self.region.bucket, key, bundles.sample())
            return self.region.bucket, key
        bucket, key = bundle.get("S3Bucket", ""), bundle.get("S3Key", "")
        if not bucket or not key:
            raise InvalidParameterCombination("Both S3Bucket and S3Key must be specified.")
        self.region.storage.check(bucket, key)
        return bucket, key

    def _check_version_quota(self) -> None:
        count = sum(len(application.versions) for application in self.region.applications.values())
        code = "TooManyApplicationVersionsException"
        self.region.check_quota("ApplicationVersion", "Application Versions", count, code)

    def add(self, call: Call, application: Application, params: Params, bucket: str, key: str) -> Version:
        """A new version, with its events."""
        now, label = self.region.control.clock.now(), params["VersionLabel"]
        arn = self.region.arn("applicationversion", application.name, label)
        version = Version(application.name, label, arn, now, now, bucket, key, params.get("Description"))
        version.build_information = params.get("SourceBuildInformation")
        version.processed = bool(params.get("Process"))
        version.tags = read_tags(params)
        application.versions[label] = version
        for text in (
            "createApplicationVersion is starting.",
            f"Created new Application Version: {label}",
            "createApplicationVersion completed successfully.",
        ):
            self.region.events.record(
                text, application=application.name, request_id=call.request_id, version_label=label
            )
        return version

    async def _process(self, call: Call, version: Version) -> None:
        await sleep(_PROCESS_SECONDS)
        content = self.region.storage.read(version.bucket, version.key)
        problems = ["The source bundle is missing."] if content is None else bundles.problems(content, version.label)
        version.status = "FAILED" if problems else "PROCESSED"
        version.updated = self.region.control.clock.now()

        def record(text: str, severity: Severity) -> None:
            self.region.events.record(
                text,
                severity,
                application=version.application,
                request_id=call.request_id,
                version_label=version.label,
            )

        for problem in problems:
            record(problem, "ERROR")
        text = f"Finished processing application version {version.label}. Status: {version.status}."
        record(text, "ERROR" if problems else "INFO")

    def describe_application_versions(self, call: Call, params: Params) -> Answer:
        """Newest first; filters by application and labels; unknown ones are left out."""
        name, labels = params.get("ApplicationName"), params.get("VersionLabels")
        found = [
            version
            for application in self.region.applications.values()
            if name in (None, application.name)
            for version in application.versions.values()
            if not labels or version.label in labels
        ]
        found.reverse()
        found.sort(key=lambda version: version.created, reverse=True)
        items, token = page(found, params)
        return {"ApplicationVersions": [describe_version(version) for version in items], "NextToken": token}

    def update_application_version(self, call: Call, params: Params) -> Answer:
        """Only the description can change."""
        self.region.application(params["ApplicationName"])
        version = self.region.version(params["ApplicationName"], params["VersionLabel"])
        if params.get("Description") is not None:
            version.description = params["Description"]
        version.updated = self.region.control.clock.now()
        return {"ApplicationVersion": describe_version(version)}

    def delete_application_version(self, call: Call, params: Params) -> None:
        """Stricter of two reports (elastic_beanstalk.md §1.3): a version that an environment uses is not deleted."""
        name, label = params["ApplicationName"], params["VersionLabel"]
        application = self.region.application(name)
        version = self.region.version(name, label)
        if version.status in ("PROCESSING", "BUILDING"):
            text = (
                f"Unable to delete application version: {label}. An operation is already in progress, please retry "
                "again shortly."
            )
            raise ServiceError("OperationInProgressFailure", text)
        if label in self._used_labels(name):
            text = f"Unable to delete application version {label} because it is deployed to a running environment."
            raise InvalidParameterValue(text)
        del application.versions[label]
        self.region.events.record(
            f"Deleted Application Version: {label}", application=name, request_id=call.request_id, version_label=label
        )
        if params.get("DeleteSourceBundle") and not self.region.storage.delete(version.bucket, version.key):
            where = f"(Bucket: {version.bucket}  Key: {version.key})"
            text = f"Unable to delete the source bundle {where} of application version {label}."
            raise ServiceError("SourceBundleDeletionFailure", text)

    def _used_labels(self, application: str) -> set[str]:
        used = set()
        for environment in self.region.running():
            if environment.application == application:
                used |= {environment.version_label or "", environment.expected_label or ""}
                used |= {each.deployment.label for each in environment.instances.values() if each.deployment}
        return used

    def _apply_lifecycle(self, application: Application, newest: str) -> None:
        rules = application.lifecycle["VersionLifecycleConfig"]
        now = self.region.control.clock.now()
        keep = self._used_labels(application.name) | {newest}
        for environment in self.region.environments.values():
            if environment.terminated is not None and now - environment.terminated < _RECENT:
                keep.add(environment.version_label or "")
        others = sorted(application.versions.values(), key=lambda version: version.created)
        free = [version for version in others if version.label not in keep]
        doomed: list[tuple[Version, bool]] = []
        count, age = rules["MaxCountRule"], rules["MaxAgeRule"]
        if count.get("Enabled"):
            # The new version does not count (docs/elastic_beanstalk.md §1.3).
            excess = len(others) - 1 - int(count.get("MaxCount", 200))
            doomed = [(version, bool(count.get("DeleteSourceFromS3"))) for version in free[: max(0, excess)]]
        elif age.get("Enabled"):
            limit = now - timedelta(days=int(age.get("MaxAgeInDays", 180)))
            doomed = [(version, bool(age.get("DeleteSourceFromS3"))) for version in free if version.created < limit]
        for version, with_source in doomed[:_LIFECYCLE_RUN]:
            del application.versions[version.label]
            if with_source:
                self.region.storage.delete(version.bucket, version.key)


def describe_version(version: Version) -> Answer:
    """DescribeApplicationVersions' view of a version."""
    return {
        "ApplicationVersionArn": version.arn,
        "ApplicationName": version.application,
        "Description": version.description,
        "VersionLabel": version.label,
        "SourceBuildInformation": version.build_information,
        "BuildArn": version.build_arn,
        "SourceBundle": {"S3Bucket": version.bucket, "S3Key": version.key},
        "Process": version.processed,
        "DateCreated": version.created,
        "DateUpdated": version.updated,
        "Status": version.status,
    }
