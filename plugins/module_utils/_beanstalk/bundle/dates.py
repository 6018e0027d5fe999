# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a tree became what it is: the newest change among the files that are not as they were committed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable

from .files import SourceFolder, walk
from .names import shipped
from .repository import head_commit, open_nested, read_commit


def changed_at(root: bytes, paths: Iterable[bytes], committed: int) -> int:
    """The newest change of `paths` below `root`, and no earlier than `committed`; seconds since 1970.

    `paths` are files, repositories inside (with a slash at the end where nobody declared them), and what is gone.
    """
    newest = float(committed)
    with SourceFolder(root) as folder:
        for path in paths:
            newest = max(newest, _changed(folder, path, committed))
    # A clock that was ahead once must not date what is made after it.
    return max(committed, int(min(newest, time.time())))


def _changed(folder: SourceFolder, path: bytes, committed: int) -> float:
    name = path.rstrip(b"/")
    try:
        info = folder.stat(name)
    except OSError:
        return _removed(folder, name)
    if not stat.S_ISDIR(info.st_mode):
        return _written(info, committed)
    if path.endswith(b"/"):
        found = (each for each, _mode in walk(folder, name) if shipped(each))
        return max((_written(folder.stat(each), committed) for each in found), default=0.0)
    # A submodule that is at another commit; what was changed in it since is named by itself.
    inside = open_nested(folder.root, name)
    oid = head_commit(inside.root) if inside else None
    return read_commit(inside.root, oid).date if inside and oid else info.st_mtime


def _written(info: os.stat_result, committed: int) -> float:
    """A file that differs from the commit and is older than it was moved or copied there, which only ctime tells."""
    return info.st_mtime if info.st_mtime > committed else info.st_ctime


def _removed(folder: SourceFolder, path: bytes) -> float:
    """A file that is gone: the time of the nearest folder, which changed with it."""
    parent = path.rpartition(b"/")[0]
    while parent:
        try:
            return folder.stat(parent).st_mtime
        except OSError:
            parent = parent.rpartition(b"/")[0]
    return os.stat(folder.root).st_mtime  # noqa: PTH116 -- a path of bytes
