# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of a daemon: every request passes it first."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Any

from localstalk.access import browser, signature
from localstalk.access.errors import AccessError
from localstalk.access.request import SignedRequest
from localstalk.keys import KeyRing
from localstalk.refusals import Error, Protocol, protocol_of

INSTANCE = "localstalk.instance"
"""Key in the environ of requests that come by an instance's own socket: no browser and nobody else gets there."""
CALLER = "localstalk.caller"
"""Key in the environ of requests that somebody signed: who it was."""
_FOREIGN: Error = ("AccessDenied", "This name or origin is not localstalk's own; ask it at 127.0.0.1.", 403)


class Guard:
    """Lets in who has the keys. ``auth`` false lets everybody in but pages of browsers."""

    def __init__(self, keys: Callable[[], KeyRing], *, auth: bool = True) -> None:
        self.keys = keys
        self.auth = auth
        self.sessions = browser.Sessions()

    def refusal(self, environ: dict[str, Any]) -> tuple[Protocol, Error] | None:
        """Why an API request is refused, and in which protocol to say so; None for one that is let in."""
        request = SignedRequest(environ)
        service = signature.claimed_service(request)
        try:
            covered = self._verified(request)
        except AccessError as error:
            protocol = protocol_of(environ, service)
            return protocol, error.told(protocol)
        if covered or INSTANCE in environ:
            return None
        if browser.own_host(environ, buckets=True) and browser.own_origin(environ):
            return None
        return protocol_of(environ, service), _FOREIGN

    def _verified(self, request: SignedRequest) -> bool:
        """Whether the signature covers the host. Raises AccessError."""
        if not self.auth:
            return False
        caller = request.environ[CALLER] = signature.verify(request, self.keys().find)
        return caller.names_host

    def administrates(self, environ: dict[str, Any]) -> str | None:
        """None for a request of the administrator from a place of its own; else a sentence that refuses it."""
        foreign = self.foreign(environ)
        if foreign:
            return foreign
        if not self.auth or self._basic(environ) or self._signed(environ):
            return None
        return (
            "This needs the access key and the secret key that `localstalk env` prints, as user name and password "
            "(HTTP Basic), or a signature by them."
        )

    def sees(self, environ: dict[str, Any]) -> str | None:
        """None for a request that may see the page; else a sentence that refuses it."""
        foreign = self.foreign(environ)
        if foreign or not self.auth or self.sessions.known(environ):
            return foreign
        if self.administrates(environ) is None:
            return None
        return "This page opens by the link that `localstalk ui` prints; a link works once."

    def foreign(self, environ: dict[str, Any]) -> str | None:
        """A sentence that refuses a request by a name or from a page that are not this daemon's own."""
        if browser.own_host(environ) and browser.own_origin(environ):
            return None
        return _FOREIGN[1]

    def _basic(self, environ: dict[str, Any]) -> bool:
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            sent = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            return False
        key = self.keys().administrator
        return hmac.compare_digest(sent, f"{key.access_key}:{key.secret_key}".encode())

    def _signed(self, environ: dict[str, Any]) -> bool:
        if "HTTP_AUTHORIZATION" not in environ:
            return False
        try:
            caller = signature.verify(SignedRequest(environ), self.keys().find)
        except AccessError:
            return False
        return caller.key == self.keys().administrator
