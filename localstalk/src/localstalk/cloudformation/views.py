# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudFormation sees the environments' stacks beside those that users make: views, made for each request.

moto's CloudFormation takes seconds to import, so this module is imported, and :func:`install` called, with the first
request for it.
"""

from __future__ import annotations

import copy
from collections import ChainMap
from types import SimpleNamespace
from typing import Any

import moto.cloudformation as package
import moto.cloudformation.models as service
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.base_backend import BackendDict

# Its classes are found by moto once they are there.
from localstalk.cloudformation import environment as _environment  # noqa: F401
from localstalk.cloudformation.models import Backend, Stack
from localstalk.cloudformation.provision import Resources
from localstalk.elasticbeanstalk import models
from localstalk.model import stacks
from localstalk.model.state import Environment

_REFUSAL = "The stack {} belongs to an Elastic Beanstalk environment: change or terminate the environment instead."
_BACKENDS = BackendDict(Backend, "cloudformation")


def install() -> None:
    """Let moto's CloudFormation answer for the control plane that is installed at that time."""
    service.Stack, service.ResourceMap = Stack, Resources
    service.cloudformation_backends = package.cloudformation_backends = _BACKENDS
    CloudFormationResponse.cloudformation_backend = property(_backend)


def _backend(response: Any) -> Any:
    """What a request sees and asks."""
    account, region = response.current_account, response.region
    real = _BACKENDS[account][region]
    seen = copy.copy(real)
    seen.on_failure = response._get_param("OnFailure") or "ROLLBACK"
    if response._get_bool_param("DisableRollback", False):
        seen.on_failure = "DO_NOTHING"
    found = [
        EnvironmentStack(each, account, region)
        for each in list(models.backends()[account][region].region.environments.values())
        if each.resources.stack.arn
    ]
    gone = {each.stack_id: each for each in found if each.status == "DELETE_COMPLETE"}
    seen.stacks = Stacks(real.stacks, {each.stack_id: each for each in found if each.stack_id not in gone})
    seen.deleted_stacks = Stacks(real.deleted_stacks, gone)
    return seen


class EnvironmentStack(service.Stack):  # type: ignore[misc]
    """What moto's answers need of a stack, as it is at this moment."""

    def __init__(self, environment: Environment, account: str, region: str) -> None:
        stack = environment.resources.stack
        self.stack_id, self.name, self.status, self.creation_time = (
            stack.arn,
            stack.name,
            stack.status,
            stack.created,
        )
        self.account_id, self.region_name = account, region
        self.description = stacks.description(environment)
        self.template = stacks.template(environment)
        self.tags = environment.tags | environment.own_tags
        self.parameters: dict[str, str] = {}
        self.notification_arns: list[str] = []
        self.role_arn = self.timeout_in_minutes = None
        self.policy = ""
        self.enable_termination_protection = self.disable_rollback = False
        self.custom_resources: dict[str, Any] = {}
        self.resource_map = SimpleNamespace(resolved_parameters={}, no_echo_parameter_keys=[])
        self.output_map = SimpleNamespace(values=list, exports=[])
        self.parts = [_resource(part) for part in stacks.parts(environment)]
        self.events = [self._event(*change) for change in stack.history]

    def _event(self, when: object, status: str, reason: str) -> service.Event:
        kind = "AWS::CloudFormation::Stack"
        event = service.Event(self.stack_id, self.name, self.name, self.stack_id, kind, status, reason or None, None)
        event.timestamp = when
        return event

    @property
    def stack_resources(self) -> list[Any]:
        """What EB made."""
        return self.parts

    def update(self, *_arguments: object, **_more: object) -> None:
        """Refused."""
        raise ValidationError(self.name, _REFUSAL.format(self.name))


class Stacks(ChainMap[str, Any]):
    """Users' stacks, which can be changed, before the environments', which cannot."""

    def pop(self, key: str, *default: Any) -> Any:
        """Refused for environments' stacks."""
        if key not in self.maps[0] and key in self:
            raise ValidationError(self[key].name, _REFUSAL.format(self[key].name))
        return super().pop(key, *default)


def _resource(part: stacks.Part) -> SimpleNamespace:
    return SimpleNamespace(
        logical_resource_id=part.logical_id, physical_resource_id=part.physical_id, cf_resource_type=part.kind
    )
