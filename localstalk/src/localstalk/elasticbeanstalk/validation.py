# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that follow from the service model alone: required members, lengths, ranges and enumerations.

A missing member, lengths, ranges and choices are a ValidationError, "1 validation error detected: …"
(aws/aws-cli#1891); the letters of a name an InvalidParameterValue, "Value V at 'P' failed to satisfy constraint: …".
"""

from __future__ import annotations

import re
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from localstalk.model.errors import InvalidParameterValue, ServiceError

_ENVIRONMENT_NAME = re.compile(r"(?!-)[A-Za-z0-9-]+(?<!-)\Z")
_NAMES = {
    "EnvironmentName": _ENVIRONMENT_NAME,
    "CNAMEPrefix": _ENVIRONMENT_NAME,
}
_LETTERS = "Member must contain only letters, digits, and the dash character and may not start or end with a dash"
# The length range of an environment name in the model is meant for the name that is created; look-ups answer
# "no such environment" (or nothing) for anything else.
_CREATING = frozenset({"CreateEnvironment", "CheckDNSAvailability"})


def validate(operation: OperationModel, params: dict[str, Any]) -> None:
    """Raise :class:`ServiceError` for the first parameter that the model refuses."""
    if operation.input_shape is not None:
        _structure(operation.input_shape, params, "", operation.name)


def _structure(shape: StructureShape, value: dict[str, Any], path: str, operation: str) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            raise invalid(None, path + name, "Member must not be null")
    for name, member in shape.members.items():
        if value.get(name) is not None:
            _member(member, value[name], path + name, name, operation)


def _member(shape: Shape, value: Any, path: str, name: str, operation: str) -> None:
    if isinstance(shape, StructureShape):
        _structure(shape, value, f"{path}.", operation)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            _member(shape.member, item, f"{path}.{number}.member", name, operation)
    elif isinstance(value, str):
        _string(shape, value, path, name, operation)
    elif isinstance(value, int) and not isinstance(value, bool):
        _integer(shape, value, path)


def _string(shape: Shape, value: str, path: str, name: str, operation: str) -> None:
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")
    creating = operation in _CREATING or name not in _NAMES
    if creating and smallest is not None and len(value) < smallest:
        raise invalid(value, path, f"Member must have length greater than or equal to {smallest}")
    if largest is not None and len(value) > largest:
        raise invalid(value, path, f"Member must have length less than or equal to {largest}")
    choices = getattr(shape, "enum", None)
    if choices and value not in choices:
        raise invalid(value, path, f"Member must satisfy enum value set: [{', '.join(choices)}]")
    if operation in _CREATING and name in _NAMES and not _NAMES[name].match(value):
        raise _refused(value, path, _LETTERS)
    if name in ("ApplicationName", "VersionLabel", "TemplateName") and "/" in value:
        raise _refused(value, path, "Member must not contain the character '/'")


def _integer(shape: Shape, value: int, path: str) -> None:
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")
    if smallest is not None and value < smallest:
        raise invalid(str(value), path, f"Member must have value greater than or equal to {smallest}")
    if largest is not None and value > largest:
        raise invalid(str(value), path, f"Member must have value less than or equal to {largest}")


def invalid(value: str | None, path: str, constraint: str) -> ServiceError:
    """The error of a parameter that the service model itself refuses."""
    where = ".".join(part[:1].lower() + part[1:] for part in path.split("."))
    said = "null" if value is None else f"'{value}'"
    return ServiceError(
        "ValidationError",
        f"1 validation error detected: Value {said} at '{where}' failed to satisfy constraint: {constraint}",
    )


def _refused(value: str, path: str, constraint: str) -> ServiceError:
    return InvalidParameterValue(f"Value {value} at '{path}' failed to satisfy constraint: {constraint}")
