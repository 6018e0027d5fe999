# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Beanstalk's resources in stacks, as classes that moto's CloudFormation finds by their base class.

Each makes, changes and deletes with the calls that any client has. ``is_created`` and ``is_deleted`` are asked until
they say True; both raise :class:`Failure` when it will not come to that.
"""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.core.common_models import CloudFormationModel

from localstalk.cloudformation import kinds
from localstalk.elasticbeanstalk import models, wire
from localstalk.elasticbeanstalk.validation import validate
from localstalk.model.errors import ServiceError
from localstalk.model.region import Region
from localstalk.model.state import Call

_GONE = ("No Environment found", "No Application named", "No Application Version named", "No Configuration Template")


class Failure(Exception):  # noqa: N818 - an outcome
    """A resource could not be made, changed or deleted; the text is the reason in the stack's events."""


class Resource:
    """What the four have in common. ``properties`` are those of the template, resolved."""

    kind: kinds.Kind
    type_name: str

    def __init__(self, name: str, properties: dict[str, Any], account: str, region: str) -> None:
        self.physical_resource_id = name
        self.properties = properties
        self.account, self.region_name = account, region

    # --- moto's interface ---

    @classmethod
    def cloudformation_type(cls) -> str:
        """As templates write it."""
        return kinds.PREFIX + cls.type_name

    @classmethod
    def cloudformation_name_type(cls) -> str | None:
        """The property with the name."""
        return cls.kind.name

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether outputs may refer to it."""
        return attr in cls.kind.attributes

    def get_cfn_attribute(self, attribute: str) -> Any:
        """Fn::GetAtt: but for the endpoint of an environment, the attributes are names."""
        if attribute not in self.kind.attributes:
            raise UnformattedGetAttTemplateException
        return self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **more: Any
    ) -> Resource:
        """A new one."""
        properties = cls._checked(more["LogicalId"], cloudformation_json)
        made = cls(cls.short(resource_name, properties), properties, account_id, region_name)
        made.create()
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Resource,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Resource:
        """The same resource, changed, or another one, if one of the changed properties needs that."""
        logical_id = str(original_resource.logical_resource_id)  # type: ignore[attr-defined] # moto sets it
        properties = cls._checked(logical_id, cloudformation_json)
        if not cls.kind.replaces(original_resource.properties, properties):
            original_resource.change(properties)
            return original_resource
        named = cls.kind.name and properties.get(cls.kind.name)
        if named and named == original_resource.physical_resource_id:
            raise Failure(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {named} and update the stack again."
            )
        made = cls(cls.short(new_resource_name, properties), properties, account_id, region_name)
        made.create()
        return made

    @classmethod
    def _checked(cls, logical_id: str, body: dict[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = body["Properties"]
        problem = cls.kind.problem(logical_id, properties)
        if problem is not None:
            raise Failure(problem)
        return properties

    # --- what a resource is ---

    @classmethod
    def short(cls, name: str, properties: dict[str, Any]) -> str:
        """A name that is short enough, if it was generated."""
        return name

    def create(self) -> None:
        """Make it, or begin to."""
        raise NotImplementedError

    def change(self, properties: dict[str, Any]) -> None:
        """Change it, or begin to."""
        raise NotImplementedError

    def is_created(self) -> bool:
        """Whether it is made, or changed, to the end."""
        return True

    def is_deleted(self) -> bool:
        """Go on with its deletion; whether it is gone."""
        raise NotImplementedError

    # --- calls ---

    @property
    def backend(self) -> models.Backend:
        """Elastic Beanstalk's operations."""
        backend: models.Backend = models.backends()[self.account][self.region_name]
        return backend

    @property
    def region(self) -> Region:
        """Its state."""
        return self.backend.region

    def call(self, operation: str, given: dict[str, Any]) -> str:
        """One call of the service's API; its request id. Raises :class:`Failure`."""
        model = wire.service_model().operation_model(operation)
        params = _typed(model.input_shape, given)
        request_id = self.region.control.uuid()
        try:
            validate(model, params)
            self.backend.carry_out(Call(request_id, operation, ""), params)
        except ServiceError as error:
            raise refusal(error, request_id) from error
        return request_id

    def delete_call(self, operation: str, given: dict[str, Any]) -> None:
        """A call that deletes; what is gone already is what was wanted."""
        try:
            self.call(operation, given)
        except Failure as error:
            if not any(text in str(error) for text in _GONE):
                raise


def refusal(error: ServiceError, request_id: str) -> Failure:
    """How CloudFormation quotes a service."""
    return Failure(
        f'Resource handler returned message: "{error.message} (Service: ElasticBeanstalk, Status Code: {error.status}, '
        f'Request ID: {request_id})" (HandlerErrorCode: InvalidRequest)'
    )


def _typed(shape: Shape | None, value: Any) -> Any:
    """A value of a template as the API has it: templates may say 1 or true where the API has texts, and "1" for 1."""
    if isinstance(shape, StructureShape):
        return {key: _typed(shape.members.get(key), item) for key, item in value.items()}
    if isinstance(shape, ListShape):
        return [_typed(shape.member, item) for item in value]
    if isinstance(value, bool) and shape is not None and shape.type_name == "string":
        return "true" if value else "false"
    if isinstance(value, str) and shape is not None and shape.type_name in ("boolean", "integer"):
        return value.lower() == "true" if shape.type_name == "boolean" else int(value)
    return str(value) if shape is not None and shape.type_name == "string" else value


def without(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    """Properties but for some."""
    return {key: value for key, value in properties.items() if key not in names}


class Application(Resource, CloudFormationModel):  # type: ignore[misc]
    """AWS::ElasticBeanstalk::Application. Ref is its name."""

    kind, type_name = kinds.APPLICATION, "Application"

    def create(self) -> None:
        """Make it."""
        self.call("CreateApplication", self.properties | self._name)

    def change(self, properties: dict[str, Any]) -> None:
        """Only the description and the life cycle can change."""
        self.properties = properties
        self.call("UpdateApplication", self._name | {"Description": properties.get("Description", "")})
        lifecycle = properties.get("ResourceLifecycleConfig")
        if lifecycle:
            self.call("UpdateApplicationResourceLifecycle", self._name | {"ResourceLifecycleConfig": lifecycle})

    def is_deleted(self) -> bool:
        """Delete it; whether it is gone. An environment that is not of the stack keeps it."""
        if self.physical_resource_id not in self.region.applications:
            return True
        self.delete_call("DeleteApplication", self._name)
        return False

    @property
    def _name(self) -> dict[str, str]:
        return {"ApplicationName": self.physical_resource_id}


class ApplicationVersion(Resource, CloudFormationModel):  # type: ignore[misc]
    """AWS::ElasticBeanstalk::ApplicationVersion. Ref and Id are its label."""

    kind, type_name = kinds.VERSION, "ApplicationVersion"

    def create(self) -> None:
        """Make it."""
        self.call("CreateApplicationVersion", self.properties | {"VersionLabel": self.physical_resource_id})

    def change(self, properties: dict[str, Any]) -> None:
        """Only the description can change."""
        self.properties = properties
        self.call("UpdateApplicationVersion", self._name | {"Description": properties.get("Description", "")})

    def is_created(self) -> bool:
        """Whether it can be deployed."""
        application = self.region.applications.get(self.properties["ApplicationName"])
        version = application.versions.get(self.physical_resource_id) if application else None
        if version is None or version.status == "FAILED":
            raise unstable(self)
        return version.status not in ("PROCESSING", "BUILDING")

    def is_deleted(self) -> bool:
        """Delete it; the source bundle stays."""
        self.delete_call("DeleteApplicationVersion", self._name)
        return True

    @property
    def _name(self) -> dict[str, str]:
        return {"ApplicationName": self.properties["ApplicationName"], "VersionLabel": self.physical_resource_id}


class ConfigurationTemplate(Resource, CloudFormationModel):  # type: ignore[misc]
    """AWS::ElasticBeanstalk::ConfigurationTemplate. Ref and TemplateName are its name."""

    kind, type_name = kinds.TEMPLATE, "ConfigurationTemplate"

    def create(self) -> None:
        """Save it."""
        self.call("CreateConfigurationTemplate", self.properties | {"TemplateName": self.physical_resource_id})

    def change(self, properties: dict[str, Any]) -> None:
        """Change description and settings."""
        changed = setting_changes(self.properties, properties)
        self.properties = properties
        described = {"Description": properties.get("Description", "")}
        self.call("UpdateConfigurationTemplate", self._name | described | changed)

    def is_deleted(self) -> bool:
        """Delete it."""
        self.delete_call("DeleteConfigurationTemplate", self._name)
        return True

    @property
    def _name(self) -> dict[str, str]:
        return {"ApplicationName": self.properties["ApplicationName"], "TemplateName": self.physical_resource_id}


def setting_changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """OptionSettings and OptionsToRemove, each unless empty, that lead from one list of settings to another."""
    before, after = (_settings(each.get("OptionSettings") or []) for each in (old, new))
    changed = [setting for key, setting in after.items() if before.get(key) != setting]
    removed = [without(setting, "Value") for key, setting in before.items() if key not in after]
    found = {"OptionSettings": changed, "OptionsToRemove": removed}
    return {name: settings for name, settings in found.items() if settings}


def _settings(given: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(each.get(key) for key in ("ResourceName", "Namespace", "OptionName")): each for each in given}


def unstable(resource: Resource) -> Failure:
    """What CloudFormation says when a resource did not become what it should (aws-samples/aws-cdk-examples#1126)."""
    name = resource.physical_resource_id
    return Failure(
        f"Resource handler returned message: \"Resource of type '{resource.cloudformation_type()}' with identifier "
        f"'{name}' did not stabilize.\" (HandlerErrorCode: NotStabilized)"
    )
