# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module tells while it waits: lines of JSON in a file that the action plugin on the same machine prints.

The action plugin makes the file and gives the module its path; where it is not there, nobody listens.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_INSTANCES = re.compile(r"i-[0-9a-f]{8,17}")
_STARTED = re.compile(r"(Batch \d+): Starting application deployment on instance\(s\)")
_DONE = re.compile(
    r"(Batch \d+): (Completed application deployment\.|Registering instance\(s\) with the load balancer)"
)


class Progress:
    """Writes events down for whoever prints them. Never fails: a deployment must not end for want of a reader."""

    def __init__(
        self,
        path: str | None,
        sanitise: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path if path and os.path.isfile(path) else None  # noqa: PTH113
        self._sanitise = sanitise
        self._clock = clock
        self._start = clock()
        self._batches: dict[str, set[str]] = {}
        self._done: set[str] = set()

    def events(self, new: Iterable[Mapping[str, Any]]) -> None:
        """Tell of events of the API, in their order."""
        for event in new:
            message = str(event.get("Message", "")).strip()
            self._count(message)
            self._write(str(event.get("Severity", "")), message)

    def verified(self, environment: Mapping[str, Any], instances: Iterable[Mapping[str, Any]] | None) -> None:
        """Tell how the operation ended: every instance was asked."""
        known = list(instances or [])
        self._done = {str(item.get("InstanceId")) for item in known} or self._done
        label = environment.get("VersionLabel")
        self._write("DONE", f"Ready, version {label}, health {environment.get('Health')}", len(known) or None)

    def tell(self, kind: str, message: str) -> None:
        """Tell what is done now; ``kind`` is one word for it."""
        self._write(kind, message)

    def _count(self, message: str) -> None:
        started, done = _STARTED.match(message), _DONE.match(message)
        if started:
            self._batches[started.group(1)] = set(_INSTANCES.findall(message))
        elif done:
            self._done |= self._batches.get(done.group(1), set())

    def _write(self, severity: str, message: str, total: int | None = None) -> None:
        if self._path is None:
            return
        record = {
            "elapsed": round(self._clock() - self._start, 1),
            "severity": severity,
            "message": self._sanitise(message),
            "done": len(self._done),
            "total": total,
        }
        try:
            with open(self._path, "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(json.dumps(record) + "\n")
        except OSError:
            self._path = None


def format_line(record: Mapping[str, Any], host: str) -> str:
    """One record as a line for people: host, minutes and seconds since the start, instances done, what happened."""
    minutes, seconds = divmod(int(record["elapsed"]), 60)
    done, total = record["done"], record["total"]
    count = f" {done}/{total} instances" if total else f" {done} done" if done else ""
    return f"[{host}] {minutes:02d}:{seconds:02d}{count} {record['severity']:<5} {record['message']}"
