# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is slow and not Elastic Beanstalk's API runs in a few threads, so that it holds nobody up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

Done = Callable[[Any, "BaseException | None"], None]


class ThreadPool:
    """A few daemon threads: a download that never ends must not keep the process alive after its deadline.

    The pools of concurrent.futures are waited for when Python ends, so they are not used here.
    """

    def __init__(self, threads: int = 8) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Done]] = queue.SimpleQueue()
        self._most, self._threads, self._busy = threads, 0, 0
        self._lock = threading.Lock()

    def submit(self, function: Callable[[], Any], done: Done) -> None:
        """Run a function; ``done`` gets its result, or its exception, in the thread that ran it."""
        with self._lock:
            self._busy += 1
            if self._busy > self._threads and self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name=f"background-{self._threads}", daemon=True).start()
        self._jobs.put((function, done))

    def _work(self) -> None:
        while True:
            function, done = self._jobs.get()
            try:
                result, error = function(), None
            except Exception as problem:
                result, error = None, problem
            with self._lock:
                self._busy -= 1
            done(result, error)
