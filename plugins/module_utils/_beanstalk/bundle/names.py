# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of files in a bundle: none leads out of it, none is there twice."""

from __future__ import annotations

import os
import re
from itertools import pairwise

from ..core.user_errors import BundleError

_NEVER_SHIPPED = frozenset((b".git", b".elasticbeanstalk"))
_BAD_PARTS = frozenset((b"", b".", b"..", b".git"))
# Finds each bad part, and now and then a name that only looks like one; then the parts themselves are looked at.
_SUSPECT = re.compile(rb"(?:^|[\0\t/])(?:\.{0,2}|\.git)(?:[\0/]|$)")


def shipped(path: bytes) -> bool:
    """False for what never belongs into a bundle: git's and the EB CLI's own folders, at any depth."""
    if b".git" not in path and b".elasticbeanstalk" not in path:
        return True
    return _NEVER_SHIPPED.isdisjoint(path.split(b"/"))


def check_git_names(paths: list[bytes], where: bytes) -> None:
    """BundleError for a name that git itself never makes: one that leaves the bundle, or is there twice.

    Source: git-fsck(1), which calls such trees hasDot, hasDotdot, hasDotgit, fullPathname, emptyName, duplicateEntries.
    """
    if len(set(paths)) != len(paths):
        check_unique(sorted(paths))
    for path in paths:
        if not _SUSPECT.search(path):
            continue
        if not _BAD_PARTS.isdisjoint(path.split(b"/")):
            raise BundleError(
                f"The repository {os.fsdecode(where)} has a file named {os.fsdecode(path)!r}, which leaves the bundle: "
                "its tree was not made by git; see git fsck, and do not deploy it."
            )


def check_unique(paths: list[bytes]) -> None:
    """BundleError when a name (of a sorted list) is there twice, or is both a file or link and a folder."""
    names = set(paths)
    if len(names) != len(paths):
        twice = next(path for path, following in pairwise(paths) if path == following)
        raise BundleError(f"{os.fsdecode(twice)} is in the source twice: repair the tree (git fsck names it).")
    folders = {path.rpartition(b"/")[0] for path in paths}
    while folders:
        both = folders & names
        if both:
            name = os.fsdecode(min(both))
            raise BundleError(f"{name} is both a file or link and a folder in the source: keep one of them.")
        folders = {folder.rpartition(b"/")[0] for folder in folders if folder} - {b""}
