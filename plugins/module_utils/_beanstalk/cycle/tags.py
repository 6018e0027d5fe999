# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of an application's environments, read once in a run however many cycles it has.

AWS tells tags of one environment at a time, and every cycle has to know which environments are its own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from ..core import api
from ..core.cnames import logical_of
from ..core.shape import Kind, ShapeError, check, text
from ..core.transformations import tags_out
from .planner.model import TAG_CYCLE, TAG_LOGICAL, TAG_ROLE

Tags = dict[str, str]

_CYCLE = re.compile(r"\d{8}T\d{6}Z-\d+")
_ROLES = ("candidate", "live", "retired")
_OURS = {
    TAG_CYCLE: Kind("the id of a cycle", lambda value: isinstance(value, str) and bool(_CYCLE.fullmatch(value))),
    TAG_ROLE: Kind(f"one of {', '.join(_ROLES)}", lambda value: value in _ROLES),
    TAG_LOGICAL: text(256),
}
"""The tags of cycles. By those of another shape no environment is a cycle's own."""


class TagCache:
    """Tags by environment, for all threads.

    Changing tags is an update of the environment (docs/elastic_beanstalk.md §1.7), so they are what they were while
    its time of change is. Which logical environment one belongs to never changes: what is another's is not read again.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, tuple[Any, Tags]] = {}
        self.dropped: dict[str, list[str]] = {}
        """By environment, sentences about tags that are not as a cycle writes them."""
        self._lock = threading.Lock()

    def of(self, environment: Mapping[str, Any], logical: str) -> Tags:
        """The tags of an environment as a cycle of ``logical`` needs them, those of AWS included."""
        found = self._fitting(environment, logical)
        if found is not None:
            return found
        with self._lock:
            found = self._fitting(environment, logical)
            return self._read(environment) if found is None else found

    def _fitting(self, environment: Mapping[str, Any], logical: str) -> Tags | None:
        changed, tags = self._known.get(environment["EnvironmentId"], (None, {}))
        same = changed is not None and changed == _changed(environment)
        return tags if same or tags.get(TAG_LOGICAL, logical) != logical else None

    def _read(self, environment: Mapping[str, Any]) -> Tags:
        tags = self._checked(
            environment, tags_out(api.list_tags(self._client, environment.get("EnvironmentArn") or ""))
        )
        if TAG_LOGICAL in tags:
            tags[TAG_LOGICAL] = logical_of(tags[TAG_LOGICAL])  # people write it, too
        if _changed(environment) is not None:
            self._known[environment["EnvironmentId"]] = (_changed(environment), tags)
        return tags

    def _checked(self, environment: Mapping[str, Any], tags: Tags) -> Tags:
        name = str(environment.get("EnvironmentName") or environment["EnvironmentId"])
        dropped = []
        for key in [key for key in _OURS if key in tags]:
            try:
                check(tags[key], _OURS[key], f"the tag {key} of {name}")
            except ShapeError as error:
                dropped.append(f"Somebody else than a cycle wrote a tag, which is not used: {error}.")
                del tags[key]
        self.dropped[str(environment["EnvironmentId"])] = dropped
        return tags


def _changed(environment: Mapping[str, Any]) -> Any:
    """When an environment was changed last; None while it is being changed."""
    return None if environment["Status"] == "Updating" else environment.get("DateUpdated")
