# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that many items of a lane need and one of them asks for: quotas, versions, tags of the same application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ..core.clock import Clock

_Got = TypeVar("_Got")


class SingleFlight:
    """In memory: whoever comes while somebody asks the same waits for that answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._found: dict[Hashable, tuple[float, Any]] = {}

    def get(self, what: Hashable, since: float, ask: Callable[[], _Got]) -> _Got:
        """The answer that was asked for at ``since`` (of the lane's clock) or later."""
        with self._lock:
            mine = self._locks.setdefault(what, threading.Lock())
        with mine:
            if what not in self._found or self._found[what][0] < since:
                at = self._clock.now()
                self._found[what] = (at, ask())
            found: _Got = self._found[what][1]
            return found

    def recent(self, what: Hashable, seconds: float, ask: Callable[[], _Got]) -> _Got:
        """The answer, where it is at most so many seconds old, or a new one."""
        return self.get(what, self._clock.now() - seconds, ask)
