# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Smoke tests: ask an environment over HTTP, as a visitor of the live name does, whether it answers as it should."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit, urlunsplit

from ansible.module_utils.urls import make_context, open_url

from .visitor import Environment, NoAnswerError, get


@dataclass(frozen=True)
class SmokeTest:
    """One request and what must be true of its answer. ``latency`` and ``timeout`` are seconds.

    ``host`` is the name that visitors use, in the Host header and in TLS; the live name when it is empty. ``port`` 0 is
    that of the scheme. ``ca_path`` is a file of the authorities to believe in place of the system's.
    """

    path: str = "/"
    status: tuple[int, ...] = (200,)
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    latency: float = 0.0
    timeout: float = 10.0
    scheme: str = "http"
    host: str = ""
    port: int = 0
    follow_redirects: bool = False
    validate_certs: bool = True
    ca_path: str = ""

    def url(self, live: str) -> str:
        """What a visitor asks for when ``live`` is the live name."""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{(self.host or live).lower()}{port}/{self.path.removeprefix('/')}"

    def tls(self) -> ssl.SSLContext:
        """How the certificate is checked. OSError when the file of authorities is none."""
        made: ssl.SSLContext = make_context(cafile=self.ca_path or None, validate_certs=self.validate_certs)
        return made


class SmokeTester:
    """Runs checks against environments by their CNAME, as visitors of a live name, which may be another one.

    ``url_service``, when given, is asked for the address to use in place of ``http://<CNAME>/``: the CNAME is appended
    to it and the answer is the URL as plain text. It is for set-ups in which the names do not resolve.
    """

    def __init__(
        self, checks: Sequence[SmokeTest], url_service: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.checks, self.url_service, self._clock = tuple(checks), url_service, clock

    def run(self, cname: str, wanted: int, live: str = "") -> tuple[int, str]:
        """How many rounds of all checks in a row were good, at most ``wanted``; and what was wrong with the last.

        ``live`` is the name that visitors use, where it is not yet the CNAME that is asked.
        """
        if not self.checks:
            return wanted, ""
        for good in range(wanted):
            for check in self.checks:
                if problem := self._problem(cname, check, live):
                    return good, problem
        return wanted, ""

    def sample(self, cname: str) -> tuple[float, str] | None:
        """How long the first check took, and what was wrong with its answer; None when there is no check."""
        if not self.checks:
            return None
        began = self._clock()
        problem = self._problem(cname, self.checks[0])
        return self._clock() - began, problem

    def call(self, cname: str, query: str) -> None:
        """One request as the first check makes it, with one more query parameter; whatever comes of it."""
        first = self.checks[0]
        path = f"{first.path}{'&' if '?' in first.path else '?'}{query}"
        self._problem(cname, replace(first, path=path))

    def leads_to_old(self, cname: str, new: str | None, old: str | None) -> bool:
        """Whether this machine certainly resolves the name to the old endpoint; False where that cannot be told."""
        if self.url_service or not new or not old:
            return False
        now = _addresses(cname)
        return bool(now & _addresses(old)) and not now & _addresses(new)

    def _problem(self, cname: str, check: SmokeTest, live: str = "") -> str:
        live = live or cname
        follow = {name.lower() for name in (cname, live, check.host)} if check.follow_redirects else ()
        try:
            environment = Environment(cname, self._base(cname))
            began = self._clock()
            status, body, headers = get(environment, check.url(live), check.timeout, follow, check.tls)
        except NoAnswerError as error:
            return f"{check.path}: {error}"
        except (OSError, ValueError) as error:
            return f"{check.path}: no answer ({error})"
        took = self._clock() - began
        if status not in check.status:
            to = headers.get("location", "").partition("?")[0]  # a query may hold a token
            return f"{check.path}: status {status}" + (f", to {to}" if to else "")
        if check.body and check.body not in body:
            return f"{check.path}: the answer does not contain the wanted text"
        for name, value in check.headers.items():
            if headers.get(name.lower()) != value:
                return f"{check.path}: the header {name} is not {value}"
        if check.latency and took > check.latency:
            return f"{check.path}: took {took:.2f} seconds"
        return ""

    def _base(self, cname: str) -> str:
        if not self.url_service:
            return ""
        where = urlsplit(self.url_service)
        # User name and password stand in the URL; without a challenge, they would not be sent.
        service = urlunsplit(where._replace(netloc=where.netloc.rpartition("@")[2])) + cname
        with open_url(
            service,
            timeout=10,
            use_proxy=False,
            url_username=where.username,
            url_password=where.password,
            force_basic_auth=where.username is not None,
        ) as answer:
            return bytes(answer.read(4096)).decode().strip()


def _addresses(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)}
    except OSError:
        return set()
