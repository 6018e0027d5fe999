# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this controller remembers from one run to the next, to send fewer requests.

Never the truth: each thing is kept with what AWS said beside it (a time of change, an ETag, deployment numbers), is
used only while AWS still says the same, and a wrong or missing one costs a request. The files are this user's own, may
be lost at any time, and hold no secret: option settings are kept as a salted hash.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from .budget import access_key_of, account_of, runtime_directory

_LOOK_SECONDS = 0.2
_SEAL = "jack.beanstalk 1 "
"""Another number for another shape of what is remembered."""
# A write takes less than a millisecond; one that cannot be made soon is not worth waiting for.
_WRITE_SECONDS = 1.0
_WRITE_LOOK_SECONDS = 0.002


class Memory:
    """A few named values in one small file. Where no file can be had, nothing is remembered."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, Any] | None = None
        self._last: tuple[tuple[int, int], dict[str, Any]] | None = None

    @property
    def lasts(self) -> bool:
        """Whether other processes, and later ones, know what is remembered."""
        return self._path is not None

    def get(self, name: str) -> Any:
        """A value, or None."""
        if self._values is None:
            self._values = self._read()
        return self._values.get(name)

    def put(self, **values: Any) -> None:
        """Remember values; a reader sees the old file or the whole new one."""
        self.change(lambda known: {**known, **values})

    def change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Replace all values with what ``change`` makes of them, while nobody else writes."""
        if self._path is None:
            return
        with self.writing() as mine:
            self._values = change(self._read())
            if mine:
                write_whole(self._path, sealed(json.dumps(self._values)))  # json.dump takes five times as long

    def writing(self) -> AbstractContextManager[bool]:
        """Let one process write at a time; False when it is not its turn soon."""
        return self._held(".write", _WRITE_SECONDS, _WRITE_LOOK_SECONDS)

    def beside(self, suffix: str) -> Path | None:
        """A file of this memory's own beside it; None where no file can be had."""
        return None if self._path is None else self._path.with_suffix(suffix)

    def again(self) -> None:
        """Look into the file anew at the next question: others write it, too."""
        self._values = None

    def forget(self) -> None:
        """Remember nothing any more."""
        self._values = {}
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def folder(self, name: str) -> Path | None:
        """A folder of this memory's own, for files that others of this controller read; None where it cannot be had."""
        if self._path is None:
            return None
        folder = self._path.with_suffix(f".{name}")
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            return None
        return folder

    def digest(self, value: Any) -> str:
        """A hash of a value that says nothing about it to whoever reads the file."""
        salt = self.get("salt")
        if salt is None:
            salt = secrets.token_hex(16)
            self.put(salt=salt)
        text = json.dumps(value, sort_keys=True, default=str)
        return hashlib.sha256(f"{salt}{text}".encode()).hexdigest()

    def alone(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> AbstractContextManager[bool]:
        """Let one process of this controller do something at a time; False when it is not its turn after so long."""
        return self._held(".lock", timeout, _LOOK_SECONDS, clock)

    @contextmanager
    def _held(
        self, suffix: str, timeout: float, look: float, clock: Callable[[], float] = time.monotonic
    ) -> Iterator[bool]:
        if self._path is None:
            yield True
            return
        end = clock() + timeout
        try:
            handle = os.open(self._path.with_suffix(suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield True
            return
        try:
            while not (mine := _locked(handle)) and clock() < end:
                time.sleep(look)
            self._values = None
            yield mine
        finally:
            os.close(handle)

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            with self._path.open(encoding="utf-8") as file:
                # Every change makes another file.
                state = os.fstat(file.fileno())
                version = (state.st_ino, state.st_mtime_ns)
                if self._last is None or self._last[0] != version:
                    self._last = (version, json.loads(unsealed(file.read()) or "{}"))
        except (OSError, ValueError):
            return {}
        return self._last[1]


def sealed(text: str) -> str:
    """A text with its checksum: what is read back is used only when it is what this code wrote."""
    return f"{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def unsealed(content: str) -> str | None:
    """The text, None when it is not as it was written: cut off, changed, or of another version."""
    head, _line, text = content.partition("\n")
    return text if sealed(text).startswith(f"{head}\n") else None


def write_whole(path: Path, text: str) -> None:
    """Write a file of this user's own so that a reader sees all of it or none; not at all where that cannot be done."""
    new = path.with_suffix(f".{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def memory_of(client: Any, *names: str) -> Memory:
    """The memory of an environment (its id is unique) or an application, as this client's account and region know it.

    One address serves many accounts, and perhaps regions, that may have applications of one name.
    """
    folder = runtime_directory()
    if folder is None:
        return Memory(None)
    meta = client.meta
    place: Mapping[str, Any] = {
        "endpoint": meta.endpoint_url,
        "region": getattr(meta, "region_name", None),
        "account": account_of(access_key_of(client)),
        "names": names,
    }
    name = hashlib.sha256(json.dumps(place, sort_keys=True).encode()).hexdigest()[:16]
    return Memory(folder / f"memory-{name}.json")
