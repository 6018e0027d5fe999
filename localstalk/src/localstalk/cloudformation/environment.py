# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource type AWS::ElasticBeanstalk::Environment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from moto.core.common_models import CloudFormationModel

from localstalk.cloudformation import kinds
from localstalk.cloudformation.resources import Failure, Resource, setting_changes, unstable
from localstalk.model.state import Environment as Described

_UPDATED = ("Description", "PlatformArn", "TemplateName", "VersionLabel")


class Environment(Resource, CloudFormationModel):  # type: ignore[misc]
    """Ref is its name, EndpointURL as in DescribeEnvironments. It fails with the operation that was to make it.

    A change is a sequence of operations, as each needs an environment that is Ready.
    """

    kind, type_name = kinds.ENVIRONMENT, "Environment"

    def __init__(self, name: str, properties: dict[str, Any], account: str, region: str) -> None:
        super().__init__(name, properties, account, region)
        self.steps: list[Callable[[], str]] = []
        self.request_id = ""
        self.environment_id = ""
        self.terminating = False

    @classmethod
    def short(cls, name: str, properties: dict[str, Any]) -> str:
        """Names have 40 characters at most: a generated one has the beginnings of the stack's and the logical id."""
        if properties.get("EnvironmentName"):
            return name
        stack, logical_id, suffix = name.rsplit("-", 2)
        return "-".join((stack[:5].strip("-"), logical_id[:5], suffix))

    def get_cfn_attribute(self, attribute: str) -> Any:
        """Fn::GetAtt."""
        if attribute != "EndpointURL":
            return super().get_cfn_attribute(attribute)
        environment = self.environment
        return environment.endpoint_url if environment else ""

    @property
    def environment(self) -> Described | None:
        """As the service knows it now."""
        return self.region.environments.get(self.environment_id)

    # --- create and change ---

    def create(self) -> None:
        """Begin to launch it."""
        self.request_id = self.call("CreateEnvironment", self.properties | self._name)
        made = self.region.by_name(self.physical_resource_id)
        self.environment_id = made.id if made else ""

    def change(self, properties: dict[str, Any]) -> None:
        """Note the operations that the change takes."""
        old, self.properties = self.properties, properties
        self.request_id = ""  # an operation that failed before is not this one's
        updated = setting_changes(old, properties)
        updated |= {name: properties[name] for name in _UPDATED if properties.get(name, "") != old.get(name, "")}
        self.steps = [partial(self.call, "UpdateEnvironment", self._name | updated)] if updated else []
        self.steps += self._role_step(old.get("OperationsRole"), properties.get("OperationsRole"))
        self.steps += self._tag_step(_tags(old), _tags(properties))

    def _role_step(self, old: str | None, new: str | None) -> list[Callable[[], str]]:
        if old == new:
            return []
        if new is None:
            return [partial(self.call, "DisassociateEnvironmentOperationsRole", self._name)]
        return [partial(self.call, "AssociateEnvironmentOperationsRole", self._name | {"OperationsRole": new})]

    def _tag_step(self, old: dict[str, str], new: dict[str, str]) -> list[Callable[[], str]]:
        if old == new:
            return []
        found = self.environment
        given = {
            "ResourceArn": found.arn if found else "",
            "TagsToAdd": [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value],
            "TagsToRemove": [key for key in old if key not in new],
        }
        return [partial(self.call, "UpdateTagsForResource", {key: value for key, value in given.items() if value})]

    def is_created(self) -> bool:
        """Whether it is Ready; then the next operation of a change begins, if there is one."""
        environment = self.environment
        if environment is None or environment.status in ("Terminating", "Terminated"):
            raise unstable(self)
        if environment.status != "Ready":
            return False
        if any(each.severity in ("ERROR", "FATAL") for each in self._events(environment)):
            raise unstable(self)
        if self.steps:
            self.request_id = self.steps.pop(0)()
            return False
        return True

    def _events(self, environment: Described) -> list[Any]:
        return [
            each for each in self.region.events.of_environment(environment.id) if each.request_id == self.request_id
        ]

    # --- delete ---

    def is_deleted(self) -> bool:
        """Terminate it as soon as that can be; whether it is terminated."""
        environment = self.environment
        if environment is None or environment.status == "Terminated":
            return True
        if environment.status == "Ready" and self.terminating:
            raise Failure(f"Environment {environment.name} could not be terminated.")
        if environment.status in ("Ready", "Launching"):
            self.delete_call("TerminateEnvironment", {"EnvironmentId": environment.id})
            self.terminating = True
        return False

    @property
    def _name(self) -> dict[str, str]:
        return {"EnvironmentName": self.physical_resource_id}


def _tags(properties: dict[str, Any]) -> dict[str, str]:
    return {str(each["Key"]): str(each["Value"]) for each in properties.get("Tags") or []}
