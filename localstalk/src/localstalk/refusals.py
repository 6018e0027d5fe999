# SPDX-License-Identifier: GPL-3.0-or-later
"""Error answers in the protocol of the service that was called."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from localstalk.elasticbeanstalk import wire, wire_json

StartResponse = Callable[..., Any]
Protocol = Literal["s3", "ec2", "query", "json", "rest-json"]
Error = tuple[str, str, int]
"""Code, message and HTTP status."""
_FORM = "application/x-www-form-urlencoded"
_REST_XML = ("cloudfront", "route53", "s3control")
_BLOCK = 65536


def protocol_of(environ: dict[str, Any], service: str) -> Protocol:
    """How the client expects an error; ``service`` is the one it signed for, empty when it did not sign.

    Without one, a request is S3's unless it has the form of another service's, as a request to a bucket has none.
    """
    if environ.get("HTTP_X_AMZ_TARGET"):
        return "json"
    if service == "ec2":
        return "ec2"
    if service == "s3":
        return "s3"
    asked = parse_qs(environ.get("QUERY_STRING", ""))
    if service in _REST_XML or environ.get("CONTENT_TYPE", "").startswith(_FORM) or "Action" in asked:
        return "query"
    return "rest-json" if service else "s3"


def answer(environ: dict[str, Any], start_response: StartResponse, protocol: Protocol, error: Error) -> Iterable[bytes]:
    """Refuse a request. What the client still sends is read, so that it gets to reading the answer."""
    code, message, status = error
    request_id = str(uuid.uuid4())
    kind = "text/xml"
    more: list[tuple[str, str]] = []
    if protocol == "json":
        kind, text = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    elif protocol == "rest-json":
        kind, text = "application/json", json.dumps({"message": message})
        more = [("x-amzn-errortype", code)]
    elif protocol == "s3":
        text = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    elif protocol == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif wire_json.CONTENT_TYPE in environ.get("HTTP_ACCEPT", ""):
        kind = wire_json.CONTENT_TYPE
        text = wire_json.error("Sender" if status < 500 else "Receiver", code, message, request_id)
    else:
        text = wire.error("Sender" if status < 500 else "Receiver", code, message, request_id)
    drain(environ)
    body = text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-RequestId", request_id), *more]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]


def drain(environ: dict[str, Any]) -> None:
    """Read and forget the body of a request: a connection that is closed before looks broken to its client."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0:
        block = environ["wsgi.input"].read(min(left, _BLOCK))
        if not block:
            return
        left -= len(block)
