# SPDX-License-Identifier: GPL-3.0-or-later
"""Which API calls a daemon was asked: for tests that count them and for policies that name them."""

from __future__ import annotations

import io
import re
import threading
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
_FORM = "application/x-www-form-urlencoded"


class CallCounter:
    """Counts requests as ``service:Operation``; REST services, which S3 is, as ``service:METHOD``."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, environ: dict[str, Any]) -> tuple[str, str]:
        """Count one WSGI request; returns service and operation.

        A form body is read, and put back for whoever answers the request.
        """
        service, operation = _service(environ), _operation(environ)
        with self._lock:
            self._counts[f"{service}:{operation}"] += 1
        return service, operation

    def totals(self) -> dict[str, int]:
        """Calls so far, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))


def _service(environ: dict[str, Any]) -> str:
    signed = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return signed["service"] if signed else "unsigned"


def _operation(environ: dict[str, Any]) -> str:
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target.rpartition(".")[2])
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        action = parse_qs(body.decode("utf-8", "replace")).get("Action")
        if action:
            return str(action[0])
    return str(environ.get("REQUEST_METHOD", ""))
