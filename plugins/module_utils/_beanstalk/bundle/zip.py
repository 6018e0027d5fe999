# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a reproducible zip quickly: files are read, hashed and deflated by one process per processor.

The order of files and the compression settings are fixed, and all files have one date, so that equal input gives equal
bytes with the same zlib, whatever the number of processors. The content digest does not depend on zlib at all.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH108, PTH118

from __future__ import annotations

import errno
import hashlib
import marshal
import os
import select
import signal
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..core.user_errors import BundleError
from .files import SourceFolder
from .names import check_unique
from .repository import ObjectReader
from .types import SYMLINK, Entry, Packed

# EB's own limit (design: 500 MB; the EB CLI stops at 512 MiB).
MAX_BUNDLE_BYTES = 500 * 1024 * 1024
_BATCH = 400
_BATCH_BYTES = 32 * 1024 * 1024
_MIN_PER_WORKER = 1500
_MAX_WORKERS = 4
_PACK_SECONDS = 1800
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_FORCED_EXECUTABLE = (b".platform/hooks/", b".platform/confighooks/")


def final_mode(path: bytes, mode: int) -> int:
    """Full Unix mode of a file in the zip: 0755 or 0644, platform hooks always 0755, links 0777."""
    if stat.S_ISLNK(mode):
        return SYMLINK | 0o777
    executable = mode & 0o100 or path.startswith(_FORCED_EXECUTABLE)
    return stat.S_IFREG | (0o755 if executable else 0o644)


def dos_time(seconds: int) -> tuple[int, int]:
    """Time and date as a zip holds them, in UTC: steps of two seconds, from 1980 to 2107.

    Source: PKWARE's APPNOTE.TXT, 4.4.6. The format has no time zone; the clocks of instances are set to UTC.
    """
    earliest, latest = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
    bounded = min(max(seconds, int(earliest.timestamp())), int(latest.timestamp()))
    at = datetime.fromtimestamp(bounded, UTC)
    return at.hour << 11 | at.minute << 5 | at.second // 2, at.year - 1980 << 9 | at.month << 5 | at.day


class _Job(NamedTuple):
    """What is the same for all entries: the source folder, and when the zip says that its files were changed."""

    root: bytes
    dos_time: tuple[int, int]


def _same_blob(data: bytes, oid: bytes) -> bool:
    digest = hashlib.sha256() if len(oid) == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest().encode() == oid


def _on_disk(entry: Entry, folder: SourceFolder) -> tuple[int, bytes] | None:
    """Mode and content of an entry if the disk has it: see `_batches`."""
    try:
        mode, data = folder.read(entry.path) if entry.mode != SYMLINK or not entry.oid else (0, b"")
    except FileNotFoundError:
        return None
    except (OSError, BundleError) as error:
        if entry.oid:
            return None
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"Cannot read {os.fsdecode(entry.path)}: {error.strerror}.") from error
    if entry.oid:
        return (entry.mode, data) if stat.S_ISREG(mode) and _same_blob(data, entry.oid) else None
    return (entry.mode if entry.mode and stat.S_ISREG(mode) else mode, data) if mode else None


def _batches(
    entries: Sequence[Entry], folder: SourceFolder, reader: ObjectReader
) -> Iterator[Iterator[tuple[Entry, int, bytes]]]:
    """Entries with mode and content, in portions that fit into memory; without files that are gone.

    A git object is taken from the file on disk when that hashes to the object's own name (then it *is* the content,
    and reading it is cheaper than asking git), else from git.
    """
    batch: list[tuple[Entry, tuple[int, bytes] | None]] = []
    size = 0
    for entry in entries:
        found = (entry.mode, entry.data) if entry.data is not None else _on_disk(entry, folder)
        if found is None and not entry.oid:
            continue
        batch.append((entry, found))
        size += len(found[1]) if found else 0
        if len(batch) >= _BATCH or size > _BATCH_BYTES:
            yield _completed(batch, reader)
            batch, size = [], 0
    yield _completed(batch, reader)


def _completed(
    batch: list[tuple[Entry, tuple[int, bytes] | None]], reader: ObjectReader
) -> Iterator[tuple[Entry, int, bytes]]:
    missing: dict[bytes, list[bytes]] = {}
    for entry, found in batch:
        if found is None:
            missing.setdefault(entry.root, []).append(entry.oid)
    contents = {root: reader.read(root, oids) for root, oids in missing.items()}
    for entry, found in batch:
        mode, data = found or (entry.mode, next(contents[entry.root], None))
        if data is None:
            raise AssertionError("git answers for each object that it was asked for")
        yield entry, mode, data
    for each in contents.values():
        next(each, None)


def _deflate(data: bytes) -> tuple[int, bytes]:
    """Method and stored bytes. Small tables for small files: setting up the large ones costs more than deflating."""
    window, memory = (-12, 7) if len(data) <= 8192 else (-15, 8)
    packer = zlib.compressobj(1, zlib.DEFLATED, window, memory)
    packed = packer.compress(data) + packer.flush()
    return (8, packed) if len(packed) < len(data) else (0, data)


def _pack(entries: Sequence[Entry], job: _Job, handle: int | None) -> list[Packed]:
    """Write the local records of `entries` to `handle` (None: hash only) and describe them."""
    packed: list[Packed] = []
    reader = ObjectReader()
    records: list[bytes] = []
    offset = written = 0
    try:
        with SourceFolder(job.root) as folder:
            for batch in _batches(entries, folder, reader):
                for entry, given, data in batch:
                    mode = final_mode(entry.path, given)
                    digest = hashlib.sha256(data).digest()
                    if handle is None:
                        packed.append(Packed(entry.path, mode, 0, 0, 0, len(data), digest, 0))
                        continue
                    method, stored = (0, data) if mode & 0o170000 == SYMLINK else _deflate(data)
                    crc = zlib.crc32(data)
                    flags = _name_flag(entry.path)
                    sizes = (len(stored), len(data), len(entry.path), 0)
                    records += (
                        _LOCAL.pack(b"PK\3\4", 20, flags, method, *job.dos_time, crc, *sizes),
                        entry.path,
                        stored,
                    )
                    packed.append(Packed(entry.path, mode, method, crc, len(stored), len(data), digest, offset))
                    offset += 30 + len(entry.path) + len(stored)
                    if offset > MAX_BUNDLE_BYTES:
                        raise BundleError(_too_large(offset))
                    if offset - written > _BATCH_BYTES:
                        _write(handle, b"".join(records))
                        records, written = [], offset
        if handle is not None:
            _write(handle, b"".join(records))
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

    def __init__(self, entries: Sequence[Entry], job: _Job, folder: str, write: bool) -> None:
        self.handle = anonymous_file(folder) if write else None
        self._pipe, far_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(entries, job, far_end)
        os.close(far_end)

    def _run(self, entries: Sequence[Entry], job: _Job, pipe: int) -> None:
        status = 1
        try:
            try:
                answer: tuple[bool, Any] = (True, [tuple(item) for item in _pack(entries, job, self.handle)])
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
        """Wait for the description; BundleError when the process could not do its share, or not in time."""
        if not select.select([self._pipe], [], [], _PACK_SECONDS)[0]:
            raise BundleError(f"The files were not read within {_PACK_SECONDS} seconds; does the disk answer?")
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


def pack(entries: list[Entry], root: bytes, date: int, folder: str, write: bool) -> tuple[int | None, list[Packed]]:
    """Pack `entries` (sorted by path) of the source `root` into a nameless zip file in `folder`, and describe them.

    `date` is that of every file, in seconds since 1970. Returns the open file (None when `write` is false: then
    contents are only hashed) and the description. The caller closes the file.
    """
    job = _Job(root, dos_time(date))
    first, *others = _shares(entries)
    workers = [_Worker(share, job, folder, write) for share in others]
    handle = anonymous_file(folder) if write else None
    try:
        packed = _pack(first, job, handle)
        for worker in workers:
            base = os.lseek(handle, 0, os.SEEK_CUR) if handle is not None else 0
            packed += [item._replace(offset=item.offset + base) for item in worker.result()]
            if handle is not None and worker.handle is not None:
                _append(handle, worker.handle)
        check_unique([item.path for item in packed])
        if handle is not None:
            _finish(handle, packed, job)
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


def _finish(handle: int, packed: list[Packed], job: _Job) -> None:
    """Write the central directory, in zip64 form only where the plain one cannot count that far."""
    start = os.lseek(handle, 0, os.SEEK_CUR)
    records: list[bytes] = []
    for item in packed:
        sizes = (item.compressed, item.size, len(item.path), 0, 0, 0, 0, (item.mode << 16) & 0xFFFFFFFF, item.offset)
        flags = _name_flag(item.path)
        head = (b"PK\1\2", 0x0314, 20, flags, item.method, *job.dos_time, item.crc)
        records.append(_CENTRAL.pack(*head, *sizes) + item.path)
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
