# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few small files as the source bundle will have them, read without making it.

What decides is what makes the bundle: the ref, the index or the work tree, export-ignore or .ebignore, and the overlay.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..core.user_errors import BundleError
from . import listing, repository
from .cache import default_cache_dir, prepare_cache
from .files import SourceFolder
from .git import git
from .gitattributes import export_ignored
from .types import SYMLINK, Entry

LARGEST = 1024 * 1024
"""Bytes of the largest file that is read; none that Elastic Beanstalk itself reads comes near."""

_MOST_LINKS = 8
_ATTRIBUTES = b".gitattributes"


def read_files(
    source: Mapping[str, Any], names: Iterable[str], overlay: Iterable[Mapping[str, Any]] = ()
) -> dict[str, bytes]:
    """The contents of those of these files that the bundle has.

    ``source`` has ``path``, ``from`` and ``ref`` as the module source_bundle has them, ``overlay`` the rendered files.
    Raises BundleError with one sentence for a source, or a file in it, that cannot be read.
    """
    if not source.get("path"):
        raise BundleError("The source of the bundle has no path; give the folder of the application.")
    rendered = {posixpath.normpath(item["path"]): str(item["content"]).encode() for item in overlay}
    reader = _Reader(str(source["path"]), str(source.get("from") or "ref"), str(source.get("ref") or "HEAD"))
    found = {name: rendered[name] if name in rendered else reader.read(name) for name in names}
    return {name: content for name, content in found.items() if content is not None}


class _Reader:
    """Reads files of one source."""

    def __init__(self, path: str, source: str, ref: str) -> None:
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise BundleError(f"The application source {path} is not a folder; give the path of the application.")
        repository.require_git()
        self.root = os.fsencode(folder)
        self.source = source
        self.repository = repository.open_repository(self.root)
        self.ignore_file, _where = listing.ignore_file(self.root)
        self.empty_git = os.fsencode(Path(default_cache_dir()) / "empty.git")
        self.tree = ""
        if self.repository is None and source != "work_tree":
            raise BundleError(f"{path} is not in a git repository: use from: work_tree, or run git init.")
        if self.repository is not None and source == "ref":
            self.tree = repository.resolve(self.repository, ref)[1]

    def read(self, name: str) -> bytes | None:
        """A file's content; None when the bundle has no such file."""
        wanted = name
        for _link in range(_MOST_LINKS):
            entry = self._entry(os.fsencode(wanted))
            if entry is None or not self._shipped(entry):
                return None
            mode, content = self._content(entry)
            if mode != SYMLINK:
                return content
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(wanted), os.fsdecode(content)))
            if wanted.startswith(("/", "../")):
                break
        raise BundleError(f"{name} is a link that leads to no file of the bundle; put the file itself there.")

    def _entry(self, name: bytes) -> Entry | None:
        """The file in the source, whether it is shipped or not; None for what is none, such as a submodule."""
        if self.source == "work_tree":
            return self._entry_on_disk(name)
        if self.source == "index":
            out, mode_and_oid = self._ask("ls-files", "-s", "-z", name=name), slice(0, 2)
        else:
            out, mode_and_oid = self._ask("ls-tree", "-z", "--full-tree", self.tree, name=name), slice(0, 3, 2)
        meta, _tab, path = out.split(b"\0")[0].partition(b"\t")
        if path != name:
            return None
        mode, oid = meta.split()[mode_and_oid]
        is_file = mode.startswith((b"100", b"120"))
        return Entry(name, int(mode, 8), oid, self.root) if is_file else None

    def _entry_on_disk(self, name: bytes) -> Entry | None:
        with SourceFolder(self.root) as folder:
            try:
                mode = folder.stat(name).st_mode
            except FileNotFoundError:
                return None
        if self.repository is not None and self.ignore_file is None:
            listing.check_rule_files(self.root)
            if not self._ask("ls-files", "-z", "-c", "-o", "--exclude-standard", name=name):
                return None
        return None if stat.S_ISDIR(mode) else Entry(name, 0, b"", self.root)

    def _shipped(self, entry: Entry) -> bool:
        prepare_cache(os.path.dirname(os.fsdecode(self.empty_git)))  # noqa: PTH120 -- as the cache has it
        if self.ignore_file is not None:
            return bool(listing.filter_ignored([entry], self.ignore_file, self.empty_git))
        attributes = self._entry(_ATTRIBUTES) if self.repository is not None else None
        if attributes is None:
            return True
        mode, rules = self._content(attributes)
        # A link to rules is no rules, as for git.
        known = b"" if mode == SYMLINK else rules
        return entry.path not in export_ignored([entry.path, _ATTRIBUTES], lambda _: [known], self.empty_git)

    def _ask(self, *command: str, name: bytes) -> bytes:
        return git(self.root, "--literal-pathspecs", *command, "--", name)

    def _content(self, entry: Entry) -> tuple[int, bytes]:
        """Mode and content of a file; of a link, its target."""
        name = os.fsdecode(entry.path)
        if entry.oid:
            _check_size(name, int(git(self.root, "cat-file", "-s", entry.oid)))
            return entry.mode, git(self.root, "cat-file", "blob", entry.oid)
        with SourceFolder(self.root) as folder:
            try:
                _check_size(name, folder.stat(entry.path).st_size)
                return folder.read(entry.path)
            except OSError as error:
                raise BundleError(f"Cannot read {name} of the application source: {error.strerror}.") from error


def _check_size(name: str, size: int) -> None:
    if size > LARGEST:
        raise BundleError(f"{name} has {size} bytes; a file of that name has at most {LARGEST}.")
