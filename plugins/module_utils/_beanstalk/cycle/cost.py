# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cycle costs: the time for which instances ran beside those of the environment that was live."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

# Monitoring writes these, so only environments with enhanced health have them (docs/elastic_beanstalk.md §1.6, §3.1).
_COUNTED = re.compile(r"(Added|Removed) instances? \[([^\]]*)\]")
_ENDED = "terminateEnvironment completed successfully."


def instance_minutes(events: Iterable[Mapping[str, Any]], environment: str, end: datetime) -> float | None:
    """Minutes of all instances of the environment until ``end`` or its termination, to a tenth.

    ``events`` are the service's, oldest first. None when they name no instance.
    """
    since: dict[str, datetime] = {}
    seconds, seen = 0.0, False
    for event in events:
        if event.get("EnvironmentName") != environment or event["EventDate"] > end:
            continue
        at, message = event["EventDate"], str(event.get("Message"))
        if found := _COUNTED.search(message):
            seen = True
            for instance in found[2].split(", "):
                if found[1] == "Added":
                    since.setdefault(instance, at)
                elif instance in since:
                    seconds += (at - since.pop(instance)).total_seconds()
        elif message == _ENDED:
            seconds += sum((at - each).total_seconds() for each in since.values())
            since.clear()
    seconds += sum((end - each).total_seconds() for each in since.values())
    return round(seconds / 60, 1) if seen else None
