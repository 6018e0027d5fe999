# SPDX-License-Identifier: GPL-3.0-or-later
"""Authoritative DNS for Elastic Beanstalk's public names: each has its environment's load balancer as address.

A client that honours the TTL reaches the old environment after a swap for at most that long, as with AWS
(docs/elastic_beanstalk.md §4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dnslib import NS, QTYPE, RCODE, RR, SOA, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

ZONES = ("elasticbeanstalk.com", "eb.amazonaws.com.cn")
"""The second one is China's (Public Suffix List)."""

NAME_SERVER = f"ns.localstalk.{ZONES[0]}"
TTL_SECONDS = 60.0
"""Of EB's names (recalled, elastic_beanstalk.md §12.2); divided by the daemon's speed, like every other duration."""

DNS_PORT = 53
QUIET = "-request,-reply,-truncated,-error,-recv,-send,-data"


class Authority(BaseResolver):  # type: ignore[misc]
    """Answers for the zones; refuses everything else. ``address_of`` maps a name to an address, or None."""

    def __init__(self, address_of: Callable[[str], str | None], ttl: int) -> None:
        self.address_of = address_of
        self.ttl = ttl

    def resolve(self, request: Any, handler: Any) -> Any:
        """Answer one question."""
        del handler
        reply = request.reply(aa=1, ra=0)
        name = str(request.q.qname).rstrip(".").lower()
        kind = QTYPE.get(request.q.qtype)
        zone = next((one for one in ZONES if f".{name}".endswith(f".{one}")), None)
        if zone is None:
            reply.header.rcode = RCODE.REFUSED
            reply.header.aa = 0
            return reply
        if name == zone:
            if kind in {"NS", "ANY"}:
                reply.add_answer(RR(zone, QTYPE.NS, rdata=NS(NAME_SERVER), ttl=self.ttl))
            elif kind == "SOA":
                reply.add_answer(self._authority(zone))
            else:
                reply.add_auth(self._authority(zone))
            return reply
        address = self.address_of(name)
        if address is None:
            reply.header.rcode = RCODE.NXDOMAIN
        elif kind in {"A", "ANY"}:
            reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=self.ttl))
        if not reply.rr:
            reply.add_auth(self._authority(zone))
        return reply

    def _authority(self, zone: str) -> Any:
        # The last time is for how long a client may remember that there is no such name.
        times = (1, 60, 60, 3600, self.ttl)
        return RR(zone, QTYPE.SOA, rdata=SOA(NAME_SERVER, f"hostmaster.{zone}", times), ttl=self.ttl)


class NameServer:
    """The authority on UDP and TCP of one address; port 53 when it may be bound, else a free one."""

    def __init__(self, host: str, address_of: Callable[[str], str | None], speed: float) -> None:
        authority = Authority(address_of, max(1, round(TTL_SECONDS / speed)))
        logger = DNSLogger(QUIET)
        try:
            tcp = DNSServer(authority, address=host, port=DNS_PORT, tcp=True, logger=logger)
        except OSError:
            tcp = DNSServer(authority, address=host, port=0, tcp=True, logger=logger)
        self.port = int(tcp.server.server_address[1])
        self.servers = [tcp, DNSServer(authority, address=host, port=self.port, logger=logger)]
        self.host = host
        for server in self.servers:
            server.start_thread()

    @property
    def address(self) -> str:
        """Return host and port as text."""
        return f"{self.host}:{self.port}"

    def close(self) -> None:
        """Stop answering."""
        for server in self.servers:
            server.stop()
            server.server.server_close()
