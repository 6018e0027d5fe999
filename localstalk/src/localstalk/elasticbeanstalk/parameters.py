# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of a call, from the names and values of the query protocol.

The elements of a list are ``Name.member.N`` or ``Name.members.N``: clients without an SDK (the GitHub Action
einaregilsson/beanstalk-deploy) write the second. What the service does not know it does not ignore.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from botocore.model import ListShape, OperationModel, Shape, StructureShape
from moto.core.parse import QueryParser
from moto.core.utils import get_service_model

from localstalk.elasticbeanstalk.api import Params
from localstalk.model.errors import ServiceError

_MEMBERS = re.compile(r"\.members\.(?=\d)")
_PROTOCOL = frozenset(
    {
        "Action", "Operation", "Version", "ContentType", "AWSAccessKeyId", "SignatureVersion", "SignatureMethod",
        "Signature", "Timestamp", "Expires", "SecurityToken",
    }
)  # fmt: skip
"""Of every call, in any version of the signature; those of version 4 begin with ``X-Amz-``."""
_SETTINGS = frozenset(
    {
        "EnvironmentId", "OptionSettings", "Options", "OptionsToRemove", "PlatformArn", "SolutionStackName",
        "SourceConfiguration", "TemplateSpecification", "Tier", "VersionLabel",
    }
)  # fmt: skip
_UNPUBLISHED: Mapping[str, frozenset[str]] = {
    "CreateApplicationVersion": frozenset({"SourceBundleUrl"}),
    "CreateConfigurationTemplate": _SETTINGS,
    "CreateEnvironment": frozenset({"TemplateSpecification"}),
    "DeletePlatformVersion": frozenset({"DeleteResources"}),
    "DescribeConfigurationOptions": _SETTINGS,
    "DescribeConfigurationSettings": _SETTINGS,
    "UpdateConfigurationTemplate": _SETTINGS,
    "UpdateEnvironment": frozenset({"TemplateSpecification"}),
    "ValidateConfigurationSettings": _SETTINGS,
}
"""In the service model that the eb CLI brings along, but not in the public one."""


def read(operation: OperationModel, given: Mapping[str, str], headers: object = None) -> Params:
    """The parameters of an operation, with their types. Raises :class:`ServiceError` (MalformedInput)."""
    values = {_MEMBERS.sub(".member.", name): value for name, value in given.items()}
    for name in values:
        if name not in _PROTOCOL and not name.lower().startswith("x-amz-"):
            _check(operation, name)
    values = _closed(values)
    parser = QueryParser(get_service_model("elasticbeanstalk").operation_model(operation.name), map_type=dict)
    request = {"method": "POST", "values": values, "headers": headers, "body": b"", "url_path": "/", "url_params": {}}
    try:
        parsed: Params = parser.parse(request)
    except Exception as error:
        raise _malformed(f"The request could not be read: {error}") from error
    return parsed or {}


def _check(operation: OperationModel, name: str) -> None:
    """Raise MalformedInput for a name that leads to nothing in the service model."""
    first, *rest = name.split(".")
    if first in _UNPUBLISHED.get(operation.name, ()):
        return
    members = operation.input_shape.members if operation.input_shape is not None else {}
    if first not in members:
        # The service's own wording is not known.
        raise _malformed(f"{operation.name} has no parameter {first}.")
    _descend(members[first], rest, name)


def _descend(shape: Shape, path: Sequence[str], name: str) -> None:
    if not path:
        return
    if isinstance(shape, StructureShape):
        if path[0] not in shape.members:
            raise _malformed(f"{name} is not known: {shape.name} has no member {path[0]}.")
        _descend(shape.members[path[0]], path[1:], name)
    elif isinstance(shape, ListShape):
        if path[0].isdigit():
            raise _malformed("Top level element may not be treated as a list")
        if path[0] != "member" or len(path) < 2 or not path[1].isdigit():
            raise _malformed("Unexpected list element termination")
        _descend(shape.member, path[2:], name)
    elif path[0] in ("member", "members") or path[0].isdigit():
        raise _malformed("Start of list found where not expected")
    else:
        raise _malformed("Start of structure or map found where not expected.")


def _closed(values: Mapping[str, str]) -> dict[str, str]:
    """Number the elements of every list from 1, in their order: moto's parser forgets what comes after a gap."""
    indices: dict[str, set[int]] = {}
    for name in values:
        for match in re.finditer(r"\.member\.(\d+)", name):
            indices.setdefault(name[: match.start()], set()).add(int(match[1]))
    ranks = {
        f"{prefix}.member.{number}": rank
        for prefix, numbers in indices.items()
        for rank, number in enumerate(sorted(numbers), 1)
    }

    def renumbered(name: str) -> str:
        return re.sub(
            r"\.member\.(\d+)",
            lambda match: f".member.{ranks[f'{name[: match.start()]}.member.{int(match[1])}']}",
            name,
        )

    return {renumbered(name): value for name, value in values.items()}


def _malformed(message: str) -> ServiceError:
    return ServiceError("MalformedInput", message)
