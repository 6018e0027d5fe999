# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read files of a source and nothing else: no folder on the way to a file may be a symbolic link.

Each component of a path is opened by itself and without following (openat(2) with O_NOFOLLOW), so that neither a
checkout in which a folder became a link nor a link that appears meanwhile leads out of the source.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from ..core.user_errors import BundleError
from .types import SYMLINK

MAX_FILE_BYTES = 500 * 1024 * 1024
"""Elastic Beanstalk takes bundles of 500 MB; more than that in one file is refused before it is read."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the opening of a FIFO would wait for somebody who writes to it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class SourceFolder:
    """One folder; paths are relative to it, without `.` and `..`. Not for several threads."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self._names: list[bytes] = []
        self._handles: list[int] = []
        self._at = b""

    def __enter__(self) -> SourceFolder:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folders that are open."""
        while self._handles:
            os.close(self._handles.pop())
        self._names.clear()
        self._at = b""

    def stat(self, path: bytes) -> os.stat_result:
        """What is at `path`, a link itself included; FileNotFoundError where a folder of it is none of ours."""
        name, folder = self._place(path)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def read(self, path: bytes) -> tuple[int, bytes]:
        """Mode and content of a file, or of a link its target; mode 0 for a folder.

        FileNotFoundError when there is none in this source; BundleError for anything but a file, and for one that is
        larger than a bundle.
        """
        name, folder = self._place(path)
        try:
            handle = os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return SYMLINK, os.readlink(name, dir_fd=folder)
            if error.errno == errno.ENXIO:
                _refuse_special(path, os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            raise
        try:
            info = os.fstat(handle)
            if stat.S_ISDIR(info.st_mode):
                return 0, b""
            if not stat.S_ISREG(info.st_mode):
                _refuse_special(path, info.st_mode)
            check_size(path, info.st_size)
            data = os.read(handle, info.st_size + 1)
            while len(data) != info.st_size and (chunk := os.read(handle, 1 << 24)):
                data += chunk
                check_size(path, len(data))
            return info.st_mode, data
        finally:
            os.close(handle)

    def listing(self, path: bytes) -> list[tuple[bytes, int]]:
        """Names and modes of what is in the folder `path` (empty: the folder itself), in order."""
        handle = self._folder(path)
        names = sorted(os.fsencode(name) for name in os.listdir(handle))  # noqa: PTH208 -- an open folder has no path
        return [(name, os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode) for name in names]

    def _place(self, path: bytes) -> tuple[bytes, int]:
        folder, _slash, name = path.rpartition(b"/")
        if name in (b"", b".", b".."):
            raise FileNotFoundError(errno.ENOENT, "no name of a file", os.fsdecode(path))
        if self._handles and folder == self._at:
            return name, self._handles[-1]
        return name, self._folder(folder)

    def _folder(self, path: bytes) -> int:
        """An open folder; those above it stay open, as the next path is likely to be near."""
        if not self._handles:
            self._handles.append(os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        parts = path.split(b"/") if path else []
        depth = next((at for at, pair in enumerate(zip(self._names, parts, strict=False)) if pair[0] != pair[1]), None)
        depth = min(len(self._names), len(parts)) if depth is None else depth
        while len(self._names) > depth:
            os.close(self._handles.pop())
            self._names.pop()
        self._at = b"/".join(self._names)
        for name in parts[depth:]:
            if name in (b"", b".", b".."):
                raise FileNotFoundError(errno.ENOENT, "no name of a folder", os.fsdecode(path))
            try:
                self._handles.append(os.open(name, _DIRECTORY, dir_fd=self._handles[-1]))
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise FileNotFoundError(errno.ENOENT, "a link or a file, no folder", os.fsdecode(path)) from error
                raise
            self._names.append(name)
            self._at = b"/".join(self._names)
        return self._handles[-1]


def check_size(path: bytes, size: int) -> None:
    """BundleError for a file that is larger than a bundle may be; sizes are bytes."""
    if size > MAX_FILE_BYTES:
        raise BundleError(
            f"{os.fsdecode(path)} has {size} bytes; Elastic Beanstalk takes bundles of at most 500 MB: keep it out of "
            "the bundle (.gitignore, .ebignore or export-ignore)."
        )


def _refuse_special(path: bytes, mode: int) -> None:
    kind = next((name for test, name in _KINDS if test(mode)), "neither file nor link")
    raise BundleError(
        f"{os.fsdecode(path)} is {kind}; a source bundle holds files and symbolic links: remove it, or put the file "
        "there."
    )


def walk(folder: SourceFolder, path: bytes) -> Iterator[tuple[bytes, int]]:
    """Paths and modes of everything below `path` that is no folder; links are not followed."""
    for name, mode in folder.listing(path):
        full = path + b"/" + name if path else name
        if stat.S_ISDIR(mode):
            yield from walk(folder, full)
        else:
            yield full, mode
