# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that .gitattributes marks export-ignore: `git archive`, by which the EB CLI makes its zip, leaves them out.

git itself matches, in a folder with nothing but the source's own .gitattributes: attributes of the machine or of one
clone do not count, so that every checkout gives the same bundle.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH103, PTH118, PTH120, PTH123

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence

from .git import git
from .repository import ensure_empty_repository

WORK_PREFIX = "attributes-"
"""How the names of the folders in which git matches begin; a killed run may leave one."""

_FILE = b".gitattributes"
_ATTRIBUTE = b"export-ignore"


def export_ignored(
    paths: Iterable[bytes], read: Callable[[Sequence[bytes]], Sequence[bytes]], empty_git: bytes
) -> set[bytes]:
    """Those of `paths` (one repository's, relative to the folder to bundle) that an export leaves out.

    `read` gives the contents of paths. `empty_git` is the folder of an empty repository, made when it is not there.
    """
    paths = list(paths)
    names = [path for path in paths if path == _FILE or path.endswith(b"/" + _FILE)]
    rules = dict(zip(names, read(names), strict=True)) if names else {}
    if not any(_ATTRIBUTE in content for content in rules.values()):
        return set()
    # A rule for a folder takes along what is below, whatever other rules say of that.
    parents = {path: _parents(path) for path in paths}
    asked = {each for folders in parents.values() for each in folders}.union(paths)
    marked = _marked(asked, rules, empty_git)
    return {path for path in paths if path in marked or not marked.isdisjoint(parents[path])}


def _parents(path: bytes) -> list[bytes]:
    """The folders above a path, with the slash at the end by which git knows folders."""
    parts = path.rstrip(b"/").split(b"/")
    return [b"/".join(parts[:depth]) + b"/" for depth in range(1, len(parts))]


def _marked(asked: set[bytes], rules: dict[bytes, bytes], empty_git: bytes) -> set[bytes]:
    with tempfile.TemporaryDirectory(
        prefix=WORK_PREFIX, dir=os.fsdecode(os.path.dirname(ensure_empty_repository(empty_git)))
    ) as folder:
        root = os.fsencode(folder)
        for name, content in rules.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        place = [b"--git-dir=" + empty_git, b"--work-tree=" + root, b"-c", b"core.attributesFile=/dev/null"]
        stdin = b"\0".join(asked) + b"\0"
        out = git(root, *place, "check-attr", "-z", "--stdin", _ATTRIBUTE, stdin=stdin).split(b"\0")
    return {path for path, value in zip(out[::3], out[2::3], strict=False) if value == b"set"}
