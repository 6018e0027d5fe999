# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at an application for everybody on this controller who waits for an environment of it.

Whoever looks first asks for all environments and all new events of the application and writes the answer down; the
others read it. So the requests of a tick grow with the applications, not with the environments or forks.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeVar

from ..core import api
from ..core.budget import listening
from ..core.memory import Memory, memory_of
from ..core.table import Table, TableMemory

_LIMIT_SECONDS = 120.0
# So long one question about the account serves all cycles that begin together.
_TOGETHER_SECONDS = 20.0
# Events are read again from this long before the newest one: the service may store one a little late.
OVERLAP = timedelta(seconds=15)
# How long an event is kept for those who look seldom.
_KEPT = timedelta(minutes=10)
# So many others are a fleet's; a few may be somebody's who deploys beside us.
_MANY = 4
_TIMES = ("DateCreated", "DateUpdated", "EventDate")
_PLACES = ("environments", "events", "versions", "templates")
_Got = TypeVar("_Got")


class SharedLooks:
    """Looks at the environments of an application and their events. Times are of the monotonic clock, in seconds."""

    def __init__(self, client: Any, application: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._application, self._clock = client, application, clock
        self._places = {name: memory_of(client, application, name) for name in _PLACES}
        self._table = TableMemory(self._places["environments"])
        self._parsed: dict[str, tuple[str, dict[str, Any]]] = {}
        self.events_at = 0.0
        """When the events of the last answer were asked for."""

    def environments(self, moment: float) -> tuple[list[dict[str, Any]], float]:
        """All environments as they were at a moment or later, and when that was."""
        table = self._look(moment)
        return [timed(item) for item in self._items(table)], float(table.head["at"])

    def environments_since(self, moment: float) -> list[dict[str, Any]]:
        """All environments as they were at a moment or later."""
        return [timed(item) for item in self.plain_environments(moment)]

    def plain_environments(self, moment: float) -> list[dict[str, Any]]:
        """The same with times as text, for whoever wants few of many: see :func:`timed`.

        One that has not changed since the last look is the same object.
        """
        return self._items(self._look(moment))

    def unchanged(self, ids: Iterable[str], moment: float) -> bool:
        """Whether environments were at a moment or later what they were when all were looked at last. Cheap to ask."""
        marks = self._look(moment).marks
        return all(marks.get(one) == self._parsed.get(one, (None,))[0] for one in ids)

    def environment(self, environment_id: str, not_before: float) -> dict[str, Any] | None:
        """One environment as it was at a moment or later; None when it is gone."""
        table = self._look(not_before)
        return timed(table.item(environment_id)) if environment_id in table.marks else None

    def versions(self, moment: float) -> list[dict[str, Any]]:
        """``VersionLabel`` and ``DateCreated`` of the application's versions, as of a moment or later."""

        def ask(_old: Memory) -> dict[str, Any]:
            found = api.describe_versions(self._client, self._application)
            return {"found": _plain([{key: one.get(key) for key in ("VersionLabel", "DateCreated")} for one in found])}

        return [timed(item) for item in self._answer("versions", lambda _known: moment, ask)["found"]]

    def templates(self, moment: float) -> list[str]:
        """Names of the application's saved configurations, as of a moment or later."""

        def ask(_old: Memory) -> dict[str, Any]:
            found = api.describe_applications(self._client, [self._application])
            return {"found": [str(name) for one in found for name in one.get("ConfigurationTemplates", [])]}

        return list(self._answer("templates", lambda _known: moment, ask)["found"])

    def _look(self, moment: float) -> Table:
        """The environments by id, as somebody saw them at the moment or later, or now."""

        def known() -> Table | None:
            table = self._table.read()
            return table if table.head and moment <= table.head["at"] <= self._clock() else None

        return _known_or_asked(self._places["environments"], known, self._ask_for_environments)

    def _ask_for_environments(self) -> Table:
        with _sending(self._clock) as sent:
            found = _plain(api.describe_environments(self._client, ApplicationName=self._application))
        lines = {item["EnvironmentId"]: json.dumps(item, sort_keys=True) for item in found}
        marks = {one: blake2b(line.encode(), digest_size=8).hexdigest() for one, line in lines.items()}
        table = Table.of({"at": sent()}, marks, lines)
        self._table.write(table)
        return table

    def _items(self, table: Table) -> list[dict[str, Any]]:
        before = self._parsed
        self._parsed = {
            one: before[one] if one in before and before[one][0] == mark else (mark, table.item(one))
            for one, mark in table.marks.items()
        }
        return [item for _mark, item in self._parsed.values()]

    def events(
        self, environment_name: str, since: datetime, not_before: float, crowded: float = math.inf
    ) -> list[dict[str, Any]]:
        """Events of one environment since a moment, newest first, none missing that came before ``not_before``.

        While many other environments of the application have news, too, it is enough that none is missing from before
        ``crowded``: so one alone may look often, and many take turns.
        """
        wanted = since.isoformat()

        def ask(old: Memory) -> dict[str, Any]:
            have = old.get("answer") or {}
            start, begin, kept = since, wanted, []
            if have and have["start"] <= wanted and have["found"]:
                newest = datetime.fromisoformat(have["found"][0]["EventDate"])
                start, oldest = newest - OVERLAP, (newest - _KEPT).isoformat()
                kept = [item for item in have["found"] if oldest <= item["EventDate"] < start.isoformat()]
                begin = max(have["start"], oldest)
            fresh = api.describe_events(self._client, since=start, ApplicationName=self._application)
            return {"start": begin, "found": [*_plain(fresh), *kept]}

        def due(known: dict[str, Any]) -> float:
            if not known or known["start"] > wanted:
                return math.inf
            news = {item.get("EnvironmentName") for item in known["found"] if item["EventDate"] >= wanted}
            return min(not_before, crowded) if len(news - {environment_name}) >= _MANY else not_before

        found = self._answer("events", due, ask)["found"]
        self.events_at = float(self._places["events"].get("at") or 0.0)
        mine = (item for item in found if item.get("EnvironmentName") == environment_name)
        return [timed(item) for item in mine if item["EventDate"] >= wanted]

    def _answer(
        self, name: str, due: Callable[[dict[str, Any]], float], ask: Callable[[Memory], dict[str, Any]]
    ) -> dict[str, Any]:
        return _shared(self._places[name], self._clock, due, ask)


def asked_together(client: Any, question: str, ask: Callable[[], _Got]) -> _Got:
    """What somebody was told of the account and region a moment ago, or is told now for all; plain data, as of JSON."""

    def due(_known: dict[str, Any]) -> float:
        return time.monotonic() - _TOGETHER_SECONDS

    got: _Got = _shared(memory_of(client, question), time.monotonic, due, lambda _old: {"got": ask()})["got"]
    return got


def _shared(
    place: Memory,
    clock: Callable[[], float],
    due: Callable[[dict[str, Any]], float],
    ask: Callable[[Memory], dict[str, Any]],
) -> dict[str, Any]:
    """The answer (as JSON has it) that somebody got at the moment ``due`` or later, or else got now for all."""

    def known() -> dict[str, Any] | None:
        place.again()
        answer, at = place.get("answer"), place.get("at")
        return dict(answer) if answer and at is not None and due(answer) <= at <= clock() else None

    def asked() -> dict[str, Any]:
        with _sending(clock) as sent:
            answer = ask(place)
        place.put(at=sent(), answer=answer)
        return answer

    return _known_or_asked(place, known, asked)


def _known_or_asked(place: Memory, known: Callable[[], _Got | None], ask: Callable[[], _Got]) -> _Got:
    """What is known, or else what one of those who want to know it is told. ``place`` has them ask one at a time."""
    # Most find an answer, and need not wait for others who do.
    if (answer := known()) is not None:
        return answer
    with place.alone(_LIMIT_SECONDS):
        return ask() if (answer := known()) is None else answer


@contextmanager
def _sending(clock: Callable[[], float]) -> Iterator[Callable[[], float]]:
    """Tell when the first request of this block was sent: an answer is not as old as its wait for a turn."""
    begun, turns = clock(), list[float]()
    with listening(lambda: turns.append(clock())):
        yield lambda: turns[0] if turns else begun


def _plain(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value.isoformat() if isinstance(value, datetime) else value for key, value in item.items()}
        for item in items
    ]


def timed(item: dict[str, Any]) -> dict[str, Any]:
    """An environment or an event as the service answers it, with times in place of text."""
    return item | {key: datetime.fromisoformat(item[key]) for key in _TIMES if isinstance(item.get(key), str)}
