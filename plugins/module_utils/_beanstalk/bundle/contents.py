# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a bundle differ from those of another, by name: what is shown of a new version in diff mode.

What makes the bundle notes its contents in a file beside it, in check mode as well, where no zip stays. Each file has a
salted digest there, so that nobody can guess a secret's text from it; only names are ever shown.
"""

# ruff: noqa: PTH108, PTH123

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping
from typing import IO, Any, NamedTuple

from ..core.shape import ANYTHING, ShapeError, load
from ..core.shown import shown
from .cache import replace_file
from .types import Packed

SUFFIX = ".contents"
"""What the file beside a bundle ends with."""
_SHAPE = {"salt": ANYTHING, "files": {str: ANYTHING}, "secrets": [ANYTHING]}
_HOOKS = (".platform/hooks/", ".platform/confighooks/", ".ebextensions/")
_NAMED = 50
"""So many names of a kind are shown."""

Marks = Mapping[str, str]
"""By name of a file, what changes with it."""


class Contents(NamedTuple):
    """``files`` are salted digests of marks by name, ``secrets`` the names of files that are secrets."""

    salt: str
    files: dict[str, str]
    secrets: frozenset[str]


def marks_of(packed: Iterable[Packed]) -> Marks:
    """The same of what has just been packed as of its zip."""
    return {os.fsdecode(one.path): _mark(one.crc, one.size, one.mode) for one in packed}


def marks_in(zip_file: str | IO[bytes]) -> Marks:
    """Of the files of a zip. zipfile.BadZipFile where it is none."""
    with zipfile.ZipFile(zip_file) as opened:
        found = [one for one in opened.infolist() if not one.is_dir()]
        return {one.filename: _mark(one.CRC, one.file_size, one.external_attr >> 16) for one in found}


def _mark(crc: int, size: int, mode: int) -> str:
    return f"{crc} {size} {bool(mode & 0o100)}"


def _salted(salt: str, mark: str) -> str:
    return hashlib.sha256(f"{salt} {mark}".encode()).hexdigest()[:32]


def note(bundle: str, marks: Marks, secrets: Collection[str]) -> None:
    """Write the contents of a bundle into the file beside it."""
    salt = os.urandom(16).hex()
    files = {name: _salted(salt, mark) for name, mark in marks.items()}
    document = {"salt": salt, "files": files, "secrets": sorted(secrets)}
    replace_file(bundle + SUFFIX, json.dumps(document).encode())


def forget(bundle: str) -> None:
    """Remove what an earlier run noted: it says that somebody wants to see what changed."""
    with contextlib.suppress(OSError):
        os.unlink(bundle + SUFFIX)


def noted(bundle: str) -> Contents | None:
    """What is noted of a bundle; None where nobody wanted to see it."""
    try:
        with open(bundle + SUFFIX, encoding="utf-8") as file:
            document = load(file.read(), _SHAPE)
    except (OSError, ShapeError):
        return None
    return Contents(document["salt"], document["files"], frozenset(document["secrets"]))


def changes(new: Contents, old: Marks) -> dict[str, dict[str, str]]:
    """What was added, changed and removed, by kind (files, hooks, secrets) and name; no kind without a change."""
    found: dict[str, dict[str, str]] = {}
    for name in sorted({*new.files, *old}):
        before = _salted(new.salt, old[name]) if name in old else None
        after = new.files.get(name)
        if before != after:
            how = "added" if before is None else "removed" if after is None else "changed"
            kind = "secrets" if name in new.secrets else "hooks" if name.startswith(_HOOKS) else "files"
            found.setdefault(kind, {})[shown(name)] = how
    return {kind: _bounded(names) for kind, names in found.items()}


def _bounded(names: dict[str, str]) -> dict[str, Any]:
    if len(names) <= _NAMED:
        return names
    return {**dict(list(names.items())[:_NAMED]), "…": f"and {len(names) - _NAMED} more"}
