# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of an application's environments, read once on this controller however many cycles it runs.

AWS tells tags of one environment at a time, and every cycle has to know which environments are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import api
from ..core.cnames import logical_of
from ..core.memory import Memory
from ..core.transformations import tags_out
from .planner.model import TAG_LOGICAL

_LIMIT_SECONDS = 120.0
# Environments whose tags are remembered: those read last, since a fleet has new ones every night.
_KEPT = 2000
# So many are asked for before somebody else has a turn, which takes ten seconds where AWS takes two requests a second.
_AT_ONCE = 20


class TagReader:
    """Tags as one run for the logical environment ``logical`` needs them.

    Changing tags is an update of the environment (docs/elastic_beanstalk.md §1.7), so they are what they were while
    its time of change is. Which logical environment one belongs to never changes: what is another's is not read again.
    """

    def __init__(self, client: Any, memory: Memory, logical: str) -> None:
        self._client, self._memory, self._logical = client, memory, logical
        self._known: dict[str, Sequence[Any]] = {}

    def of(self, environment: Mapping[str, Any]) -> dict[str, str]:
        """The tags of an environment (as EB describes it, times as text), those of AWS included."""
        changed = _changed(environment)
        if not changed:
            known = self._known.get(environment["EnvironmentId"]) or ("", {})
            return dict(known[1]) if self._is_anothers(known) else self._read(environment)
        self.learn([environment])
        return dict(self._known[environment["EnvironmentId"]][1])

    def learn(self, environments: Iterable[Mapping[str, Any]]) -> None:
        """Know the tags of these environments, with one turn for many of them; not of those that are being updated."""
        wanted = [one for one in environments if _changed(one) and not self._is_known(self._known, one)]
        for first in range(0, len(wanted), _AT_ONCE):
            self._learn(wanted[first : first + _AT_ONCE])

    def _learn(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        with self._memory.alone(_LIMIT_SECONDS):
            tags = dict(self._memory.get("tags") or {})
            asked = [one for one in wanted if not self._is_known(tags, one)]
            for one in asked:
                # Last, as those that were read first are forgotten first.
                tags.pop(one["EnvironmentId"], None)
                tags[one["EnvironmentId"]] = (_changed(one), self._read(one))
            if asked:
                self._memory.put(tags=dict(list(tags.items())[-_KEPT:]))
        self._known |= {one["EnvironmentId"]: tags[one["EnvironmentId"]] for one in wanted}

    def _is_known(self, known: Mapping[str, Sequence[Any]], environment: Mapping[str, Any]) -> bool:
        found = known.get(environment["EnvironmentId"])
        return found is not None and (found[0] == _changed(environment) or self._is_anothers(found))

    def _is_anothers(self, known: Sequence[Any]) -> bool:
        return bool(known[1].get(TAG_LOGICAL, self._logical) != self._logical)

    def _read(self, environment: Mapping[str, Any]) -> dict[str, str]:
        tags = tags_out(api.list_tags(self._client, environment.get("EnvironmentArn") or ""))
        # People write it, too.
        return tags | {TAG_LOGICAL: logical_of(tags[TAG_LOGICAL])} if TAG_LOGICAL in tags else tags


def _changed(environment: Mapping[str, Any]) -> str:
    """When an environment was changed last; "" while it is being changed."""
    return "" if environment["Status"] == "Updating" else environment.get("DateUpdated") or ""
