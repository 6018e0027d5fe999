# SPDX-License-Identifier: GPL-3.0-or-later
"""The name server, asked over UDP and TCP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from localstalk.edge.dns import NameServer

NAMES = {"blog.us-east-1.elasticbeanstalk.com": "127.77.1.1", "blog.cn-north-1.eb.amazonaws.com.cn": "127.77.1.1"}


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    made = NameServer("127.0.53.53", NAMES.get, speed=20.0)
    yield made
    made.close()


def ask(server: NameServer, name: str, kind: str = "A", tcp: bool = False) -> Any:
    question = DNSRecord.question(name, kind)
    return DNSRecord.parse(question.send(server.host, server.port, tcp=tcp, timeout=5))


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("name", [*NAMES, "BLOG.us-east-1.ElasticBeanstalk.com"])
def test_a_name_has_its_load_balancers_address(server: NameServer, name: str, tcp: bool) -> None:
    reply = ask(server, name, tcp=tcp)
    assert [str(record.rdata) for record in reply.rr] == ["127.77.1.1"]
    assert reply.rr[0].ttl == 3
    assert reply.header.aa


def test_unknown_names_and_other_zones(server: NameServer) -> None:
    assert ask(server, "nobody.us-east-1.elasticbeanstalk.com").header.rcode == RCODE.NXDOMAIN
    assert ask(server, "nobody.cn-north-1.eb.amazonaws.com.cn").header.rcode == RCODE.NXDOMAIN
    assert ask(server, "s3.cn-north-1.amazonaws.com.cn").header.rcode == RCODE.REFUSED
    assert ask(server, "example.org").header.rcode == RCODE.REFUSED
    assert ask(server, "evilelasticbeanstalk.com").header.rcode == RCODE.REFUSED


def test_other_types_are_empty_and_carry_the_authority(server: NameServer) -> None:
    reply = ask(server, next(iter(NAMES)), "AAAA")
    assert reply.header.rcode == RCODE.NOERROR
    assert reply.rr == []
    assert QTYPE.get(reply.auth[0].rtype) == "SOA"
    assert [QTYPE.get(record.rtype) for record in ask(server, "elasticbeanstalk.com", "NS").rr] == ["NS"]
