# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpacks what instances send, within limits: an instance is not trusted, and a few bytes may unpack to very many."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from ..core.errors import AnsibleBeanstalkError
from ..core.reading import Allowance, read_whole

MEMBER_BYTES = 8 << 20
_MEMBERS = 2000
_LINES = 100_000
# A directory of so many entries would take hundreds of MiB before the first member is looked at; each has this mark.
_ENTRY_MARK, _ENTRIES = b"PK\x01\x02", 20_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,  # an encrypted member
    ValueError,
)


def last_lines(text: str) -> list[str]:
    """The lines of a text, the last ones where there are very many."""
    lines = text.rstrip("\n").rsplit("\n", _LINES)
    return [line.removesuffix("\r") for line in (lines if len(lines) <= _LINES else lines[1:])]


def unzip_logs(content: bytes, allowance: Allowance) -> tuple[dict[str, list[str]], str]:
    """The log files of a bundle (a zip of /var/log) as file -> lines, and why any of them is missing, "" for none.

    Rotated and other files are left out. One that cannot be read keeps no other away.
    """
    found: dict[str, list[str]] = {}
    problem = ""
    try:
        for member, archive in _members(content):
            if member.file_size > MEMBER_BYTES:
                problem = f"{member.filename} has more than {MEMBER_BYTES >> 20} MiB"
                continue
            try:
                # What the directory says of the size may be a lie.
                with archive.open(member) as file:
                    data = read_whole(_Counted(file), allowance)
            except _BROKEN as error:
                problem = f"{member.filename} cannot be unpacked ({type(error).__name__})"
                continue
            found["/" + member.filename.lstrip("/")] = last_lines(data.decode(errors="replace"))
    except _BROKEN as error:
        problem = f"it is no zip file ({type(error).__name__})"
    except AnsibleBeanstalkError as error:
        problem = str(error.message)
    return found, problem


def _members(content: bytes) -> Iterator[tuple[zipfile.ZipInfo, zipfile.ZipFile]]:
    if content.count(_ENTRY_MARK) > _ENTRIES:
        raise AnsibleBeanstalkError(message=f"it has more than {_ENTRIES} files")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [one for one in archive.infolist() if one.filename.endswith(".log")]
        for member in members[:_MEMBERS]:
            if member.compress_type not in _METHODS:
                raise NotImplementedError
            yield member, archive
        if len(members) > _MEMBERS:
            raise AnsibleBeanstalkError(message=f"it has more than {_MEMBERS} log files")


class _Counted:
    """A member of which no more is read than one may have."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MEMBER_BYTES

    def read(self, amount: int, /) -> bytes:
        chunk = self._file.read(amount)
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError("too large")
        return chunk


def gunzip(data: bytes, most: int = MEMBER_BYTES) -> bytes:
    """A gzip file's content. ValueError when it is none, is cut off, or is larger than ``most``."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(data, most)
    except zlib.error as error:
        raise ValueError("no gzip file") from error
    if not unpacker.eof:
        raise ValueError("cut off, or too large")
    return content
