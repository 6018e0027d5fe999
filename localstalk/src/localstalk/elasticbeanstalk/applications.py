# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications, application versions, the storage location, and the account's quotas."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from localstalk.elasticbeanstalk import bundles
from localstalk.elasticbeanstalk.base import RegionBase, page
from localstalk.elasticbeanstalk.errors import InvalidParameterCombination, InvalidParameterValue, ServiceError
from localstalk.elasticbeanstalk.state import Application, Call, Severity, Version
from localstalk.elasticbeanstalk.storage import Storage
from localstalk.scheduler import sleep

_LIFECYCLE = {
    "MaxCountRule": {"Enabled": False, "MaxCount": 200, "DeleteSourceFromS3": False},
    "MaxAgeRule": {"Enabled": False, "MaxAgeInDays": 180, "DeleteSourceFromS3": False},
}
_LIFECYCLE_RUN = 100
"""Versions that one run of the life cycle policy deletes at most (eb-facts §1.3)."""
_PROCESS_SECONDS = 5.0
_RECENT = timedelta(weeks=10)


class Applications(RegionBase):
    """Operations on applications and their versions."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.storage = Storage(self.account, self.name)

    def create_storage_location(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Idempotent."""
        self.storage.ensure_bucket(self.bucket)
        return {"S3Bucket": self.bucket}

    def describe_account_attributes(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """The quotas that this daemon was started with."""
        quotas = self.control.quotas
        names = ("Application", "ApplicationVersion", "Environment", "ConfigurationTemplate", "CustomPlatform")
        return {"ResourceQuotas": {f"{name}Quota": {"Maximum": quotas[name]} for name in names}}

    def create_application(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """A new application."""
        name = params["ApplicationName"]
        if name in self.applications:
            raise InvalidParameterValue(f"Application {name} already exists.")
        lifecycle = params.get("ResourceLifecycleConfig")
        application = self._new_application(call, name, params.get("Description"))
        application.tags = _tags(params)
        if lifecycle:
            _set_lifecycle(application, lifecycle)
        return {"Application": _application(application)}

    def _new_application(self, call: Call, name: str, description: str | None) -> Application:
        self.check_quota("Application", "Applications", len(self.applications), "TooManyApplicationsException")
        now = self.control.clock.now()
        application = Application(name, self.arn("application", name), now, now, description)
        application.lifecycle = {"VersionLifecycleConfig": copy.deepcopy(_LIFECYCLE)}
        self.applications[name] = application
        for text in (
            "createApplication is starting.",
            f"Created new Application: {name}",
            "createApplication completed successfully.",
        ):
            self.record(text, application=name, request_id=call.request_id)
        return application

    def describe_applications(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """All, or those named; unknown names are left out."""
        names = params.get("ApplicationNames")
        found = [each for each in self.applications.values() if not names or each.name in names]
        return {"Applications": [_application(each) for each in found]}

    def update_application(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Only the description can change; leaving it out leaves it alone."""
        application = self.application(params["ApplicationName"])
        if params.get("Description") is not None:
            application.description = params["Description"]
        application.updated = self.control.clock.now()
        self.record(
            "Updated Application: " + application.name, application=application.name, request_id=call.request_id
        )
        return {"Application": _application(application)}

    def update_application_resource_lifecycle(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Set the life cycle policy; the first time it needs a service role."""
        application = self.application(params["ApplicationName"])
        _set_lifecycle(application, params["ResourceLifecycleConfig"])
        return {"ApplicationName": application.name, "ResourceLifecycleConfig": application.lifecycle}

    def delete_application(self, call: Call, params: dict[str, Any]) -> None:
        """With TerminateEnvByForce, end the environments first; without, refuse while there are any."""
        application = self.application(params["ApplicationName"])
        living = [each for each in self.alive() if each.application == application.name]
        if living and not params.get("TerminateEnvByForce"):
            text = (
                f"Unable to delete application {application.name} because it has a version that is deployed to a "
                "running environment."
            )
            raise ServiceError("OperationInProgressFailure", text)
        self.control.scheduler.spawn(self._delete_application(call, application), f"delete {application.name}")

    async def _delete_application(self, call: Call, application: Application) -> None:
        def say(text: str) -> None:
            self.record(text, application=application.name, request_id=call.request_id)

        say("deleteApplication is starting.")
        say("Invoking Environment Termination workflows.")
        for environment in list(self.alive()):
            if environment.application == application.name and environment.status == "Ready":
                # A request of its own: eb takes "terminateEnvironment completed" for the end of the whole command,
                # and shows none of the environments' events in captures of `eb terminate --all`.
                own = Call(self.control.uuid(), "TerminateEnvironment", call.endpoint)
                self.terminate_environment(own, {"EnvironmentId": environment.id})
        while any(each.application == application.name for each in self.alive()):
            await sleep(1)
        say("The environment termination step is done.")
        self.applications.pop(application.name, None)
        say("The application has been deleted successfully.")

    def terminate_environment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Given by the topic of environments."""
        raise NotImplementedError

    # --- versions ---

    def create_application_version(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """A new version. Stricter than known: the bundle must exist (eb-facts §12.5)."""
        name, label = params["ApplicationName"], params["VersionLabel"]
        bundle, build = params.get("SourceBundle"), params.get("SourceBuildInformation")
        if bundle and build:
            raise InvalidParameterCombination("SourceBundle and SourceBuildInformation cannot be specified together.")
        if name not in self.applications:
            if not params.get("AutoCreateApplication"):
                raise InvalidParameterValue(f"No Application named '{name}' found.")
            self._new_application(call, name, None)
        application = self.applications[name]
        if label in application.versions:
            raise InvalidParameterValue(f"Application Version {label} already exists.")
        bucket, key = self._source(bundle)
        self._check_version_quota()
        version = self._new_version(call, application, params, bucket, key)
        if params.get("Process") or build:
            version.status = "PROCESSING"
            self.control.scheduler.spawn(self._process(call, version), f"process {label}")
        self._apply_lifecycle(application, label)
        return {"ApplicationVersion": describe_version(version)}

    def _source(self, bundle: dict[str, str] | None) -> tuple[str, str]:
        if not bundle:
            key = "GenericSampleApplication/sample.zip"
            if self.storage.size(self.bucket, key) is None:
                self.storage.write(self.bucket, key, bundles.sample())
            return self.bucket, key
        bucket, key = bundle.get("S3Bucket", ""), bundle.get("S3Key", "")
        if not bucket or not key:
            raise InvalidParameterCombination("Both S3Bucket and S3Key must be specified.")
        self.storage.check(bucket, key)
        return bucket, key

    def _check_version_quota(self) -> None:
        count = sum(len(application.versions) for application in self.applications.values())
        code = "TooManyApplicationVersionsException"
        self.check_quota("ApplicationVersion", "Application Versions", count, code)

    def _new_version(
        self, call: Call, application: Application, params: dict[str, Any], bucket: str, key: str
    ) -> Version:
        now, label = self.control.clock.now(), params["VersionLabel"]
        arn = self.arn("applicationversion", application.name, label)
        version = Version(application.name, label, arn, now, now, bucket, key, params.get("Description"))
        version.build_information = params.get("SourceBuildInformation")
        version.tags = _tags(params)
        application.versions[label] = version
        for text in (
            "createApplicationVersion is starting.",
            f"Created new Application Version: {label}",
            "createApplicationVersion completed successfully.",
        ):
            self.record(text, application=application.name, request_id=call.request_id, version_label=label)
        return version

    async def _process(self, call: Call, version: Version) -> None:
        await sleep(_PROCESS_SECONDS)
        content = self.storage.read(version.bucket, version.key)
        problems = ["The source bundle is missing."] if content is None else bundles.problems(content, version.label)
        version.status = "FAILED" if problems else "PROCESSED"
        version.updated = self.control.clock.now()

        def say(text: str, severity: Severity) -> None:
            self.record(
                text,
                severity,
                application=version.application,
                request_id=call.request_id,
                version_label=version.label,
            )

        for problem in problems:
            say(problem, "ERROR")
        text = f"Finished processing application version {version.label}. Status: {version.status}."
        say(text, "ERROR" if problems else "INFO")

    def describe_application_versions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Newest first; filters by application and labels; unknown ones are left out."""
        name, labels = params.get("ApplicationName"), params.get("VersionLabels")
        found = [
            version
            for application in self.applications.values()
            if name in (None, application.name)
            for version in application.versions.values()
            if not labels or version.label in labels
        ]
        found.reverse()
        found.sort(key=lambda version: version.created, reverse=True)
        items, token = page(found, params)
        return {"ApplicationVersions": [describe_version(version) for version in items], "NextToken": token}

    def update_application_version(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Only the description can change."""
        self.application(params["ApplicationName"])
        version = self.version(params["ApplicationName"], params["VersionLabel"])
        if params.get("Description") is not None:
            version.description = params["Description"]
        version.updated = self.control.clock.now()
        return {"ApplicationVersion": describe_version(version)}

    def delete_application_version(self, call: Call, params: dict[str, Any]) -> None:
        """Stricter of two reports (eb-facts §1.3): a version that an environment uses is not deleted."""
        name, label = params["ApplicationName"], params["VersionLabel"]
        application = self.application(name)
        version = self.version(name, label)
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
        self.record(
            f"Deleted Application Version: {label}", application=name, request_id=call.request_id, version_label=label
        )
        if params.get("DeleteSourceBundle") and not self.storage.delete(version.bucket, version.key):
            where = f"(Bucket: {version.bucket}  Key: {version.key})"
            text = f"Unable to delete the source bundle {where} of application version {label}."
            raise ServiceError("SourceBundleDeletionFailure", text)

    def _used_labels(self, application: str) -> set[str]:
        used = set()
        for environment in self.alive():
            if environment.application == application:
                used |= {environment.version_label or "", environment.expected_label or ""}
                used |= {each.deployment.label for each in environment.instances.values() if each.deployment}
        return used

    def _apply_lifecycle(self, application: Application, newest: str) -> None:
        rules = application.lifecycle["VersionLifecycleConfig"]
        now = self.control.clock.now()
        keep = self._used_labels(application.name) | {newest}
        for environment in self.environments.values():
            if environment.terminated is not None and now - environment.terminated < _RECENT:
                keep.add(environment.version_label or "")
        others = sorted(application.versions.values(), key=lambda version: version.created)
        free = [version for version in others if version.label not in keep]
        doomed: list[tuple[Version, bool]] = []
        count, age = rules["MaxCountRule"], rules["MaxAgeRule"]
        if count.get("Enabled"):
            # The new version does not count (eb-facts §1.3).
            excess = len(others) - 1 - int(count.get("MaxCount", 200))
            doomed = [(version, bool(count.get("DeleteSourceFromS3"))) for version in free[: max(0, excess)]]
        elif age.get("Enabled"):
            limit = now - timedelta(days=int(age.get("MaxAgeInDays", 180)))
            doomed = [(version, bool(age.get("DeleteSourceFromS3"))) for version in free if version.created < limit]
        for version, with_source in doomed[:_LIFECYCLE_RUN]:
            del application.versions[version.label]
            if with_source:
                self.storage.delete(version.bucket, version.key)


def _tags(params: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags") or ()}


def _set_lifecycle(application: Application, wanted: dict[str, Any]) -> None:
    role = wanted.get("ServiceRole") or application.lifecycle.get("ServiceRole")
    rules = wanted.get("VersionLifecycleConfig") or {}
    if rules and not role:
        raise InvalidParameterValue(
            "A service role must be specified for the application resource lifecycle configuration."
        )
    if all((rules.get(name) or {}).get("Enabled") for name in ("MaxCountRule", "MaxAgeRule")):
        raise InvalidParameterValue("MaxCountRule and MaxAgeRule cannot be enabled at the same time.")
    application.lifecycle["ServiceRole"] = role
    for name, rule in rules.items():
        application.lifecycle["VersionLifecycleConfig"][name].update(rule)


def _application(application: Application) -> dict[str, Any]:
    return {
        "ApplicationArn": application.arn,
        "ApplicationName": application.name,
        "Description": application.description,
        "DateCreated": application.created,
        "DateUpdated": application.updated,
        "Versions": list(reversed(application.versions)),
        "ConfigurationTemplates": list(application.templates),
        "ResourceLifecycleConfig": copy.deepcopy(application.lifecycle),
    }


def describe_version(version: Version) -> dict[str, Any]:
    """DescribeApplicationVersions' view of a version."""
    return {
        "ApplicationVersionArn": version.arn,
        "ApplicationName": version.application,
        "Description": version.description,
        "VersionLabel": version.label,
        "SourceBuildInformation": version.build_information,
        "BuildArn": version.build_arn,
        "SourceBundle": {"S3Bucket": version.bucket, "S3Key": version.key},
        "DateCreated": version.created,
        "DateUpdated": version.updated,
        "Status": version.status,
    }
