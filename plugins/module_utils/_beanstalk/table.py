# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many items in one file of the controller's memory, of which each process reads those that it needs.

A fleet's forks all look at one answer about hundreds of environments, and each wants its own few and whatever changed
since it looked. So the file has a first line (``head`` and ``marks``) and then one line of JSON for each item.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .memory import Memory, write_whole


@dataclass(frozen=True)
class Table:
    """``lines`` are items as JSON, by key; the ``marks`` of two are the same when the items are."""

    head: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)

    def item(self, key: str) -> Any:
        """An item; KeyError where there is none."""
        return json.loads(self.lines[key])


class TableMemory:
    """A table that processes of this controller share. Where no file can be had, this one has its own."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._path = memory.beside(".table")
        self._version: tuple[int, int] | None = None
        self._table = Table()

    def read(self) -> Table:
        """The table as it is now; an empty one where nothing was written yet."""
        if self._path is not None:
            try:
                with self._path.open("rb") as file:
                    # Every change makes another file.
                    state = os.fstat(file.fileno())
                    version = (state.st_ino, state.st_mtime_ns)
                    if version != self._version:
                        self._version, self._table = version, _table_of(file.read())
            except (OSError, ValueError):
                return Table()
        return self._table

    def write(self, table: Table, over: Callable[[Mapping[str, Any]], bool] = lambda _head: True) -> None:
        """Replace the whole table, if ``over`` says so of the head that is there."""
        if self._path is None:
            self._table = table
            return
        with self._memory.writing() as mine:
            if mine and over(self.read().head):
                first = json.dumps({"head": table.head, "marks": table.marks})
                write_whole(self._path, "\n".join([first, *(table.lines[key] for key in table.marks)]))


class _Lines(Mapping[str, str]):
    """The lines of a file by their keys, told apart when the first is wanted: many look at the marks only."""

    def __init__(self, keys: Collection[str], text: bytes) -> None:
        self._keys, self._text = keys, text

    @cached_property
    def _lines(self) -> dict[str, str]:
        return dict(zip(self._keys, self._text.decode().split("\n"), strict=True))

    def __getitem__(self, key: str) -> str:
        return self._lines[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _table_of(text: bytes) -> Table:
    first, follows, rest = text.partition(b"\n")
    try:
        known = json.loads(first)
        head, marks = dict(known["head"]), dict(known["marks"])
    except (KeyError, TypeError, ValueError):
        return Table()
    if len(marks) != len(follows) + rest.count(b"\n"):
        return Table()
    return Table(head, marks, _Lines(marks, rest) if marks else {})
