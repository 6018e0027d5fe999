# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page is told: everything once, then only what is new, as server-sent events."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from localstalk.model.control import Control
from localstalk.model.health import COLORS, judge_instance
from localstalk.model.state import Environment, Event, Instance, Renamed, Swap

if TYPE_CHECKING:
    from localstalk.model.region import Region

_LOOK_SECONDS = 0.25
_HEARTBEAT_SECONDS = 10.0
"""Only writing tells whether the page is still open."""
_RETRY_MILLISECONDS = 1000
_LATEST_EVENTS = 200
_LATEST_SWAPS = 50


class Feed:
    """What one open page knows already. With an ``environment_id``, it is told details, events and swaps of that one.

    To be used under the scheduler's lock.
    """

    def __init__(self, control: Control, regions: Callable[[], Iterable[Region]], environment_id: str = "") -> None:
        self.control = control
        self.regions = regions
        self.environment_id = environment_id
        self._summaries: dict[str, dict[str, Any]] = {}
        self._detail: dict[str, Any] | None = None
        self._events: dict[tuple[str, str], int] = {}
        self._swaps: dict[tuple[str, str], int] = {}

    def news(self) -> dict[str, Any]:
        """What has changed since the last time; empty when nothing has."""
        regions = list(self.regions())
        told = {
            "environments": self._changed(regions),
            "gone": self._gone(regions),
            "events": self._new_events(regions),
            "swaps": self._new_swaps(regions),
        }
        news: dict[str, Any] = {name: value for name, value in told.items() if value}
        detail = self._look_closely(regions)
        if detail != self._detail:
            self._detail = news["detail"] = detail
        return news

    def _changed(self, regions: list[Region]) -> list[dict[str, Any]]:
        changed = []
        for region in regions:
            for environment in _shown(region):
                summary = _summary(region, environment)
                if self._summaries.get(environment.id) != summary:
                    self._summaries[environment.id] = summary
                    changed.append(summary)
        return changed

    def _gone(self, regions: list[Region]) -> list[str]:
        left = {environment.id for region in regions for environment in _shown(region)}
        gone = [each for each in self._summaries if each not in left]
        for each in gone:
            del self._summaries[each]
        return gone

    def _new_events(self, regions: list[Region]) -> list[dict[str, Any]]:
        new = []
        for region in regions:
            events = region.events.of_environment(self.environment_id) if self.environment_id else region.events.all
            key = region.account, region.name
            new.append(events[max(self._events.get(key, 0), len(events) - _LATEST_EVENTS) :])
            self._events[key] = len(events)
        latest = heapq.nlargest(_LATEST_EVENTS, chain(*new), key=lambda event: event.date)
        return [_event(event) for event in reversed(latest)]

    def _new_swaps(self, regions: list[Region]) -> list[dict[str, Any]]:
        new = []
        for region in regions:
            key = region.account, region.name
            new += region.swaps[self._swaps.get(key, 0) :]
            self._swaps[key] = len(region.swaps)
        mine = [each for each in new if not self.environment_id or self.environment_id in _sides(each)]
        return [_swap(each) for each in sorted(mine, key=lambda swap: swap.date)[-_LATEST_SWAPS:]]

    def _look_closely(self, regions: list[Region]) -> dict[str, Any] | None:
        for region in regions:
            environment = region.environments.get(self.environment_id)
            if environment is not None:
                return _detail(region, environment)
        return None


def stream(
    control: Control, regions: Callable[[], Iterable[Region]], about: dict[str, Any], environment_id: str
) -> Iterator[bytes]:
    """Server-sent events without an end: ``about`` this localstalk first, then the news."""
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    feed = Feed(control, regions, environment_id)
    message: dict[str, Any] = {"about": about}
    told = time.monotonic()
    while True:
        with control.scheduler.lock:
            message |= feed.news()
        if message:
            yield f"data: {json.dumps(message)}\n\n".encode()
        elif time.monotonic() - told > _HEARTBEAT_SECONDS:
            yield b": still here\n\n"
        else:
            time.sleep(_LOOK_SECONDS)
            continue
        told, message = time.monotonic(), {}


def _shown(region: Region) -> Iterator[Environment]:
    return (each for each in region.environments.values() if region.is_listed(each))


def _summary(region: Region, environment: Environment) -> dict[str, Any]:
    return {
        "id": environment.id,
        "name": environment.name,
        "application": environment.application,
        "region": region.name,
        "status": environment.status,
        "health": environment.health.status,
        "color": environment.health.color,
        "version": environment.version_label,
        "cname": environment.cname,
        "instances": len(environment.instances),
    }


def _detail(region: Region, environment: Environment) -> dict[str, Any]:
    application = region.applications.get(environment.application)
    # The simulation answers no request, so its names lead nowhere.
    followed = environment.cname and environment.status != "Terminated" and not region.control.simulated
    return _summary(region, environment) | {
        "account": region.account,
        "application_description": application.description if application else None,
        "description": environment.description,
        "platform": environment.platform.solution_stack or environment.platform.arn,
        "tier": environment.tier,
        "created": environment.created.isoformat(),
        "endpoint": environment.endpoint_url,
        "url": region.control.driver.url(environment.cname) if followed else None,
        "causes": list(environment.health.causes),
        "fleet": [_instance(region, environment, each) for each in environment.instances.values()],
    }


def _instance(region: Region, environment: Environment, instance: Instance) -> dict[str, Any]:
    health, causes = judge_instance(environment, instance, region.control.clock.seconds())
    deployment = instance.deployment
    newest = max(each.led or 0 for each in environment.instances.values())
    return {
        "id": instance.id,
        "health": health,
        "color": COLORS[health],
        "causes": causes,
        "version": deployment.label if deployment else None,
        "deployment": deployment.id if deployment else None,
        "deployed": deployment.status if deployment else None,
        "led": instance.led,
        "leader": instance.led == newest,
        "in_service": instance.registered,
        "address": instance.address,
        "zone": instance.zone,
        "type": instance.kind,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "date": event.date.isoformat(),
        "severity": event.severity,
        "message": event.message,
        "application": event.application,
        "environment": event.environment_name,
        "id": event.environment_id,
    }


def _sides(swap: Swap) -> tuple[str, str]:
    return swap.source.environment_id, swap.destination.environment_id


def _swap(swap: Swap) -> dict[str, Any]:
    return {"date": swap.date.isoformat(), "sides": [_renamed(swap.source), _renamed(swap.destination)]}


def _renamed(side: Renamed) -> dict[str, str]:
    return {
        "id": side.environment_id,
        "environment": side.environment_name,
        "before": side.before,
        "after": side.after,
    }
