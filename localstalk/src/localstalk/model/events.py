# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of one account and region, as they were recorded."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from localstalk.clock import Clock
from localstalk.model.state import Environment, Event, Severity

_INDEXED = ("environment_name", "environment_id", "request_id")
"""Fields by which events are kept besides the list of all."""


class EventLog:
    """Events, oldest first; their dates strictly increase."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.all: list[Event] = []
        self._by: dict[tuple[str, str], list[Event]] = {}
        """The same by environment name, environment id and request id: with thousands of environments a client asks
        for one of them, again and again."""

    def record(
        self,
        message: str,
        severity: Severity = "INFO",
        *,
        application: str | None = None,
        environment: Environment | None = None,
        request_id: str | None = None,
        **more: str | None,
    ) -> Event:
        """Write an event. Dates increase by at least a millisecond: clients ask for "the last date plus 1 ms"."""
        date = self._clock.now()
        if self.all:
            date = max(date, self.all[-1].date + timedelta(milliseconds=1))
        event = Event(
            date,
            message,
            severity,
            application=environment.application if environment else application,
            environment_name=environment.name if environment else None,
            environment_id=environment.id if environment else None,
            request_id=request_id,
            **more,
        )
        self.all.append(event)
        for field in _INDEXED:
            value = getattr(event, field)
            if value is not None:
                self._by.setdefault((field, value), []).append(event)
        return event

    def of_environment(self, environment_id: str) -> Sequence[Event]:
        """The events of one environment."""
        return self._by.get(("environment_id", environment_id), [])

    def since(self, start: datetime | None, wanted: Iterable[tuple[str, str]]) -> Sequence[Event]:
        """The smallest list that holds all events since ``start`` whose fields have the values ``wanted``."""
        indexed = [self._by.get((field, value), []) for field, value in wanted if field in _INDEXED]
        events = min(indexed, key=len) if indexed else self.all
        if start is None:
            return events
        return events[bisect.bisect_left(events, start, key=lambda event: event.date) :]
