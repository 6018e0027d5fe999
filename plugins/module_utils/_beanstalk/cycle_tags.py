# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of an application's environments, read once on this controller however many cycles it runs.

AWS tells tags of one environment at a time, and every cycle has to know which environments are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import api
from .cycle_world import TAG_LOGICAL
from .memory import Memory
from .transformations import iso, tags_out

_LIMIT_SECONDS = 120.0
# Environments whose tags are remembered: those read last, since a fleet has new ones every night.
_KEPT = 2000


class TagReader:
    """Tags as one run for the logical environment ``logical`` needs them.

    Changing tags is an update of the environment (eb-facts §1.7), so they are what they were while its time of change
    is. Which logical environment one belongs to never changes: what is another's is not read again.
    """

    def __init__(self, client: Any, memory: Memory, logical: str) -> None:
        self._client, self._memory, self._logical = client, memory, logical
        self._known: dict[str, tuple[str, dict[str, str]]] = {}

    def of(self, environment: Mapping[str, Any]) -> dict[str, str]:
        """The tags of an environment (as EB describes it), those of AWS included."""
        environment_id, updated = environment["EnvironmentId"], environment.get("DateUpdated")
        changed = iso(updated) if updated and environment["Status"] != "Updating" else ""
        remembered = self._memory.get("tags") or {}
        known, tags = self._known.get(environment_id) or remembered.get(environment_id) or ("", {})
        if tags.get(TAG_LOGICAL, self._logical) != self._logical or (changed and known == changed):
            return dict(tags)
        tags = self._shared(environment, changed) if changed else self._read(environment)
        self._known[environment_id] = (changed, tags)
        return tags

    def _read(self, environment: Mapping[str, Any]) -> dict[str, str]:
        return tags_out(api.list_tags(self._client, environment.get("EnvironmentArn") or ""))

    def _shared(self, environment: Mapping[str, Any], changed: str) -> dict[str, str]:
        name = environment["EnvironmentId"]
        with self._memory.alone(_LIMIT_SECONDS):
            others = dict(self._memory.get("tags") or {})
            known = others.pop(name, None)
            if known and known[0] == changed:
                return dict(known[1])
            tags = self._read(environment)
            self._memory.put(tags=dict([*others.items(), (name, (changed, tags))][-_KEPT:]))
        return tags
