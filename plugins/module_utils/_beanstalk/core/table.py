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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .memory import Memory, sealed, unsealed, write_whole


@dataclass(frozen=True)
class Table:
    """Items as JSON, by key, a line of ``text`` each; the ``marks`` of two are the same when the items are."""

    head: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def of(cls, head: Mapping[str, Any], marks: Mapping[str, str], lines: Mapping[str, str]) -> Table:
        """The table of these lines, which ``marks`` has in order."""
        return cls(head, marks, "\n".join(lines[key] for key in marks))

    @cached_property
    def lines(self) -> dict[str, str]:
        """The items, told apart when the first is wanted: many look at the marks only."""
        return dict(zip(self.marks, self.text.split("\n"), strict=True)) if self.marks else {}

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
                        self._version, self._table = version, _table_of(unsealed(file.read().decode()))
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
                write_whole(self._path, sealed(f"{first}\n{table.text}"))


def _table_of(text: str | None) -> Table:
    if text is None:
        return Table()
    first, _line, rest = text.partition("\n")
    known = json.loads(first)
    return Table(known["head"], known["marks"], rest)
