# SPDX-License-Identifier: GPL-3.0-or-later
"""Many logical environments' leases in one object: nobody loses anything by what others write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.table import TableMemory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import (
    Lease,
    LeaseLostError,
    LockedError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from hypothesis import given, settings
from hypothesis import strategies as st

from .bucket import Bucket, Clock

NAMES = ("blog-a", "blog-b", "blog-c")


def store(s3: Bucket, name: str, memory: Path | None = None) -> LockStore:
    clock = Clock()
    return LockStore(s3, "bucket", "blog", name, memory=Memory(memory), monotonic=clock.monotonic, sleep=clock.sleep)


@pytest.mark.parametrize("remembers", [False, True])
def test_many_writers_at_once_all_succeed_and_lose_nothing(tmp_path: Path, remembers: bool) -> None:
    s3, count, rounds = Bucket(), 8, 5
    together = Barrier(count)
    path = tmp_path / "memory.json" if remembers else None

    def write(number: int) -> None:
        mine = LockStore(s3, "bucket", "blog", f"env-{number}", memory=Memory(path))
        together.wait()
        for turn in range(rounds):
            lease = mine.acquire(f"run-{number}", "race", 60)
            mine.release(lease, {"turn": turn, "number": number})

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(write, range(count)))
    expected = {f"env-{number}": {"turn": rounds - 1, "number": number} for number in range(count)}
    assert {name: lease.record for name, lease in s3.leases.items()} == expected
    assert {lease.token for lease in s3.leases.values()} == {rounds}
    assert set(s3.owners().values()) == {""}
    if remembers:
        # One after the other, so that nobody is refused, and some write for others.
        assert s3.calls["put"] == s3.number <= 2 * count * rounds


def on_one_controller(s3: Bucket, memory: Path) -> list[LockStore]:
    """A store for each name, with this machine's clock, which orders what they remember."""
    return [LockStore(s3, "bucket", "blog", name, memory=Memory(memory)) for name in NAMES]


def test_a_reader_whose_answer_is_older_than_a_write_does_not_hide_the_write(tmp_path: Path) -> None:
    s3, path = Bucket(), tmp_path / "memory.json"
    reader, writer, next_one = on_one_controller(s3, path)
    ask = s3.get_object

    def slow_answer(**where: Any) -> dict[str, Any]:
        answer = ask(**where)
        s3.get_object = ask  # type: ignore[method-assign]
        writer.attempt("b", "deploy", 60)
        return answer

    writer.release(writer.attempt("b", "deploy", 60)["blog-b"].lease)
    s3.get_object = slow_answer  # type: ignore[method-assign]
    reader.read()
    s3.calls.clear()
    next_one.attempt("c", "deploy", 60)
    assert s3.calls == {"put": 1}
    assert s3.owners() == {"blog-b": "b", "blog-c": "c"}


def test_a_reader_who_asked_during_a_write_does_not_hide_it(tmp_path: Path) -> None:
    s3, path = Bucket(), tmp_path / "memory.json"
    reader, writer, next_one = on_one_controller(s3, path)
    writer.release(writer.attempt("b", "deploy", 60)["blog-b"].lease)
    write = s3.put_object

    def slow_write(**what: Any) -> dict[str, Any]:
        reader.read()
        return write(**what)

    s3.put_object = slow_write  # type: ignore[method-assign]
    writer.attempt("b", "deploy", 60)
    s3.put_object = write  # type: ignore[method-assign]
    s3.calls.clear()
    next_one.attempt("c", "deploy", 60)
    assert s3.calls == {"put": 1}


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict"])
def test_a_write_over_what_others_changed_meanwhile_is_tried_again(code: str) -> None:
    s3 = Bucket()
    a, b = store(s3, "blog-a"), store(s3, "blog-b")
    mine = a.acquire("a", "deploy", 60)
    theirs = b.acquire("b", "cycle", 60)
    s3.calls.clear()
    renewed = a.take(mine, "a", "deploy", 60)
    assert s3.calls == {"put": 2, "get": 1}
    assert (renewed.token, renewed.acquired) == (mine.token, mine.acquired)
    assert s3.leases == {"blog-a": renewed, "blog-b": theirs}
    # And one that S3 refuses for no reason of ours, until it does not.
    s3.refusal = code

    def pause(_seconds: float) -> None:
        s3.refusal = ""

    a._sleep = pause
    assert a.release(renewed).token == 1


def test_a_lease_that_somebody_took_is_lost_whatever_else_was_written() -> None:
    s3 = Bucket()
    a, thief, other = store(s3, "blog-a"), store(s3, "blog-a"), store(s3, "blog-b")
    mine = a.acquire("a", "deploy", 60)
    stolen = thief.take(thief.read(), "thief", "by force", 60)
    other.acquire("b", "cycle", 60)
    before = s3.leases
    for write in (lambda: a.take(mine, "a", "deploy", 60), lambda: a.release(mine)):
        with pytest.raises(LeaseLostError, match="taken by thief"):
            write()
    assert s3.leases == before
    assert before["blog-a"] == stolen
    assert stolen.token == mine.token + 1


def test_an_object_that_was_deleted_is_a_lost_lease_and_not_a_free_one() -> None:
    s3 = Bucket()
    a = store(s3, "blog-a")
    mine = a.acquire("a", "deploy", 60)
    s3.number = 0
    with pytest.raises(LeaseLostError, match="taken by nobody"):
        a.take(mine, "a", "deploy", 60)


def test_a_write_whose_answer_was_lost_is_ours_also_after_others_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = Bucket()
    a, b = store(s3, "blog-a"), store(s3, "blog-b")
    a.read()
    s3.lose_answers = 1

    def meanwhile(_seconds: float) -> None:
        b.acquire("b", "cycle", 60)

    monkeypatch.setattr(a, "_sleep", meanwhile)
    lease = a.take(a.lease(), "a", "deploy", 60)
    assert s3.leases["blog-a"] == lease
    assert (lease.owner, lease.token, s3.owners()["blog-b"]) == ("a", 1, "b")


def test_an_old_memory_costs_a_request_and_never_a_lease(tmp_path: Path) -> None:
    s3, path = Bucket(), tmp_path / "memory.json"
    a = store(s3, "blog-a", path)
    free = a.release(a.acquire("a", "deploy", 60))
    table = TableMemory(Memory(path))
    old = table.read()
    mine = a.take(free, "a", "deploy", 60)
    # As if somebody had asked before that write and written down the answer after it.
    table.write(replace(old, head={**old.head, "at": table.read().head["at"] + 1}))
    s3.calls.clear()
    renewed = a.take(mine, "a", "deploy", 60)
    assert s3.leases["blog-a"] == renewed
    assert s3.calls == {"get": 1, "put": 1}


def test_a_memory_of_another_boot_or_object_is_not_used(tmp_path: Path) -> None:
    s3, path = Bucket(), tmp_path / "memory.json"
    a = store(s3, "blog-a", path)
    a.release(a.acquire("a", "deploy", 60))
    for place in (["bucket", a.key, "another boot"], ["another bucket", a.key, ""]):
        table = TableMemory(Memory(path))
        known = table.read()
        table.write(replace(known, head={**known.head, "place": place}))
        again = store(s3, "blog-a", path)
        again.recall()
        assert again._known is None


def test_an_object_that_others_keep_changing_is_given_up_in_one_sentence() -> None:
    s3 = Bucket()
    a = store(s3, "blog-a")
    s3.refusal = "PreconditionFailed"
    with pytest.raises(AnsibleBeanstalkError, match=r"kept changing jack.beanstalk/locks/blog.json for 30 seconds"):
        a.acquire("a", "deploy", 60)
    assert s3.number == 0


def test_several_leases_are_taken_with_one_write_and_those_of_others_are_left() -> None:
    s3 = Bucket()
    store(s3, "blog-b").acquire("somebody", "restoring a dump", 60)
    a = store(s3, "blog-a")
    s3.calls.clear()
    got = a.attempt("wave", "deploy", 60, ["blog-a", "blog-b", "blog-c"])
    assert set(got) == {"blog-a", "blog-c"}
    assert s3.owners() == {"blog-a": "wave", "blog-b": "somebody", "blog-c": "wave"}
    assert s3.calls == {"get": 1, "put": 1}
    with pytest.raises(LockedError, match="somebody holds the lock"):
        store(s3, "blog-b").attempt("wave", "deploy", 60, ["blog-a", "blog-c"])


@settings(deadline=None)  # a loaded machine is no counter-example
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(["read", "take", "free"]))))
def test_only_what_was_read_is_replaced_and_nothing_else_is_touched(steps: list[tuple[int, str, str]]) -> None:
    s3 = Bucket()
    stores = {(who, name): store(s3, name) for who in (0, 1) for name in NAMES}
    seen: dict[tuple[int, str], Lease] = {}
    for number, (who, name, action) in enumerate(steps):
        mine, before = stores[who, name], s3.leases
        lease = seen.setdefault((who, name), Lease())
        stands = before.get(name, Lease()) == lease
        try:
            if action == "read":
                seen[who, name] = mine.read()
            elif action == "take":
                seen[who, name] = mine.take(lease, f"run-{who}", "chance", 60, {"step": number})
            else:
                seen[who, name] = mine.release(lease)
        except LeaseLostError:
            assert not stands
            assert s3.leases == before
            continue
        after = s3.leases
        assert {key: val for key, val in after.items() if key != name} == {
            key: val for key, val in before.items() if key != name
        }
        if action == "read":
            assert after == before
            continue
        old, new = before.get(name, Lease()), after[name]
        assert stands
        assert new.token - old.token == (action == "take" and old.owner != f"run-{who}")
        assert new.record == ({"step": number} if action == "take" else old.record)
        assert new.nonce != old.nonce
