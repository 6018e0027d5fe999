# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled actions: what users set in ``aws:autoscaling:scheduledaction``, and when Auto Scaling has to act.

Sources: Developer Guide, "Scheduled Auto Scaling actions"; Auto Scaling's API reference, PutScheduledUpdateGroupAction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from localstalk.model import groups

_CRON_FIELDS = 5
_SIZES = ("DesiredCapacity", "MaxSize", "MinSize")


def problem(name: str, value: str) -> str | None:
    """Why Auto Scaling would not take an option of an action."""
    if name in ("StartTime", "EndTime") and _moment(value) is None:
        return "Value is not a time in ISO 8601 format"
    if name == "Recurrence":
        return None if _is_cron(value) else "Value is not a cron expression"
    return None


def is_complete(options: Mapping[str, str]) -> bool:
    """Whether an action with these options does something at some time."""
    acts = options.get("Suspend") != "true" and any(options.get(name) for name in _SIZES)
    return acts and bool(options.get("Recurrence") or options.get("StartTime"))


@dataclass(frozen=True)
class Action:
    """A scheduled action of an Auto Scaling group, whoever made it. Sizes that are None stay."""

    least: int | None
    most: int | None
    wanted: int | None
    start: datetime | None
    end: datetime | None
    recurrence: str
    zone: str = "UTC"

    @classmethod
    def read(cls, action: Any) -> Action:
        """What moto knows of an action."""
        return cls(
            action.min_size, action.max_size, action.desired_capacity, _moment(action.start_time),
            _moment(action.end_time), action.recurrence or "", action.time_zone or "UTC",
        )  # fmt: skip

    def due(self, after: datetime, until: datetime) -> datetime | None:
        """When it was to be carried out last, after one moment and not after another.

        An action that recurs is carried out at its start, too.
        """
        times = [self.start] if self.start is not None else []
        if self.recurrence:
            last = min(until, self.end or until)
            recurred = _last_before(self.recurrence, last.astimezone(ZoneInfo(self.zone)) + timedelta(seconds=1))
            times += [recurred] if recurred and recurred >= (self.start or recurred) else []
        return max((each for each in times if after < each <= until), default=None)


def put(scaling: Any, group: str, prefix: str, actions: Mapping[str, Mapping[str, str]]) -> None:
    """Give a group of moto's these actions, by name, in place of those whose names begin with the prefix."""
    for known in _actions(scaling, group):
        if known.scheduled_action_name.startswith(prefix):
            scaling.delete_scheduled_action(group, known.scheduled_action_name)
    for name, options in actions.items():
        values = [options.get(each) or None for each in (*_SIZES, "StartTime", "EndTime", "Recurrence")]
        sizes, times = values[: len(_SIZES)], values[len(_SIZES) :]
        scaling.put_scheduled_update_group_action(group, *sizes, prefix + name, *times, timezone=None)


def carry_out(scaling: Any, group: str, after: datetime, until: datetime) -> None:
    """Do to a group what its actions had to do after one moment and until another, in their order."""
    read = [Action.read(each) for each in _actions(scaling, group)]
    if not read or not groups.read(scaling.autoscaling_groups[group]).allows("ScheduledActions"):
        return
    due = [(moment, number) for number, each in enumerate(read) if (moment := each.due(after, until))]
    for _, number in sorted(due):
        _change(scaling, group, read[number])


def _actions(scaling: Any, group: str) -> list[Any]:
    """moto's actions of a group; none when somebody deleted it."""
    return scaling.describe_scheduled_actions(group) if group in scaling.autoscaling_groups else []


def _change(scaling: Any, name: str, action: Action) -> None:
    group = scaling.autoscaling_groups[name]
    least = group.min_size if action.least is None else action.least
    most = group.max_size if action.most is None else action.most
    wanted = group.desired_capacity if action.wanted is None else action.wanted
    if least <= most:
        group.min_size, group.max_size = least, most
        scaling.set_desired_capacity(name, min(max(wanted, least), most))


# Only environments with scheduled actions need cronsim: others start without it.


def _is_cron(expression: str) -> bool:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(expression, datetime.now(UTC))
    except CronSimError:
        return False
    return len(expression.split()) == _CRON_FIELDS


def _last_before(expression: str, moment: datetime) -> datetime | None:
    from cronsim import CronSim

    return next(CronSim(expression, moment, reverse=True), None)


def _moment(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        text, value = value, None
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(text)
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
