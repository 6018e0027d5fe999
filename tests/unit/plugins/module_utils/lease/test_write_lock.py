# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of one module, taken over what was remembered only when nobody can have written since the look."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock_store import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.write_lock import WriteLock

from .bucket import Bucket

ARN = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/blog/blog-live"
BUCKET = "elasticbeanstalk-us-east-1-123456789012"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


def lock(s3: Bucket, memory: Memory) -> WriteLock:
    def store(bucket: str) -> LockStore:
        assert bucket == BUCKET
        return LockStore(s3, bucket, "blog", "blog-live", memory=memory)

    return WriteLock(store, "deploy", wait=0)


def test_the_second_time_costs_two_requests(memory: Path) -> None:
    s3 = Bucket()
    first = lock(s3, Memory(memory))
    assert first.take(ARN, time.monotonic())
    assert first.release() == ""
    assert s3.calls == {"get": 1, "put": 2}
    looked = time.monotonic()
    second = lock(s3, Memory(memory))
    assert not second.take(ARN, looked)
    assert second.release() == ""
    assert s3.calls == {"get": 1, "put": 4}


def test_whoever_wrote_since_the_look_is_noticed(memory: Path) -> None:
    s3 = Bucket()
    looked = time.monotonic()
    # Another run of this controller takes and frees the lock after our look ...
    other = lock(s3, Memory(memory))
    other.take(ARN, looked)
    other.release()
    ours = lock(s3, Memory(memory))
    assert ours.take(ARN, looked)
    ours.release()
    # ... or one of another controller, which leaves no memory here.
    looked = time.monotonic()
    far = lock(s3, Memory(None))
    far.take(ARN, looked)
    far.release()
    ours = lock(s3, Memory(memory))
    assert ours.take(ARN, looked)
    assert ours.release() == ""
