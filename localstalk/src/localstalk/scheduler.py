# SPDX-License-Identifier: GPL-3.0-or-later
"""Workflows as coroutines on a :class:`~localstalk.clock.Clock`: no thread per environment.

A coroutine may ``await sleep(seconds)``, ``await blocking(function)`` and ``await gather(coroutines)``. Every step of
every coroutine runs under the scheduler's lock, so a workflow may touch state freely between two awaits; what blocks
runs in a pool of threads without the lock.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from localstalk.clock import Clock, ManualClock

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Coroutine[Any, Any, Any]


class Sleep:
    """Resume after some seconds of the scheduler's clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Sleep, Any, None]:
        yield self


class Blocking:
    """Run a function in the pool; resume with what it returned or raised."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def __await__(self) -> Generator[Blocking, Any, Any]:
        return (yield self)


class Join:
    """Resume when all tasks are done."""

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = tasks

    def __await__(self) -> Generator[Join, Any, None]:
        yield self


class Task:
    """A coroutine under way. ``error`` is set when it ended by an exception."""

    def __init__(self, work: Work, name: str) -> None:
        self.work = work
        self.name = name
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.waiting: list[tuple[Task, Join]] = []
        self.observed = False


def sleep(seconds: float) -> Sleep:
    """Wait ``seconds`` of the clock."""
    return Sleep(seconds)


async def blocking(function: Callable[..., T], *args: Any) -> T:
    """Run ``function(*args)`` outside the lock and wait for it."""
    result: T = await Blocking(lambda: function(*args))
    return result


class Held:
    """Drive another coroutine, but stand still at its awaits as long as ``stuck`` says so."""

    _LOOK_SECONDS = 5.0

    def __init__(self, work: Work, stuck: Callable[[], bool]) -> None:
        self.work = work
        self.stuck = stuck

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                wanted = self.work.throw(error) if error is not None else self.work.send(value)
            except StopIteration as stop:
                return stop.value
            while self.stuck():
                yield Sleep(self._LOOK_SECONDS)
            error = None
            try:
                value = yield wanted
            except Exception as raised:
                error = raised


class Scheduler:
    """Runs tasks, either in a thread of its own (:meth:`start`) or step by step (:meth:`advance`).

    With ``workers`` 0, blocking functions run in the scheduler's own thread: right for drivers that never block.
    """

    def __init__(self, clock: Clock, workers: int = 0) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._ready: deque[tuple[Task, Any, BaseException | None]] = deque()
        self._timers: list[tuple[float, int, Task]] = []
        self._number = itertools.count()
        self._pool = ThreadPoolExecutor(workers, "localstalk-driver") if workers else None
        self._thread: threading.Thread | None = None
        self._stopping = False

    def spawn(self, work: Work, name: str = "task") -> Task:
        """Start a coroutine; it takes its first step as soon as the scheduler runs."""
        task = Task(work, name)
        with self._changed:
            self._ready.append((task, None, None))
            self._changed.notify_all()
        return task

    async def gather(self, *works: Work) -> list[Any]:
        """Run several coroutines at once; results in order, the first error is raised when all have ended."""
        tasks = [self.spawn(work, "part") for work in works]
        for task in tasks:
            task.observed = True
        await Join(tasks)
        for task in tasks:
            if task.error is not None:
                raise task.error
        return [task.result for task in tasks]

    def start(self) -> None:
        """Run in a thread until :meth:`stop`."""
        self._thread = threading.Thread(target=self._run, name="localstalk-scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; unfinished tasks are dropped where they are."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def advance(self, seconds: float) -> None:
        """Move a manual clock by ``seconds``, running everything that falls due on the way."""
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise TypeError("only a manual clock can be advanced")
        end = clock.seconds() + seconds
        with self.lock:
            self._drain()
            while self._timers and self._timers[0][0] <= end:
                clock.move_to(self._timers[0][0])
                self._fire()
                self._drain()
            clock.move_to(end)

    def _drain(self) -> None:
        while self._ready:
            self._step(*self._ready.popleft())

    def _fire(self) -> None:
        now = self.clock.seconds()
        while self._timers and self._timers[0][0] <= now:
            self._ready.append((heapq.heappop(self._timers)[2], None, None))

    def _run(self) -> None:
        while True:
            # The lock is given up between two steps so that API calls are not kept waiting.
            with self._changed:
                if self._stopping:
                    return
                self._fire()
                if self._ready:
                    self._step(*self._ready.popleft())
                else:
                    self._changed.wait(self._pause())

    def _pause(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (self._timers[0][0] - self.clock.seconds()) / self.clock.speed)

    def _step(self, task: Task, value: Any, error: BaseException | None) -> None:
        try:
            wanted = task.work.throw(error) if error is not None else task.work.send(value)
        except StopIteration as stop:
            self._finish(task, stop.value, None)
        except Exception as exception:
            self._finish(task, None, exception)
        else:
            self._wait_for(task, wanted)

    def _wait_for(self, task: Task, wanted: object) -> None:
        if isinstance(wanted, Sleep):
            due = self.clock.seconds() + max(0.0, wanted.seconds)
            heapq.heappush(self._timers, (due, next(self._number), task))
        elif isinstance(wanted, Blocking):
            self._block(task, wanted.function)
        elif isinstance(wanted, Join):
            self._join(task, wanted)
        else:
            self._ready.append((task, None, TypeError(f"cannot wait for {wanted!r}")))

    def _join(self, task: Task, join: Join) -> None:
        if all(part.done for part in join.tasks):
            self._ready.append((task, None, None))
            return
        for part in join.tasks:
            if not part.done:
                part.waiting.append((task, join))

    def _block(self, task: Task, function: Callable[[], Any]) -> None:
        if self._pool is None:
            self._ready.append(_outcome(task, function))
            return

        def work() -> None:
            outcome = _outcome(task, function)
            with self._changed:
                self._ready.append(outcome)
                self._changed.notify_all()

        self._pool.submit(work)

    def _finish(self, task: Task, result: Any, error: BaseException | None) -> None:
        task.done, task.result, task.error = True, result, error
        if error is not None and not task.observed:
            log.error("%s ended by %r", task.name, error, exc_info=error)
        for waiter, join in task.waiting:
            if all(part.done for part in join.tasks):
                self._ready.append((waiter, None, None))
        task.waiting.clear()


def _outcome(task: Task, function: Callable[[], Any]) -> tuple[Task, Any, BaseException | None]:
    try:
        return task, function(), None
    except Exception as exception:
        return task, None, exception
