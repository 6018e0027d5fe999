# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A shell script as a list of its simple commands, as far as it has no more than lists, groups and if.

Not a shell: what it cannot take apart for certain it refuses, with line and reason. The words are those of "Shell
Grammar" of the POSIX shell command language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 64 * 1024
_RESERVED = ("then", "else", "do", "{", "!")
_LOOPS = re.compile(r"(for|while|until|case|select|function)\b|\w+\s*\(\s*\)")


class NotUnderstoodError(Exception):
    """A part of a script that is not understood; `line` counts from 1, and the message is the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Statement:
    """A simple command or a reserved word; `joined` is the operator before it, "" for the end of a line."""

    line: int
    text: str
    joined: str = ""


def statements(text: str) -> list[Statement]:
    """Take a script apart. Raises NotUnderstoodError for a loop, a function, a here document and an open quote."""
    if len(text) > _LONGEST:
        raise NotUnderstoodError(1, f"more than {_LONGEST // 1024} KiB")
    found: list[Statement] = []
    for line, words, joined in _scan(text):
        rest, operator = words, joined
        while True:
            first, _space, more = rest.partition(" ")
            if first in _RESERVED and (more or first != "!"):
                found.append(Statement(line, first, operator))
                rest, operator = more.strip(), ""
                if not rest:
                    break
                continue
            if _LOOPS.match(rest):
                raise NotUnderstoodError(line, f"a loop, a case or a function ({first})")
            found.append(Statement(line, rest, operator))
            break
    return found


def _scan(text: str) -> list[tuple[int, str, str]]:
    try:
        return _Scanner(text).parts()
    except RecursionError:
        raise NotUnderstoodError(1, "substitutions that are nested too deeply") from None


def split_words(text: str) -> list[str]:
    """The words of a simple command as they are written: quotes and substitutions stay, and hold together."""
    scanner, current = _Scanner(text[:_LONGEST]), ""
    words: list[str] = []
    try:
        while scanner.at < len(scanner.text):
            if not scanner.text[scanner.at].isspace():
                current += scanner.word()
                continue
            if current:
                words.append(current)
                current = ""
            scanner.step(1)
    except RecursionError:
        raise NotUnderstoodError(1, "substitutions that are nested too deeply") from None
    return [*words, current] if current else words


class _Scanner:
    """Finds the ends of commands: line ends, ;, && and ||, outside of quotes and of substitutions."""

    def __init__(self, text: str) -> None:
        self.text = re.sub(r"\\\r?\n[ \t]*", " ", text.replace("\r\n", "\n"))
        # Lines that were continued are counted where they end: give the numbers back.
        self.lines = _line_numbers(text.replace("\r\n", "\n"))
        self.at = 0
        self.row = 0

    def parts(self) -> list[tuple[int, str, str]]:
        found: list[tuple[int, str, str]] = []
        joined, current, begun = "", "", 0
        while self.at < len(self.text):
            character = self.text[self.at]
            two = self.text[self.at : self.at + 2]
            if not current or current.isspace():
                begun = self.row
            if character == "#" and (not current or current[-1].isspace()):
                self._skip_comment()
            elif two == "<<" and self.text[self.at : self.at + 3] != "<<<":
                raise NotUnderstoodError(self.lines[self.row], "a here document")
            elif two in ("&&", "||") or character in ";\n":
                if current.strip():
                    found.append((self.lines[begun], current.strip(), joined))
                    joined = two if two in ("&&", "||") else ""
                elif two in ("&&", "||"):
                    joined = two
                current = ""
                self.step(2 if two in ("&&", "||") else 1)
            elif character == "&" and not re.search(r"[<>]$", current) and two != "&>":
                raise NotUnderstoodError(self.lines[self.row], "a command in the background (&)")
            else:
                current += self.word()
        if current.strip():
            found.append((self.lines[begun], current.strip(), joined))
        return found

    def step(self, count: int) -> str:
        taken = self.text[self.at : self.at + count]
        self.at += count
        self.row += taken.count("\n")
        return taken

    def _skip_comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def word(self) -> str:
        """The next character, or all of a quote or a substitution."""
        two = self.text[self.at : self.at + 2]
        if self.text[self.at] == "\\":
            return self.step(2)
        if self.text[self.at] in "'`":
            return self._until(self.text[self.at])
        if self.text[self.at] == '"':
            return self._quoted()
        return self._substitution() if two in ("$(", "${") else self.step(1)

    def _until(self, end: str) -> str:
        stop = self.text.find(end, self.at + 1)
        if stop < 0:
            raise NotUnderstoodError(self.lines[self.row], f"a {end} without its end")
        return self.step(stop + 1 - self.at)

    def _quoted(self) -> str:
        line, taken = self.row, self.step(1)
        while self.at < len(self.text):
            if self.text[self.at] == '"':
                return taken + self.step(1)
            two = self.text[self.at : self.at + 2]
            if self.text[self.at] in "\\`" or two in ("$(", "${"):
                taken += self.word()
            else:
                taken += self.step(1)
        raise NotUnderstoodError(self.lines[line], 'a " without its end')

    def _substitution(self) -> str:
        line, taken = self.row, self.step(2)
        end = ")" if taken == "$(" else "}"
        while self.at < len(self.text):
            if self.text[self.at] == end:
                return taken + self.step(1)
            taken += self.word()
        raise NotUnderstoodError(self.lines[line], f"a {taken[:2]} without its end")


def _line_numbers(text: str) -> list[int]:
    """The number of the line in the script, for each line that is left when continued ones are joined."""
    numbers, continued = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if not continued:
            numbers.append(number)
        continued = line.endswith("\\")
    return [*numbers, numbers[-1]]
