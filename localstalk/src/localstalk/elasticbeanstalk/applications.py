# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications, the storage location, and the account's quotas."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from localstalk.elasticbeanstalk.api import Answer, Params, read_tags
from localstalk.model.errors import InvalidParameterValue, ServiceError
from localstalk.model.region import Region
from localstalk.model.state import Application, Call
from localstalk.scheduler import sleep

_LIFECYCLE = {
    "MaxCountRule": {"Enabled": False, "MaxCount": 200, "DeleteSourceFromS3": False},
    "MaxAgeRule": {"Enabled": False, "MaxAgeInDays": 180, "DeleteSourceFromS3": False},
}


class Applications:
    """Operations on applications. ``terminate`` is TerminateEnvironment."""

    def __init__(self, region: Region, terminate: Callable[[Call, Params], Answer]) -> None:
        self.region = region
        self._terminate = terminate

    def create_storage_location(self, call: Call, params: Params) -> Answer:
        """Idempotent."""
        self.region.storage.ensure_bucket(self.region.bucket)
        return {"S3Bucket": self.region.bucket}

    def describe_account_attributes(self, call: Call, params: Params) -> Answer:
        """The quotas that this daemon was started with."""
        quotas = self.region.control.quotas
        names = ("Application", "ApplicationVersion", "Environment", "ConfigurationTemplate", "CustomPlatform")
        return {"ResourceQuotas": {f"{name}Quota": {"Maximum": quotas[name]} for name in names}}

    def create_application(self, call: Call, params: Params) -> Answer:
        """A new application."""
        name = params["ApplicationName"]
        if name in self.region.applications:
            raise InvalidParameterValue(f"Application {name} already exists.")
        lifecycle = params.get("ResourceLifecycleConfig")
        application = new_application(self.region, call, name, params.get("Description"))
        application.tags = read_tags(params)
        if lifecycle:
            _set_lifecycle(application, lifecycle)
        return {"Application": _application(application)}

    def describe_applications(self, call: Call, params: Params) -> Answer:
        """All, or those named; unknown names are left out."""
        names = params.get("ApplicationNames")
        found = [each for each in self.region.applications.values() if not names or each.name in names]
        return {"Applications": [_application(each) for each in found]}

    def update_application(self, call: Call, params: Params) -> Answer:
        """Only the description can change; leaving it out leaves it alone."""
        application = self.region.application(params["ApplicationName"])
        if params.get("Description") is not None:
            application.description = params["Description"]
        application.updated = self.region.control.clock.now()
        self.region.events.record(
            "Updated Application: " + application.name, application=application.name, request_id=call.request_id
        )
        return {"Application": _application(application)}

    def update_application_resource_lifecycle(self, call: Call, params: Params) -> Answer:
        """Set the life cycle policy; the first time it needs a service role."""
        application = self.region.application(params["ApplicationName"])
        _set_lifecycle(application, params["ResourceLifecycleConfig"])
        return {"ApplicationName": application.name, "ResourceLifecycleConfig": application.lifecycle}

    def delete_application(self, call: Call, params: Params) -> None:
        """With TerminateEnvByForce, end the environments first; without, refuse while there are any."""
        application = self.region.application(params["ApplicationName"])
        living = [each for each in self.region.running() if each.application == application.name]
        if living and not params.get("TerminateEnvByForce"):
            text = (
                f"Unable to delete application {application.name} because it has a version that is deployed to a "
                "running environment."
            )
            raise ServiceError("OperationInProgressFailure", text)
        self.region.control.scheduler.spawn(self._delete_application(call, application), f"delete {application.name}")

    async def _delete_application(self, call: Call, application: Application) -> None:
        def record(text: str) -> None:
            self.region.events.record(text, application=application.name, request_id=call.request_id)

        record("deleteApplication is starting.")
        record("Invoking Environment Termination workflows.")
        for environment in list(self.region.running()):
            if environment.application == application.name and environment.status == "Ready":
                # A request of its own: eb takes "terminateEnvironment completed" for the end of the whole command,
                # and shows none of the environments' events in captures of `eb terminate --all`.
                own = Call(self.region.control.uuid(), "TerminateEnvironment", call.endpoint)
                self._terminate(own, {"EnvironmentId": environment.id})
        while any(each.application == application.name for each in self.region.running()):
            await sleep(1)
        record("The environment termination step is done.")
        self.region.applications.pop(application.name, None)
        record("The application has been deleted successfully.")


def new_application(region: Region, call: Call, name: str, description: str | None) -> Application:
    """Make an application, by its own call or by that for its first version."""
    region.check_quota("Application", "Applications", len(region.applications), "TooManyApplicationsException")
    now = region.control.clock.now()
    application = Application(name, region.arn("application", name), now, now, description)
    application.lifecycle = {"VersionLifecycleConfig": copy.deepcopy(_LIFECYCLE)}
    region.applications[name] = application
    for text in (
        "createApplication is starting.",
        f"Created new Application: {name}",
        "createApplication completed successfully.",
    ):
        region.events.record(text, application=name, request_id=call.request_id)
    return application


def _set_lifecycle(application: Application, wanted: dict[str, Any]) -> None:
    role = wanted.get("ServiceRole") or application.lifecycle.get("ServiceRole")
    rules = wanted.get("VersionLifecycleConfig") or {}
    if rules and not str(role or "").startswith("arn:"):
        raise InvalidParameterValue("ServiceRole is not a valid arn")
    if all((rules.get(name) or {}).get("Enabled") for name in ("MaxCountRule", "MaxAgeRule")):
        raise InvalidParameterValue("MaxCountRule and MaxAgeRule cannot be enabled at the same time.")
    application.lifecycle["ServiceRole"] = role
    for name, rule in rules.items():
        application.lifecycle["VersionLifecycleConfig"][name].update(rule)


def _application(application: Application) -> Answer:
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
