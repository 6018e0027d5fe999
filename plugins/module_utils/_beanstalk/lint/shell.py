# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a shell text: `docker exec` on every container, or with a terminal that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .findings import WARNING, Finding, finding

# `docker ps -q` that lists every container: only quiet and all, no filter, no --latest, no pipe into head or grep.
_ALL = r"\s*(?:sudo\s+)?docker\s+(?:container\s+)?(?:ps|ls)(?:\s+(?:-[aq]+|--quiet|--all|--no-trunc))+\s*"
_ALL_CONTAINERS = re.compile(rf"`{_ALL}`|\$\({_ALL}\)")
_ALL_PIPED = re.compile(rf"{_ALL}\|\s*xargs\b.*docker\s+(?:container\s+)?exec\b")
_ALL_IN_VARIABLE = re.compile(rf"(?:\b(\w+)=[\"']?|\bfor\s+(\w+)\s+in\s+)(?:`{_ALL}`|\$\({_ALL}\))")
_EXEC = re.compile(r"\bdocker\s+(?:container\s+)?exec\b(.*)")
_TAKES_ARGUMENT = {"-e", "--env", "--env-file", "-u", "--user", "-w", "--workdir", "--detach-keys"}


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset from 0, line) with continued lines joined and comments left out."""
    start = 0
    parts: list[str] = []
    for number, line in enumerate(text.splitlines()):
        if not parts:
            if line.lstrip().startswith("#"):
                continue
            start = number
        parts.append(line[:-1] if line.endswith("\\") else line)
        if not line.endswith("\\"):
            yield start, " ".join(parts)
            parts = []
    if parts:
        yield start, " ".join(parts)


def lint_shell(file: str, first_line: int, text: str, unattended: bool = True) -> list[Finding]:
    """Look at a script or command whose first line is `first_line` of `file`.

    `unattended` is False for files that people may call from a terminal, where -t is right.
    """
    found = []
    holders = {name for pair in _ALL_IN_VARIABLE.findall(text) for name in pair if name}
    for offset, line in logical_lines(text):
        called = _EXEC.search(line)
        if not called:
            continue
        rest = called.group(1)
        if _names_all(rest, holders) or _ALL_PIPED.search(line):
            found.append(
                finding("docker-exec-all", file, first_line + offset, "docker exec gets the ids of all containers")
            )
        letters = _flags(rest)
        if unattended and "t" in letters:
            # The docker CLI checks for a terminal only when it also attaches standard input.
            severity = "" if "i" in letters else WARNING
            found.append(
                finding("docker-exec-tty", file, first_line + offset, "docker exec -t asks for a terminal", severity)
            )
    return found


def _names_all(rest: str, holders: set[str]) -> bool:
    if _ALL_CONTAINERS.search(rest):
        return True
    used = {plain or braced for plain, braced in re.findall(r"\$(?:(\w+)|\{(\w+)\})", rest)}
    return bool(used & holders)


def _flags(rest: str) -> set[str]:
    """Return the letters of the flags before the container: {"i", "t"} for `-it` or `--interactive --tty`."""
    letters: set[str] = set()
    words = iter(rest.split())
    for word in words:
        if not word.startswith("-"):
            break
        if word in _TAKES_ARGUMENT:
            next(words, None)
        elif word.startswith("--"):
            letters |= {"--tty": {"t"}, "--interactive": {"i"}}.get(word.removesuffix("=true"), set())
        else:
            letters |= set(re.split("[euw]", word[1:], maxsplit=1)[0])
    return letters
