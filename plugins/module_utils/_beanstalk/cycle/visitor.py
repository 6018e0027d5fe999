# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP request as a visitor of a name makes it, sent to an environment that need not have that name yet.

Host header, TLS server name and certificate are those of the visitor's name; the connection goes to the environment.
Proxies of the controller's process environment are used as elsewhere.
"""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

_PORTS = {"http": 80, "https": 443}
_MAX_BYTES = 1 << 20
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class NoAnswerError(Exception):
    """There is no answer, or none that this environment gave; the text says why."""


class Answer(NamedTuple):
    """The names of ``headers`` are in lower case; of a body only the first MiB is read."""

    status: int
    text: str
    headers: Mapping[str, str]


class Environment(NamedTuple):
    """Where to connect to: ``cname``, or an address that stands for it (``base``, which is then a URL)."""

    cname: str
    base: str = ""

    def address(self, url: SplitResult) -> tuple[str, int]:
        """Host and port to connect to for a visitor's URL."""
        if not self.base:
            return self.cname, url.port or _PORTS[url.scheme]
        there = urlsplit(self.base)
        if there.scheme != url.scheme:
            raise NoAnswerError(f"{url.scheme} cannot be asked here: {self.cname} is reached by {there.scheme} only")
        return there.hostname or "", there.port or _PORTS[there.scheme]


def get(
    environment: Environment, url: str, timeout: float, follow: Collection[str], tls: Callable[[], ssl.SSLContext]
) -> Answer:
    """Ask the environment for a visitor's URL, within ``timeout`` seconds. NoAnswerError says why there is no answer.

    With ``follow``, names of the environment in lower case, redirects are followed; one to another name is no answer.
    ``tls`` makes what checks the certificate.
    """
    end = time.monotonic() + timeout
    for _count in range(_MAX_REDIRECTS + 1):
        answer = _ask(environment, urlsplit(url), end, tls)
        location = answer.headers.get("location", "")
        if not (follow and answer.status in _REDIRECTS and location):
            return answer
        url = urljoin(url, location)
        to = urlsplit(url)
        if to.scheme not in _PORTS or (to.hostname or "") not in follow:
            raise NoAnswerError(f"it leads to {to.scheme}://{to.netloc}, which is not this environment")
    raise NoAnswerError(f"more than {_MAX_REDIRECTS} redirects")


def _ask(environment: Environment, url: SplitResult, end: float, tls: Callable[[], ssl.SSLContext]) -> Answer:
    seconds = end - time.monotonic()
    try:
        if seconds <= 0:
            raise TimeoutError("timed out")
        address = environment.address(url)
        # A local address that stands for the environment is never behind a proxy.
        proxy = "" if environment.base or proxy_bypass(address[0]) else getproxies().get(url.scheme, "")
        connection = _connected(address, url, proxy, seconds, tls)
        try:
            with _ended_after(connection.sock, end - time.monotonic()):
                answer = _exchange(connection, address, url, bool(proxy))
        finally:
            connection.close()
        if time.monotonic() >= end:
            raise TimeoutError("timed out")
        return answer
    except ssl.SSLCertVerificationError as error:
        raise NoAnswerError(f"the certificate is not good for {url.hostname}: {error.verify_message}") from error
    except (OSError, ValueError, HTTPException) as error:
        late = isinstance(error, TimeoutError) or time.monotonic() >= end
        raise NoAnswerError("no answer in time" if late else f"no answer ({error})") from error


class _Connection(HTTPConnection):
    """A connection to one name whose TLS, where there is any, is for another: ``server`` is the visitor's."""

    def __init__(self, host: str, port: int, seconds: float, server: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=seconds)
        self.server, self.tls = server, tls

    def connect(self) -> None:
        """Connect, by a tunnel where one is set, then begin TLS."""
        super().connect()
        if self.tls is not None:
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.server)


def _connected(
    address: tuple[str, int], url: SplitResult, proxy: str, seconds: float, tls: Callable[[], ssl.SSLContext]
) -> _Connection:
    """A connection to the environment: directly, by a tunnel, or for plain HTTP to the proxy itself."""
    secure = tls() if url.scheme == "https" else None
    by = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host, port = (by.hostname or "", by.port or _PORTS["http"]) if proxy else address
    connection = _Connection(host, port, seconds, url.hostname or "", secure)
    if proxy and secure:
        connection.set_tunnel(*address, headers=_proxy_headers(by))
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    return connection


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(user.encode()).decode()}


def _exchange(connection: HTTPConnection, address: tuple[str, int], url: SplitResult, proxied: bool) -> Answer:
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    host = url.netloc
    if proxied and url.scheme == "http":
        # A proxy goes where the URL says, and has the host from there.
        host = address[0] if address[1] == _PORTS["http"] else f"{address[0]}:{address[1]}"
        path = f"http://{host}{path}"
    connection.request("GET", path, headers={"Host": host, "User-Agent": "jack.beanstalk", "Accept": "*/*"})
    with connection.getresponse() as answer:
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answer.read(_MAX_BYTES).decode(errors="replace"), headers)


@contextmanager
def _ended_after(connected: socket.socket, seconds: float) -> Iterator[None]:
    """End the connection after so many seconds: a server that sends a byte now and then must not hold anybody up."""

    def end() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
