# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A freeze: until when, why, and by whose word nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

_FORM = 'eb_freeze is a dictionary of until (such as "2026-12-27T08:00:00+01:00"), reason and by'


def freeze_refusals(
    hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]], now: datetime | None = None
) -> list[str]:
    """A sentence for each host whose ``eb_freeze`` holds at ``now``, unless ``eb_freeze_ignore`` names the host.

    A time without a zone is UTC. One that cannot be read freezes: a mistake must not thaw anything.
    """
    moment = now or datetime.now(UTC)
    sentences = []
    for host in hosts:
        mine = variables[host]
        frozen = mine.get("eb_freeze")
        if not frozen or host in _names(mine.get("eb_freeze_ignore")):
            continue
        sentence = _sentence(host, frozen, moment)
        sentences += [sentence] if sentence else []
    return sentences


def _names(given: Any) -> list[str]:
    """Host names of a list, or of a text with commas, as ``-e`` gives it."""
    return [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given or [])


def _sentence(host: str, frozen: Any, now: datetime) -> str:
    if not isinstance(frozen, Mapping) or "until" not in frozen:
        return f"{host} is frozen, and nobody knows until when: {_FORM}."
    until = _moment(frozen["until"])
    if until is None:
        return f"{host} is frozen until {frozen['until']}, which is no time: {_FORM}."
    if until <= now:
        return ""
    why, who = frozen.get("reason") or "no reason is given", frozen.get("by") or "somebody"
    return (
        f"{host} is frozen until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {who} ({why}); nothing was done. "
        f"To write all the same: -e eb_freeze_ignore={host}"
    )


def _moment(given: Any) -> datetime | None:
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day)
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
