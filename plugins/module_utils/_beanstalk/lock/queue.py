# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases that processes of this controller are about to write, so that one request writes those of all who wait.

A fleet's cycles go from step to step together, and each step writes a lease into the same object. Whoever has the turn
writes what the others queued, too; they find it done when their turn comes. An entry is good while its process lives.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..core import process as processes
from ..core.errors import AnsibleBeanstalkError
from ..core.memory import Memory, write_whole
from .lease import Lease, Leases, decode, encode


@dataclass(frozen=True)
class Waiting:
    """What somebody wants to write: ``leases`` by CNAME prefix, in place of those with the nonces ``bases``."""

    bases: Mapping[str, str]
    leases: Mapping[str, Lease]


class LockQueue:
    """The queue of a lock object, a file for each who waits. Where no folder can be had, each writes for itself."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @cached_property
    def _folder(self) -> Path | None:
        # Made by who writes: most look only.
        return self._memory.folder("queue")

    @contextmanager
    def waiting(self, place: Sequence[str], bases: Mapping[str, str], leases: Mapping[str, Lease]) -> Iterator[None]:
        """Stand in the queue in this block. ``place`` says which object it is about."""
        process = processes.this_process()
        if self._folder is None or process is None:
            yield
            return
        entry = {"place": place, "process": process, "bases": bases, "leases": encode(Leases.of(leases)).decode()}
        path = self._folder / f"{secrets.token_hex(8)}.json"
        try:
            # Where it cannot be written, whoever waits writes for itself.
            write_whole(path, json.dumps(entry))
            yield
        finally:
            path.unlink(missing_ok=True)

    def everybody(self, place: Sequence[str]) -> list[Waiting]:
        """Who waits to write this object, the longest first; whoever asks is among them."""
        if self._folder is None:
            return []
        found = []
        for path in self._folder.glob("*.json"):
            try:
                since, entry = path.stat().st_mtime_ns, json.loads(path.read_text(encoding="utf-8"))
                if entry["place"] != place:
                    continue
                if processes.has_ended(entry["process"]):
                    path.unlink(missing_ok=True)
                    continue
                leases = decode(entry["leases"])
                found.append((since, Waiting({name: str(entry["bases"][name]) for name in leases}, leases)))
            except (OSError, ValueError, LookupError, TypeError, AttributeError, AnsibleBeanstalkError):
                continue  # gone meanwhile, or nothing of ours
        return [one for _since, one in sorted(found, key=lambda pair: pair[0])]
