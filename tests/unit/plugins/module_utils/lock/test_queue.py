# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever has the turn writes for all who wait, and for nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import process
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import (
    Lease,
    LeaseLostError,
    Leases,
    encode,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.queue import LockQueue
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore

from .bucket import Bucket

COUNT = 12


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


def store(s3: Bucket, memory: Path, name: str) -> LockStore:
    return LockStore(s3, "bucket", "blog", name, memory=Memory(memory))


def entries(memory: Path) -> list[Path]:
    return list(memory.with_suffix(".queue").glob("*.json"))


def entry(memory: Path, s3: Bucket, **changed: Any) -> None:
    """Somebody waits to take blog-b."""
    place = store(s3, memory, "blog-b")._place
    lease = Lease("b", "deploy", 1, 1.0, 2e9, "new")
    given = {"place": place, "process": process.this_process(), "bases": {"blog-b": ""}}
    given |= {"leases": encode(Leases.of({"blog-b": lease})).decode(), **changed}
    folder = memory.with_suffix(".queue")
    folder.mkdir(exist_ok=True)
    (folder / "entry.json").write_text(json.dumps(given))


def test_those_who_wait_are_written_with_one_request(memory: Path) -> None:
    s3 = Bucket()
    names = [f"env-{number}" for number in range(COUNT)]
    stores = {name: store(s3, memory, name) for name in names}
    for one in stores.values():
        one.read()
    with ThreadPoolExecutor(COUNT) as pool:
        with Memory(memory).alone(60):
            taken = [pool.submit(one.take, Lease(), name, "recreate", 60) for name, one in stores.items()]
            deadline = time.monotonic() + 30
            while len(entries(memory)) < COUNT:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        leases = {name: future.result(60) for name, future in zip(names, taken, strict=True)}
    assert s3.calls["put"] == 1
    assert s3.leases == leases
    assert [lease.owner for lease in leases.values()] == names
    assert not entries(memory)


def test_what_is_queued_is_written_when_it_still_may_be(memory: Path) -> None:
    s3 = Bucket()
    entry(memory, s3)
    mine = store(s3, memory, "blog-a").attempt("a", "deploy", 60)["blog-a"].lease
    assert s3.owners() == {"blog-a": "a", "blog-b": "b"}
    assert s3.calls["put"] == 1
    # It is somebody's now who is not in the queue: what was to replace a free lease must not.
    store(s3, memory, "blog-b").write(s3.leases["blog-b"].freed())
    taken = store(s3, memory, "blog-b").attempt("other", "deploy", 60)["blog-b"].lease
    store(s3, memory, "blog-a").write(mine.freed())
    assert s3.leases["blog-b"] == taken


def test_of_two_who_want_the_same_lease_one_is_told_that_it_is_lost(memory: Path) -> None:
    s3 = Bucket()
    entry(memory, s3)
    store(s3, memory, "blog-a").attempt("a", "deploy", 60)
    with pytest.raises(LeaseLostError, match="The lock of blog-b was taken by b meanwhile"):
        store(s3, memory, "blog-b").take(Lease(), "late", "deploy", 60)
    assert [path.name for path in entries(memory)] == ["entry.json"]


@pytest.mark.parametrize("fault", ["another object", "dead", "rubbish"])
def test_what_is_of_no_use_in_the_queue_is_not_written(memory: Path, fault: str) -> None:
    s3 = Bucket()
    if fault == "another object":
        entry(memory, s3, place=["bucket", "jack.beanstalk/locks/shop.json", "boot"])
    elif fault == "rubbish":
        entry(memory, s3, leases="{}")
    else:
        code = f"import json, runpy; print(json.dumps(runpy.run_path({process.__file__!r})['this_process']()))"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        entry(memory, s3, process=json.loads(ended.stdout))
    store(s3, memory, "blog-a").attempt("a", "deploy", 60)
    assert s3.owners() == {"blog-a": "a"}
    assert len(entries(memory)) == (0 if fault == "dead" else 1)


def test_without_a_folder_everybody_writes_for_itself() -> None:
    queue = LockQueue(Memory(None))
    with queue.waiting(["bucket"], {"blog-a": ""}, {"blog-a": Lease("a")}):
        assert queue.everybody(["bucket"]) == []


def test_a_folder_that_is_gone_costs_a_request_only(memory: Path) -> None:
    s3 = Bucket()
    one = store(s3, memory, "blog-a")
    free = one.write(one.attempt("a", "deploy", 60)["blog-a"].lease.freed())
    memory.with_suffix(".queue").rmdir()
    assert one.take(free, "b", "deploy", 60).owner == "b"
    assert s3.owners() == {"blog-a": "b"}


def test_who_only_reads_makes_no_folder(memory: Path) -> None:
    store(Bucket(), memory, "blog-a").read()
    assert memory.with_suffix(".table").exists()
    assert not memory.with_suffix(".queue").exists()
