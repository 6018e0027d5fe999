# SPDX-License-Identifier: GPL-3.0-or-later
"""Many logical environments' leases in one object: nobody loses anything by what others write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.cache import Cache
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Lease, LeaseLostError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore, Wish
from hypothesis import given, settings
from hypothesis import strategies as st

from .bucket import Bucket, Clock

NAMES = ("blog-a", "blog-b", "blog-c")


def store(s3: Bucket, name: str, path: Path | None = None) -> LockStore:
    clock = Clock()
    return LockStore(s3, "bucket", "blog", name, cache=Cache(path), monotonic=clock.monotonic, sleep=clock.sleep)


def test_many_writers_at_once_all_succeed_and_lose_nothing() -> None:
    s3, count, rounds = Bucket(), 8, 5
    together = Barrier(count)

    def write(number: int) -> None:
        mine = LockStore(s3, "bucket", "blog", f"env-{number}")
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


def test_a_hint_saves_the_read_and_an_old_one_costs_a_request(tmp_path: Path) -> None:
    s3, path = Bucket(), tmp_path / "cache.json"
    first = store(s3, "blog-a", path)
    first.release(first.acquire("a", "deploy", 60))
    first.update_cache()
    s3.calls.clear()
    second = store(s3, "blog-a", path)
    second.release(second.take_free({"blog-a": Wish("b", "deploy", 60)})["blog-a"].lease)
    assert s3.calls == {"put": 2}
    # The hint of the first run is two writes old by now.
    s3.calls.clear()
    third = store(s3, "blog-a", path)
    assert third.take_free({"blog-a": Wish("c", "deploy", 60)})["blog-a"].lease == s3.leases["blog-a"]
    assert s3.calls == {"put": 2, "get": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"place": ["bucket", "jack.beanstalk/locks/blog.json", "another boot"]},
        {"place": ["another bucket", "jack.beanstalk/locks/blog.json", ""]},
        {"offset": "soon"},
        {"object": "{}"},
        {"since": None},
    ],
)
def test_a_hint_of_another_boot_or_object_or_shape_is_not_used(tmp_path: Path, change: dict[str, Any]) -> None:
    s3, path = Bucket(), tmp_path / "cache.json"
    first = store(s3, "blog-a", path)
    first.release(first.acquire("a", "deploy", 60))
    first.update_cache()
    cache = Cache(path)
    cache.put(lock={**cache.get("lock"), **change})
    s3.calls.clear()
    assert store(s3, "blog-a", path).take_free({"blog-a": Wish("b", "deploy", 60)})
    assert s3.calls == {"get": 1, "put": 1}


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
    wish = Wish("wave", "deploy", 60)
    assert set(a.take_free(dict.fromkeys(NAMES, wish))) == {"blog-a", "blog-c"}
    assert s3.owners() == {"blog-a": "wave", "blog-b": "somebody", "blog-c": "wave"}
    assert s3.calls == {"get": 1, "put": 1}


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


def test_an_answer_that_breaks_off_within_its_head_is_no_answer() -> None:
    s3 = Bucket()
    mine = store(s3, "blog-a")
    lease = mine.acquire("a", "deploy", 60)
    # The write was carried out, so what is read next says that it was.
    s3.cut_heads = 1
    s3.calls.clear()
    renewed = mine.take(lease, "a", "deploy", 60)
    assert s3.calls == {"put": 1, "get": 1}
    assert s3.leases["blog-a"] == renewed
    # Half a head has no lock in it, which is no broken lock: it is read again.
    s3.cut_heads = 2
    assert store(s3, "blog-a").read() == renewed


def test_answers_that_go_on_breaking_off_are_told_as_that() -> None:
    s3 = Bucket()
    store(s3, "blog-a").acquire("a", "deploy", 60)
    s3.cut_heads = 99
    with pytest.raises(AnsibleBeanstalkError, match=r"^Failed to read the lock: the answer has no ETag$"):
        store(s3, "blog-a").read()
