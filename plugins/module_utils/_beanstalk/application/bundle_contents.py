# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle in S3 consists of, from the directory at its end: its files are not downloaded."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from ..bundle.contents import Marks, marks_in
from ..core.errors import AnsibleBeanstalkError, translate_errors
from ..core.reading import Allowance, receive

_END_BYTES = 64 << 10
"""Of a zip, read first: most have their whole directory in it."""
_MOST_BYTES = 64 << 20
_SECONDS = 60.0


@translate_errors("read what the source bundle consists of")
def bundle_marks(s3: Any, bucket: str, key: str) -> Marks:
    """The marks of a bundle's files; two requests at most. AnsibleBeanstalkError where it is no zip."""
    try:
        return marks_in(io.BufferedReader(_StoredFile(s3, bucket, key), _END_BYTES))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise AnsibleBeanstalkError(message=f"it is no zip ({error})") from error


class _StoredFile(io.RawIOBase):
    """An object in S3 as a file, whose end is read at once and whose other parts are read when they are asked for."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:
        self._s3, self._place = s3, {"Bucket": bucket, "Key": key}
        self._allowance = Allowance(_MOST_BYTES, _SECONDS)
        answer = s3.get_object(**self._place, Range=f"bytes=-{_END_BYTES}")
        self._end = receive(answer["Body"], self._allowance)
        # "bytes 900-999/1000"; without a range the answer is the whole object.
        self._size = int(str(answer.get("ContentRange") or len(self._end)).rpartition("/")[2])
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go somewhere."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if self._at < 0:
            raise ValueError("a place before the file")
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Read as many bytes as there are and fit."""
        count = max(0, min(len(buffer), self._size - self._at))
        behind = self._at - (self._size - len(self._end))
        part = self._end[behind : behind + count] if behind >= 0 else self._fetched(count)
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _fetched(self, count: int) -> bytes:
        answer = self._s3.get_object(**self._place, Range=f"bytes={self._at}-{self._at + count - 1}")
        return receive(answer["Body"], self._allowance)
