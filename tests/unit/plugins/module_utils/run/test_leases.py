# SPDX-License-Identifier: GPL-3.0-or-later
"""All leases of a run on one application: few requests, and nobody's lease is lost by another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.cache import Cache
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import (
    GRACE,
    LeaseLostError,
    LockedError,
    decode,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.effects import Acquired
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.leases import (
    ApplicationLeases,
    LockReading,
)

from .simulation import SimulatedBucket, SimulatedClock

NAMES = [f"shop-{number}" for number in range(50)]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def bucket(clock: SimulatedClock) -> SimulatedBucket:
    return SimulatedBucket(clock)


def leases(bucket: SimulatedBucket, owner: str = "run", hints: Path | None = None) -> ApplicationLeases:
    """Those of one run; ``hints`` is what the controller keeps between its runs."""
    clock = bucket.clock
    store = LockStore(bucket, "bucket", "shop", "", cache=Cache(hints), monotonic=clock.now, sleep=clock.sleep)
    return ApplicationLeases(store, owner, clock)


def want(run: ApplicationLeases, *names: str, wait: float = 0.0, owner: str = "") -> None:
    for name in names:
        run.want(name, name, "deploy", 60, wait, owner)


def got(run: ApplicationLeases) -> dict[str, Any]:
    return dict(run.tend())


def test_a_batch_takes_two_requests_and_one_frees_it(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, *NAMES)
    assert list(got(run)) == NAMES
    assert bucket.calls == {"get": 1, "put": 1}
    assert set(bucket.owners().values()) == {"run"}
    for name in NAMES:
        run.release(name)
    run.tend()
    assert bucket.calls == {"get": 1, "put": 2}
    assert set(bucket.owners().values()) == {""}


def test_what_the_controller_knows_saves_the_look(bucket: SimulatedBucket, tmp_path: Path) -> None:
    hints = tmp_path / "hints.json"
    first = leases(bucket, hints=hints)
    want(first, "shop")
    got(first)
    first.release("shop")
    first.close()
    bucket.clock.sleep(10)
    second = leases(bucket, "next", hints)
    want(second, "shop")
    acquired = got(second)["shop"]
    assert bucket.calls == {"get": 1, "put": 3}
    # Nobody had it since the first run freed it.
    assert acquired == Acquired(0)


def test_whoever_wrote_meanwhile_is_noticed(bucket: SimulatedBucket, tmp_path: Path) -> None:
    hints = tmp_path / "hints.json"
    first = leases(bucket, hints=hints)
    want(first, "shop")
    got(first)
    first.release("shop")
    first.close()
    bucket.clock.sleep(10)
    # Somebody on another machine, who leaves nothing in this one's hints.
    far = leases(bucket, "far")
    want(far, "shop")
    got(far)
    far.release("shop")
    far.tend()
    bucket.clock.sleep(10)
    ours = leases(bucket, "ours", hints)
    want(ours, "shop")
    assert got(ours)["shop"].since == pytest.approx(20, abs=0.1)


def test_one_renewal_is_for_all_and_comes_at_half_of_the_time(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, *NAMES)
    got(run)
    assert run.urgent_at == 30
    bucket.clock.sleep(30)
    assert got(run) == {}
    assert bucket.calls["put"] == 2
    bucket.clock.sleep(45)
    run.check("shop-7")


def test_what_somebody_holds_is_refused_alone(bucket: SimulatedBucket) -> None:
    other = leases(bucket, "somebody")
    want(other, "shop-1")
    got(other)
    run = leases(bucket)
    want(run, *NAMES[:3])
    outcomes = got(run)
    assert isinstance(outcomes.pop("shop-1"), LockedError)
    assert set(outcomes) == {"shop-0", "shop-2"}
    assert bucket.owners() == {"shop-0": "run", "shop-1": "somebody", "shop-2": "run"}


def test_what_is_taken_by_force_is_lost_by_that_one_only(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, *NAMES[:3])
    got(run)
    thief = bucket.store()
    thief.read()
    thief.write_all({"shop-1": thief.lease("shop-1").taken("thief", "by force", thief.now, 600)})
    bucket.clock.sleep(30)
    outcomes = got(run)
    assert list(outcomes) == ["shop-1"]
    assert isinstance(outcomes["shop-1"], LeaseLostError)
    for name in NAMES[:3]:
        run.release(name)
    run.tend()
    assert bucket.owners() == {"shop-0": "", "shop-1": "thief", "shop-2": ""}
    assert run.warnings == []


def test_a_lock_that_its_owner_had_before_stays(bucket: SimulatedBucket) -> None:
    before = leases(bucket, "the-pipeline")
    want(before, "shop")
    got(before)
    run = leases(bucket)
    want(run, "shop", owner="the-pipeline")
    assert list(got(run)) == ["shop"]
    run.release("shop")
    run.tend()
    assert bucket.owners() == {"shop": "the-pipeline"}


def test_an_outage_of_s3_is_waited_out_within_the_limit(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    bucket.down = True
    want(run, "shop", wait=100)
    assert got(run) == {}
    bucket.down = False
    bucket.clock.sleep(5)
    assert list(got(run)) == ["shop"]


def test_the_same_environment_twice_in_a_run_is_a_refusal(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, "shop")
    with pytest.raises(AnsibleBeanstalkError, match="Two items of this run are for the logical environment shop"):
        want(run, "shop")


def read(run: ApplicationLeases, name: str) -> LockReading:
    run.read(name, name)
    reading = got(run)[name]
    assert isinstance(reading, LockReading)
    return reading


def test_records_of_many_are_one_write_that_renews_them_too(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, *NAMES)
    got(run)
    bucket.clock.sleep(20)
    for name in NAMES:
        run.write(name, name, {"journal": name}, free=False)
    written = got(run)
    assert bucket.calls == {"get": 1, "put": 2}
    assert {name: lease.record for name, lease in written.items()} == {name: {"journal": name} for name in NAMES}
    bucket.clock.sleep(55)
    run.check("shop-7")


def test_a_record_may_be_the_last_word(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, "shop")
    got(run)
    run.write("shop", "shop", {"ledger": ["done"]}, free=True)
    got(run)
    assert bucket.owners() == {"shop": ""}
    assert read(leases(bucket), "shop").lease.record == {"ledger": ["done"]}


def test_nothing_is_written_under_a_lease_that_somebody_took(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, "shop-0", "shop-1")
    got(run)
    thief = bucket.store()
    thief.read()
    thief.write_all({"shop-1": thief.lease("shop-1").taken("thief", "by force", thief.now, 600)})
    for name in ("shop-0", "shop-1"):
        run.write(name, name, {"journal": name}, free=False)
    outcomes = got(run)
    assert isinstance(outcomes["shop-1"], LeaseLostError)
    assert outcomes["shop-0"].record == {"journal": "shop-0"}
    assert read(leases(bucket), "shop-1").lease.record == {}
    with pytest.raises(LeaseLostError, match="not held by this run"):
        run.write("shop-1", "shop-1", {}, free=False)


def test_many_who_look_at_the_lock_read_it_once(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    for name in NAMES:
        assert run.reading(name, bucket.clock.now()) is None
        run.read(name, name)
    assert len(got(run)) == len(NAMES)
    assert bucket.calls == {"get": 1}
    assert run.reading("shop-3", bucket.clock.now()) is not None
    bucket.clock.sleep(1)
    assert run.reading("shop-3", bucket.clock.now()) is None
    want(run, "shop-3")
    got(run)
    bucket.clock.sleep(10)
    # Whoever holds a lease need not read it, and knows the lock's clock.
    mine = run.reading("shop-3", bucket.clock.now())
    assert mine is not None
    assert mine.lease.owner == "run"
    assert mine.offset + bucket.clock.now() == pytest.approx(bucket.clock.moment().timestamp(), abs=1)


def test_what_is_kept_is_renewed_until_the_run_ends_and_outlives_it(bucket: SimulatedBucket) -> None:
    run = leases(bucket)
    want(run, "shop-0", "shop-1")
    got(run)
    run.keep("shop-0", 900)
    for name in ("shop-0", "shop-1"):
        run.release(name)
    for _turn in range(4):
        bucket.clock.sleep(30)
        assert got(run) == {}
    assert bucket.owners() == {"shop-0": "run", "shop-1": ""}
    run.close()
    kept = read(leases(bucket), "shop-0").lease
    assert kept.expires - kept.acquired == pytest.approx(900 + 120, abs=1)


def test_whoever_comes_after_a_run_that_was_killed_reads_where_it_stopped(bucket: SimulatedBucket) -> None:
    first = leases(bucket, "first")
    want(first, "shop")
    got(first)
    first.write("shop", "shop", {}, free=False, reason="recreate: swap the CNAMEs")
    first.tend()
    assert decode(bucket.body)["shop"].reason == "recreate: swap the CNAMEs"
    # The renewal of a lease keeps what it is for.
    bucket.clock.sleep(40)
    first.tend()
    bucket.clock.sleep(60 + GRACE + 1)
    second = leases(bucket, "second")
    want(second, "shop")
    stopped = got(second)["shop"].stopped
    assert stopped == "first ended without freeing the lock and stopped at: recreate: swap the CNAMEs"
    second.release("shop")
    second.tend()
    third = leases(bucket, "third")
    want(third, "shop")
    assert got(third)["shop"].stopped == ""
