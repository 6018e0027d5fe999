# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's configuration, a pure function of the load balancers."""

from __future__ import annotations

from pathlib import Path

import pytest

from localstalk.driver import HealthCheck
from localstalk.edge.addresses import NAMES, Pool, networks
from localstalk.edge.config import LoadBalancer, Paths, State, check_weight, render

PATHS = Paths(Path("/h/haproxy.cfg"), Path("/r/stats.sock"), Path("/r/master.sock"), Path("/h/servers"))


def configuration(check: HealthCheck, speed: float = 1.0) -> list[str]:
    balancer = LoadBalancer("127.77.1.1", check, {"i-1": "172.31.0.3"})
    names = {"a.example": ("127.77.128.1", "e-one"), "gone.example": ("127.77.128.2", "e-two")}
    state = State(80, "127.77.255.254", {"e-one": balancer}, names)
    return [line.strip() for line in render(state, PATHS, speed, 7).splitlines()]


def test_names_lead_to_their_environment_and_a_gone_one_to_a_closed_port() -> None:
    lines = configuration(HealthCheck())
    assert lines.count("default_backend e-one") == 2
    assert "bind 127.77.1.1:80" in lines
    assert "bind 127.77.128.1:80" in lines
    assert "bind 127.77.128.2:80" not in lines
    assert "server i-1 172.31.0.3:80 check weight 100" in lines
    assert "description 7" in lines


@pytest.mark.parametrize(
    ("speed", "inter", "timeout"), [(1.0, "15000ms", "5000ms"), (10.0, "1500ms", "2000ms"), (1000.0, "500ms", "2000ms")]
)
def test_intervals_follow_the_clock_down_to_a_bound(speed: float, inter: str, timeout: str) -> None:
    lines = configuration(HealthCheck(), speed)
    assert f"default-server inter {inter} rise 3 fall 5" in lines
    assert f"timeout check {timeout}" in lines


@pytest.mark.parametrize(("speed", "weight"), [(1.0, 1), (10.0, 1 / 10), (1000.0, 1 / 30)])
def test_a_check_of_a_fast_clock_stands_for_a_part_of_one(speed: float, weight: float) -> None:
    assert check_weight(HealthCheck(interval=15), speed) == pytest.approx(weight)


@pytest.mark.parametrize(
    ("matcher", "wanted"), [("200", "200"), ("200, 302", "200,302"), ("200-399", "200-399"), ("no\nacl x", "200")]
)
def test_matcher(matcher: str, wanted: str) -> None:
    assert f"http-check expect status {wanted}" in configuration(HealthCheck(matcher=matcher))


@pytest.mark.parametrize(
    ("path", "wanted"), [("/", "/"), ("/it's", "/it'\\''s"), ("HTTP:80/ok", "/ok"), ("/a b\n", "/"), ("", "/")]
)
def test_path_cannot_break_the_configuration(path: str, wanted: str) -> None:
    lines = configuration(HealthCheck(path=path))
    assert any(f"send meth GET uri '{wanted}' ver" in line for line in lines)


def test_addresses_come_back_last() -> None:
    pool = Pool(77, NAMES)
    first = pool.take()
    assert first == "127.77.128.1"
    pool.give_back(first)
    assert pool.take() == "127.77.128.2"


def test_every_network_is_tried_once() -> None:
    assert sorted(networks("0badcafe")) == list(range(66, 127))
