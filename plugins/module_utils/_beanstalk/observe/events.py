# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Following an environment's events: none lost, none twice, and what each one means for the operation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..core import api

Event = dict[str, Any]
_Key = tuple[Any, ...]

# Events are read again from this long before the newest one: the service may store one a little late.
_OVERLAP = timedelta(seconds=15)

_ENDINGS = re.compile(
    r"Environment update completed successfully\.|Successfully launched environment: |Failed to deploy |"
    r"Failed to launch environment\.|(Create|Update) environment operation is complete, but |"
    r"Launched environment: .*However, there were issues|Environment tag update (completed|failed)|"
    r"terminateEnvironment completed successfully\.|Environment operation aborted|Completed swapping CNAMEs|"
    r"During an aborted deployment, |The environment was reverted to the previous configuration setting\."
)
_FAILURES = re.compile(
    r"Failed to deploy (application|configuration)\.|Failed to launch environment\.|"
    r"(Create|Update) environment operation is complete, but with (errors|command timeouts)|"
    r"Launched environment: .*However, there were issues|Environment tag update failed|"
    r"Unsuccessful command execution on instance id|did not pass health check after command execution|"
    r"The environment was reverted to the previous configuration setting\.|"
    r"Failed to (terminate|update|rebuild|swap)"
)


# How a deployment of a version ends, as a part of whatever operation; an update of settings says nothing of it.
_DEPLOYED = re.compile(
    r"New application version was deployed to running EC2 instances\.|Successfully launched environment: "
)
_NOT_DEPLOYED = re.compile(
    r"Failed to deploy application\.|Failed to launch environment\.|During an aborted deployment, |"
    r"Create environment operation is complete, but |Launched environment: .*However, there were issues"
)


_NEARLY_OVER = re.compile(
    r"New application version was deployed to running EC2 instances\.|"
    r"Successfully deployed new configuration to environment\."
)


def is_nearly_over(event: Mapping[str, Any]) -> bool:
    """The instances are done; only the environment itself is not."""
    return bool(_NEARLY_OVER.match(event.get("Message", "")))


def is_ending(event: Mapping[str, Any]) -> bool:
    """The operation is over, or nearly: look at the environment now."""
    return bool(_ENDINGS.match(event.get("Message", ""))) or is_failure(event)


def is_failure(event: Mapping[str, Any]) -> bool:
    """The operation failed, whatever the environment's status says."""
    return bool(_FAILURES.search(event.get("Message", "")))


def failures(events: Iterable[Event], request_id: str | None) -> list[Event]:
    """Failure events of one operation; events without a request id count, those of other requests do not."""
    return [
        event
        for event in events
        if is_failure(event) and (not request_id or event.get("RequestId") in (None, "", request_id))
    ]


def failed_deployment(events: Iterable[Mapping[str, Any]]) -> str:
    """The text that says that the last deployment failed, "" when it did not; ``events`` of one, newest first."""
    for event in events:
        text = str(event.get("Message", "")).strip()
        if _NOT_DEPLOYED.match(text):
            return text
        if _DEPLOYED.match(text):
            return ""
    return ""


def failing_instances(events: Iterable[Event]) -> list[str]:
    """Ids of instances that error events and summaries name, in order of appearance."""
    found: dict[str, None] = {}
    for event in events:
        text = event.get("Message", "")
        named = event.get("Severity") in ("ERROR", "FATAL") or "have not responded in the allowed" in text
        if named:
            found.update(dict.fromkeys(re.findall(r"\bi-[0-9a-f]{8,17}\b", text)))
    return list(found)


class EventCursor:
    """Reads an environment's events since a moment, each one once, oldest first.

    Events have no id, and several may share a millisecond and even a text (one per instance): so equal events are
    counted, and only the surplus over what was seen before is new. ``ask`` replaces the request.
    """

    def __init__(
        self, client: Any, since: datetime, ask: Callable[[datetime], list[Event]] | None = None, **filters: Any
    ) -> None:
        self._client = client
        self._ask = ask
        self._since = since
        self._start = since
        self._filters = filters
        self._seen: Counter[_Key] = Counter()
        self.events: list[Event] = []

    def poll(self) -> list[Event]:
        """Ask once; returns what is new."""
        if self._ask is not None:
            answer = self._ask(self._since)
        else:
            answer = api.describe_events(self._client, since=self._since, **self._filters)
        counts: Counter[_Key] = Counter()
        new: list[Event] = []
        for event in reversed(answer):
            key = (
                event.get("EventDate"),
                event.get("Severity"),
                event.get("Message"),
                event.get("RequestId"),
                event.get("EnvironmentName"),
            )
            counts[key] += 1
            if counts[key] > self._seen[key]:
                new.append(event)
        self._seen |= counts
        new.sort(key=lambda event: event["EventDate"])
        self.events += new
        if new:
            self._since = max(self._start, new[-1]["EventDate"] - _OVERLAP, self._since)
        return new
