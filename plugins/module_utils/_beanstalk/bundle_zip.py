# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a reproducible zip quickly: files are read, hashed and deflated by one process per processor.

The order of files, their time stamps and the compression settings are fixed, so that equal input gives equal bytes
with the same zlib, whatever the number of processors. The content digest does not depend on zlib at all.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH108, PTH115, PTH118

from __future__ import annotations

import errno
import hashlib
import marshal
import os
import signal
import stat
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from .bundle_git import SYMLINK
from .bundle_repository import ObjectReader
from .bundle_types import BundleError, Entry, Packed

# EB's own limit (design: 500 MB; the EB CLI stops at 512 MiB).
MAX_BUNDLE_BYTES = 500 * 1024 * 1024
_MAX_FILE_BYTES = 0xFFFFFFFE
_BATCH = 400
_MIN_PER_WORKER = 1500
_MAX_WORKERS = 4
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
# 1980-01-01 00:00, the earliest time that a zip can hold.
_DATE = 33
_FORCED_EXECUTABLE = (b".platform/hooks/", b".platform/confighooks/")


def final_mode(path: bytes, mode: int) -> int:
    """Full Unix mode of a file in the zip: 0755 or 0644, platform hooks always 0755, links 0777."""
    if stat.S_ISLNK(mode):
        return SYMLINK | 0o777
    executable = mode & 0o100 or path.startswith(_FORCED_EXECUTABLE)
    return stat.S_IFREG | (0o755 if executable else 0o644)


def _read_disk(entry: Entry) -> tuple[int, bytes]:
    """Mode and content of a file or link on disk."""
    path = entry.root + b"/" + (entry.local or entry.path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return SYMLINK, os.readlink(path)
        raise
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            return 0, b""
        if info.st_size > _MAX_FILE_BYTES:
            raise BundleError(f"{os.fsdecode(entry.path)} has {info.st_size} bytes, too many for a source bundle.")
        data = os.read(handle, info.st_size + 1)
        while len(data) != info.st_size and (chunk := os.read(handle, 1 << 24)):
            data += chunk
        return info.st_mode, data
    finally:
        os.close(handle)


def _same_blob(data: bytes, oid: bytes) -> bool:
    blob = b"blob %d\0%b" % (len(data), data)
    digest = hashlib.sha256(blob) if len(oid) == 64 else hashlib.sha1(blob, usedforsecurity=False)
    return digest.hexdigest().encode() == oid


def _contents(batch: Sequence[Entry], reader: ObjectReader) -> list[tuple[int, bytes] | None]:
    """Mode and content of each entry; None for a file that is gone or is neither file nor link.

    A git object is taken from the file on disk when that hashes to the object's own name (then it *is* the content,
    and reading it is cheaper than asking git), else from git.
    """
    found: list[tuple[int, bytes] | None] = []
    missing: dict[bytes, list[int]] = {}
    for index, entry in enumerate(batch):
        if entry.data is not None:
            found.append((entry.mode, entry.data))
            continue
        try:
            mode, data = _read_disk(entry) if entry.mode != SYMLINK else (0, b"")
        except FileNotFoundError:
            mode, data = 0, b""
        except OSError as error:
            if not entry.oid:
                raise BundleError(f"Cannot read {os.fsdecode(entry.path)}: {error.strerror}.") from error
            mode, data = 0, b""
        if not entry.oid:
            found.append((mode, data) if mode else None)
        elif stat.S_ISREG(mode) and _same_blob(data, entry.oid):
            found.append((entry.mode, data))
        else:
            found.append(None)
            missing.setdefault(entry.root, []).append(index)
    for root, indexes in missing.items():
        contents = reader.read(root, [batch[index].oid for index in indexes])
        for index, data in zip(indexes, contents, strict=True):
            found[index] = (batch[index].mode, data)
    return found


def _deflate(data: bytes) -> tuple[int, bytes]:
    """Method and stored bytes. Small tables for small files: setting up the large ones costs more than deflating."""
    window, memory = (-12, 7) if len(data) <= 8192 else (-15, 8)
    packer = zlib.compressobj(1, zlib.DEFLATED, window, memory)
    packed = packer.compress(data) + packer.flush()
    return (8, packed) if len(packed) < len(data) else (0, data)


def _pack(entries: Sequence[Entry], handle: int | None) -> list[Packed]:
    """Write the local records of `entries` to `handle` (None: hash only) and describe them."""
    packed: list[Packed] = []
    reader = ObjectReader()
    offset = 0
    try:
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            records: list[bytes] = []
            for entry, content in zip(batch, _contents(batch, reader), strict=True):
                if content is None:
                    continue
                mode, data = final_mode(entry.path, content[0]), content[1]
                digest = hashlib.sha256(data).digest()
                if handle is None:
                    packed.append(Packed(entry.path, mode, 0, 0, 0, len(data), digest, 0))
                    continue
                method, stored = (0, data) if mode & 0o170000 == SYMLINK else _deflate(data)
                crc = zlib.crc32(data)
                flags = _name_flag(entry.path)
                sizes = (len(stored), len(data), len(entry.path), 0)
                records += (_LOCAL.pack(b"PK\3\4", 20, flags, method, 0, _DATE, crc, *sizes), entry.path, stored)
                packed.append(Packed(entry.path, mode, method, crc, len(stored), len(data), digest, offset))
                offset += 30 + len(entry.path) + len(stored)
            if handle is not None and records:
                _write(handle, b"".join(records))
                if offset > MAX_BUNDLE_BYTES:
                    raise BundleError(_too_large(offset))
    finally:
        reader.close()
    return packed


def _name_flag(path: bytes) -> int:
    if path.isascii():
        return 0
    try:
        path.decode()
    except UnicodeDecodeError:
        return 0
    return 0x800


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _too_large(size: int) -> str:
    return f"The bundle has more than {size // 1048576} MB; Elastic Beanstalk takes at most 500 MB."


def anonymous_file(folder: str) -> int:
    """A nameless file (mode 0600) in `folder`: nothing stays behind when the process is killed."""
    flag = getattr(os, "O_TMPFILE", 0)
    if flag:
        try:
            return os.open(folder, flag | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            # Some file systems have no nameless files; a name that is removed at once is nearly as good.
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                raise
    name = os.path.join(folder, f".part-{os.getpid()}-{os.urandom(4).hex()}")
    handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(name)
    return handle


class _Worker:
    """A forked process that packs one share of the files into a nameless file and sends back the description."""

    def __init__(self, entries: Sequence[Entry], folder: str, write: bool) -> None:
        self.handle = anonymous_file(folder) if write else None
        self._pipe, far_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(entries, far_end)
        os.close(far_end)

    def _run(self, entries: Sequence[Entry], pipe: int) -> None:
        status = 1
        try:
            try:
                answer: tuple[bool, Any] = (True, [tuple(item) for item in _pack(entries, self.handle)])
            except BundleError as error:
                answer = (False, str(error))
            _write(pipe, marshal.dumps(answer))
            status = 0
        finally:
            os._exit(status)

    def close(self) -> None:
        """End the process if it still runs, and release its file."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._pipe)
            self.pid = 0
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    def result(self) -> list[Packed]:
        """Wait for the description; BundleError when the process could not do its share."""
        with os.fdopen(self._pipe, "rb") as pipe:
            data = pipe.read()
        os.waitpid(self.pid, 0)
        self.pid = 0
        if not data:
            raise BundleError("A packing process ended early; is there enough memory and disk space?")
        good, answer = marshal.loads(data)  # noqa: S302 -- from our own child process
        if not good:
            raise BundleError(answer)
        return [Packed(*item) for item in answer]


def _shares(entries: list[Entry]) -> list[list[Entry]]:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = max(1, min(processors, _MAX_WORKERS, len(entries) // _MIN_PER_WORKER))
    step = -(-len(entries) // count) if entries else 1
    return [entries[start : start + step] for start in range(0, len(entries), step)] or [[]]


def pack(entries: list[Entry], folder: str, write: bool) -> tuple[int | None, list[Packed]]:
    """Pack `entries` (sorted by path) into a nameless zip file in `folder` and describe what is in it.

    Returns the open file (None when `write` is false: then contents are only hashed) and the description. The caller
    closes the file.
    """
    first, *others = _shares(entries)
    workers = [_Worker(share, folder, write) for share in others]
    handle = anonymous_file(folder) if write else None
    try:
        packed = _pack(first, handle)
        for worker in workers:
            base = os.lseek(handle, 0, os.SEEK_CUR) if handle is not None else 0
            packed += [item._replace(offset=item.offset + base) for item in worker.result()]
            if handle is not None and worker.handle is not None:
                _append(handle, worker.handle)
        if handle is not None:
            _finish(handle, packed)
    except BaseException:
        if handle is not None:
            os.close(handle)
        raise
    finally:
        for worker in workers:
            worker.close()
    return handle, packed


def _append(target: int, source: int) -> None:
    os.lseek(source, 0, os.SEEK_SET)
    while chunk := os.read(source, 1 << 22):
        _write(target, chunk)


def _finish(handle: int, packed: list[Packed]) -> None:
    """Write the central directory, in zip64 form only where the plain one cannot count that far."""
    start = os.lseek(handle, 0, os.SEEK_CUR)
    records: list[bytes] = []
    for item in packed:
        sizes = (item.compressed, item.size, len(item.path), 0, 0, 0, 0, (item.mode << 16) & 0xFFFFFFFF, item.offset)
        flags = _name_flag(item.path)
        records.append(_CENTRAL.pack(b"PK\1\2", 0x0314, 20, flags, item.method, 0, _DATE, item.crc, *sizes) + item.path)
    directory = b"".join(records)
    _write(handle, directory)
    count = len(packed)
    if count > 0xFFFE:
        where = start + len(directory)
        _write(handle, _END64.pack(b"PK\6\6", 44, 0x0314, 45, 0, 0, count, count, len(directory), start))
        _write(handle, _LOCATOR64.pack(b"PK\6\7", 0, where, 1))
        count = 0xFFFF
    _write(handle, _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), start, 0))
    size = os.lseek(handle, 0, os.SEEK_CUR)
    if size > MAX_BUNDLE_BYTES:
        raise BundleError(_too_large(size))


def content_digest(packed: list[Packed]) -> str:
    """sha256 over (mode, content digest, path) of every file in order of path: the same on any machine."""
    digest = hashlib.sha256()
    for item in packed:
        digest.update(b"%o %s %d " % (item.mode, item.digest.hex().encode(), len(item.path)) + item.path + b"\n")
    return digest.hexdigest()
