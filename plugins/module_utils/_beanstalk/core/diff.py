# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change and diff from one record, so that they cannot disagree."""

from __future__ import annotations

from typing import Any


class DifferenceTracker:
    """Collects what differs between the wanted and the real state."""

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}
        self._after: dict[str, Any] = {}

    def add(self, name: str, before: Any, after: Any) -> None:
        """Record one difference; equal values are none."""
        if before != after:
            self._before[name] = before
            self._after[name] = after

    @property
    def empty(self) -> bool:
        """True when there is nothing to do."""
        return not self._after

    @property
    def names(self) -> list[str]:
        """What differs."""
        return sorted(self._after)

    def diff(self) -> dict[str, Any]:
        """The record in the form that Ansible prints."""
        return {"before": dict(self._before), "after": dict(self._after)}
