# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time

import pytest

from localstalk.clock import ManualClock, ScaledClock
from localstalk.scheduler import Scheduler, blocking, sleep


def test_sleepers_wake_in_the_order_of_their_times() -> None:
    scheduler = Scheduler(ManualClock())
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await sleep(seconds)
        seen.append((name, scheduler.clock.seconds()))

    scheduler.spawn(sleeper("late", 20))
    scheduler.spawn(sleeper("early", 5))
    scheduler.advance(10)
    assert seen == [("early", 5)]
    scheduler.advance(10)
    assert seen == [("early", 5), ("late", 20)]


def test_gather_returns_results_in_order_and_raises_the_first_error_after_all_ended() -> None:
    scheduler = Scheduler(ManualClock())
    seen: list[object] = []

    async def part(value: int, seconds: float) -> int:
        await sleep(seconds)
        seen.append(value)
        if value < 0:
            raise ValueError(value)
        return value

    async def whole() -> None:
        seen.append(await scheduler.gather(part(1, 5), part(2, 1)))
        try:
            await scheduler.gather(part(-1, 1), part(3, 9))
        except ValueError as error:
            seen.append(str(error))

    scheduler.spawn(whole())
    scheduler.advance(60)
    assert seen == [2, 1, [1, 2], -1, 3, "-1"]


def test_gather_of_nothing_goes_on() -> None:
    scheduler = Scheduler(ManualClock())

    async def whole() -> list[object]:
        return await scheduler.gather()

    task = scheduler.spawn(whole())
    scheduler.advance(0)
    assert task.result == []


def test_blocking_work_does_not_hold_the_lock() -> None:
    scheduler = Scheduler(ScaledClock(1000), workers=1)
    scheduler.start()
    free = threading.Event()
    done = threading.Event()

    def slow() -> str:
        free.wait(5)
        return "result"

    async def work() -> None:
        assert await blocking(slow) == "result"
        await sleep(1)
        done.set()

    scheduler.spawn(work())
    time.sleep(0.01)
    with scheduler.lock:
        free.set()
    assert done.wait(5)
    scheduler.stop()


def test_errors_of_blocking_work_arrive_where_it_was_awaited() -> None:
    scheduler = Scheduler(ManualClock())

    def broken() -> None:
        raise OSError("no")

    async def work() -> str:
        try:
            await blocking(broken)
        except OSError as error:
            return str(error)
        return ""

    task = scheduler.spawn(work())
    scheduler.advance(0)
    assert task.result == "no"


def test_an_error_in_one_task_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Scheduler(ManualClock())

    async def broken() -> None:
        raise ValueError("broken")

    async def fine() -> int:
        await sleep(1)
        return 1

    scheduler.spawn(broken(), "the broken one")
    task = scheduler.spawn(fine())
    scheduler.advance(2)
    assert task.result == 1
    assert "the broken one" in caplog.text


def test_the_speed_must_be_positive() -> None:
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(0)


def test_only_a_manual_clock_can_be_advanced() -> None:
    with pytest.raises(TypeError):
        Scheduler(ScaledClock()).advance(1)
