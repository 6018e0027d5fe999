# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole answers of the network, or a sentence: how much may come, until when, and again when it breaks off."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Protocol, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url

from .errors import AnsibleBeanstalkError, is_broken_off

_PAUSES = (0.2, 1.0)
"""Seconds before an answer that broke off is asked for again."""
_SOCKET_SECONDS = 20.0
_CHUNK = 1 << 16
_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Readable(Protocol):
    def read(self, amount: int, /) -> bytes: ...


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


def download(url: str, allowance: Allowance) -> bytes:
    """What is behind a presigned URL. AnsibleBeanstalkError says why not; the address, which is signed, stays out."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise AnsibleBeanstalkError(message="Failed to download: the address is not one of HTTP")
    problem = ""
    for pause in (*_PAUSES, 0.0):
        try:
            timeout = max(1.0, min(_SOCKET_SECONDS, allowance.seconds_left))
            with open_url(url, timeout=timeout, http_agent="jack.beanstalk", decompress=False) as answer:
                content = read_whole(answer, allowance)
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
        except (OSError, ValueError, HTTPException) as error:
            problem = type(error).__name__
        if not allowance.seconds_left:
            break
        time.sleep(pause)
    raise AnsibleBeanstalkError(message=f"Failed to download: {problem}")
