# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read from a project: the notes that make the report."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

# An assignment whose name says that the value is nobody's business.
_SECRET = re.compile(r"(?i)(\w*(?:key|secret|token|passw|pwd|credential)\w*\s*[=:]\s*)\S+")


@dataclass(frozen=True)
class Note:
    """One line of the report. `line` counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    text: str
    urgent: bool = False


@dataclass
class Notes:
    """What was understood, what stays as it is, and what is left for the user, with what to do about it."""

    understood: list[Note] = field(default_factory=list)
    kept: list[Note] = field(default_factory=list)
    open: list[Note] = field(default_factory=list)

    def learn(self, file: str, line: int, text: str) -> None:
        """Note something that the inventory now says."""
        self.understood.append(Note(file, line, text))

    def keep(self, file: str, line: int, text: str) -> None:
        """Note something that goes into the bundle as it is, and works there."""
        self.kept.append(Note(file, line, text))

    def ask(self, file: str, line: int, text: str, *, urgent: bool = False) -> None:
        """Note something that the user is to decide; what loses data or tells secrets is urgent."""
        note = Note(file, line, text, urgent)
        if note not in self.open:
            self.open.append(note)

    def files(self) -> set[str]:
        """The files that have a note."""
        return {note.file for note in (*self.understood, *self.kept, *self.open)}

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the lists, in the order of files and lines, what is urgent first."""
        ordered = {"understood": self.understood, "kept": self.kept, "open": self.open}
        return {name: [asdict(note) for note in _sorted(notes)] for name, notes in ordered.items()}


def _sorted(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: (not note.urgent, note.file, note.line))


def masked(line: str) -> str:
    """Return a line of somebody's script without the values of its secrets, for the report."""
    return _SECRET.sub(r"\1***", line.strip())
