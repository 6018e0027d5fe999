# SPDX-License-Identifier: GPL-3.0-or-later
"""Stored content that is not as it was written: a sentence with its place, and never a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.cache import Cache
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.record import Record, encode
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.record_store import RecordStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.state import ensure_lock, look_up
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from chaos.promises import Ended, Left, broken_promises
from hypothesis import HealthCheck, Phase, given, settings
from unit.fuzz.mutations import mutated
from unit.plugins.module_utils.lock.bucket import Bucket

RUNS = 300
EVERY = settings(
    max_examples=RUNS,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
WANTED = {"owner": "me", "reason": "deploy", "ttl": 180, "force": False, "wait_timeout": 0, "poll_interval": 1}
FORCED = {**WANTED, "state": "absent", "force": True}


def store(s3: Bucket, cache: Cache | None = None) -> LockStore:
    return LockStore(s3, "bucket", "blog", "blog-live", cache=cache)


def told(action: Callable[[], Any]) -> tuple[Any, Ended]:
    """What came of it, and how it ended: well, with a sentence, or with a traceback."""
    try:
        return action(), Ended("", True)
    except AnsibleBeanstalkError as error:
        return None, Ended(str(error), False)
    except Exception:
        return None, Ended(traceback.format_exc(), False)


def check(ended: Ended, s3: Bucket) -> None:
    left = Left(["e-1"], True, 1, ["v1"], "v1", {name: one for name, one in s3.owners().items() if one == "me"})
    problems = [text for text in broken_promises(ended, left) if not text.startswith("3") or ended.succeeded]
    assert problems == [], ended.output


def written() -> bytes:
    """A lock object as the code writes it: mine is free, somebody has another."""
    s3 = Bucket()
    store(s3).release(store(s3).acquire("before", "deploy", 60))
    LockStore(s3, "bucket", "blog", "blog-other").acquire("somebody", "restoring a dump", 600)
    return s3.body


def test_lock_object(figures: Callable[[str], None]) -> None:
    count = {"read": 0, "refused": 0}

    @EVERY
    @given(content=mutated((written(),)))
    def holds(content: bytes) -> None:
        s3 = Bucket()
        s3.body, s3.number = content, 1
        seen, ended = told(lambda: look_up(store(s3)))
        count["read" if seen else "refused"] += 1
        if not seen:
            assert "s3://bucket/jack.beanstalk/locks/blog.json" in ended.output
            if "update the collection" in ended.output:
                return
            assert "force=true removes it" in ended.output or "more than 4 MiB" in ended.output
        removed, ended = told(lambda: ensure_lock(store(s3), FORCED, False))
        check(ended, s3)
        assert removed, ended.output
        got, ended = told(lambda: ensure_lock(store(s3), {**WANTED, "state": "present"}, False))
        assert got, ended.output
        _freed, ended = told(lambda: ensure_lock(store(s3), {**WANTED, "state": "absent"}, False))
        check(ended, s3)

    holds()
    figures(f"{sum(count.values())} corrupted lock objects, {count['refused']} refused with their place and removed")


def test_record_object(figures: Callable[[str], None]) -> None:
    count = {"read": 0, "refused": 0}

    @EVERY
    @given(content=mutated((encode(Record(frozenset("ab"), frozenset("c"), frozenset("d"))),)))
    def holds(content: bytes) -> None:
        s3 = Bucket()
        s3.body, s3.number = content, 1
        records = RecordStore(lambda: s3, lambda: "bucket", "blog", "blog-live")
        record, ended = told(records.read)
        count["read" if record else "refused"] += 1
        assert ended.succeeded, ended.output
        if record is None:
            assert "jack.beanstalk/records/blog/blog-live.json" in records.problem
            assert s3.body == content, "what cannot be read is not overwritten"

    holds()
    figures(f"{sum(count.values())} corrupted records, {count['refused']} refused with their place and left alone")


def test_hints_of_this_controller(tmp_path: Path, figures: Callable[[str], None]) -> None:
    """The cache file: whatever is in it, the lock is taken and freed, and whoever has another keeps it."""
    path = tmp_path / "cache.json"
    s3 = Bucket()
    s3.body, s3.number = written(), 1
    first = store(s3, Cache(path))
    first.release(first.acquire("before", "deploy", 60))
    first.update_cache()
    content = path.read_bytes()
    assert b"jack.beanstalk/locks" in content
    count = 0

    @EVERY
    @given(changed=mutated((content,)))
    def holds(changed: bytes) -> None:
        nonlocal count
        count += 1
        path.write_bytes(changed)
        mine = store(s3, Cache(path))
        _got, ended = told(lambda: mine.release(mine.acquire("me", "deploy", 60)))
        assert ended.succeeded, ended.output
        check(ended, s3)
        assert s3.owners()["blog-other"] == "somebody"

    holds()
    figures(f"{count} corrupted files of hints, none of them used")
