# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One snapshot of an application for every reconciler that waits for one of its environments.

A poll is two requests, DescribeEnvironments and DescribeEvents of the whole application, however many environments are
waited for; so the requests of a tick grow with the applications and not with the environments.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from ..core.clock import Clock

Environment = dict[str, Any]
Event = dict[str, Any]

# Events are read again from this long before the newest one: the service may store one a little late.
OVERLAP = timedelta(seconds=15)
SOON_SECONDS = 1.0
# More than so many do not poll sooner, as one of a crowd is always near its end.
_FEW = 4
_IDENTITY = ("EventDate", "Severity", "Message", "RequestId", "EnvironmentName")


class Source(Protocol):
    """Where snapshots come from: the API of one account and region."""

    def environments(self, application: str) -> list[Environment]:
        """DescribeEnvironments of an application, those included that ended a short while ago."""

    def events(self, application: str, since: datetime | None) -> list[Event]:
        """DescribeEvents of an application since a moment, newest first."""

    def now(self) -> datetime:
        """The service's own time: a controller whose clock is wrong must not lose events."""


@dataclass(frozen=True)
class Snapshot:
    """An application as it was at ``at`` (seconds of the lane's clock: when the first of its requests was sent)."""

    at: float
    environments: Mapping[str, Environment]
    """All that have not ended, by id, as they were at ``environments_at``."""
    environments_at: float
    events: Mapping[str, Sequence[Event]]
    """All events since the watcher began, by environment name, oldest first."""

    def events_of(self, environment_name: str, since: datetime) -> list[Event]:
        """Events of one environment since a moment, oldest first."""
        return [event for event in self.events.get(environment_name, ()) if event["EventDate"] >= since]


class _Wish(NamedTuple):
    at: float
    environments: bool
    events: bool
    soon: bool


class ApplicationWatcher:
    """Polls one application for those who wait, at most once in ``interval`` seconds, or ``SOON_SECONDS`` for a few.

    It begins to collect events at the service's time of its first poll.
    """

    def __init__(self, source: Source, application: str, clock: Clock, interval: float) -> None:
        self.interval = interval
        self._source, self._application, self._clock = source, application, clock
        self._since: datetime | None = None
        self._seen: Counter[tuple[Any, ...]] = Counter()
        self._events: dict[str, list[Event]] = {}
        self.snapshot: Snapshot | None = None
        self._wanted: dict[Any, _Wish] = {}
        self._environments: Mapping[str, Environment] = {}
        self._environments_at = self._events_at = self._seen_at = self._events_seen_at = -math.inf
        self.due: float | None = None
        """When the next poll is due; None while nobody waits."""

    def want(self, who: Any, at: float, *, environments: bool = True, events: bool = True, soon: bool = False) -> None:
        """Note that somebody waits for a snapshot of ``at`` or later, or for these parts of it."""
        wish = self._wanted[who] = _Wish(at, environments, events, soon)
        if len(self._wanted) <= _FEW + 1:
            self._plan()
        else:
            self.due = min(self.due if self.due is not None else math.inf, self._due(wish))

    def known(self, at: float, *, environments: bool = True, events: bool = True) -> Snapshot | None:
        """The last snapshot, where these parts of it are of ``at`` or later; else None."""
        if self.snapshot is None or (environments and self.snapshot.environments_at < at):
            return None
        return None if events and self._events_seen_at < at else self.snapshot

    def give_up(self) -> list[Any]:
        """Nobody waits any more, because the service refuses to answer; returns who did."""
        waiting, self._wanted = list(self._wanted), {}
        self._plan()
        return waiting

    def _plan(self) -> None:
        self.due = min(map(self._due, self._wanted.values()), default=None)

    def _due(self, wish: _Wish) -> float:
        last = max(
            self._environments_at if wish.environments else -math.inf, self._events_at if wish.events else -math.inf
        )
        few = wish.soon and len(self._wanted) <= _FEW
        return max(wish.at, last + (min(SOON_SECONDS, self.interval) if few else self.interval))

    def poll(self) -> list[Any]:
        """Take a snapshot; returns those whom it satisfies, in the order in which they began to wait."""
        at = self._clock.now()
        served = [who for who, wish in self._wanted.items() if wish.at <= at]
        wishes = [self._wanted[who] for who in served]
        if self._since is None:
            self._since = self._source.now() - OVERLAP
        try:
            # Events first: an environment is at least as far as its last event says.
            if any(wish.events for wish in wishes):
                self._events_at = at
                self._add(self._source.events(self._application, self._since))
                self._events_seen_at = at
            if any(wish.environments for wish in wishes):
                self._environments_at = at
                found = self._source.environments(self._application)
                self._environments = {str(one["EnvironmentId"]): one for one in found}
                self._seen_at = at
        except BaseException:
            self._plan()
            raise
        self.snapshot = Snapshot(at, self._environments, self._seen_at, self._events)
        for who in served:
            del self._wanted[who]
        self._plan()
        return served

    def _add(self, found: Sequence[Event]) -> None:
        """Keep what is new. Events have no id and may be equal (one per instance), so equal ones are counted."""
        counts: Counter[tuple[Any, ...]] = Counter()
        for event in reversed(found):
            key = tuple(event.get(name) for name in _IDENTITY)
            counts[key] += 1
            if counts[key] > self._seen[key]:
                mine = self._events.setdefault(str(event.get("EnvironmentName")), [])
                mine.append(event)
                if len(mine) > 1 and mine[-2]["EventDate"] > event["EventDate"]:
                    mine.sort(key=_event_date)
        # What is older than the overlap is not asked for again, and so need not be known any more.
        self._seen = counts
        if found:
            self._since = max(self._since or _event_date(found[0]), _event_date(found[0]) - OVERLAP)


def _event_date(event: Event) -> datetime:
    moment: datetime = event["EventDate"]
    return moment
