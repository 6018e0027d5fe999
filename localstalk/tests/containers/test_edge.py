# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge with a real HAProxy: weights decide who gets how much, and a HAProxy that dies is started again."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localstalk.driver import HealthCheck
from localstalk.edge.config import INSTANCE_PORT
from localstalk.edge.edge import Edge

pytestmark = pytest.mark.containers

ENVIRONMENT = "e-abcdefghij"
NAME = "shop.us-east-1.elasticbeanstalk.com"


class Handler(http.server.BaseHTTPRequestHandler):
    """Says at which address it was asked."""

    def do_GET(self) -> None:
        host = str(self.server.server_address[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(host)))
        self.end_headers()
        self.wfile.write(host)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = Edge(tmp_path / "home", tmp_path / "run", "3badcafe", 20.0)
    yield made
    made.close()


@pytest.fixture
def instances(edge: Edge) -> Iterator[dict[str, str]]:
    """Two instances behind the load balancer: their addresses by id."""
    network = edge.state.guard.rpartition(".")[0].rpartition(".")[0]
    found, servers = {}, []
    edge.create_load_balancer(ENVIRONMENT, HealthCheck())
    edge.point(NAME, ENVIRONMENT)
    for number in (1, 2):
        address = f"{network}.254.{number}"
        server = http.server.ThreadingHTTPServer((address, INSTANCE_PORT), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        edge.register(ENVIRONMENT, f"i-{number}", address)
        found[f"i-{number}"] = address
    wait_for(lambda: edge.healthy_targets(ENVIRONMENT) == set(found))
    yield found
    for server in servers:
        server.shutdown()
        server.server_close()


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ask(edge: Edge) -> str:
    url = edge.url(NAME)
    assert url is not None
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())


@pytest.mark.parametrize("percent", [0, 10, 50, 100])
def test_weights_decide_the_share(edge: Edge, instances: dict[str, str], percent: int) -> None:
    edge.weigh(ENVIRONMENT, {"i-1": 100 - percent, "i-2": percent})
    wait_for(lambda: edge.healthy_targets(ENVIRONMENT) == set(instances))
    asked = Counter(ask(edge) for _ in range(100))
    # Weighted round robin is exact over a full turn; a turn that began before may shift one request.
    assert abs(asked[instances["i-2"]] - percent) <= 1, asked
    edge.weigh(ENVIRONMENT, {})
    asked = Counter(ask(edge) for _ in range(100))
    assert abs(asked[instances["i-2"]] - 50) <= 1, asked


def workers(edge: Edge) -> list[int]:
    assert edge.haproxy.process is not None
    children = Path(f"/proc/{edge.haproxy.process.pid}/task/{edge.haproxy.process.pid}/children")
    return [int(each) for each in children.read_text().split()]


def answers(edge: Edge) -> bool:
    try:
        return bool(ask(edge))
    except (OSError, urllib.error.URLError):
        return False


@pytest.mark.parametrize("victim", ["master", "worker"])
def test_a_killed_haproxy_is_started_again(edge: Edge, instances: dict[str, str], victim: str) -> None:
    assert edge.haproxy.process is not None
    before = edge.haproxy.process.pid
    for pid in [before] if victim == "master" else workers(edge):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: edge.haproxy.process is not None and edge.haproxy.process.pid != before and answers(edge))
    assert edge.healthy_targets(ENVIRONMENT) == set(instances)
    # It takes changes as before.
    edge.deregister(ENVIRONMENT, "i-1")
    assert {ask(edge) for _ in range(4)} == {instances["i-2"]}


def test_a_change_right_after_the_death_finds_it_alive(edge: Edge, instances: dict[str, str]) -> None:
    assert edge.haproxy.process is not None
    os.kill(edge.haproxy.process.pid, signal.SIGKILL)
    edge.haproxy.process.wait()
    edge.remove(ENVIRONMENT, "i-1")
    assert {ask(edge) for _ in range(4)} == {instances["i-2"]}
