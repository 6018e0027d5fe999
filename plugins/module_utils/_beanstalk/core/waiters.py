# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deadlines on a monotonic clock, how often to poll, and waiting in line for others' operations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from . import api
from .errors import AnsibleBeanstalkWaitError
from .transformations import environment_out

# The part of an interval in which two polls are of one tick.
SAME_TICK = 0.8
# Where nobody knows when the end comes, steps grow with the time that it has taken, up to so many intervals.
_PART_OF_AGE = 0.05
_LONGEST_TICKS = 2


class Deadline:
    """A time limit in seconds on the monotonic clock, and the pace of polling."""

    def __init__(
        self,
        timeout: float,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.timeout = timeout
        self.interval = interval
        self._clock = clock
        self._sleep = sleep
        self._start = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def left(self) -> float:
        """Seconds until the end; 0 when the time is up."""
        return max(0.0, self.timeout - self.elapsed)

    @property
    def over(self) -> bool:
        """True when the time is up."""
        return self.elapsed >= self.timeout

    def pause(self, seconds: float | None = None) -> None:
        """Sleep for one interval (or so many seconds), but never past the end."""
        wanted = self.interval if seconds is None else seconds
        self._sleep(min(wanted, self.left))


def started_at(answer: Mapping[str, Any]) -> datetime:
    """When AWS took a call, by its own clock: a controller whose clock is wrong must not lose events."""
    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        moment = parsedate_to_datetime(text) if text else datetime.now(UTC)
    except (TypeError, ValueError):
        moment = datetime.now(UTC)
    # The header has whole seconds, cut off.
    return moment - timedelta(seconds=1)


def request_id(answer: Mapping[str, Any]) -> str | None:
    """The id that links later events to this call."""
    found = answer.get("ResponseMetadata", {}).get("RequestId")
    return str(found) if found else None


def slowed(interval: float, age: float) -> float:
    """Seconds until the next poll of what nobody knows the end of and what has taken ``age`` seconds so far."""
    return max(interval, min(_LONGEST_TICKS * interval, _PART_OF_AGE * age))


def wait_until_ready(client: Any, environment_id: str, deadline: Deadline) -> dict[str, Any]:
    """Wait in line until nobody else's operation is running; returns the environment as it is then."""
    while True:
        found = api.describe_environments(client, EnvironmentIds=[environment_id])
        if not found:
            raise AnsibleBeanstalkWaitError(f"The environment {environment_id} was terminated meanwhile", {})
        if found[0].get("Status") == "Ready":
            return found[0]
        if deadline.over:
            raise AnsibleBeanstalkWaitError(
                f"The environment {found[0].get('EnvironmentName')} was not Ready within {deadline.timeout:.0f} "
                f"seconds: another operation is running, its status is {found[0].get('Status')}",
                {"environment": environment_out(found[0], api.region_of(client))},
            )
        deadline.pause()
