# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop that serves the reconcilers of one account and region: what is due next, and sleep until then."""

from __future__ import annotations

import contextlib
import functools
import heapq
import itertools
import math
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..core.clock import Clock
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkWaitError, is_transient
from .abandoned import AbandonedError
from .background import Done
from .effects import (
    Acquire,
    Background,
    Call,
    Keep,
    Observe,
    Pause,
    ReadLock,
    Reconciler,
    Release,
    WriteRecord,
)
from .leases import ApplicationLeases
from .progress import without_figures
from .watcher import ApplicationWatcher

# So long after its deadline an item that has not ended by itself is left.
GRACE_SECONDS = 5.0
HEARTBEAT_SECONDS = 30.0
# What is waited for is told so soon, unless it has come by then.
_STAGE_SECONDS = 2.0


class Pool(Protocol):
    """Where background work runs."""

    def submit(self, function: Callable[[], Any], done: Done) -> None:
        """Run a function, and say what came of it."""


class Reporter(Protocol):
    """Who hears of what happens in a lane; called in the lane's thread."""

    def finished(self, name: str, result: Any, error: BaseException | None) -> None:
        """An item has ended."""

    def warning(self, text: str) -> None:
        """Something went wrong that is no item's failure."""

    def heartbeat(self, name: str, waiting_for: str, seconds: float) -> None:
        """Nothing was heard of an item for a while; ``seconds`` is how long it waits for this already."""


@dataclass(eq=False)
class _Task:
    name: str
    reconciler: Reconciler
    deadline: float
    silence_deadline: float
    turn: int = 0
    """Grows with every answer, so that an answer that comes too late is known as such."""
    value: Any = None
    error: BaseException | None = None
    waiting_for: str = ""
    waiting_since: float = 0.0
    heartbeat_at: float = 0.0
    done: bool = False
    leases: list[tuple[ApplicationLeases, str]] = field(default_factory=list)
    """What it asked for, and under which CNAME prefix."""


_Waiter = tuple[_Task, int]
"""Who waits for an answer, and for which: an answer to an earlier question is dropped."""


class Lane:
    """Runs reconcilers until each has ended.

    ``watch`` makes the watcher of an application, ``lock`` the leases of an application in a bucket. Calls and
    background work run in pools of their own, so that neither keeps the other, or a poll, waiting. ``silent`` names an
    endpoint that does not answer, "" for none. Once ``abandoned`` says that nobody waits for the run, all are left, and
    their leases end by themselves.
    """

    def __init__(
        self,
        clock: Clock,
        watch: Callable[[str], ApplicationWatcher],
        lock: Callable[[str, str], ApplicationLeases],
        calls: Pool,
        background: Pool,
        reporter: Reporter,
        silent: Callable[[], str] = str,
        abandoned: Callable[[], bool] = bool,
    ) -> None:
        self._clock, self._watch, self._lock, self._reporter = clock, watch, lock, reporter
        self._calls, self._background, self._silent, self._abandoned = calls, background, silent, abandoned
        self._outstanding = 0
        """Calls and background work whose answers have not come yet."""
        self._order = itertools.count()
        self._ready: list[tuple[float, int, int, _Task]] = []
        self._tasks: dict[str, _Task] = {}
        self._watchers: dict[str, ApplicationWatcher] = {}
        self._leases: dict[tuple[str, str], ApplicationLeases] = {}
        self._answers: queue.SimpleQueue[tuple[_Waiter, Any, BaseException | None]] = queue.SimpleQueue()
        self._alarm_at = math.inf
        self._problem = ""
        """Why the last poll failed, "" where it did not."""

    def add(self, name: str, reconciler: Reconciler, deadline: float, silence_deadline: float = math.inf) -> None:
        """Give the lane a reconciler. It is left ``GRACE_SECONDS`` after ``deadline`` (of the lane's clock).

        Where AWS does not answer then, so it is after ``silence_deadline``.
        """
        now = self._clock.now()
        silence_deadline = min(silence_deadline, deadline)
        task = _Task(
            name, reconciler, deadline, silence_deadline, waiting_since=now, heartbeat_at=now + HEARTBEAT_SECONDS
        )
        self._tasks[name] = task
        self._alarm_at = min(self._alarm_at, self._alarm_of(task, now))
        self._resume(task)

    def run(self) -> None:
        """Serve all reconcilers until they have ended and their leases are free."""
        while self._tasks:
            if self._abandoned():
                self._leave_all()
            else:
                self._turn()
        for leases in self._leases.values():
            leases.close()
            self._warn(leases)

    def news(self, name: str) -> None:
        """Something was said of an item, so that no heartbeat is due for a while."""
        if name in self._tasks:
            self._tasks[name].heartbeat_at = self._clock.now() + HEARTBEAT_SECONDS

    # -- what is due ----------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._collect_answers()
        now = self._clock.now()
        if now >= self._alarm_at:
            self._leave_late(now)
            self._send_heartbeats(now)
        urgent = [one for one in self._leases.values() if one.urgent_at is not None and one.urgent_at <= now]
        if urgent:
            self._tend(urgent)
        elif self._ready and self._ready[0][0] <= now:
            _due, _order, turn, task = heapq.heappop(self._ready)
            if turn == task.turn and not task.done:
                self._advance(task)
        elif due := [one for one in self._leases.values() if self._may_tend(one, now)]:
            self._tend(due)
        elif polls := [name for name, one in self._watchers.items() if one.due is not None and one.due <= now]:
            for name in polls:
                self._poll(self._watchers[name])
        elif self._tasks:
            self._clock.wait(max(0.0, self._next() - now))

    def _may_tend(self, leases: ApplicationLeases, now: float) -> bool:
        """Whether nothing is on its way after which there may be more to write in the same request."""
        return leases.due is not None and leases.due <= now and not self._outstanding

    def _next(self) -> float:
        moments = [self._ready[0][0]] if self._ready else []
        for one in self._leases.values():
            moment = one.urgent_at if self._outstanding else one.due
            moments += [] if moment is None else [moment]
        moments += [one.due for one in self._watchers.values() if one.due is not None]
        return min([*moments, self._alarm_at])

    def _alarm_of(self, task: _Task, now: float) -> float:
        """When a task has to be looked at; after its first deadline, every second whether AWS is silent."""
        late = max(task.silence_deadline + GRACE_SECONDS, now + 1.0)
        return min(task.heartbeat_at, late, task.deadline + GRACE_SECONDS)

    def _leave_late(self, now: float) -> None:
        silent = self._silent()
        for task in list(self._tasks.values()):
            if now < (task.silence_deadline if silent else task.deadline) + GRACE_SECONDS:
                continue
            text = f"Gave up at the deadline, still waiting: {task.waiting_for or 'an answer'}"
            # Since when the service does not answer, nothing is known of what is waited for.
            why = self._problem or (f"{silent} does not answer" if silent else "")
            self._finish(task, None, AnsibleBeanstalkWaitError(f"{text}: {why}" if why else text, {}))

    def _leave_all(self) -> None:
        for task in list(self._tasks.values()):
            self._finish(task, None, AbandonedError())
        self._leases.clear()

    def _send_heartbeats(self, now: float) -> None:
        for task in self._tasks.values():
            if now >= task.heartbeat_at:
                task.heartbeat_at = now + HEARTBEAT_SECONDS
                self._reporter.heartbeat(task.name, task.waiting_for or "an answer", now - task.waiting_since)
        alarms = (self._alarm_of(task, now) for task in self._tasks.values())
        self._alarm_at = min(alarms, default=math.inf)

    # -- reconcilers ----------------------------------------------------------------------------------------------

    def _resume(self, task: _Task, value: Any = None, error: BaseException | None = None, at: float = 0.0) -> None:
        """Have a reconciler go on with an answer."""
        task.turn += 1
        task.value, task.error = value, error
        heapq.heappush(self._ready, (max(at, self._clock.now()), next(self._order), task.turn, task))

    def _advance(self, task: _Task) -> None:
        value, error = task.value, task.error
        task.value = task.error = None
        try:
            effect = task.reconciler.throw(error) if error is not None else task.reconciler.send(value)
        except StopIteration as end:
            self._finish(task, end.value, None)
        except Exception as problem:  # an item that fails fails alone
            self._finish(task, None, problem)
        else:
            self._carry_out(task, effect)

    def _carry_out(self, task: _Task, effect: Any) -> None:
        waiting_for = getattr(effect, "waiting_for", "")
        self._waits_for(task, waiting_for)
        match effect:
            case Call(function):
                self._submit(self._calls, task, functools.partial(_call_under, list(task.leases), function))
            case Background(function):
                self._submit(self._background, task, function)
            case Pause(until):
                self._resume(task, at=until)
            case Observe():
                self._observe(task, effect)
            case Acquire() | ReadLock() | WriteRecord() | Keep() | Release():
                try:
                    self._lease(task, effect, self._leases_of(effect.application, effect.bucket))
                except AnsibleBeanstalkError as error:
                    self._resume(task, error=error)
            case _:
                self._resume(task, error=TypeError(f"a reconciler asked for {effect!r}"))

    def _waits_for(self, task: _Task, what: str) -> None:
        """Note what a task waits for; where that is new, it is told before long."""
        if not what or what == task.waiting_for:
            return
        if without_figures(what) == without_figures(task.waiting_for):
            task.waiting_for = what
            return
        now = self._clock.now()
        task.waiting_for, task.waiting_since = what, now
        task.heartbeat_at = min(task.heartbeat_at, now + _STAGE_SECONDS)
        self._alarm_at = min(self._alarm_at, task.heartbeat_at)

    def _finish(self, task: _Task, result: Any, error: BaseException | None) -> None:
        task.done = True
        del self._tasks[task.name]
        with contextlib.suppress(RuntimeError):  # it asked for something once more, which is too late
            task.reconciler.close()
        for leases, prefix in task.leases:
            leases.release(prefix)
        self._reporter.finished(task.name, result, error)

    # -- answers --------------------------------------------------------------------------------------------------

    def _submit(self, pool: Pool, task: _Task, function: Callable[[], Any]) -> None:
        waiter = (task, task.turn)
        self._outstanding += 1
        pool.submit(function, lambda result, error: self._answer(waiter, result, error))

    def _answer(self, waiter: _Waiter, result: Any, error: BaseException | None) -> None:
        self._answers.put((waiter, result, error))
        self._clock.wake()

    def _collect_answers(self) -> None:
        while not self._answers.empty():
            self._outstanding -= 1
            self._serve(*self._answers.get())

    def _serve(self, waiter: _Waiter, result: Any, error: BaseException | None) -> None:
        task, turn = waiter
        if turn == task.turn and not task.done:
            self._resume(task, result, error)

    def _watcher(self, application: str) -> ApplicationWatcher:
        if application not in self._watchers:
            self._watchers[application] = self._watch(application)
        return self._watchers[application]

    def _observe(self, task: _Task, effect: Observe) -> None:
        watcher = self._watcher(effect.application)
        wish = {"environments": effect.environments, "events": effect.events}
        if (snapshot := watcher.known(effect.at, **wish)) is not None:
            self._resume(task, snapshot)
        else:
            watcher.want((task, task.turn), effect.at, **wish, soon=effect.soon)

    def _poll(self, watcher: ApplicationWatcher) -> None:
        try:
            served = watcher.poll()
        except Exception as error:
            # The operations go on at the other end, so a failed question is asked again.
            self._problem = str(error)
            if not is_transient(error):
                for waiter in watcher.give_up():
                    self._serve(waiter, None, error)
            return
        self._problem = ""
        for waiter in served:
            self._serve(waiter, watcher.snapshot, None)

    # -- leases ---------------------------------------------------------------------------------------------------

    def _leases_of(self, application: str, bucket: str) -> ApplicationLeases:
        key = (application, bucket)
        if key not in self._leases:
            self._leases[key] = self._lock(application, bucket)
        return self._leases[key]

    def _lease(self, task: _Task, effect: Any, leases: ApplicationLeases) -> None:
        who, prefix = (task, task.turn), effect.cname_prefix
        match effect:
            case Acquire() if (leases, prefix) in task.leases and leases.holds(prefix):
                leases.take_again(who, prefix)
            case Acquire():
                self._waits_for(task, f"the lock of {prefix}, {effect.wait:.0f} seconds at most")
                leases.want(who, prefix, effect.reason, effect.ttl, effect.wait, effect.owner)
                task.leases.append((leases, prefix))
            case ReadLock():
                if (reading := leases.reading(prefix, effect.at)) is not None:
                    self._resume(task, reading)
                else:
                    leases.read(who, prefix)
            case WriteRecord():
                leases.write(who, prefix, effect.record, free=effect.free, reason=effect.reason)
            case Keep():
                leases.keep(prefix, effect.seconds)
                self._resume(task)
            case Release():
                leases.release(prefix, effect.record)
                self._resume(task)

    def _tend(self, due: list[ApplicationLeases]) -> None:
        for leases in due:
            for (task, _turn), outcome in leases.tend():
                if task.done:
                    continue
                if isinstance(outcome, BaseException):
                    self._resume(task, error=outcome)
                else:
                    self._resume(task, outcome)
            self._warn(leases)

    def _warn(self, leases: ApplicationLeases) -> None:
        for text in leases.warnings:
            self._reporter.warning(text)
        leases.warnings.clear()


def _call_under(leases: list[tuple[ApplicationLeases, str]], function: Callable[[], Any]) -> Any:
    """Call a function, unless a lease of its reconciler's ran out."""
    for one, prefix in leases:
        one.check(prefix)
    return function()
