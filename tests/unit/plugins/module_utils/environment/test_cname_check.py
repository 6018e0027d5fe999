# SPDX-License-Identifier: GPL-3.0-or-later
"""Where names lead, proven against web servers and a name server that really answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkRefusedError,
    AnsibleBeanstalkWaitError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.waiters import Deadline
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment import cname_check
from dnslib import RR, A
from dnslib.server import BaseResolver, DNSServer

BLUE, GREEN = "127.0.0.2", "127.0.0.3"
ZONE = "us-east-1.elasticbeanstalk.com"
LIVE, NEXT = f"shop.{ZONE}", f"shop-next.{ZONE}"


class World(BaseResolver):  # type: ignore[misc]
    """Names with addresses, and one web server at each address."""

    def __init__(self) -> None:
        self.names = {LIVE: BLUE, NEXT: GREEN, f"blue.elb.{ZONE}": BLUE, f"green.elb.{ZONE}": GREEN}
        self.answers: dict[str, Any] = {BLUE: "blue", GREEN: "green"}
        self.requests: list[tuple[str, str]] = []
        self.server, self.port = "", 0

    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply()
        if address := self.names.get(str(request.q.qname).rstrip(".")):
            reply.add_answer(RR(request.q.qname, rdata=A(address)))
        return reply

    def handler(self) -> type[BaseHTTPRequestHandler]:
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                world.requests.append((self.headers["Host"], self.path))
                said = world.answers[str(self.connection.getsockname()[0])]
                text = said if isinstance(said, str) else said.pop(0)
                self.send_response(500 if text == "broken" else 200)
                self.send_header("X-Environment", text)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_arguments: object) -> None:
                return

        return Handler

    def proof(self, path: str = "/who?full=1", header: str = "") -> cname_check.Proof:
        return cname_check.Proof(path, header, self.server, self.port)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    first = ThreadingHTTPServer((BLUE, 0), made.handler())
    made.port = first.server_address[1]
    second = ThreadingHTTPServer((GREEN, made.port), made.handler())
    names = DNSServer(made, address="127.0.0.1", port=0)
    threads = [threading.Thread(target=each.serve_forever, daemon=True) for each in (first, second, names.server)]
    for thread in threads:
        thread.start()
    made.server = f"127.0.0.1:{names.server.server_address[1]}"
    yield made
    for each in (first, second, names.server):
        each.shutdown()
        each.server_close()
    for thread in threads:
        thread.join()


def sides() -> tuple[cname_check.Side, cname_check.Side]:
    """As they are after the swap: green has the live name."""
    return cname_check.Side("green", LIVE, f"green.elb.{ZONE}"), cname_check.Side("blue", NEXT, f"blue.elb.{ZONE}")


BEFORE = (cname_check.Side("blue", LIVE, f"blue.elb.{ZONE}"), cname_check.Side("green", NEXT, f"green.elb.{ZONE}"))


@pytest.mark.parametrize("header", ["", "X-Environment"])
def test_a_swap_is_proven(world: World, header: str) -> None:
    proving = world.proof(header=header)
    identities = proving.distinguish(*BEFORE)
    assert set(identities) == {"blue", "green"}
    world.names |= {LIVE: GREEN, NEXT: BLUE}
    for side in sides():
        seen = proving.wait(side, identities[side.name], Deadline(0, 1))
        assert seen == {
            "environment": side.name,
            "dns": True,
            "addresses": [world.names[side.cname]],
            "http": True,
        }
    assert {host for host, _path in world.requests} == {LIVE, NEXT}
    assert all(path.startswith("/who?full=1&nonce=") for _host, path in world.requests)
    assert len(set(world.requests)) == len(world.requests), "a nonce was used twice"


def test_a_name_that_still_leads_to_the_old_environment(world: World) -> None:
    proving = world.proof()
    identities = proving.distinguish(*BEFORE)
    live, _green = sides()
    with pytest.raises(AnsibleBeanstalkWaitError, match=r"127\.0\.0\.2 are not those of green\.elb") as late:
        proving.wait(live, identities["green"], Deadline(0, 1))
    assert late.value.report["proof"][LIVE]["dns"] is False
    # The address is right, and something in between still answers for the old environment.
    world.names[LIVE], world.answers[GREEN] = GREEN, "blue"
    with pytest.raises(AnsibleBeanstalkWaitError, match="another environment answers") as late:
        proving.wait(live, identities["green"], Deadline(0, 1))
    assert late.value.report["proof"][LIVE]["http"] is False


def test_it_is_waited_for(world: World) -> None:
    proving = world.proof()
    identities = proving.distinguish(*BEFORE)

    def sleep(_seconds: float) -> None:
        world.names[LIVE] = GREEN

    assert proving.wait(sides()[0], identities["green"], Deadline(60, 1, sleep=sleep))["http"] is True


@pytest.mark.parametrize(
    ("blue", "message"),
    [
        ("green", "answer alike at /who"),
        (["1", "2"], "does not answer the same twice"),
    ],
)
def test_environments_that_cannot_be_told_apart(world: World, blue: Any, message: str) -> None:
    world.answers[BLUE] = blue
    with pytest.raises(AnsibleBeanstalkRefusedError, match=message):
        world.proof().distinguish(*BEFORE)


def test_answers_that_prove_nothing(world: World) -> None:
    world.answers[BLUE] = "broken"
    with pytest.raises(AnsibleBeanstalkError, match=r"shop\..*/who\?full=1 did not answer well \(status 500\)"):
        world.proof().identity(LIVE)
    with pytest.raises(AnsibleBeanstalkError, match=r"has no header X-Colour"):
        world.proof(header="X-Colour").identity(NEXT)
    with pytest.raises(AnsibleBeanstalkError, match=r"nobody\.example has no address"):
        world.proof().identity("nobody.example")
    assert world.proof().leads_to("nobody.example", GREEN) == (None, [])
    assert world.proof().leads_to(NEXT, GREEN) == (True, [GREEN])
    with pytest.raises(AnsibleBeanstalkError, match="does not answer"):
        cname_check.Proof("/", "", "127.0.0.1:1").identity(LIVE)


def test_parameters() -> None:
    assert cname_check.proof_of({}) is None
    assert cname_check.proof_of({"name_server": "127.0.0.1"}) is not None
    with pytest.raises(AnsibleBeanstalkRefusedError, match="it has to begin with a slash"):
        cname_check.proof_of({"proof_path": "health"})
