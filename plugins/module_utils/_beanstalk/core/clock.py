# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time, as a parameter: a night of two hundred cycles takes seconds in a test."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only run forwards, and a wait that others can end."""

    def now(self) -> float:
        """The time in seconds, from an arbitrary start."""

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until :meth:`wake` is called."""

    def sleep(self, seconds: float) -> None:
        """Wait for so long, whoever calls."""

    def wake(self) -> None:
        """End the present or the next wait, from any thread."""


class SystemClock:
    """The machine's monotonic clock."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until somebody wakes this clock's lane."""
        self._woken.wait(seconds)
        self._woken.clear()

    def sleep(self, seconds: float) -> None:
        """Wait for so long."""
        time.sleep(seconds)

    def wake(self) -> None:
        """Have the lane look at its work now."""
        self._woken.set()
