# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of the source bundle code."""

from __future__ import annotations

from typing import Any, NamedTuple

SYMLINK = 0o120000
GITLINK = 0o160000
"""Modes that git gives to symbolic links and to submodules."""


class Entry(NamedTuple):
    """One file of a bundle.

    `path` is its name in the zip, and below the source folder; `mode` a git mode (0: that of the file on disk); `oid`
    the git object that holds the content (empty: the file on disk does); `root` the folder of the repository that has
    this object; `data` the content itself for files that exist nowhere else.
    """

    path: bytes
    mode: int
    oid: bytes
    root: bytes
    data: bytes | None = None


class Packed(NamedTuple):
    """What packing one entry gave: what the central directory and the content digest need."""

    path: bytes
    mode: int
    method: int
    crc: int
    compressed: int
    size: int
    digest: bytes
    offset: int


class Overlay(NamedTuple):
    """A rendered file that is laid over the tree."""

    path: str
    content: bytes
    mode: int


class SourceSpec(NamedTuple):
    """What to bundle. `source` is one of work_tree, index, ref."""

    path: str
    source: str
    ref: str
    overlay: tuple[Overlay, ...]
    secrets: tuple[str, ...]
    label_prefix: str
    cache_dir: str
    platform: str = ""
    skip_rules: tuple[str, ...] = ()


class Bundle(NamedTuple):
    """A finished bundle. `size` and `sha256` are those of the zip, None when check mode did not write it."""

    path: str
    version_label: str
    sha256: str | None
    content_sha256: str
    size: int | None
    file_count: int
    description: str
    commit: str | None
    has_secrets: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the values as the module reports them."""
        return self._asdict()


def is_confidential(mode: int) -> bool:
    """Whether a rendered file is a secret: nobody but its owner may read it."""
    return not mode & 0o077
