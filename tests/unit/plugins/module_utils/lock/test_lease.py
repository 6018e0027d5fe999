# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease against a real HTTP server (moto's S3), with clocks of our own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import process as holder
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import (
    GRACE,
    Lease,
    LeaseLostError,
    Leases,
    LeaseState,
    LockedError,
    decode,
    encode,
    lock_key,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.state import ensure_lock, look_up
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from botocore.exceptions import ConnectionClosedError
from moto.server import ThreadedMotoServer

from .bucket import Clock

NAMES = ("blog", "blog-production")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, request: pytest.FixtureRequest) -> Any:
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.create_bucket(Bucket=bucket(request), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


def bucket(request: pytest.FixtureRequest) -> str:
    return f"lock-{abs(hash(request.node.name)) % 10**9}"


@pytest.fixture
def store(s3: Any, request: pytest.FixtureRequest) -> LockStore:
    clock = Clock()
    return LockStore(s3, bucket(request), *NAMES, monotonic=clock.monotonic, sleep=clock.sleep)


def another(store: LockStore, skew: float = 0.0) -> LockStore:
    clock = Clock(skew)
    return LockStore(store.s3, store.bucket, *NAMES, monotonic=clock.monotonic, sleep=clock.sleep)


def elapse(store: LockStore, seconds: float) -> None:
    """Let time pass for one controller, as if S3's clock had gone on as well."""
    store._sleep(seconds)


def test_a_lock_is_taken_renewed_freed_and_taken_by_the_next_with_a_higher_token(store: LockStore) -> None:
    first = store.acquire("a", "deploy", 60)
    assert (first.token, first.owner, store.read().state("b", store.now)) == (1, "a", LeaseState.HELD)
    assert store.acquire("a", "deploy", 60).token == 1
    freed = store.release(store.read(), {"kept": True})
    assert (freed.owner, freed.token) == ("", 1)
    second = store.acquire("b", "cycle", 60)
    assert (second.token, dict(second.record)) == (2, {"kept": True})


def test_somebody_else_is_told_who_holds_it_and_why(store: LockStore) -> None:
    store.acquire("anna@build", "deploy of v7", 60)
    with pytest.raises(LockedError, match=r"anna@build holds the lock \(deploy of v7\)"):
        another(store).acquire("b", "cycle", 60)


def test_waiting_ends_when_the_lease_runs_out(store: LockStore) -> None:
    store.acquire("a", "deploy", 30)
    waiting = another(store)
    assert waiting.acquire("b", "cycle", 60, wait=120, poll=5).token == 2
    assert waiting._monotonic() >= 30 + GRACE


def test_waiting_has_an_end(store: LockStore) -> None:
    store.acquire("a", "deploy", 600)
    with pytest.raises(LockedError):
        another(store).acquire("b", "cycle", 60, wait=20)


def test_clocks_of_controllers_do_not_matter(store: LockStore) -> None:
    lease = store.acquire("a", "deploy", 60)
    late = another(store, skew=1e9)
    assert abs(late.now - store.now) <= 2
    assert lease.state("b", late.now) is LeaseState.HELD


def test_grace_covers_the_end_of_a_lease() -> None:
    lease = Lease(owner="a", expires=100)
    assert lease.state("b", 100 + GRACE - 1) is LeaseState.HELD
    assert lease.state("b", 100 + GRACE + 1) is LeaseState.EXPIRED
    assert not lease.valid("a", 100)


def test_a_stale_writer_is_fenced_off(store: LockStore) -> None:
    stale = store.acquire("a", "deploy", 30)
    thief = another(store)
    elapse(thief, 0)
    taken = thief.take(thief.read(), "b", "cycle", 60)
    assert taken.token == stale.token + 1
    with pytest.raises(LeaseLostError, match="taken by b"):
        store.take(stale, "a", "deploy", 30)
    with pytest.raises(LeaseLostError):
        store.release(stale)


def test_of_many_at_once_exactly_one_gets_it(store: LockStore) -> None:
    free = store.read()

    def grab(number: int) -> bool:
        try:
            another(store).take(free, f"run{number}", "race", 60)
        except LeaseLostError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(grab, range(8))) == 1


def test_a_write_whose_answer_was_lost_and_that_was_sent_again_is_ours(
    store: LockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    put = store._put

    def twice(body: bytes, condition: Any) -> Any:
        put(body, condition)
        sent.append(body)
        return put(body, condition)

    monkeypatch.setattr(store, "_put", twice)
    lease = store.acquire("a", "deploy", 60)
    assert (lease.owner, lease.token, len(sent)) == ("a", 1, 1)


def test_an_unreachable_bucket_is_an_error_and_not_a_free_lock(
    store: LockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(**_kwargs: Any) -> None:
        raise ConnectionClosedError(endpoint_url="http://s3")

    monkeypatch.setattr(store.s3, "get_object", cut)
    with pytest.raises(AnsibleBeanstalkError, match="read the lock"):
        store.acquire("a", "deploy", 60)


def test_a_missing_bucket_is_an_error(store: LockStore) -> None:
    with pytest.raises(AnsibleBeanstalkError, match="read the lock"):
        LockStore(store.s3, "no-such-bucket-here", *NAMES).read()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"not json", b'{"format": 1}', b'{"format": 1, "leases": {"a": {"x": 1}}}']
)
def test_foreign_content_is_refused(body: bytes) -> None:
    with pytest.raises(AnsibleBeanstalkError, match="not a lock of this collection"):
        decode(body)


def test_a_newer_format_is_refused() -> None:
    newer = encode(Leases.of({"blog": Lease(owner="a")})).replace(b'"format":1', b'"format":2')
    with pytest.raises(AnsibleBeanstalkError, match="format 2"):
        decode(newer)


def test_what_is_written_can_be_read() -> None:
    leases = {"live": Lease("a", "why", 3, 1.5, 2.5, "n", {"pid": 1}, {"journal": None}), "other": Lease(token=4)}
    body = encode(Leases.of(leases))
    assert decode(body) == leases
    document = {"format": 1, "leases": {name: vars(lease) for name, lease in leases.items()}}
    assert body == json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    assert lock_key("blog") == "jack.beanstalk/locks/blog.json"


def test_leases_that_do_not_change_are_written_as_they_were() -> None:
    known = decode(encode(Leases.of({"a": Lease("x", nonce="1"), "b": Lease("y", nonce="2")})))
    lines = dict(known.lines())
    changed = known.changed({"a": Lease("z", nonce="3"), "c": Lease(nonce="4")})
    assert changed.nonces == {"a": "3", "b": "2", "c": "4"}
    assert (changed["a"].owner, known["a"].owner) == ("z", "x")
    assert changed.lines()["b"] is known.lines()["b"]
    assert changed.lines()["a"] == lines["a"].replace('"x"', '"z"').replace('"1"', '"3"')
    assert set(changed) == {"a", "b", "c"}


# -- the holder's process ---------------------------------------------------------------------------------------------


def ansible_process(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that calls itself ansible-playbook, prints what its child thinks is the holder, and stays."""
    script = tmp_path / "ansible-playbook"
    child = "import json, sys; sys.path.insert(0, sys.argv[1]); import process; print(json.dumps(process.this_run()))"
    script.write_text(
        "import subprocess, sys, time\n"
        f"subprocess.run([sys.executable, '-c', {child!r}, sys.argv[1]], check=True)\n"
        "time.sleep(60)\n"
    )
    return subprocess.Popen([sys.executable, str(script), str(Path(holder.__file__).parent)], stdout=subprocess.PIPE)


def test_the_holder_is_the_ansible_run_above_and_its_end_is_noticed(tmp_path: Path) -> None:
    import json

    with ansible_process(tmp_path) as process:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        assert found["pid"] == process.pid
        assert not holder.has_ended(found)
        lease = Lease(owner="a", expires=1000, process=found)
        assert lease.state("b", 10) is LeaseState.HELD
        process.kill()
    assert holder.has_ended(found)
    assert lease.state("b", 10) is LeaseState.ORPHANED


def test_a_process_that_nobody_has_waited_for_yet_has_ended() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        process = {**(holder.this_process() or {}), "pid": child.pid, "start": holder._start(holder.PROC, child.pid)}
        assert not holder.has_ended(process)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert holder._stat(holder.PROC, child.pid)[0] == "Z"
        assert holder.has_ended(process)


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    mine = {**holder._place(holder.PROC), "pid": os.getpid(), "start": holder._start(holder.PROC, os.getpid())}
    assert not holder.has_ended(mine)
    assert holder.has_ended({**mine, "start": "1"})


@pytest.mark.parametrize("key", ["host", "boot", "namespace"])
def test_a_process_of_another_machine_or_container_is_never_called_dead(key: str) -> None:
    mine = {**holder._place(holder.PROC), "pid": 2**22 + 1, "start": "1"}
    assert holder.has_ended(mine)
    assert not holder.has_ended({**mine, key: "other"})
    assert socket.gethostname() == mine["host"]


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert holder.this_run(tmp_path) is None
    assert not holder.has_ended({"pid": 1}, tmp_path)


# -- the module's logic -----------------------------------------------------------------------------------------------


def params(**given: Any) -> dict[str, Any]:
    return {
        "state": "present",
        "owner": "a",
        "reason": "r",
        "ttl": 60,
        "force": False,
        "wait_timeout": 0,
        "poll_interval": 5,
    } | given


def test_present_is_idempotent_and_check_mode_predicts_it(store: LockStore) -> None:
    changed, predicted = ensure_lock(store, params(), True)
    assert changed
    assert not store.read().owner
    changed, real = ensure_lock(store, params(), False)
    assert changed
    assert (
        real["diff"]
        == predicted["diff"]
        == {
            "before": {"owner": None, "reason": None, "token": 0},
            "after": {"owner": "a", "reason": "r", "token": 1},
        }
    )
    for check_mode in (True, False):
        assert ensure_lock(store, params(), check_mode)[0] is False
    elapse(store, 40)
    assert ensure_lock(store, params(), True)[0] is True
    assert ensure_lock(store, params(), False)[1]["lock"]["seconds_left"] in (59, 60)


def test_absent_frees_only_what_the_owner_holds(store: LockStore) -> None:
    assert ensure_lock(store, params(state="absent"), False)[0] is False
    store.acquire("b", "other", 60)
    changed, result = ensure_lock(store, params(state="absent"), False)
    assert not changed
    assert result["lock"]["owner"] == "b"
    assert ensure_lock(store, params(state="absent", owner="b"), True)[0] is True
    assert store.read().owner == "b"
    assert ensure_lock(store, params(state="absent", owner="b"), False)[0] is True
    assert store.read().owner == ""
    assert ensure_lock(store, params(state="absent", owner="b"), False)[0] is False


def test_force_takes_and_frees_what_others_hold(store: LockStore) -> None:
    store.acquire("b", "other", 600)
    with pytest.raises(LockedError):
        ensure_lock(store, params(), False)
    with pytest.raises(LockedError):
        ensure_lock(store, params(), True)
    assert ensure_lock(store, params(force=True), False)[1]["lock"]["token"] == 2
    assert ensure_lock(store, params(state="absent", owner=None, force=True), False)[0] is True


def test_info_shows_and_writes_nothing(store: LockStore) -> None:
    assert look_up(store)["lock"]["held"] is False
    store.acquire("b", "other", 600)
    before = store.read()
    assert look_up(store)["lock"]["held"] is True
    assert store.read() == before


def test_a_lock_that_is_lost_while_it_is_freed_stays_with_its_new_owner(
    store: LockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = store.acquire("a", "r", 60)
    store.take(ours, "b", "stolen", 60)
    reads = iter([ours])
    read = store.read
    monkeypatch.setattr(store, "read", lambda: next(reads, None) or read())
    changed, result = ensure_lock(store, params(state="absent"), False)
    assert not changed
    assert result["lock"]["owner"] == "b"
    assert replace(ours, owner="") != ours
