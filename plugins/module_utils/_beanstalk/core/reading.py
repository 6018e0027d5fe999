# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole answers of the network, or a sentence: how much may come, until when, and again when it breaks off."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Protocol, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url

from .answers import begin
from .errors import AnsibleBeanstalkError, is_broken_off

_PAUSES = (0.2, 1.0)
"""Seconds before an answer that broke off is asked for again."""
STALL_SECONDS = 10.0
"""An answer of which nothing came for so long has stalled."""
_SOCKET_SECONDS = 20.0
_CHUNK = 1 << 16
_RECEIVED = 1 << 12
"""Bytes that are waited for together, at most ``STALL_SECONDS``: who sends less is as good as silent."""
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")


class _Readable(Protocol):
    def read(self, amount: int, /) -> bytes: ...


class _Closable(_Readable, Protocol):
    def close(self) -> None: ...


class StalledError(Exception):
    """An answer began, and then nothing more came."""


class CutHeadError(Exception):
    """An answer broke off within its header fields, which http.client takes for all of them."""


def whole_head(answer: Mapping[str, Any], *names: str) -> None:
    """Raise CutHeadError where an answer of S3 lacks one of the members that come by its header fields."""
    if missing := [name for name in names if answer.get(name) is None]:
        raise CutHeadError(f"the answer has no {missing[0]}")


class Allowance:
    """How many bytes may still be collected, and until when; what is collected together shares one."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = self.left = most
        self._seconds, self._clock, self._end = seconds, clock, clock() + seconds

    @property
    def seconds_left(self) -> float:
        """Seconds until the end; 0 when it is over."""
        return max(0.0, self._end - self._clock())

    def take(self, count: int) -> None:
        """Note that so many bytes came. AnsibleBeanstalkError when that is too much or too late."""
        self.left -= count
        if self.left < 0:
            raise AnsibleBeanstalkError(message=f"it has more than {_size(self._most)}")
        if not self.seconds_left:
            raise AnsibleBeanstalkError(message=f"it did not come within {self._seconds:.0f} seconds")


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def ask_again(function: _Function) -> _Function:
    """Have a function that asks for something ask again when the answer breaks off: reading twice does no harm."""

    @functools.wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        for pause in _PAUSES:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if not is_broken_off(error):
                    raise
            time.sleep(pause)
        return function(*args, **kwargs)

    return asked  # type: ignore[return-value]


def read_whole(body: _Readable, allowance: Allowance) -> bytes:
    """All of a body. AnsibleBeanstalkError when it is too large or too slow; the body's own when it breaks off."""
    chunks = []
    while chunk := body.read(_CHUNK):
        allowance.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def receive(body: _Closable, allowance: Allowance) -> bytes:
    """The same of a body that comes over the network, and closes it; StalledError when nothing comes for a while.

    A timeout of the socket is none of the whole: each drop of an answer that drips begins it anew.
    """
    chunks: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()

    def read() -> None:
        try:
            while chunk := body.read(_RECEIVED):
                chunks.put(chunk)
            chunks.put(b"")
        except BaseException as error:
            chunks.put(error)
        with contextlib.suppress(Exception):  # it was read, or broke
            body.close()

    threading.Thread(target=read, daemon=True).start()
    parts: list[bytes] = []
    while True:
        try:
            chunk = chunks.get(timeout=max(0.01, min(STALL_SECONDS, allowance.seconds_left)))
        except queue.Empty:
            allowance.take(0)
            raise StalledError(f"nothing came for {STALL_SECONDS:.0f} seconds") from None
        if isinstance(chunk, BaseException):
            if type(chunk).__name__ == "ReadTimeoutError":  # botocore's, by a shorter timeout of the socket
                raise StalledError("nothing came for a while") from chunk
            raise chunk
        if not chunk:
            return b"".join(parts)
        allowance.take(len(chunk))
        parts.append(chunk)


def within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Do something that has no deadline of its own; TimeoutError after so many seconds, and it is left."""
    try:
        result, error = begin(work).get(timeout=max(0.01, seconds))
    except queue.Empty:
        raise TimeoutError(f"nothing within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def download(url: str, allowance: Allowance) -> bytes:
    """What is behind a presigned URL. AnsibleBeanstalkError says why not; the address, which is signed, stays out."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise AnsibleBeanstalkError(message="Failed to download: the address is not one of HTTP")
    problem = ""
    for pause in (*_PAUSES, 0.0):
        try:
            timeout = max(1.0, min(_SOCKET_SECONDS, allowance.seconds_left))
            ask = functools.partial(open_url, url, timeout=timeout, http_agent="jack.beanstalk", decompress=False)
            answer = within(timeout, ask)
            content = receive(answer, allowance)
            missing = int(answer.headers.get("Content-Length") or len(content)) - len(content)
            if missing <= 0:
                return content
            problem = f"the answer broke off {missing} bytes before its end"
        except HTTPError as error:
            problem = f"status {error.code}"
            error.close()
            if error.code < 500:
                break
        except AnsibleBeanstalkError as error:
            problem = str(error.message)
            break
        except StalledError as error:
            problem = str(error)
        except (OSError, ValueError, HTTPException) as error:
            problem = type(error).__name__
        if not allowance.seconds_left:
            break
        time.sleep(pause)
    raise AnsibleBeanstalkError(message=f"Failed to download: {problem}")
