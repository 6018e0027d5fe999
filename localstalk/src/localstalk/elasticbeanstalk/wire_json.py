# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in JSON, which the query API gives to whom asks for it: with ``Accept`` or with ``ContentType=JSON``.

Every member is there, null where it has no value; dates are seconds since 1970 (boto 2 reads them so).
"""

from __future__ import annotations

import json
from datetime import datetime

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localstalk.elasticbeanstalk.api import Answer

CONTENT_TYPE = "application/json"


def answer(operation: OperationModel, result: Answer | None, request_id: str) -> str:
    """The body of a successful answer."""
    body: dict[str, object] = {}
    if operation.output_shape is not None:
        body[f"{operation.name}Result"] = _value(operation.output_shape, result or {})
    body["ResponseMetadata"] = {"RequestId": request_id}
    return json.dumps({f"{operation.name}Response": body})


def error(kind: str, code: str, message: str, request_id: str) -> str:
    """The body of an error answer."""
    return json.dumps({"Error": {"Code": code, "Message": message, "Type": kind}, "RequestId": request_id})


def _value(shape: Shape, value: object) -> object:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {name: _value(member, value.get(name)) for name, member in shape.members.items()}
    if isinstance(shape, ListShape) and isinstance(value, list | tuple):
        return [_value(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {str(name): _value(shape.value, item) for name, item in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
