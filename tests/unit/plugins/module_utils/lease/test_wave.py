# SPDX-License-Identifier: GPL-3.0-or-later
"""The leases of a wave: one write takes them, one frees them, and one writer per logical environment all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk import holder
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lease import Claim, LeaseLostError, LockedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock_store import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.wave import Wave
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.write_lock import WriteLock, write_lock

from .bucket import Bucket, Clock

NAMES = [f"shop-{number}" for number in range(20)]
TTL = 180.0


class Controller:
    """One controller's run of Ansible, and the locks of the hosts that it deploys to."""

    def __init__(self, s3: Bucket, folder: Path, run: dict[str, Any], clock: Clock | None = None) -> None:
        self.s3, self.folder, self.run = s3, folder, run
        self.clock = clock

    def lock(self, name: str, wait: float = 0, user: dict[str, Any] | None = None) -> WriteLock:
        def store(bucket: str) -> LockStore:
            clocks = {"monotonic": self.clock.monotonic, "sleep": self.clock.sleep} if self.clock else {}
            return LockStore(self.s3, bucket, "shop", name, memory=Memory(self.folder / "lock.json"), **clocks)

        wave = Wave(Memory(self.folder / "waves.json"), self.run, user or this(), f"run {self.run['start']}")
        return WriteLock(store, "deploy", ttl=TTL, wait=wait, wave=wave, companions=NAMES)

    def wave(self, names: list[str] = NAMES) -> tuple[list[WriteLock], list[float]]:
        """All hosts have looked at the world, and then each takes its lock."""
        looked = time.monotonic()
        locks = [self.lock(name) for name in names]
        return locks, [lock.take(looked=looked) for lock in locks]


def this() -> dict[str, Any]:
    found = holder.this_process()
    assert found
    return found


def ended() -> dict[str, Any]:
    """A process that had this one's id before."""
    return {**this(), "start": "1"}


@pytest.fixture
def s3() -> Bucket:
    return Bucket()


@pytest.fixture
def controller(s3: Bucket, tmp_path: Path) -> Controller:
    return Controller(s3, tmp_path, this())


def test_a_wave_costs_two_writes_and_is_freed_by_the_last_one(s3: Bucket, controller: Controller) -> None:
    locks, looks = controller.wave()
    assert s3.calls == {"get": 1, "put": 1}
    # Nothing was known of the time before, so everybody looks again, and one look will do for all.
    assert len(set(looks)) == 1
    assert looks[0] > 0
    (owner,) = set(s3.owners().values())
    assert set(s3.owners()) == set(NAMES)
    for lock in locks:
        assert set(s3.owners().values()) == {owner}
        assert lock.release() == ""
    assert s3.calls == {"get": 1, "put": 2}
    assert set(s3.owners().values()) == {""}
    # The next time this controller knows that nobody had any of them since.
    locks, looks = controller.wave()
    assert looks == [0.0] * len(NAMES)
    assert [lock.release() for lock in locks] == [""] * len(NAMES)
    assert s3.calls == {"get": 1, "put": 4}
    assert {lease.token for lease in s3.leases.values()} == {2}


def test_hosts_that_come_and_go_at_once_write_twice(s3: Bucket, controller: Controller) -> None:
    together = Barrier(8)

    def deploy(name: str) -> str:
        lock = controller.lock(name)
        together.wait()
        lock.take()
        together.wait()
        return lock.release()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(deploy, NAMES[:8])) == [""] * 8
    assert s3.calls == {"get": 1, "put": 2}
    assert set(s3.owners().values()) == {""}


def test_what_somebody_holds_is_left_and_only_that_host_is_refused(
    s3: Bucket, controller: Controller, tmp_path: Path
) -> None:
    far = LockStore(s3, "bucket", "shop", NAMES[3])
    held = far.acquire("anna@build", "restoring a dump", 60)
    first, other = controller.lock(NAMES[0]), controller.lock(NAMES[3])
    first.take()
    with pytest.raises(LockedError, match=r"anna@build holds the lock \(restoring a dump\)"):
        other.take()
    assert other.release() == ""
    assert s3.leases[NAMES[3]] == held
    # Free again, it is taken by the host itself, which takes no others then, and freed with the rest.
    far.release(held)
    other = controller.lock(NAMES[3])
    other.take()
    assert s3.leases[NAMES[3]].token == held.token + 1
    assert [first.release(), other.release()] == ["", ""]
    assert set(s3.owners().values()) == {""}


def test_whoever_waited_takes_only_its_own(s3: Bucket, tmp_path: Path) -> None:
    clock = Clock()
    controller = Controller(s3, tmp_path, this(), clock)
    far = LockStore(s3, "bucket", "shop", NAMES[0], monotonic=clock.monotonic, sleep=clock.sleep)
    far.acquire("anna@build", "restoring a dump", 60)
    lock = controller.lock(NAMES[0], wait=120)
    lock.take()
    assert clock.at >= 60
    assert set(s3.owners()) == {NAMES[0]}
    assert lock.release() == ""


def test_a_host_that_fails_or_never_comes_keeps_nothing_locked(s3: Bucket, controller: Controller) -> None:
    locks, _looks = controller.wave(NAMES[:10])
    assert len(s3.owners()) == 20
    locks[4].release()
    controller.lock(NAMES[11], user=ended()).take()  # a worker that was killed
    for lock in locks:
        assert set(s3.owners().values()) != {""}
        lock.release()
    assert set(s3.owners().values()) == {""}


def test_two_hosts_of_one_logical_environment_follow_each_other(s3: Bucket, controller: Controller) -> None:
    first, second = controller.lock(NAMES[0]), controller.lock(NAMES[0])
    rest = controller.lock(NAMES[1])
    first.take()
    rest.take()
    looked = time.monotonic()
    with pytest.raises(LockedError):
        second.take(looked=looked)
    first.release()
    # It has to look again: the first one wrote since.
    assert second.take(looked=looked) > looked
    assert [second.release(), rest.release()] == ["", ""]
    assert set(s3.owners().values()) == {""}


def test_a_run_that_was_killed_is_followed_by_the_next_at_once(
    s3: Bucket, controller: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "killed").mkdir()
    clock = Clock()
    killed = Controller(s3, tmp_path / "killed", ended(), clock)
    with monkeypatch.context() as patch:
        patch.setattr(holder, "this_run", ended)
        stale, _looks = killed.wave()
    assert {lease.claim("next", 0) for lease in s3.leases.values()} == {Claim.ORPHANED}
    locks, looks = controller.wave()
    assert {lease.token for lease in s3.leases.values()} == {2}
    # Whoever was killed may have written.
    assert min(looks) > 0
    assert [lock.release() for lock in locks] == [""] * len(NAMES)
    # What is left of the killed one is fenced off.
    clock.sleep(TTL * 0.6)
    with pytest.raises(LeaseLostError, match="taken by nobody"):
        stale[0].renew()
    assert set(s3.owners().values()) == {""}


def test_a_killed_run_of_another_machine_is_waited_for(
    s3: Bucket, controller: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {**ended(), "host": "other"}
    (tmp_path / "other").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(holder, "this_run", lambda: elsewhere)
        Controller(s3, tmp_path / "other", elsewhere).wave()
    with pytest.raises(LockedError, match="run 1 holds the lock"):
        controller.wave(NAMES[:1])


def test_one_renewal_is_for_all(s3: Bucket, tmp_path: Path) -> None:
    clock = Clock()
    controller = Controller(s3, tmp_path, this(), clock)
    locks, _looks = controller.wave()
    before = s3.leases
    s3.calls.clear()
    clock.sleep(TTL * 0.4)
    for lock in locks:
        lock.renew()
    assert not s3.calls
    clock.sleep(TTL * 0.2)
    for lock in locks:
        lock.renew()
    assert s3.calls == {"put": 1}
    after = s3.leases
    assert all(after[name].expires > before[name].expires + TTL / 2 for name in NAMES)
    assert [(one.token, one.acquired) for one in after.values()] == [
        (one.token, one.acquired) for one in before.values()
    ]
    # A host that comes now joins, and so does one that comes late: with a lease that lasts.
    clock.sleep(TTL * 0.6)
    locks[0].release()
    late = controller.lock(NAMES[0])
    late.take()
    assert s3.calls == {"put": 2}
    assert [lock.release() for lock in [late, *locks[1:]]] == [""] * len(NAMES)
    assert set(s3.owners().values()) == {""}


def test_an_old_memory_loses_nobody_a_lease(s3: Bucket, tmp_path: Path) -> None:
    clock = Clock()
    controller = Controller(s3, tmp_path, this(), clock)
    locks, _looks = controller.wave(NAMES[:2])
    memory = tmp_path / "lock.table"
    old = memory.read_text()
    clock.sleep(TTL * 0.6)
    locks[0].renew()
    memory.write_text(old)
    locks[1].renew()
    memory.write_text(old)
    assert [lock.release() for lock in locks] == ["", ""]
    assert set(s3.owners().values()) == {""}


def test_what_is_taken_by_force_is_lost_by_that_host_only(s3: Bucket, tmp_path: Path) -> None:
    clock = Clock()
    controller = Controller(s3, tmp_path, this(), clock)
    locks, _looks = controller.wave(NAMES[:3])
    thief = LockStore(s3, "bucket", "shop", NAMES[1])
    thief.take(thief.read(), "thief", "by force", 600)
    clock.sleep(TTL * 0.6)
    locks[0].renew()
    with pytest.raises(LeaseLostError, match="taken by thief"):
        locks[1].renew()
    locks[2].renew()
    assert [locks[number].release() for number in (0, 2)] == ["", ""]
    assert locks[1].release() == f"thief holds the lock of {NAMES[1]} now: it was taken."
    assert {name: owner for name, owner in s3.owners().items() if owner} == {NAMES[1]: "thief"}


# -- the parameter -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "given", "together"),
    [(True, {}, True), (False, {}, False), (True, {"owner": "the-pipeline"}, False), (True, {"companions": []}, False)],
    ids=["run", "no run", "owner", "alone"],
)
def test_companions_count_within_a_run_that_has_no_owner_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: bool, given: dict[str, Any], together: bool
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(holder, "this_run", this if run else lambda: None)
    s3 = Bucket()
    eb = SimpleNamespace(meta=SimpleNamespace(endpoint_url="http://scripted"))
    client: Callable[[str], Any] = {"s3": s3}.__getitem__
    wanted = {"bucket": "b", "owner": None, "ttl": 60, "wait_timeout": 0, "companions": NAMES[1:]}
    params = {"application": "shop", "cname_prefix": NAMES[0], "lock": {**wanted, **given}}
    lock = write_lock(client, params, "deploy", eb)
    assert lock is not None
    lock.take()
    assert set(s3.owners()) == (set(NAMES) if together else {NAMES[0]})
    assert lock.release() == ""
    assert set(s3.owners().values()) == {""}
