# SPDX-License-Identifier: GPL-3.0-or-later
"""The request budget that all processes on a controller share."""

from __future__ import annotations

import base64
import heapq
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import api, budget


class Service:
    """A limit as AWS has it: so many requests per second, so many at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.tokens, self.at = rate, burst, burst, 0.0
        self.taken = self.refused = 0

    def ask(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        self.taken += 1
        return True


def play(service: Service, bucket: budget.Bucket, clients: int, calls: int) -> float:
    """Many clients that ask as fast as they are let, on a clock of our own; returns when the last one was done."""
    queue: list[tuple[float, int, int, int, bool]] = []
    for client in range(clients):
        heapq.heappush(queue, (1.0 + bucket.take(1.0), client, calls, 0, False))
    now = 1.0
    while queue:
        now, client, left, generation, waited = heapq.heappop(queue)
        if generation != bucket.generation and waited:
            wait = bucket.take(now)
            heapq.heappush(queue, (now + wait, client, left, bucket.generation, wait > 0))
            continue
        if service.ask(now):
            left -= 1
            if waited:
                bucket.answered()
        else:
            bucket.refused(now)
        if left:
            wait = bucket.take(now)
            heapq.heappush(queue, (now + wait, client, left, bucket.generation, wait > 0))
    return now


@pytest.mark.parametrize(("rate", "slowest"), [(2.0, 1.4), (1.0, 1.6), (4.0, 1.8), (10.0, 3.0)])
def test_fifty_clients_share_what_there_is(rate: float, slowest: float) -> None:
    service = Service(rate, 15)
    ended = play(service, budget.Bucket(2.0, 15.0, 1.0), clients=50, calls=9)
    assert service.taken == 450
    assert service.refused <= 0.1 * (service.taken + service.refused)
    assert ended <= slowest * (450 - 15) / rate


def test_a_wrong_guess_is_corrected_soon() -> None:
    service = Service(2.0, 15)
    play(service, budget.Bucket(500.0, 500.0, 1.0), clients=50, calls=9)
    assert service.refused <= 0.2 * (service.taken + service.refused)


def test_the_file_is_shared_private_and_survives_rubbish(tmp_path: Path) -> None:
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    one, two = (budget.Budget(tmp_path / "b.json", 1.0, lambda: now[0], sleep) for _number in range(2))
    assert [one.wait() for _call in range(15)] == [False] * 15
    assert two.wait()
    assert 1.0 <= slept[0] <= 1.11
    assert (tmp_path / "b.json").stat().st_mode & 0o777 == 0o600
    two.refused()
    assert json.loads((tmp_path / "b.json").read_text())["rate"] == 0.5
    (tmp_path / "b.json").write_text("{")
    assert not one.wait()
    # After a reboot the clock starts again.
    now[0] = 1.0
    assert not one.wait()


def test_waiting_clients_queue_again_when_the_pace_drops(tmp_path: Path) -> None:
    now = [100.0]
    slept: list[float] = []
    shared = budget.Budget(tmp_path / "b.json", 1.0, lambda: now[0], lambda _seconds: None)

    def sleep(seconds: float) -> None:
        if not slept:
            shared.refused()
        slept.append(seconds)
        now[0] += seconds

    waiting = budget.Budget(tmp_path / "b.json", 1.0, lambda: now[0], sleep)
    for _call in range(15):
        shared.wait()
    assert waiting.wait()
    assert len(slept) == 2


def test_what_takes_many_requests_begins_at_the_pace_at_which_they_can_be_served(tmp_path: Path) -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        assert 0 < seconds <= 15
        now[0] += seconds

    shared = budget.Budget(tmp_path / "b.json", 2.0, lambda: now[0], sleep)
    # Ten of them make each other wait for five seconds at most: 10 / 2.0.
    assert [shared.begin(24) for _number in range(10)] == [False] * 10
    assert now == [100.0]
    begun = []
    for _number in range(3):
        assert shared.begin(24)
        begun.append(now[0])
    assert begun == pytest.approx([112.0, 124.0, 136.0])
    # In time there is room for ten again, and never for more.
    now[0] = 100_000.0
    assert [shared.begin(24) for _number in range(11)] == [False] * 10 + [True]
    assert not budget.Budget(tmp_path / "no" / "b.json", 2.0).begin(24), "no place for a file is no failure"


def test_a_queue_goes_faster_when_the_rate_does() -> None:
    bucket = budget.Bucket(2.0, 15.0, 1.0)
    tickets = [bucket.ticket(24, 1.0) for _number in range(200)]
    assert bucket.begins_in(tickets[-1], 24, 1.0) == pytest.approx(190 * 12)
    bucket.rate = 24.0
    assert bucket.begins_in(tickets[-1], 24, 1.0 + 90) == pytest.approx(100)
    assert bucket.begins_in(tickets[99], 24, 1.0 + 90) == 0
    slow = budget.Bucket(0.25, 15.0, 1.0)
    assert slow.begins_in(slow.ticket(24, 1.0), 24, 1.0) == 0, "one may always begin"


def test_no_place_for_a_file_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = budget.Budget(tmp_path / "no" / "b.json", 1.0)
    assert not missing.wait()
    missing.refused()
    missing.answered()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "no"))
    assert budget.budget_for("http://127.0.0.1:1", "us-east-1", "x") is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "jack.beanstalk").mkdir(mode=0o777)
    (tmp_path / "jack.beanstalk").chmod(0o777)
    assert budget.runtime_directory() is None


def test_one_budget_for_all_keys_of_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(account: int, kind: str, salt: int) -> str:
        packed = ((account << 7) | salt).to_bytes(6, "big") + bytes([salt] * 4)
        return kind + base64.b32encode(packed).decode()

    one, two = key(123456789012, "AKIA", 1), key(123456789012, "ASIA", 2)
    assert budget.account_of(one) == budget.account_of(two) == "123456789012"
    assert budget.account_of("dummy") == "dummy"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    aws = "https://elasticbeanstalk.us-east-1.amazonaws.com"
    paths = {
        item.path
        for item in (budget.budget_for(aws, "us-east-1", one), budget.budget_for(aws, "us-east-1", two))
        if item is not None
    }
    assert len(paths) == 1
    other = budget.budget_for(aws, "eu-west-1", one)
    assert other is not None
    assert other.path not in paths
    monkeypatch.setenv(budget.RATE_VARIABLE, "0")
    assert budget.budget_for(aws, "us-east-1", one) is None


_EMPTY = (
    b'<DescribeEnvironmentsResponse xmlns="http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/">'
    b"<DescribeEnvironmentsResult><Environments/></DescribeEnvironmentsResult>"
    b"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeEnvironmentsResponse>"
)
_THROTTLING = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
    b"<RequestId>r</RequestId></ErrorResponse>"
)


@pytest.fixture
def throttling() -> Iterator[tuple[str, Service]]:
    """A server that takes 20 requests per second, 15 at once."""
    service = Service(20.0, 15)
    service.at = time.monotonic()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                granted = service.ask(time.monotonic())
            body = _EMPTY if granted else _THROTTLING
            self.send_response(200 if granted else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", service
    server.shutdown()
    thread.join()
    server.server_close()


def beanstalk(url: str) -> Any:
    """A client of that server."""
    names = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
    return boto3.client("elasticbeanstalk", endpoint_url=url, **names)


def fork(url: str, calls: int) -> None:
    """One of Ansible's forks."""
    client = api.CallCounter().attach(beanstalk(url))
    for _call in range(calls):
        api.describe_environments(client)


def test_forks_share_one_budget(
    throttling: tuple[str, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, service = throttling
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv(budget.RATE_VARIABLE, "20")
    forks = [multiprocessing.get_context("fork").Process(target=fork, args=(url, 12)) for _number in range(10)]
    for process in forks:
        process.start()
    for process in forks:
        process.join(60)
    assert [process.exitcode for process in forks] == [0] * 10
    assert service.taken == 120
    assert service.refused <= 12


def test_a_turn_can_be_taken_before_the_request(
    throttling: tuple[str, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, service = throttling
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv(budget.RATE_VARIABLE, "2")
    client = beanstalk(url)
    ahead = budget.SharedBudget(client, ahead=True)
    shared = budget.budget_for(url, "us-east-1", "x")
    assert shared is not None
    while not shared.wait():
        continue
    # The budget is used up; the request itself does not care, and its answer is heard.
    client.describe_environments()
    assert service.taken == 1
    assert ahead.turn()
    service.tokens = service.rate = 0.0
    with pytest.raises(client.exceptions.ClientError, match="Rate exceeded"):
        client.describe_environments()
    assert json.loads(shared.path.read_text())["rate"] < 2
