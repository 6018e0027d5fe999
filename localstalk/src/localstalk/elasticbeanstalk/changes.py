# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap, abort, restart, rebuild, tags and operations roles."""

from __future__ import annotations

from typing import Any

from localstalk.elasticbeanstalk.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingRequiredParameter,
    ServiceError,
    environment_not_found,
    invalid_state,
    must_be_ready,
)
from localstalk.elasticbeanstalk.health import Health
from localstalk.elasticbeanstalk.state import Call, Environment, Template, Version
from localstalk.workflows import changes, launch
from localstalk.workflows.work import Work

_MAX_TAGS = 50


class Changes(Health):
    """Operations that change an environment without updating it."""

    def swap_environment_cnames(self, call: Call, params: dict[str, Any]) -> None:
        """Exchange two CNAMEs. Stricter than known: both Ready, with a CNAME, of one application (eb-facts §12.3)."""
        source, destination = self._pair(params)
        for environment in (source, destination):
            if environment.status != "Ready":
                raise must_be_ready(environment.name)
            if not environment.cname:
                raise InvalidParameterValue("Environment does not support a cname")
        if source is destination:
            raise InvalidParameterValue("The source and the destination environment must be different.")
        if source.application != destination.application:
            text = "The source and the destination environment must belong to the same application."
            raise InvalidParameterValue(text)
        work = Work(self._region(), source, call.request_id)
        self.begin(source, call, "swap", "Updating", changes.swap(work, destination))
        destination.operation, destination.status = source.operation, "Updating"

    def _pair(self, params: dict[str, Any]) -> tuple[Environment, Environment]:
        ids = [params.get(f"{side}EnvironmentId") for side in ("Source", "Destination")]
        names = [params.get(f"{side}EnvironmentName") for side in ("Source", "Destination")]
        if all(ids) or all(names):
            return self.named(params, "Source"), self.named(params, "Destination")
        if any(ids) and any(names):
            text = "The source and the destination environment must both be given by id, or both by name."
            raise InvalidParameterCombination(text)
        raise MissingRequiredParameter("Both the source and the destination environment must be specified.")

    def abort_environment_update(self, call: Call, params: dict[str, Any]) -> None:
        """Ask the update under way to stop at its next point where it can."""
        environment = self.named(params)
        operation = environment.operation
        if environment.status != "Updating" or not environment.abortable or operation is None:
            raise invalid_state(environment.name, "pending deployment")
        operation.abort_requested, operation.abort_request_id = True, call.request_id
        environment.status = "Aborting"

    def restart_app_server(self, call: Call, params: dict[str, Any]) -> None:
        """Restart application and proxy on the instances."""
        environment = self.ready(params)
        work = Work(self._region(), environment, call.request_id)
        self.begin(environment, call, "restart", "Updating", changes.restart(work))

    def rebuild_environment(self, call: Call, params: dict[str, Any]) -> None:
        """Make a living environment's resources anew, or restore a terminated one by its id."""
        terminated = self.environments.get(params.get("EnvironmentId") or "")
        if terminated is not None and terminated.status == "Terminated":
            self._restore(call, terminated)
            return
        environment = self.ready(params)
        work = Work(self._region(), environment, call.request_id)
        self.begin(environment, call, "rebuild", "Updating", launch.rebuild(work))

    def _restore(self, call: Call, environment: Environment) -> None:
        if not self.restorable(environment):
            raise environment_not_found(environment_id=environment.id)
        if self.by_name(environment.name) is not None:
            raise InvalidParameterValue(f"Environment {environment.name} already exists.")
        if environment.cname and (self.name, environment.cname) in self.control.names:
            raise InvalidParameterValue(f"Could not rebuild environment {environment.name} because the cname is taken")
        self.version(environment.application, environment.version_label or "")
        if environment.cname:
            self.control.names[self.name, environment.cname] = environment.id
        environment.terminated = environment.terminated_at = None
        environment.health.refreshed = None
        environment.health.color, environment.health.status = "Grey", "Pending"
        environment.started_at, environment.deployment_id = self.control.clock.seconds(), 0
        work = Work(self._region(), environment, call.request_id)
        self.begin(environment, call, "create", "Launching", launch.create(work, "restoreEnvironment is starting."))

    # --- tags ---

    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Tags of anything with an ARN of ours."""
        arn = params["ResourceArn"]
        tags = self._tags_of(arn) | self._own_tags(arn)
        pairs = [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
        return {"ResourceArn": arn, "ResourceTags": pairs}

    def update_tags_for_resource(self, call: Call, params: dict[str, Any]) -> None:
        """Add and remove; on an environment this is an update, during which it is busy (eb-facts §1.7)."""
        arn = params["ResourceArn"]
        added = {tag["Key"]: tag.get("Value", "") for tag in params.get("TagsToAdd") or ()}
        removed = list(params.get("TagsToRemove") or ())
        if not added and not removed:
            raise MissingRequiredParameter("At least one of TagsToAdd or TagsToRemove must be specified.")
        if set(added) & set(removed):
            raise InvalidParameterValue("A tag cannot be both added and removed in one call.")
        for key in added:
            if key.lower().startswith(("aws:", "elasticbeanstalk:")) or key == "Name":
                raise InvalidParameterValue(f"Tag key '{key}' is reserved.")
        tags = self._tags_of(arn)
        if len((set(tags) | set(added)) - set(removed)) > _MAX_TAGS:
            raise ServiceError("TooManyTagsException", f"A resource cannot have more than {_MAX_TAGS} tags.")
        environment = next((each for each in self.alive() if each.arn == arn), None)
        if environment is None:
            self._change_tags(tags, added, removed)
            return
        if environment.status != "Ready":
            raise must_be_ready(environment.name)
        work = Work(self._region(), environment, call.request_id)
        self.begin(environment, call, "tags", "Updating", changes.retag(work, added, removed))

    def _own_tags(self, arn: str) -> dict[str, str]:
        """What the service itself puts on an environment (Developer Guide, eb3-tags: output)."""
        return next((environment.own_tags for environment in self.alive() if environment.arn == arn), {})

    @staticmethod
    def _change_tags(tags: dict[str, str], added: dict[str, str], removed: list[str]) -> None:
        tags.update(added)
        for key in removed:
            tags.pop(key, None)

    def _tags_of(self, arn: str) -> dict[str, str]:
        for environment in self.alive():
            if environment.arn == arn:
                return environment.tags
        for application in self.applications.values():
            if application.arn == arn:
                return application.tags
            parts: list[Version | Template] = [*application.versions.values(), *application.templates.values()]
            for part in parts:
                if part.arn == arn:
                    return part.tags
        if arn in self.custom_platforms:
            return self.platform_tags.setdefault(arn, {})
        if not arn.startswith(f"arn:aws:elasticbeanstalk:{self.name}:"):
            text = f"Invalid resource ARN: {arn}"
            raise InvalidParameterValue(text)
        raise ServiceError("ResourceNotFoundException", f"Resource not found for ARN '{arn}'.")

    # --- operations roles ---

    def associate_environment_operations_role(self, call: Call, params: dict[str, Any]) -> None:
        """Remember the role; IAM itself is moto's."""
        environment = self.ready(params)
        environment.operations_role = params["OperationsRole"]
        environment.updated = self.control.clock.now()

    def disassociate_environment_operations_role(self, call: Call, params: dict[str, Any]) -> None:
        """Forget the role."""
        environment = self.ready(params)
        environment.operations_role = None
        environment.updated = self.control.clock.now()
