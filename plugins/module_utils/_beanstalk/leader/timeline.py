# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an environment was deployed last, and which instances came and went: from Elastic Beanstalk's events.

An election counts for the environment when it was held in its last deployment. Instances that Auto Scaling adds later
run the same command alone, and may well elect themselves (docs/elastic_beanstalk.md §7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core import api
from ..core.transformations import iso
from ..observe.events import failed_deployment

_BIRTHS = ("createEnvironment is starting.", "restoreEnvironment is starting.", "rebuildEnvironment is starting.")
_UPDATE = "Environment update is starting."
_DEPLOYED = "New application version was deployed to running EC2 instances."
_ENDS = re.compile(
    r"Environment update completed successfully\.|Successfully launched environment: |Failed to |"
    r"(Create|Update) environment operation is complete, but |Launched environment: "
)
_MOVED = re.compile(r"(Added|Removed) instances? \[([^\]]*)\] (?:to|from) your environment")
_BATCH = re.compile(r"Batch \d+: Starting application deployment command execution")

MAX_PAGES = 20
"""Pages of 1000 events that are read at most; they are newest first, and reading ends with the deployments sought."""

Event = Mapping[str, Any]


@dataclass
class Timeline:
    """The last deployment of one environment (`start` is None when no event of it is left), and who came and went.

    Times are ISO 8601 texts with milliseconds in UTC. `end` is None while the deployment is under way.
    """

    start: str | None = None
    end: str | None = None
    update: bool = False
    """It was an update, not the environment's creation."""
    batches: bool = False
    """The deployment went in batches, each of which may have elected a leader of its own."""
    failure: str = ""
    """The event that says that the very last deployment failed; the one above is then an earlier one, or the same."""
    added: dict[str, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)

    def joined_in(self, instance_id: str) -> bool:
        """Whether the deployment itself launched the instance."""
        at = self.added.get(instance_id)
        return at is not None and self.start is not None and self.start <= at and not self._after(at)

    def joined_later(self, instance_id: str, elected_at: str | None) -> bool:
        """Whether Auto Scaling launched the instance after the deployment; both times say so, as either may be late."""
        at = self.added.get(instance_id)
        return at is not None and self._after(at) and (elected_at is None or self._after(elected_at))

    def replaced(self, existing: Iterable[str]) -> bool:
        """Whether it was an update that launched instances of its own: none of those that exist is from before."""
        return self.update and all(name in self.added for name in existing)

    def _after(self, at: str) -> bool:
        return self.start is None or (self.end is not None and at > self.end)


def timeline(events: Iterable[Event]) -> Timeline:
    """The timeline of one environment; `events` are all of this environment, newest first."""
    found = Timeline()
    later: list[tuple[Event, str]] = []
    for event in events:
        text, at = str(event.get("Message", "")), iso(event["EventDate"])
        if moved := _MOVED.match(text):
            known = found.added if moved.group(1) == "Added" else found.removed
            for name in moved.group(2).split(","):
                known.setdefault(name.strip(), at)
        if text in _BIRTHS or (text == _UPDATE and _deployed(event, later)):
            mine = _of_operation(event, later)
            found.start, found.end, found.update = at, _end(event, mine), text == _UPDATE
            found.batches = any(_BATCH.match(told) for _event, told in mine)
            break
        later.append((event, text))
    found.failure = failed_deployment(event for event, _text in later)
    return found


def _of_operation(start: Event, later: list[tuple[Event, str]]) -> list[tuple[Event, str]]:
    """Later events of the operation that began with `start`: they carry its request id, until another one begins."""
    mine = []
    for event, text in reversed(later):
        if text in _BIRTHS or text == _UPDATE:
            break
        if event.get("RequestId") == start.get("RequestId"):
            mine.append((event, text))
    return mine


def _deployed(start: Event, later: list[tuple[Event, str]]) -> bool:
    """Whether an update put a version on the instances, or put the same version on new ones."""
    mine = _of_operation(start, later)
    if any(text == _DEPLOYED for _event, text in mine):
        return True
    end = _end(start, mine)
    window = [(event, text) for event, text in later if end is not None and iso(event["EventDate"]) <= end]
    failed = any(text.startswith("Failed to ") for _event, text in mine)
    return not failed and any(text.startswith("Added instance") for _event, text in window)


def _end(start: Event, mine: list[tuple[Event, str]]) -> str | None:
    """When the operation ended; without a request id other events are among its own, so the first ending counts."""
    endings = [iso(event["EventDate"]) for event, text in mine if _ENDS.match(text)]
    if not endings:
        return None
    return max(endings) if start.get("RequestId") else endings[0]


def read_timelines(client: Any, environments: Iterable[Mapping[str, Any]]) -> dict[str, Timeline]:
    """Timelines by environment id: one call for every 1000 events, however many environments there are."""
    wanted = {item["EnvironmentName"]: item for item in environments}
    if not wanted:
        return {}
    applications = {item["ApplicationName"] for item in wanted.values()}
    filters: dict[str, Any] = {}
    if len(wanted) == 1:
        filters["EnvironmentId"] = next(iter(wanted.values()))["EnvironmentId"]
    elif len(applications) == 1:
        filters["ApplicationName"] = next(iter(applications))
    told: dict[str, list[Event]] = {name: [] for name in wanted}
    for page in api.event_pages(client, MAX_PAGES, **filters):
        for event in page:
            if event.get("EnvironmentName") in told:
                told[event["EnvironmentName"]].append(event)
        if all(timeline(events).start for events in told.values()):
            break
    return {item["EnvironmentId"]: timeline(told[name]) for name, item in wanted.items()}
