# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files the secrets patterns of a bundle name: files of the source, never behind a symbolic link."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from fnmatch import translate

from ..core.user_errors import BundleError
from .files import SourceFolder, walk
from .names import shipped

_MAGIC = re.compile("[*?[]")


def secret_paths(folder: SourceFolder, patterns: Iterable[str]) -> list[bytes]:
    """Files that the patterns name, in order; a pattern that names none, or a link, is a BundleError.

    `*` and `?` match within one name, and not a dot that begins it; `**` any number of folders; a folder means all
    files in it.
    """
    root = os.fsdecode(folder.root)
    found: set[bytes] = set()
    for pattern in patterns:
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        if pattern.startswith("/") or ".." in parts:
            raise BundleError(f"The secrets pattern {pattern} leaves the application source.")
        files = set(_matches(folder, b"", parts, pattern))
        if not files:
            raise BundleError(
                f"No file in {root} matches the secrets pattern {pattern} (secrets of source_bundle, eb_secrets_files "
                "of the inventory): put the file there, or leave the pattern out."
            )
        found.update(files)
    return sorted(path for path in found if shipped(path))


def _matches(folder: SourceFolder, at: bytes, parts: list[str], pattern: str) -> Iterator[bytes]:
    """Files below the folder `at` that match what is left of a pattern."""
    if not parts:
        for path, mode in walk(folder, at):
            yield _no_link(path, mode, pattern)
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _matches(folder, at, rest, pattern)
    for path, mode in _named(folder, at, part):
        if stat.S_ISDIR(mode):
            yield from _matches(folder, path, parts if part == "**" else rest, pattern)
        elif not rest:
            yield _no_link(path, mode, pattern)
        elif not _MAGIC.search(part):
            _no_link(path, mode, pattern)


def _named(folder: SourceFolder, at: bytes, part: str) -> list[tuple[bytes, int]]:
    """Paths and modes of what is in the folder `at` under a name that matches `part`."""
    start = at + b"/" if at else b""
    if not _MAGIC.search(part):
        path = start + os.fsencode(part)
        try:
            return [(path, folder.stat(path).st_mode)]
        except (FileNotFoundError, NotADirectoryError):
            return []
    matches = re.compile(translate("*" if part == "**" else part)).match
    return [
        (start + name, mode)
        for name, mode in folder.listing(at)
        if matches(os.fsdecode(name)) and (part.startswith(".") or not name.startswith(b"."))
    ]


def _no_link(path: bytes, mode: int, pattern: str) -> bytes:
    if stat.S_ISLNK(mode):
        name = os.fsdecode(path)
        raise BundleError(
            f"The secrets pattern {pattern} names {name}, which is a symbolic link; only what lies in the source "
            "itself is shipped: put the file there."
        )
    return path
