# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI request as signatures see it: the path as it was sent, the headers one by one, and a body that stays there."""

from __future__ import annotations

import io
from functools import cached_property
from typing import Any
from urllib.parse import unquote, unquote_plus

from localstalk.access.errors import AccessError


class SignedRequest:
    """What was sent, before anything was decoded."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        raw = str(environ.get("RAW_URI") or environ["REQUEST_URI"])
        self.path, _, self.query = raw.partition("?")
        self.parameters: dict[str, list[str]] = {}
        for pair in filter(None, self.query.split("&")):
            name, _, value = pair.partition("=")
            # A "+" is one in what AWS's clients send, base64 above all.
            self.parameters.setdefault(unquote_plus(name), []).append(unquote(value))

    def header(self, name: str) -> str | None:
        """The value of a header; those that came more than once are joined with commas, as HTTP has it."""
        key = name.upper().replace("-", "_")
        found = self.environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")
        return None if found is None else str(found)

    def amazon_headers(self) -> set[str]:
        """Names of the headers that change what a request means to AWS, in lower case."""
        found = (name.removeprefix("HTTP_").lower() for name in self.environ if name.startswith("HTTP_X_AMZ_"))
        return {name.replace("_", "-") for name in found}

    def parameter(self, name: str) -> str:
        """The one value of a query parameter. Raises AccessError when there is not exactly one."""
        values = self.parameters.get(name, [])
        if len(values) != 1:
            raise AccessError("malformed link", f"The query must have exactly one {name}.")
        return values[0]

    def query_without(self, *names: str) -> str:
        """The query as it was sent, less some parameters."""
        return "&".join(pair for pair in self.query.split("&") if unquote_plus(pair.partition("=")[0]) not in names)

    @cached_property
    def body(self) -> bytes:
        """All of the body; it is put back for whoever answers the request."""
        stream = self.environ["wsgi.input"]
        if self.environ.get("wsgi.input_terminated") and not self.environ.get("CONTENT_LENGTH"):
            content: bytes = stream.read()
        else:
            content = stream.read(int(self.environ.get("CONTENT_LENGTH") or 0))
        self.environ["wsgi.input"] = io.BytesIO(content)
        return content
