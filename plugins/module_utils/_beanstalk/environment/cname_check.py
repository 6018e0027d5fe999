# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof that a name leads to an environment: by DNS, and by what answers there.

What an environment answers at a path that the user names is its identity. Both environments are asked under their own
names before a swap, and have to answer differently; after it, each name has to answer as the other did. Every request
carries a nonce that was never used before, so that no cache can answer in an environment's place.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url

from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, AnsibleBeanstalkWaitError
from ..core.waiters import Deadline

try:
    from dnslib import QTYPE, DNSError, DNSRecord
except ImportError:
    DNSRecord = None

_MAX_BYTES = 1 << 20
_SECONDS = 10.0
_DNS_PORT = 53

Resolve = Callable[[str], "set[str]"]


def system_addresses(name: str) -> set[str]:
    """What this machine resolves a name to, caches included; empty when it cannot."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


def addresses_by(name_server: str) -> Resolve:
    """Ask one name server (HOST or HOST:PORT) instead; AnsibleBeanstalkRefusedError without the library for it."""
    if DNSRecord is None:
        raise AnsibleBeanstalkRefusedError(message="name_server needs the Python library dnslib; install it first.")
    host, _colon, port = name_server.partition(":")

    def resolve(name: str) -> set[str]:
        try:
            answer = DNSRecord.question(name).send(host, int(port or _DNS_PORT), timeout=_SECONDS)
            return {str(each.rdata) for each in DNSRecord.parse(answer).rr if each.rtype == QTYPE.A}
        except (OSError, ValueError, DNSError) as error:
            raise AnsibleBeanstalkError(message=f"The name server {name_server} does not answer ({error}).") from error

    return resolve


class Side(NamedTuple):
    """One environment of a swap: its name in Elastic Beanstalk, its CNAME of now, and where its load balancer is."""

    name: str
    cname: str
    endpoint: str


class Proof:
    """Proves where names lead. `path` "" leaves HTTP out; `header` is compared instead of the body when it is given."""

    def __init__(self, path: str, header: str = "", name_server: str = "", port: int = 80) -> None:
        self.path, self.header, self._port = path, header, port
        self._resolve = addresses_by(name_server) if name_server else system_addresses
        self._direct = bool(name_server)

    def identity(self, cname: str) -> str:
        """What the environment behind a name answers: the header, or the SHA-256 of the body.

        AnsibleBeanstalkError when it does not answer, or not with a status below 400.
        """
        host = cname
        if self._direct:
            found = sorted(self._resolve(cname))
            if not found:
                raise AnsibleBeanstalkError(message=f"The name {cname} has no address.")
            host = found[0]
        mark = "&" if "?" in self.path else "?"
        url = f"http://{host}:{self._port}{self.path}{mark}nonce={secrets.token_hex(8)}"
        try:
            with open_url(url, headers={"Host": cname}, timeout=_SECONDS, http_agent="jack.beanstalk") as answer:
                header, body = answer.headers.get(self.header), bytes(answer.read(_MAX_BYTES))
        except (OSError, ValueError) as error:
            what = f"status {error.code}" if isinstance(error, HTTPError) else str(error)
            raise AnsibleBeanstalkError(message=f"{cname}{self.path} did not answer well ({what}).") from error
        if not self.header:
            return hashlib.sha256(body).hexdigest()
        if header is None:
            raise AnsibleBeanstalkError(message=f"The answer of {cname}{self.path} has no header {self.header}.")
        return str(header)

    def distinguish(self, *sides: Side) -> dict[str, str]:
        """Identity of each environment, by its name; AnsibleBeanstalkRefusedError when they cannot be told apart."""
        if not self.path:
            return {}
        found: dict[str, str] = {}
        for side in sides:
            found[side.name] = self.identity(side.cname)
            if self.identity(side.cname) != found[side.name]:
                raise AnsibleBeanstalkRefusedError(
                    message=f"{side.cname}{self.path} does not answer the same twice, so that it cannot tell which "
                    "environment answers; name a path or header that is the same on all of its instances."
                )
        if len(set(found.values())) < len(found):
            raise AnsibleBeanstalkRefusedError(
                message=f"{' and '.join(side.cname for side in sides)} answer alike at {self.path}, so that it cannot "
                "tell which environment answers; name a path or header that shows one of their properties."
            )
        return found

    def leads_to(self, cname: str, endpoint: str) -> tuple[bool | None, list[str]]:
        """Whether a name has only addresses of an endpoint, None when it has none here; and its addresses."""
        now = self._resolve(cname)
        wanted = {endpoint} if _is_address(endpoint) else self._resolve(endpoint)
        if not now or not wanted:
            return None, sorted(now)
        # A load balancer has more addresses than it tells at once.
        return bool(now & wanted), sorted(now)

    def wait(self, side: Side, identity: str | None, deadline: Deadline) -> dict[str, Any]:
        """Wait until the side's CNAME leads to it, and answers as `identity` says; AnsibleBeanstalkWaitError when not.

        Where this machine cannot resolve the names, DNS proves nothing and the result says so.
        """
        while True:
            seen, problem = self._look(side, identity)
            if not problem:
                return seen
            if deadline.over:
                raise AnsibleBeanstalkWaitError(
                    f"The CNAMEs were exchanged, but {side.cname} does not lead to {side.name} after "
                    f"{deadline.timeout:.0f} seconds: {problem}",
                    {"proof": {side.cname: seen}},
                )
            deadline.pause()

    def _look(self, side: Side, identity: str | None) -> tuple[dict[str, Any], str]:
        seen: dict[str, Any] = {"environment": side.name, "dns": None, "addresses": [], "http": None}
        try:
            seen["dns"], seen["addresses"] = self.leads_to(side.cname, side.endpoint)
            if seen["dns"] is False:
                return seen, f"its addresses {', '.join(seen['addresses'])} are not those of {side.endpoint}"
            if identity is not None:
                seen["http"] = self.identity(side.cname) == identity
        except AnsibleBeanstalkError as error:
            return seen, str(error.message)
        return seen, "another environment answers" if seen["http"] is False else ""


def _is_address(endpoint: str) -> bool:
    return endpoint.replace(".", "").isdigit()


def proof_of(params: Mapping[str, Any]) -> Proof | None:
    """The proof that module parameters ask for, None when they ask for none."""
    path, header, server = (params.get(key) or "" for key in ("proof_path", "proof_header", "name_server"))
    if not path and not server:
        return None
    if path and not path.startswith("/"):
        raise AnsibleBeanstalkRefusedError(message=f"proof_path is {path!r}; it has to begin with a slash.")
    return Proof(path, header, server)
