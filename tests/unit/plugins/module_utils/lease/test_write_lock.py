# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of one module, taken over what was remembered only when nobody can have written since the look."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lease import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.write_lock import WriteLock
from botocore.exceptions import ClientError

ARN = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/blog/blog-live"
BUCKET = "elasticbeanstalk-us-east-1-123456789012"


class Bucket:
    """One object of S3's, with conditional writes."""

    def __init__(self) -> None:
        self.body, self.number = b"", 0
        self.calls: Counter[str] = Counter()

    def _answer(self, **more: Any) -> dict[str, Any]:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}, "HTTPStatusCode": 200}, **more}

    def get_object(self, **_where: Any) -> dict[str, Any]:
        self.calls["get"] += 1
        if not self.number:
            raise ClientError({"Error": {"Code": "NoSuchKey"}, **self._answer()}, "GetObject")
        return self._answer(Body=self, ETag=str(self.number))

    def read(self) -> bytes:
        return self.body

    def put_object(self, Body: bytes, **condition: Any) -> dict[str, Any]:  # noqa: N803
        self.calls["put"] += 1
        if condition.get("IfMatch", "0") != str(self.number):
            raise ClientError({"Error": {"Code": "PreconditionFailed"}, **self._answer()}, "PutObject")
        self.body, self.number = Body, self.number + 1
        return self._answer(ETag=str(self.number))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


def lock(s3: Bucket) -> WriteLock:
    def store(bucket: str) -> LockStore:
        assert bucket == BUCKET
        return LockStore(s3, bucket, "lock.json")

    return WriteLock(store, "deploy", wait=0)


def test_the_second_time_costs_two_requests(memory: Path) -> None:
    s3 = Bucket()
    first = lock(s3)
    assert first.take(ARN, Memory(memory), time.monotonic())
    assert first.release() == ""
    assert s3.calls == {"get": 1, "put": 2}
    looked = time.monotonic()
    second = lock(s3)
    assert not second.take(ARN, Memory(memory), looked)
    assert second.release() == ""
    assert s3.calls == {"get": 1, "put": 4}


def test_whoever_wrote_since_the_look_is_noticed(memory: Path) -> None:
    s3 = Bucket()
    looked = time.monotonic()
    # Another run of this controller takes and frees the lock after our look ...
    other = lock(s3)
    other.take(ARN, Memory(memory), looked)
    other.release()
    ours = lock(s3)
    assert ours.take(ARN, Memory(memory), looked)
    ours.release()
    # ... or one of another controller, which leaves no memory here.
    looked = time.monotonic()
    far = lock(s3)
    far.take(ARN, Memory(None), looked)
    far.release()
    ours = lock(s3)
    assert ours.take(ARN, Memory(memory), looked)
    assert ours.release() == ""
