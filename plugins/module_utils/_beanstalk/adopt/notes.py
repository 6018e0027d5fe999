# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read from a legacy project: the notes that make the report."""

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


@dataclass
class Notes:
    """What was understood, and what is left for the user, with what to do about it."""

    understood: list[Note] = field(default_factory=list)
    open: list[Note] = field(default_factory=list)

    def learn(self, file: str, line: int, text: str) -> None:
        """Note something that the inventory now says."""
        self.understood.append(Note(file, line, text))

    def ask(self, file: str, line: int, text: str) -> None:
        """Note something that the inventory does not say, or that the user should look at."""
        self.open.append(Note(file, line, text))

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return both lists, in the order of files and lines."""
        ordered = {"understood": self.understood, "open": self.open}
        return {name: [asdict(note) for note in _sorted(notes)] for name, notes in ordered.items()}


def _sorted(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: (note.file, note.line))


def masked(line: str) -> str:
    """Return a line of somebody's script without the values of its secrets, for the report."""
    return _SECRET.sub(r"\1***", line.strip())


def literal(text: str) -> str:
    """Return a text that means itself in an Ansible inventory, also where it contains Jinja's braces."""
    return f"{{% raw %}}{text}{{% endraw %}}" if re.search(r"\{[{%#]", text) else text
