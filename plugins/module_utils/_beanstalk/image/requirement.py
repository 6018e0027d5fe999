# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pinned requirement, and which packages of a lock file are reached from its roots, under which markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple


class LockError(Exception):
    """A lock file cannot be used; the message is one sentence for the user."""


class Requirement(NamedTuple):
    """A package with one version. `hashes` are as pip takes them, `sha256:…`."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str = ""
    extras: tuple[str, ...] = ()

    def text(self) -> str:
        """The requirement as lines of a requirements file."""
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        marker = f" ; {self.marker}" if self.marker else ""
        lines = [f"{normal_name(self.name)}{extras}=={self.version}{marker}"]
        lines += [f"    --hash={value}" for value in sorted(set(self.hashes))]
        return " \\\n".join(lines) + "\n"


class Edge(NamedTuple):
    """A dependency on the package `key`, if `marker` holds ("" always), with some of its extras."""

    key: str
    marker: str = ""
    extras: tuple[str, ...] = ()


Conditions = set[frozenset[str]]


def normal_name(name: str) -> str:
    """A package name in the one spelling that equal names share (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(roots: Iterable[Edge], edges: Callable[[str, str], Iterable[Edge]]) -> dict[str, str]:
    """Every package that is reached, with the marker under which it is ("" for always).

    `edges` gives the dependencies of a package without extras (second argument "") or those that one extra adds.
    """
    reached: dict[tuple[str, str], Conditions] = {}
    waiting = [(edge, frozenset[str]()) for edge in roots]
    while waiting:
        edge, path = waiting.pop()
        condition = path | {edge.marker} if edge.marker else path
        for extra in ("", *edge.extras):
            if _add(reached.setdefault((edge.key, extra), set()), condition):
                waiting.extend((following, condition) for following in edges(edge.key, extra))
    together: dict[str, Conditions] = {}
    for (key, _extra), conditions in reached.items():
        for condition in conditions:
            _add(together.setdefault(key, set()), condition)
    return {key: _marker(conditions) for key, conditions in together.items()}


def _add(conditions: Conditions, condition: frozenset[str]) -> bool:
    """Whether the condition says something new; weaker ones take the place of stronger ones."""
    if any(known <= condition for known in conditions):
        return False
    conditions.difference_update({known for known in conditions if condition <= known})
    conditions.add(condition)
    return True


def _marker(conditions: Conditions) -> str:
    alternatives = sorted(_all_of(condition, alone=len(conditions) == 1) for condition in conditions)
    return "" if "" in alternatives else " or ".join(alternatives)


def _all_of(condition: frozenset[str], alone: bool) -> str:
    if len(condition) == 1 and alone:
        return next(iter(condition))
    parts = sorted(f"({part})" if " or " in part else part for part in condition)
    text = " and ".join(parts)
    return text if alone or len(parts) < 2 else f"({text})"
