# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application source as the bundle has it: files by name, from a git ref, the index or the work tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..bundle import listing, repository
from ..bundle.cache import default_cache_dir
from ..bundle.files import SourceFolder
from ..bundle.types import SYMLINK, Entry
from ..core.user_errors import BundleError


class Source:
    """Reads files of a source. Raises BundleError for a source that cannot be read."""

    def __init__(self, path: str, source: str, ref: str) -> None:
        self.root = Path(path).expanduser().absolute()
        if not self.root.is_dir():
            raise BundleError(f"The application source {path} is not a folder.")
        self.kind = source
        self.ref = ref
        self._entries: dict[str, Entry] | None = None
        self._texts: dict[str, bytes | None] = {}

    def names(self) -> Iterator[str]:
        """The names of all files, in order. Symbolic links are left out, and so is what is not on disk any more."""
        with SourceFolder(os.fsencode(self.root)) as folder:
            for name, entry in sorted(self._listing().items()):
                if entry.mode != SYMLINK and (
                    self.kind != "work_tree" or stat.S_ISREG(self._mode_on_disk(folder, name))
                ):
                    yield name

    def mode(self, name: str) -> int:
        """0o755 for an executable file, else 0o644, as git keeps it."""
        entry = self._listing().get(name)
        mode = entry.mode if entry is not None else 0
        if not mode:
            with SourceFolder(os.fsencode(self.root)) as folder:
                mode = self._mode_on_disk(folder, name)
        return 0o755 if mode & 0o111 else 0o644

    def read(self, name: str) -> bytes | None:
        """A file's content; None when it is not there."""
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def text(self, name: str) -> str | None:
        """A file's content as text; None when it is not there."""
        content = self.read(name)
        return None if content is None else content.decode("utf-8", "replace")

    @staticmethod
    def _mode_on_disk(folder: SourceFolder, name: str) -> int:
        try:
            return folder.stat(os.fsencode(name)).st_mode
        except FileNotFoundError:
            return 0

    def _read(self, name: str) -> bytes | None:
        if self.kind == "work_tree":
            with SourceFolder(os.fsencode(self.root)) as folder:
                try:
                    mode, content = folder.read(os.fsencode(name))
                except FileNotFoundError:
                    return None
            return content if stat.S_ISREG(mode) else None
        entry = self._listing().get(name)
        if entry is None:
            return None
        reader = repository.ObjectReader()
        try:
            return next(reader.read(entry.root, [entry.oid]))
        finally:
            reader.close()

    def _listing(self) -> dict[str, Entry]:
        if self._entries is None:
            self._entries = {os.fsdecode(entry.path): entry for entry in self._list()}
        return self._entries

    def _list(self) -> list[Entry]:
        repository.require_git()
        root = os.fsencode(self.root)
        repo = repository.open_repository(root)
        if self.kind == "work_tree":
            empty = os.fsencode(Path(default_cache_dir()) / "empty.git")
            return listing.list_work_tree(root, repo, listing.ignore_file(root)[0], empty)
        if repo is None:
            raise BundleError(f"{self.root} is not in a git repository: use from: work_tree, or run git init.")
        if self.kind == "index":
            return listing.list_index(repo, listing.read_index(repo))
        return listing.list_tree(repo, repository.resolve(repo, self.ref)[1])
