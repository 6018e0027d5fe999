# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of bundles: what was made for which input, and who may read it."""

# ruff: noqa: PTH105, PTH108, PTH111, PTH112, PTH116, PTH118, PTH123, PTH207, PTH208

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import time
from typing import Any

from ..core import process as processes
from ..core.cache import unsealed
from ..core.folders import make_private
from ..core.shape import ANYTHING, load
from ..core.user_errors import BundleError
from .gitattributes import WORK_PREFIX
from .types import SourceSpec

_KEEP_SECONDS = 7 * 86400
_KEEP_SECRET_SECONDS = 3600
"""Where nobody can tell whether the run that made a bundle with secrets has ended, it goes after this time."""

CONFIDENTIAL = ".secret.zip"
"""How the names of bundles with secrets end. One is removed once it is uploaded."""
_RUN = ".run"
"""Ends the name of the file beside a bundle with secrets that says which run needs it."""


def default_cache_dir() -> str:
    """Folder of bundles when the user names none: below the user's own cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "jack.beanstalk", "bundles")


def prepare_cache(folder: str) -> None:
    """Make the folder, and insist that only we can reach into it."""
    try:
        make_private(folder)
    except OSError as error:
        raise BundleError(f"Cannot use the cache folder {folder}: {error.strerror}. Name another one.") from error


def reserve(path: str) -> None:
    """Note that this run needs the bundle with secrets of this name, which it is about to make."""
    if run := processes.this_run():
        replace_file(path + _RUN, json.dumps(run).encode())


def remove_abandoned(folder: str) -> None:
    """Remove the bundles with secrets whose runs have ended, killed before they could."""
    for name in os.listdir(folder):
        if not name.endswith(CONFIDENTIAL + _RUN):
            continue
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="utf-8") as file:
                ended = processes.has_ended(load(file.read(), {str: ANYTHING}))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            ended = True
        if ended:
            bundle = path.removesuffix(_RUN)
            for each in (*glob.glob(glob.escape(bundle) + "*.part"), bundle, path):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(each)


def record_path(spec: SourceSpec, root: bytes, cache_dir: str) -> str:
    """Where the last bundle of this source is noted."""
    key = hashlib.sha256(b"\0".join((root, spec.source.encode(), spec.label_prefix.encode()))).hexdigest()[:24]
    return os.path.join(cache_dir, key + ".json")


def file_key(path: str) -> list[int] | None:
    """What changes when the file is another one, or None when there is none."""
    try:
        info = os.stat(path)
    except OSError:
        return None
    return [info.st_ino, info.st_size, info.st_mtime_ns]


def recall(record_path: str, signature: str) -> dict[str, Any] | None:
    """The record of a bundle that was made for this very input and is still there."""
    try:
        with open(record_path, encoding="utf-8") as file:
            record = json.loads(unsealed(file.read()) or "{}")
        if record["signature"] == signature and file_key(record["bundle"]["path"]) == record["file"]:
            return dict(record)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def replace_file(path: str, data: bytes) -> None:
    """Write a file atomically, mode 0600."""
    part = f"{path}.{os.getpid()}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(part, path)


def publish(handle: int, path: str) -> None:
    """Give the nameless zip its name, atomically."""
    part = f"{path}.{os.getpid()}.part"
    try:
        # Named by its folder's handle: without one, Python calls link(2), which never follows /proc's links.
        folder = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.link(str(handle), part, src_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)
    except OSError:
        # No /proc, or the file system had no nameless files: copy.
        os.lseek(handle, 0, os.SEEK_SET)
        target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(target, "wb") as file:
            while chunk := os.read(handle, 1 << 22):
                file.write(chunk)
    os.replace(part, path)


def zip_digest(handle: int) -> str:
    """sha256 of an open file."""
    os.lseek(handle, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    while chunk := os.read(handle, 1 << 22):
        digest.update(chunk)
    return digest.hexdigest()


def file_digest(path: str) -> str:
    """sha256 of a file."""
    with open(path, "rb") as file:
        return zip_digest(file.fileno())


def prune(cache_dir: str, keep: str) -> None:
    """Remove bundles that nobody used for a week, and what a killed run left."""
    now = time.time()
    for name in os.listdir(cache_dir):
        path = os.path.join(cache_dir, name)
        if path == keep or not (name.endswith((".zip", ".part", ".json", ".contents")) or name.startswith(WORK_PREFIX)):
            continue
        age = _KEEP_SECRET_SECONDS if CONFIDENTIAL in name else _KEEP_SECONDS
        try:
            if os.stat(path).st_atime < now - age:
                _remove(path)
        except FileNotFoundError:
            continue


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def note_label(cache_dir: str, label: str) -> None:
    """Note that a bundle of this label was made: bundles with secrets do not stay to tell."""
    replace_file(os.path.join(cache_dir, label + ".json"), b"{}\n")
