# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads: again when they break off, in time, not too much, and a sentence without the signed address."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import reading
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.reading import Allowance, download
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Leases, encode
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore

Serve = Callable[[Callable[[BaseHTTPRequestHandler, int], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve requests, each with its number, by a function; returns a signed address."""
    servers = []

    def start(answer: Callable[[BaseHTTPRequestHandler, int], None]) -> str:
        count = iter(range(1, 100))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self, next(count))

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/log?X-Amz-Signature=abc"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(request: BaseHTTPRequestHandler, content: bytes, length: int, status: int = 200) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(length))
    request.send_header("ETag", '"1"')
    request.end_headers()
    with contextlib.suppress(OSError):
        request.wfile.write(content)


def refused(url: str, allowance: Allowance) -> str:
    with pytest.raises(AnsibleBeanstalkError) as caught:
        download(url, allowance)
    assert "Signature" not in str(caught.value)
    return str(caught.value.message)


def test_what_breaks_off_is_asked_for_again(serve: Serve) -> None:
    url = serve(lambda request, number: send(request, b"text"[: 2 if number < 3 else 4], 4))
    assert download(url, Allowance(100, 30)) == b"text"


def test_what_always_breaks_off_is_a_sentence(serve: Serve) -> None:
    url = serve(lambda request, _number: send(request, b"te", 4))
    assert "Failed to download" in refused(url, Allowance(100, 30))


@pytest.mark.parametrize(("status", "asked"), [(403, 1), (404, 1), (503, 3)])
def test_refusals_are_told_and_faults_are_tried_again(serve: Serve, status: int, asked: int) -> None:
    numbers: list[int] = []

    def answer(request: BaseHTTPRequestHandler, number: int) -> None:
        numbers.append(number)
        send(request, b"", 0, status)

    assert refused(serve(answer), Allowance(100, 30)) == f"Failed to download: status {status}"
    assert len(numbers) == asked


def test_too_much_is_refused_before_it_is_all_there(serve: Serve) -> None:
    url = serve(lambda request, _number: send(request, b"x" * 100_000, 1 << 30))
    assert refused(url, Allowance(50_000, 30)) == "Failed to download: it has more than 48 KiB"


def test_drops_that_come_for_ever_have_an_end(serve: Serve) -> None:
    def answer(request: BaseHTTPRequestHandler, _number: int) -> None:
        send(request, b"", 1 << 20)
        with contextlib.suppress(OSError):
            while True:
                request.wfile.write(b"x" * (1 << 16))
                time.sleep(0.2)

    began = time.monotonic()
    assert refused(serve(answer), Allowance(1 << 30, 1)) == "Failed to download: it did not come within 1 seconds"
    assert time.monotonic() - began < 20


def stalls(request: BaseHTTPRequestHandler, content: bytes, seconds: float = 20) -> None:
    send(request, content, len(content) + 4)
    time.sleep(seconds)


def test_what_stalls_is_asked_for_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STALL_SECONDS", 0.5)

    def answer(request: BaseHTTPRequestHandler, number: int) -> None:
        stalls(request, b"te", 2) if number < 3 else send(request, b"text", 4)

    began = time.monotonic()
    assert download(serve(answer), Allowance(100, 30)) == b"text"
    assert time.monotonic() - began < 20


def test_what_always_stalls_is_a_sentence_in_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STALL_SECONDS", 0.5)
    url = serve(lambda request, _number: stalls(request, b"te", 2))
    began = time.monotonic()
    assert refused(url, Allowance(100, 30)) == "Failed to download: nothing came for 0 seconds"
    assert time.monotonic() - began < 20


def drips(request: BaseHTTPRequestHandler) -> None:
    send(request, b"", 1 << 20)
    with contextlib.suppress(OSError):
        for _second in range(200):
            request.wfile.write(b"x")
            time.sleep(0.05)


def test_what_drips_byte_by_byte_has_an_end(serve: Serve) -> None:
    """Each byte comes in time for the socket."""
    url = serve(lambda request, _number: drips(request))
    began = time.monotonic()
    assert refused(url, Allowance(1 << 30, 1)) == "Failed to download: it did not come within 1 seconds"
    assert time.monotonic() - began < 9


@pytest.mark.parametrize("fault", ["stalls", "drips", "breaks off"])
def test_bodies_of_s3_are_asked_for_again(serve: Serve, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """The lock and the record are bodies that botocore leaves to others to read."""
    monkeypatch.setattr(reading, "STALL_SECONDS", 0.5)
    asked: list[int] = []

    def answer(request: BaseHTTPRequestHandler, number: int) -> None:
        asked.append(number)
        if number < 3:
            {"stalls": lambda: stalls(request, b"{", 2), "drips": lambda: drips(request)}.get(
                fault, lambda: send(request, b"{", 20)
            )()
        else:
            send(request, encode(Leases.of({})), len(encode(Leases.of({}))))

    place = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=serve(answer).partition("/log")[0], **place)
    began = time.monotonic()
    assert LockStore(s3, "bucket", "shop", "shop-live").read().owner == ""
    assert asked == [1, 2, 3]
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense", ""])
def test_only_http_is_asked(url: str) -> None:
    assert refused(url, Allowance(100, 5)) == "Failed to download: the address is not one of HTTP"
