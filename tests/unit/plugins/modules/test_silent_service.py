# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that never answers, or never to the end: every module ends within its limit and 10 seconds."""

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application import versions
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import answers, module_parts, reading
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.waiters import Deadline

ROOT = Path(__file__).resolve().parents[4]
MODULES = ROOT / "plugins" / "modules"
Run = Callable[..., dict[str, Any]]

ONE = {"application": "shop", "name": "shop-live"}
LOCK = {"application": "shop", "cname_prefix": "shop-live"}
WANTED: dict[str, dict[str, Any]] = {
    "application": {"name": "shop"},
    "application_info": {},
    "application_version": {"application": "shop", "version_label": "v1", "wait_timeout": 1},
    "application_version_info": {"application": "shop"},
    "application_version_prune": {"application": "shop"},
    "environment": {**ONE, "version_label": "v1", "wait_timeout": 1},
    "environment_abort": {"application": "shop", "name": "shop-live", "wait_timeout": 1},
    "environment_events_info": {"application": "shop"},
    "environment_info": {"application": "shop"},
    "environment_logs": {**ONE, "wait_timeout": 1},
    "environment_maintenance": {**ONE, "wait_timeout": 1},
    "environment_swap": {**LOCK, "name": "shop-live", "wait_timeout": 1},
    "history_info": LOCK,
    "instance_command": {**ONE, "script": "true", "wait_timeout": 1},
    "instance_info": {"application": "shop"},
    "leader_info": {"application": "shop", "names": ["shop-live"], "wait_timeout": 1},
    "lock": {**LOCK, "owner": "me"},
    "lock_info": LOCK,
    "platform_info": {},
    "preflight_info": {**ONE, "wait_timeout": 1},
    "recording": {"application": "shop", "dest": "", "wait_timeout": 1},
    "recording_events": {
        **LOCK,
        "dest": "",
        "until_gone": "/nonexistent",
        "name_server": "127.0.0.1:1",
        "wait_timeout": 1,
    },
    "saved_configuration": {"application": "shop", "name": "saved", "environment": "shop-live"},
    "sns_message": {"topic": "arn:aws:sns:us-east-1:123456789012:operators", "text": "hello"},
}
# The items of a run say so themselves, which test_items_of_a_run_are_given_up holds. A cycle that has begun waits for
# AWS to come back, as it goes on where it stood.
ELSEWHERE = {"environments", "cycle", "cycles"}


HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nDate: Tue, 03 Mar 2026 12:00:00 GMT\r\nETag: "1"\r\n'
BEGUN = HEAD + b"Content-Length: 1000\r\n\r\n<"
# How far an answer comes, and what then comes every so often.
ENDLESS = {"mute": (b"", b""), "head drips": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "body stalls": (BEGUN, b""),
           "body drips": (BEGUN, b" ")}  # fmt: skip
BUSY_S = 50
"""What a busy machine takes by itself; each of these would last minutes, or for ever, without its limit."""


@contextlib.contextmanager
def listening(begin: bytes, more: bytes) -> Iterator[str]:
    """The address of a listener that begins to answer, and does not end."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(1 << 16)
            connection.sendall(begin)
            while not over.wait(0.2):
                connection.sendall(more)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def silent(aws: dict[str, str]) -> Iterator[dict[str, str]]:
    """Connection parameters of a listener that takes connections and says nothing."""
    with listening(*ENDLESS["mute"]) as url:
        yield aws | {"endpoint_url": url}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """The same in a second that takes a minute otherwise; returns the limit."""
    monkeypatch.setattr(answers, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(module_parts, "LIMIT_SECONDS", 1.0)
    return 1.0


def test_every_module_that_calls_aws_is_here() -> None:
    calling = {path.stem for path in MODULES.glob("*.py") if "AnsibleAWSModule" in path.read_text()}
    assert calling - ELSEWHERE == set(WANTED)


@pytest.mark.parametrize("how", ENDLESS)
@pytest.mark.parametrize("name", WANTED)
def test_module_ends_within_its_limit(
    run: Run, aws: dict[str, str], impatient: float, tmp_path: Path, name: str, how: str
) -> None:
    wanted = WANTED[name] | ({"dest": str(tmp_path)} if "dest" in WANTED[name] else {})
    with listening(*ENDLESS[how]) as url:
        began = time.monotonic()
        told = run(name, **wanted, **aws | {"endpoint_url": url})
        assert time.monotonic() - began < impatient + BUSY_S
    assert told["failed"]
    assert f"{url} does not answer" in told["msg"], told["msg"]
    assert not told.get("changed")


@pytest.mark.parametrize("how", ENDLESS)
@pytest.mark.parametrize("name", ["lock", "lock_info"])
def test_lock_whose_body_does_not_end(
    run: Run, aws: dict[str, str], impatient: float, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    """The bucket is given, so S3 is the first that is asked; botocore leaves it to others to read a body."""
    monkeypatch.setattr(reading, "STALL_SECONDS", 0.5)
    with listening(*ENDLESS[how]) as url:
        began = time.monotonic()
        told = run(name, **WANTED[name], bucket="locks", **aws | {"endpoint_url": url})
        assert time.monotonic() - began < impatient + BUSY_S
    assert told["failed"]
    assert "does not answer" in told["msg"] or "nothing came for" in told["msg"], told["msg"]


def test_silence_is_told_after_seconds_and_not_minutes(run: Run, silent: dict[str, str]) -> None:
    """With the constants as they are."""
    began = time.monotonic()
    told = run("environment_swap", **WANTED["environment_swap"], **silent)
    assert 7 < time.monotonic() - began < 30 + BUSY_S
    assert "does not answer; check the endpoint, the network and any proxy." in told["msg"]


@pytest.mark.parametrize(
    ("module", "limit"),
    [("environments", {"version_label": "v1", "wait_timeout": 1}), ("cycles", {"ready_timeout": 1})],
)
def test_items_of_a_run_are_given_up(
    run: Run, silent: dict[str, str], impatient: float, tmp_path: Path, module: str, limit: dict[str, Any]
) -> None:
    progress = tmp_path / "progress.jsonl"
    progress.touch()
    followed = progress.open("r+")
    fcntl.flock(followed, fcntl.LOCK_EX)  # as the action plugin does
    items = [
        {"item": f"host-{number}", "application": "shop", "cname_prefix": f"shop-{number}", **limit}
        for number in range(3)
    ]
    began = time.monotonic()
    run(module, **{module: items}, progress_file=str(progress), **silent)
    assert time.monotonic() - began < impatient + BUSY_S
    followed.close()
    results = [line["result"] for line in map(json.loads, progress.read_text().splitlines()) if "result" in line]
    assert [one["failed"] for one in results] == [True, True, True]
    assert all("does not answer" in one["msg"] or "Read timeout" in one["msg"] for one in results), results


@contextlib.contextmanager
def taking_little() -> Iterator[str]:
    """The address of a listener that takes an upload, some bytes at a time, and would go on like that for hours."""
    over = threading.Event()

    def take(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while connection.recv(1 << 12) and not over.wait(0.2):
                connection.sendall(b"")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=take, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


def uploads() -> list[str]:
    """Files that threads of this process are uploading: those that are open."""
    found = (path.readlink() for path in Path("/proc/self/fd").iterdir() if path.exists())
    return [str(path) for path in found if path.name == "slow.zip"]


def test_upload_ends_with_what_is_left_of_the_time(aws: dict[str, str], tmp_path: Path) -> None:
    """It is never silent for long, so that no timeout of botocore's strikes; then nothing more is sent."""
    bundle = tmp_path / "slow.zip"
    with bundle.open("wb") as file:
        file.truncate(64 << 20)
    place = {"region_name": aws["region"], "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    wanted = versions.Wanted("shop", "v1", str(bundle))
    with taking_little() as url:
        s3 = boto3.client("s3", endpoint_url=url, **place)
        eb = boto3.client("elasticbeanstalk", endpoint_url=url, **place)
        began = time.monotonic()
        deadline = Deadline(3, 1)
        time.sleep(1)
        arn = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop/shop"
        sentence = rf"{bundle} was not uploaded to the bucket elasticbeanstalk-us-east-1-123456789012 within 3 seconds"
        with pytest.raises(AnsibleBeanstalkError, match=sentence):
            versions.provide(eb, lambda: s3, wanted, arn, deadline)
        assert 2 < time.monotonic() - began < 3 + BUSY_S
        assert uploads() == []


def test_a_service_that_throttles_is_not_silent(run: Run, faults: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, so it is asked again for as long as AWS asks for patience."""
    monkeypatch.setattr(module_parts, "LIMIT_SECONDS", 1.0)
    faults.add(kind="error", operations=["DescribeApplications"], code="Throttling", http_status=400, times=3)
    began = time.monotonic()
    assert "failed" not in run("application_info")
    assert time.monotonic() - began > 1.0
