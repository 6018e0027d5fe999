# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and their time to live, from another's name server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.recording import dns
from dnslib import CNAME, QTYPE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSServer


class Zone(BaseResolver):
    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname)
        if name.startswith("live."):
            reply.add_answer(RR(name, QTYPE.A, rdata=A("203.0.113.25"), ttl=60))
        if name.startswith("alias."):
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME("live.example.com"), ttl=300))
            reply.add_answer(RR("live.example.com", QTYPE.A, rdata=A("203.0.113.26"), ttl=20))
        return reply


@pytest.fixture
def server() -> Iterator[str]:
    running = DNSServer(Zone(), address="127.0.0.1", port=0)
    running.start_thread()
    yield f"127.0.0.1:{running.server.server_address[1]}"
    running.stop()
    running.server.server_close()


def test_an_address_has_its_time_to_live(server: str) -> None:
    assert dns.ask("live.example.com", server) == ("203.0.113.25", 60)


def test_an_alias_leads_to_an_address(server: str) -> None:
    assert dns.ask("alias.example.com", server) == ("203.0.113.26", 20)


def test_a_name_that_nobody_has_leads_nowhere(server: str) -> None:
    assert dns.ask("nobody.example.com", server) is None


@pytest.mark.parametrize("cut", [b"", b"\0", b"\xff" * 12, b"\xff" * 40])
def test_an_answer_that_is_none_leads_nowhere(cut: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def answer() -> None:
            number, sender = listening.recvfrom(512)
            listening.sendto(number[:2] + cut, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        assert dns.ask("live.example.com", f"127.0.0.1:{listening.getsockname()[1]}") is None
        thread.join()


def test_a_server_that_is_not_there_leads_nowhere() -> None:
    assert dns.ask("live.example.com", "127.0.0.1:1") is None
