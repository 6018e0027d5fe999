# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that nobody waits for any more: it is noticed, and nothing that changes something is sent."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.abandoned import (
    AbandonedError,
    refuse_writes,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.effects import Acquire, Call, Pause
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ProgressFile

from .simulation import World

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def follower(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that follows the file."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as made:
        assert made.stdout is not None
        assert made.stdout.readline() == b"locked\n"
        yield made
        made.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "progress.jsonl"
    made.touch()
    return made


def test_follower_that_is_killed_is_gone(path: Path) -> None:
    with follower(path) as followed:
        file = ProgressFile(str(path))
        assert not file.abandoned()
        followed.kill()
        followed.wait()
        assert file.abandoned()


def test_what_is_gone_does_not_come_back(path: Path) -> None:
    file = ProgressFile(str(path))
    assert file.abandoned()
    with path.open("r+") as late, pytest.raises(BlockingIOError):
        fcntl.flock(late, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert file.abandoned()


def test_file_that_was_removed_before_the_module_began(path: Path) -> None:
    path.unlink()
    assert ProgressFile(str(path)).abandoned()


def test_without_a_file_the_parent_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ProgressFile()
    assert not file.abandoned()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert file.abandoned()


def test_no_write_is_sent_and_reads_are(localstalk_env: dict[str, str]) -> None:
    gone: list[bool] = []
    place = {"endpoint_url": localstalk_env["AWS_ENDPOINT_URL"], "region_name": "us-east-1"}
    place |= {
        "aws_access_key_id": localstalk_env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": localstalk_env["AWS_SECRET_ACCESS_KEY"],
    }
    eb: Any = boto3.client("elasticbeanstalk", **place)
    s3: Any = boto3.client("s3", **place)
    for client in (eb, s3):
        refuse_writes(client, lambda: bool(gone))
    eb.create_application(ApplicationName="abandoned-one")
    bucket = eb.create_storage_location()["S3Bucket"]
    s3.put_object(Bucket=bucket, Key="abandoned", Body=b"before")
    gone.append(True)
    for write in (
        lambda: eb.create_application(ApplicationName="abandoned-two"),
        lambda: s3.put_object(Bucket=bucket, Key="abandoned", Body=b"after"),
        lambda: s3.delete_object(Bucket=bucket, Key="abandoned"),
    ):
        with pytest.raises(AbandonedError, match="nothing more is changed; run the playbook again"):
            write()
    names = [one["ApplicationName"] for one in eb.describe_applications()["Applications"]]
    assert "abandoned-one" in names
    assert "abandoned-two" not in names
    assert s3.get_object(Bucket=bucket, Key="abandoned")["Body"].read() == b"before"


def test_lane_leaves_all_and_its_leases_end_by_themselves() -> None:
    gone: list[bool] = []
    closed: list[str] = []
    world = World(abandoned=lambda: bool(gone))

    def reconciler(name: str) -> Any:
        try:
            yield Acquire("shop", name, f"deploying {name}", ttl=60)
            yield Pause(world.clock.now() + 30)
            yield Call(lambda: closed.append("written"))
        finally:
            closed.append(name)

    for name in ("one", "two"):
        world.lane.add(name, reconciler(name), deadline=600)
    world.clock.plan(20, lambda: gone.append(True))
    world.lane.run()
    assert sorted(closed) == ["one", "two"], "what has to be removed is, and nothing is written"
    assert {type(error) for error in world.heard.errors.values()} == {AbandonedError}
    assert world.bucket.owners() == {"one": "run", "two": "run"}, "nobody frees them"
