# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this controller caches from one run to the next, to send fewer requests.

Never the truth: each thing is kept with what AWS said beside it (a time of change, an ETag, deployment numbers), is
used only while AWS still says the same, and a wrong or missing one costs a request. The files are this user's own, may
be lost at any time, and hold no secret: option settings are kept as a salted hash.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .folders import make_private

_LOOK_SECONDS = 0.2
_SEAL = "jack.beanstalk 1 "
"""Another number for another shape of what is cached."""
# A write takes less than a millisecond; one that cannot be made soon is not worth waiting for.
_WRITE_SECONDS = 1.0
_WRITE_LOOK_SECONDS = 0.002


class Cache:
    """A few named values in one small file. Where no file can be had, nothing is cached."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, Any] | None = None

    @property
    def lasts(self) -> bool:
        """Whether other processes, and later ones, know what is cached."""
        return self._path is not None

    def get(self, name: str) -> Any:
        """A value, or None."""
        if self._values is None:
            self._values = self._read()
        return self._values.get(name)

    def put(self, **values: Any) -> None:
        """Cache values; a reader sees the old file or the whole new one."""
        self.change(lambda known: {**known, **values})

    def change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Replace all values with what ``change`` makes of them, while nobody else writes."""
        if self._path is None:
            return
        with self._held(".write", _WRITE_SECONDS, _WRITE_LOOK_SECONDS) as mine:
            self._values = change(self._read())
            if mine:
                _write_whole(self._path, sealed(json.dumps(self._values)))  # json.dump takes five times as long

    def invalidate(self) -> None:
        """Cache nothing any more."""
        self._values = {}
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def digest(self, value: Any) -> str:
        """A hash of a value that says nothing about it to whoever reads the file."""
        salt = self.get("salt")
        if salt is None:
            salt = secrets.token_hex(16)
            self.put(salt=salt)
        text = json.dumps(value, sort_keys=True, default=str)
        return hashlib.sha256(f"{salt}{text}".encode()).hexdigest()

    def exclusive_lock(
        self, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> AbstractContextManager[bool]:
        """Let one process of this controller do something at a time; False when it is not its turn after so long."""
        return self._held(".lock", timeout, _LOOK_SECONDS, clock)

    @contextmanager
    def _held(
        self, suffix: str, timeout: float, interval: float, clock: Callable[[], float] = time.monotonic
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
                time.sleep(interval)
            self._values = None
            yield mine
        finally:
            os.close(handle)

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            found = json.loads(unsealed(self._path.read_text(encoding="utf-8")) or "{}")
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def sealed(text: str) -> str:
    """A text with its checksum: what is read back is used only when it is what this code wrote."""
    return f"{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def unsealed(content: str) -> str | None:
    """The text, None when it is not as it was written: cut off, changed, or of another version."""
    head, _line, text = content.partition("\n")
    return text if sealed(text).startswith(f"{head}\n") else None


def _write_whole(path: Path, text: str) -> None:
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


def access_key_of(client: Any) -> str:
    """The access key that a client of Elastic Beanstalk signs with, "" where it has none.

    boto3 tells no client's credentials, but every address that it signs carries the id of the key. Nothing is sent.
    """
    try:
        address = client.generate_presigned_url("describe_account_attributes")
    except Exception:  # credentials come from many places; what is wrong with them the first request says
        return ""
    credential = parse_qs(urlsplit(address).query).get("X-Amz-Credential", [""])[0]
    return str(credential).partition("/")[0]


def account_of(access_key: str) -> str:
    """The account that an access key belongs to (it is in the key's own letters), else the key itself."""
    if len(access_key) == 20 and access_key[:4] in ("AKIA", "ASIA"):
        try:
            decoded = base64.b32decode(access_key[4:])
        except ValueError:
            return access_key
        return f"{(int.from_bytes(decoded[:6], 'big') & 0x7FFFFFFFFF80) >> 7:012d}"
    return access_key


def runtime_directory() -> Path | None:
    """A directory of this user's own for files that a reboot may lose; None when there is none."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    try:
        path = Path(base, "jack.beanstalk") if base else Path(tempfile.gettempdir(), f"jack.beanstalk-{os.getuid()}")
        path.mkdir(mode=0o700, exist_ok=True)
        # Somebody else may have made it first, in a directory that is open to all.
        if path.is_symlink():
            return None
        make_private(str(path), close=False)
    except OSError:
        return None
    return path


def cache_of(client: Any, *names: str) -> Cache:
    """The cache of an environment (its id is unique) or an application, as this client's account and region know it.

    One address serves many accounts, and perhaps regions, that may have applications of one name.
    """
    folder = runtime_directory()
    if folder is None:
        return Cache(None)
    meta = client.meta
    place: Mapping[str, Any] = {
        "endpoint": meta.endpoint_url,
        "region": getattr(meta, "region_name", None),
        "account": account_of(access_key_of(client)),
        "names": names,
    }
    name = hashlib.sha256(json.dumps(place, sort_keys=True).encode()).hexdigest()[:16]
    return Cache(folder / f"cache-{name}.json")
