# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One application source, opened: its files, what tells that it changed, and its date."""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH100, PTH111, PTH112, PTH118

from __future__ import annotations

import hashlib
import os
import subprocess

from ..core.user_errors import BundleError
from . import git, listing, repository
from .dates import changed_at
from .files import SourceFolder
from .names import shipped
from .types import GITLINK, Entry, SourceSpec

REPORT_SECONDS = 60.0
"""How long git status may take where nothing but a warning depends on it."""

_FORMAT = 4


class Source:
    """A source that is open; close it. Raises BundleError with one sentence for one that cannot be bundled."""

    def __init__(self, spec: SourceSpec, cache_dir: str) -> None:
        self.spec = spec
        self.root = os.fsencode(os.path.abspath(os.path.expanduser(spec.path)))
        self.commit: str | None = None
        self.untold = ""
        self._tree = ""
        self._index = b""
        self._settings = repository.RepositorySettings((), True, True)
        self._status: subprocess.Popen[bytes] | None = None
        self._dirty: list[bytes] = []
        self._commit: repository.Commit | None = None
        self._entries: list[Entry] | None = None
        self.empty_git = os.fsencode(os.path.join(cache_dir, "empty.git"))
        if not os.path.isdir(self.root):
            raise BundleError(f"The application source {spec.path} is not a folder; give the path of the application.")
        repository.require_git()
        self.ignore_file, self._ignore_digest = listing.ignore_file(self.root)
        self.repo = repository.open_repository(self.root)
        if self.repo is None and spec.source != "work_tree":
            raise BundleError(f"{spec.path} is not in a git repository: use from: work_tree, or run git init.")
        if self.repo is not None:
            self._open(self.repo)

    def _open(self, repo: repository.Repository) -> None:
        self._settings = repository.repository_settings(repo.root)
        if self.spec.source == "ref":
            self.commit, self._tree = repository.resolve(repo, self.spec.ref)
        else:
            self.commit = repository.head_commit(repo.root)
            self._index = listing.read_index(repo)
        if self.spec.source == "index":
            return
        try:
            listing.check_rule_files(repo.root)
        except BundleError as error:
            if self.spec.source != "ref":
                raise
            self.untold = str(error)
            return
        # Runs beside the rest: it takes longer than anything else here on a large tree.
        untracked = "all" if self.spec.source == "work_tree" else "normal"
        words = (*listing.STATUS, f"--untracked-files={untracked}", "--", ".")
        self._status = git.start(self.root, *words, filters=self._settings.filters)

    def dirty(self) -> list[bytes]:
        """Names (below the source folder) that differ from HEAD, untracked ones included.

        Where git cannot tell, `untold` has the reason afterwards when nothing but a warning depends on it (ref).
        """
        if self._status is not None and self.repo is not None:
            child, self._status = self._status, None
            seconds = min(REPORT_SECONDS, git.DEADLINE) if self.spec.source == "ref" else None
            with git.ended_in_time(child, seconds):
                out = child.communicate()[0]
            if child.returncode:
                slow = git.too_slow(self.root, seconds)
                why = slow if child.returncode < 0 else f"git status failed in {self.spec.path}."
                if self.spec.source != "ref":
                    raise BundleError(why)
                self.untold = why
                return []
            skip = 3 + len(self.repo.prefix)
            self._dirty = [line[skip:] for line in out.split(b"\0")[:-1]]
            self._dirty += self._changed_inside(self.repo)
        return self._dirty

    def _changed_inside(self, repo: repository.Repository) -> list[bytes]:
        """Names of what is not committed in submodules; git status, asked for one repository, looks into that only."""
        if self.spec.source == "ref" and not repository.submodules(repo):
            return []
        return listing.changed_in_submodules(repo, self._index or listing.read_index(repo))

    def close(self) -> None:
        """End the git that may still run."""
        if self._status is not None:
            self._status.kill()
            self._status.communicate()
            self._status = None

    def signature(self) -> tuple[str, float]:
        """A value that stays equal while no file changes, and the newest change time that it relies on."""
        digest = hashlib.sha256(f"{_FORMAT} {self.spec.source} {self._settings.file_mode} ".encode())
        newest = 0.0
        if self.ignore_file is not None:
            digest.update(b"rules " + self._ignore_digest)
        if self.spec.source == "ref":
            digest.update(self._tree.encode())
            return digest.hexdigest(), newest
        digest.update(self._index)
        if self.spec.source == "index":
            return digest.hexdigest(), newest
        # git compares tracked files with its index by stat and, where that is not sure, by content.
        paths = self.dirty() if self._index_counts() else [entry.path for entry in self.entries()]
        with SourceFolder(self.root) as folder:
            for path in paths:
                line, changed = _stat_line(folder, path)
                digest.update(path + line)
                newest = max(newest, changed)
        return digest.hexdigest(), newest

    def _index_counts(self) -> bool:
        """Whether index and status together tell of every change: not with repositories inside, nor an .ebignore."""
        if self.repo is None or self.ignore_file is not None:
            return False
        return not listing.has_submodules(self._index) and not any(path.endswith(b"/") for path in self.dirty())

    def entries(self) -> list[Entry]:
        """The files of the tree, without overlays and secrets."""
        if self._entries is None:
            self._entries = self._list()
        return self._entries

    def _list(self) -> list[Entry]:
        if self.spec.source == "work_tree" or self.repo is None:
            return listing.list_work_tree(self.root, self.repo, self.ignore_file, self.empty_git)
        if self.spec.source == "ref":
            entries = listing.list_tree(self.repo, self._tree, self.empty_git, self.ignore_file)
        else:
            entries = listing.list_index(self.repo, self._index, self.empty_git, self.ignore_file)
        return [entry for entry in entries if shipped(entry.path)]

    def date(self, entries: list[Entry]) -> int:
        """When the tree became what it is, in seconds since 1970.

        That is when it was committed; with changes, the newest change among the files that differ from the commit.
        Without a commit every file is such a file.
        """
        commit = self._read_commit()
        since = commit.date if commit else 0
        if commit is None or self.repo is None:
            return changed_at(self.root, (entry.path for entry in entries), 0)
        if self.spec.source == "ref":
            return since
        if self.spec.source == "index":
            words = ("diff-index", "--cached", "--name-only", "--no-renames", "--relative", "-z", commit.oid, "--", ".")
            return changed_at(self.root, git.git(self.root, *words).split(b"\0")[:-1], since)
        differing = set(self.dirty())
        if self.ignore_file is not None:
            # An .ebignore ships what git ignores, too. The files of submodules are not in this index.
            tracked = {entry.path: entry.mode for entry in listing.parse_index(self.repo, self._index)[0]}
            inside = tuple(path + b"/" for path, mode in tracked.items() if mode == GITLINK)
            others = (entry.path for entry in entries if entry.path not in tracked)
            differing.update(path for path in others if not path.startswith(inside))
        return changed_at(self.root, differing, since)

    def _read_commit(self) -> repository.Commit | None:
        if self._commit is None and self.commit is not None:
            self._commit = repository.read_commit(self.root, self.commit)
        return self._commit

    def description(self) -> str:
        """Last commit's subject, shortened as the EB CLI does."""
        commit = self._read_commit()
        if commit is None:
            return "Deployed by jack.beanstalk"
        return commit.subject if len(commit.subject) <= 195 else commit.subject[:195] + "..."


def _stat_line(folder: SourceFolder, path: bytes) -> tuple[bytes, float]:
    try:
        info = folder.stat(path.rstrip(b"/"))
    except OSError:
        return b" gone\n", 0.0
    fields = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    return b" %d %d %d %d %d\n" % fields, max(info.st_mtime, info.st_ctime)
