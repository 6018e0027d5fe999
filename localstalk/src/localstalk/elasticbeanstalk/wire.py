# SPDX-License-Identifier: GPL-3.0-or-later
"""The query protocol's XML, driven by botocore's model.

moto's own serializer does the same but needs 340 ms for 1,000 environments; this one knows only what this service's
model uses (structures, lists, maps, and scalars) and is an order of magnitude faster.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

NAMESPACE = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/"
CONTENT_TYPE = "text/xml"
Write = Callable[[Any, list[str]], None]


@cache
def service_model() -> ServiceModel:
    """The service model of the installed botocore, and what else is on the wire.

    The eb CLI brings a model of its own in which settings have a tier, and its ``eb health`` relies on it; there, a
    saved configuration can be validated without further settings, as ``eb config put`` does.
    """
    from botocore.loaders import Loader

    description = Loader().load_service_model("elasticbeanstalk", "service-2")
    description["shapes"]["ConfigurationSettingsDescription"]["members"]["Tier"] = {"shape": "EnvironmentTier"}
    description["shapes"]["ValidateConfigurationSettingsMessage"]["required"].remove("OptionSettings")
    return ServiceModel(description, "elasticbeanstalk")


def timestamp(moment: datetime) -> str:
    """ISO 8601 with milliseconds, as the service writes it: events are told apart by them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def answer(operation: OperationModel, result: dict[str, Any] | None, request_id: str) -> str:
    """The body of a successful answer."""
    name = operation.name
    out = [f'<{name}Response xmlns="{NAMESPACE}">']
    if operation.output_shape is not None:
        out.append(f"<{name}Result>")
        _writer(operation.output_shape)(result or {}, out)
        out.append(f"</{name}Result>")
    out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>")
    return "".join(out)


def error(kind: str, code: str, message: str, request_id: str) -> str:
    """The body of an error answer."""
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{kind}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(_legal(message))}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


_WRITERS: dict[str, Write] = {}


def _writer(shape: Shape) -> Write:
    known = _WRITERS.get(shape.name)
    if known is None:
        known = _WRITERS[shape.name] = _make_writer(shape)
    return known


def _make_writer(shape: Shape) -> Write:
    if isinstance(shape, StructureShape):
        return _structure_writer(shape)
    if isinstance(shape, ListShape):
        return _list_writer(shape)
    if isinstance(shape, MapShape):
        return _map_writer(shape)
    if shape.type_name == "timestamp":
        return lambda value, out: out.append(timestamp(value))
    if shape.type_name == "boolean":
        return lambda value, out: out.append("true" if value else "false")
    return lambda value, out: out.append(escape(_legal(str(value))))


def _structure_writer(shape: StructureShape) -> Write:
    members = [(name, f"<{name}>", f"</{name}>", _writer(member)) for name, member in shape.members.items()]

    def write(value: dict[str, Any], out: list[str]) -> None:
        for name, start, end, member in members:
            item = value.get(name)
            if item is not None:
                out.append(start)
                member(item, out)
                out.append(end)

    return write


def _list_writer(shape: ListShape) -> Write:
    member = _writer(shape.member)

    def write(value: list[Any], out: list[str]) -> None:
        for item in value:
            out.append("<member>")
            member(item, out)
            out.append("</member>")

    return write


def _map_writer(shape: MapShape) -> Write:
    key, item = _writer(shape.key), _writer(shape.value)

    def write(value: dict[str, Any], out: list[str]) -> None:
        for name, content in value.items():
            out.append("<entry><key>")
            key(name, out)
            out.append("</key><value>")
            item(content, out)
            out.append("</value></entry>")

    return write


def _legal(text: str) -> str:
    """XML 1.0 has no way to say most control characters; log tails may hold them."""
    if text.isprintable():
        return text
    return "".join(
        char if char in "\t\n\r" or (ord(char) >= 0x20 and char not in "\ufffe\uffff") else "?" for char in text
    )
