# SPDX-License-Identifier: GPL-3.0-or-later
"""What a browser may do: open the page by a link that works once, and nothing for pages of other origins.

A browser sends a page's requests to any address, so a page of somebody else's can reach this server, and with a name
that it lets lead to 127.0.0.1 it is even of the same origin. The name of the host and the origin give both away.
"""

from __future__ import annotations

import secrets
import threading
import time
from http.cookies import CookieError, SimpleCookie
from typing import Any

LINK_SECONDS = 600.0
"""For how long a link can be opened, in real time."""
_OWN = ("127.0.0.1", "localhost", "[::1]")


def own_host(environ: dict[str, Any], *, buckets: bool = False) -> bool:
    """Whether a request names this server by an address or name of the loopback, with the right port.

    ``buckets`` allows for names in front of ``localhost``: S3's clients may put the bucket there.
    """
    host, colon, port = environ.get("HTTP_HOST", "").lower().rpartition(":")
    if not colon or port != str(environ.get("SERVER_PORT")):
        return False
    return host in _OWN or (buckets and host.endswith(".localhost"))


def own_origin(environ: dict[str, Any]) -> bool:
    """Whether a request comes from no page, or from a page of this very server."""
    origin = environ.get("HTTP_ORIGIN")
    return origin is None or origin == f"http://{environ.get('HTTP_HOST', '')}"


class Sessions:
    """The browsers that opened a link. They are known as long as the daemon runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._links: dict[str, float] = {}
        self._open: set[str] = set()

    def link(self) -> str:
        """A new token for the query of the page's URL. It opens the page once, within LINK_SECONDS."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            now = time.monotonic()
            self._links = {each: ends for each, ends in self._links.items() if ends > now}
            self._links[token] = now + LINK_SECONDS
        return token

    def open(self, token: str, port: int | str) -> str | None:
        """The Set-Cookie header of a session for the token of a link; None when it is used up or unknown."""
        with self._lock:
            if self._links.pop(token, 0.0) <= time.monotonic():
                return None
            session = secrets.token_urlsafe(32)
            self._open.add(session)
        return f"{_cookie(port)}={session}; Path=/_localstalk/ui; HttpOnly; SameSite=Strict"

    def known(self, environ: dict[str, Any]) -> bool:
        """Whether a request carries the cookie of a session."""
        try:
            sent = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(_cookie(environ.get("SERVER_PORT", "")))
        except CookieError:
            return False
        return sent is not None and sent.value in self._open


def _cookie(port: int | str) -> str:
    # Browsers keep one jar for all ports of a host: two daemons must not take each other's.
    return f"localstalk-{port}"
