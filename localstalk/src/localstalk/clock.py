# SPDX-License-Identifier: GPL-3.0-or-later
"""Time as the workflows see it: durations on a clock that runs faster than the wall, or that a test steps by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the control plane asks of time."""

    speed: float
    """Clock seconds per real second."""

    def seconds(self) -> float:
        """Seconds on this clock since it was made; never goes back."""

    def now(self) -> datetime:
        """The time stamp for answers and events, in UTC."""


class ScaledClock:
    """Runs ``speed`` times as fast as the wall; its time stamps are the wall's."""

    def __init__(self, speed: float = 20.0) -> None:
        if speed <= 0:
            raise ValueError("the speed of a clock must be above 0")
        self.speed = speed
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Seconds on this clock since it was made."""
        return (time.monotonic() - self._start) * self.speed

    def now(self) -> datetime:
        """The wall's time in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """Stands still until it is moved; for tests."""

    speed = 1.0

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._seconds = 0.0

    def seconds(self) -> float:
        """Seconds that the clock was moved so far."""
        return self._seconds

    def now(self) -> datetime:
        """The start plus all moves."""
        return self._start + timedelta(seconds=self._seconds)

    def move_to(self, seconds: float) -> None:
        """Set the clock; it does not go back."""
        self._seconds = max(self._seconds, seconds)
