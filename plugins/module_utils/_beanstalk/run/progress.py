# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run tells while it goes on: a file of JSON lines, which the action plugin on the same machine makes and reads.

Each line has an ``item``, and either something to print or the item's result; so whoever follows the file prints the
one and collects the other, and a module that dies loses no finished item.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..core import shape
from ..core.shown import all_shown, shown

Mask = Callable[[Any], Any]
HEARTBEAT = "WAIT"
"""The severity of a line that says what is waited for."""

_NEWS_SECONDS = 20.0
"""For so long what was told last is what somebody knows."""

OUTPUT = "OUT"
"""That of a line which an instance printed; its ``item`` is the instance."""

_FIGURES = re.compile(r"\b\d+\b")
_INSTANCES = re.compile(r"i-[0-9a-f]{8,17}")
_STARTED = re.compile(r"(Batch \d+): Starting application deployment on instance\(s\)")
_DONE = re.compile(
    r"(Batch \d+): (Completed application deployment\.|Registering instance\(s\) with the load balancer)"
)


def without_figures(text: str) -> str:
    """What a sentence says apart from its numbers: a wait that goes on with others is no news."""
    return _FIGURES.sub("", text)


class ProgressFile:
    """Writes lines into a file that somebody follows; without one nobody listens. It never fails for want of a reader.

    Whoever follows the file holds a lock on it (flock(2)), which ends with that process, however it ends.
    """

    def __init__(self, path: str | None = None) -> None:
        self._lock = threading.Lock()
        self._descriptor, self._parent, self._gone = -1, os.getppid(), False
        if path:
            try:
                self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                self._gone = True
            except OSError:
                pass

    def abandoned(self) -> bool:
        """Whether whoever waited for this run has ended: the process that began it, or the one that follows it."""
        self._gone = self._gone or os.getppid() != self._parent or self._unlocked()
        return self._gone

    def _unlocked(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # it is held, or this file system has no locks
            return False
        return True

    def write(self, line: Mapping[str, Any]) -> None:
        """One line, whole: it is one write."""
        if self._descriptor < 0:
            return
        data = json.dumps(line, default=str).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            os.write(self._descriptor, data)

    def lines(self, source: str, lines: Iterable[str]) -> None:
        """Lines of somebody else's output, to be printed as they are; ``source`` is an instance."""
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        for text in lines:
            self.write({"item": source, "at": moment, "severity": OUTPUT, "message": text, "done": None, "total": None})


class ItemProgress:
    """What one item tells. ``mask`` hides the item's own secrets, and nobody else's.

    ``heard`` is called whenever there was something to tell; ``now`` is the service's time, once there is a service.
    """

    def __init__(
        self,
        file: ProgressFile,
        item: str = "",
        mask: Mask = lambda text: text,
        heard: Callable[[], None] | None = None,
    ) -> None:
        self._file, self._item, self._mask, self.heard = file, item, mask, heard
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._last = ("", "")
        self._batches: dict[str, set[str]] = {}
        self._done: set[str] = set()

    def fit(self, message: str) -> str:
        """A sentence as it may be shown and stored: without the item's secrets, and without control characters."""
        return shown(str(self._mask(message)))

    def tell(self, severity: str, message: str, at: datetime | None = None, total: int | None = None) -> None:
        """Tell a sentence; ``at`` is the service's own time of it. The same one twice in a row is told once."""
        text = self.fit(message)
        if (severity, text) == self._last:
            return
        self._last = (severity, text)
        self._line(severity, text, at, total)

    def _line(self, severity: str, text: str, at: datetime | None = None, total: int | None = None) -> None:
        moment = (at or self.now()).astimezone(UTC).isoformat(timespec="seconds")
        line = {"item": self._item, "at": moment, "severity": severity, "message": text}
        self._file.write({**line, "done": len(self._done), "total": total})
        if self.heard:
            self.heard()

    def events(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Tell of events of the API, in their order."""
        for event in events:
            message = str(event.get("Message", "")).strip()
            self._count(message)
            self.tell(str(event.get("Severity", "")), message, event.get("EventDate"))

    def verified(self, environment: Mapping[str, Any], instances: Sequence[Mapping[str, Any]] | None) -> None:
        """Tell how an operation ended: every instance was asked."""
        known = list(instances or [])
        self._done = {str(item.get("InstanceId")) for item in known} or self._done
        text = f"Ready, version {environment.get('VersionLabel')}, health {environment.get('Health')}"
        self.tell("DONE", text, total=len(known) or None)

    def heartbeat(self, waiting_for: str, seconds: float) -> None:
        """Tell what is waited for, when nothing was heard for a while; not what was just told, with other figures."""
        if seconds < _NEWS_SECONDS and without_figures(self.fit(waiting_for)) == without_figures(self._last[1]):
            return
        # What is said again after it is no news.
        self._line(HEARTBEAT, self.fit(f"Waiting for {seconds:.0f} seconds now: {waiting_for}"))

    def result(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Write the item's result down; returns it as written, without its secrets."""
        masked = dict(all_shown(self._mask(dict(result))))
        self._file.write({"item": self._item, "result": masked})
        return masked

    def _count(self, message: str) -> None:
        started, done = _STARTED.match(message), _DONE.match(message)
        if started:
            self._batches[started.group(1)] = set(_INSTANCES.findall(message))
        elif done:
            self._done |= self._batches.get(done.group(1), set())


_WORD, _COUNT = shape.text(4096), (shape.NOTHING, shape.whole(0, 1 << 31))
_MESSAGE = {"at": _WORD, "severity": _WORD, "message": shape.text(1 << 20), "done": _COUNT, "total": _COUNT}
LINE = ({"item": _WORD, "result": {str: shape.ANYTHING}}, {"item": _WORD, **_MESSAGE})
"""A line as it is read back: a full disk may have left half of one."""


def format_line(line: Mapping[str, Any], host: str) -> str:
    """A line for people: host, time (UTC), instances that are done, what happened; or host, instance, its output."""
    if line["severity"] == OUTPUT:
        return f"[{host}] {line['item']}: {line['message']}"
    done, total = line["done"], line["total"]
    count = f" {done}/{total} instances" if total else f" {done} done" if done else ""
    return f"[{host}] {line['at'][11:19]}{count} {line['severity']:<5} {line['message']}"
