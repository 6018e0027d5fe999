# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs into a source bundle: files of a git ref, of the index, or of the work tree."""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH118

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence

from ..core.user_errors import BundleError
from .files import SourceFolder
from .git import git
from .gitattributes import export_ignored
from .names import check_git_names, shipped
from .repository import (
    ObjectReader,
    Repository,
    ensure_empty_repository,
    open_nested,
    repository_settings,
    require_nested,
)
from .types import GITLINK, SYMLINK, Entry

_RULES = (b".gitignore", b".gitattributes")


def list_tree(
    repo: Repository, tree: str, empty_git: bytes | None = None, ignore_file: bytes | None = None
) -> list[Entry]:
    """Entries of a tree object, submodules included.

    With `empty_git`, the folder of an empty repository, those that are marked export-ignore are left out; with
    `ignore_file`, an .ebignore, those that it names are, instead, and a submodule that it names need not be there.
    """
    out = git(repo.root, "ls-tree", "-r", "-z", "--full-tree", tree)
    entries = []
    for line in out.split(b"\0")[:-1]:
        meta, path = line.split(b"\t", 1)
        mode, _kind, oid = meta.split(b" ")
        entries.append(Entry(path, int(mode, 8), oid, repo.root))
    return _complete(repo, entries, empty_git, ignore_file)


def read_index(repo: Repository) -> bytes:
    """The index as `ls-files -s -z` prints it: equal output means equal content."""
    return git(repo.root, "ls-files", "-s", "-z")


def parse_index(repo: Repository, listing: bytes) -> tuple[list[Entry], set[bytes]]:
    """Entries of the index, and the paths with merge conflicts; these are listed once."""
    entries = []
    conflicts = set()
    for line in listing.split(b"\0")[:-1]:
        meta, path = line.split(b"\t", 1)
        mode, oid, stage = meta.split(b" ")
        if stage != b"0":
            if path in conflicts:
                continue
            conflicts.add(path)
        entries.append(Entry(path, int(mode, 8), oid, repo.root))
    check_git_names([entry.path for entry in entries], repo.root)
    return entries, conflicts


def list_index(
    repo: Repository, listing: bytes, empty_git: bytes | None = None, ignore_file: bytes | None = None
) -> list[Entry]:
    """Entries of the index, as `list_tree` has them; BundleError while a merge is unfinished."""
    entries, conflicts = parse_index(repo, listing)
    if conflicts:
        raise BundleError(f"The index has {len(conflicts)} file(s) with merge conflicts: resolve them first.")
    return _complete(repo, entries, empty_git, ignore_file)


def _complete(
    repo: Repository, entries: list[Entry], empty_git: bytes | None, ignore_file: bytes | None
) -> list[Entry]:
    """Leave out what is not for export, and put the files of submodules in their place."""
    check_git_names([entry.path for entry in entries], repo.root)
    if empty_git is not None:
        entries = filter_ignored(entries, ignore_file, empty_git) if ignore_file else _exported(entries, empty_git)
    if all(entry.mode != GITLINK for entry in entries):
        return entries
    result = []
    for entry in entries:
        if entry.mode != GITLINK:
            result.append(entry)
            continue
        inside = require_nested(repo.root, entry.path)
        if git(inside.root, "cat-file", "-t", entry.oid, ok=(0, 128)).strip() != b"commit":
            name = os.fsdecode(entry.path)
            raise BundleError(
                f"The submodule {name} has not the commit {entry.oid.decode()} that is wanted of it: run "
                f"git submodule update --init {name}."
            )
        inner = list_tree(inside, entry.oid.decode(), None if ignore_file else empty_git)
        inner = [each._replace(path=entry.path + b"/" + each.path) for each in inner]
        result += filter_ignored(inner, ignore_file, empty_git) if ignore_file and empty_git else inner
    return result


def _exported(entries: list[Entry], empty_git: bytes) -> list[Entry]:
    objects = {entry.path: entry for entry in entries}
    reader = ObjectReader()

    def read(paths: Sequence[bytes]) -> list[bytes]:
        # A link to rules is no rules, as for git.
        return [
            b"" if objects[path].mode == SYMLINK else next(reader.read(objects[path].root, [objects[path].oid]))
            for path in paths
        ]

    # git knows folders, and the submodules that stand in their place, by the slash at the end.
    names = {entry.path + b"/" * (entry.mode == GITLINK): entry for entry in entries}
    try:
        ignored = export_ignored(names, read, empty_git)
    finally:
        reader.close()
    return [entry for name, entry in names.items() if name not in ignored]


def list_work_tree(root: bytes, repo: Repository | None, ignore_file: bytes | None, empty_git: bytes) -> list[Entry]:
    """Entries of the files on disk.

    With an .ebignore only its rules count, as for the EB CLI; else a repository's own rules for what is ignored and
    what is exported; outside of a repository everything is shipped. `empty_git` is a folder that may hold an empty
    repository, so that git's own matcher applies the rules where there is no repository to ask.
    """
    listed = _listed_by_rules if repo is None or ignore_file is not None else _listed_by_git
    return [
        entry
        for entry in listed(root, repo, ignore_file, empty_git)
        if not entry.path.endswith(b"~") and entry.path != b".ebignore" and shipped(entry.path)
    ]


def _listed_by_git(root: bytes, repo: Repository | None, _ignore: bytes | None, empty_git: bytes) -> list[Entry]:
    """What a repository tracks and does not ignore. A path whose file is gone is in it."""
    if repo is None:
        return _listed_by_rules(root, None, None, empty_git)
    check_rule_files(root)
    tracked, _links = parse_index(repo, read_index(repo))
    modes = _modes(repo, tracked)
    names = {entry.path + b"/" * (entry.mode == GITLINK) for entry in tracked}
    # What is a folder now is no longer the file that it was.
    others = git(root, "ls-files", "-z", "-o", "--exclude-standard").split(b"\0")[:-1]
    names.update(others)
    with SourceFolder(root) as folder:
        names -= export_ignored(names, lambda paths: [_rules(folder, path) for path in paths], empty_git)
    submodules = {entry.path for entry in tracked if entry.mode == GITLINK}
    entries: list[Entry] = []
    for name in sorted(names):
        if not name.endswith(b"/"):
            entries.append(Entry(name, modes.get(name, modes[b""]), b"", root))
            continue
        path = name.rstrip(b"/")
        inside = require_nested(root, path) if path in submodules else _undeclared(root, path)
        entries += _moved(path, root, _listed_by_git(inside.root, inside, None, empty_git))
    return entries


def _listed_by_rules(root: bytes, repo: Repository | None, ignore_file: bytes | None, empty_git: bytes) -> list[Entry]:
    """Everything on disk that the rules of `ignore_file`, if any, leave in."""
    rules: list[bytes] = [b"--exclude-from=" + ignore_file] if ignore_file else []
    place = [b"--git-dir=" + ensure_empty_repository(empty_git), b"--work-tree=" + root]
    names = set(git(root, *place, "ls-files", "-z", "-o", *rules).split(b"\0")[:-1])
    modes: dict[bytes, int] = {b"": 0}
    if repo is not None:
        tracked, _links = parse_index(repo, read_index(repo))
        modes = _modes(repo, tracked)
        # The folder of a submodule that is not there may be gone, so that nothing would tell of it.
        submodules = [entry for entry in tracked if entry.mode == GITLINK]
        wanted = filter_ignored(submodules, ignore_file, empty_git) if ignore_file else submodules
        for entry in wanted:
            require_nested(root, entry.path)
            names.add(entry.path + b"/")
    entries: list[Entry] = []
    for name in sorted(names):
        if not name.endswith(b"/"):
            entries.append(Entry(name, modes.get(name, modes[b""]), b"", root))
            continue
        path = name.rstrip(b"/")
        inner = _listed_by_rules(os.path.join(root, path), open_nested(root, path), None, empty_git)
        inner = _moved(path, root, inner)
        entries += filter_ignored(inner, ignore_file, empty_git) if ignore_file else inner
    return entries


STATUS = ("status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=dirty")
"""Names that differ from HEAD; of a submodule only that it is at another commit, since git would run a second git in it
with that repository's own configuration."""


def changed_in_submodules(repo: Repository, listing: bytes) -> list[bytes]:
    """Names of what is not committed in the submodules of an index (as `read_index` has it) that are checked out."""
    changed: list[bytes] = []
    for entry in parse_index(repo, listing)[0] if has_submodules(listing) else ():
        inside = open_nested(repo.root, entry.path) if entry.mode == GITLINK else None
        if inside is None:
            continue
        check_rule_files(inside.root)
        filters = repository_settings(inside.root).filters
        out = git(inside.root, *STATUS, "--untracked-files=all", filters=filters)
        names = [line[3:] for line in out.split(b"\0")[:-1]]
        names += changed_in_submodules(inside, read_index(inside))
        changed += [entry.path + b"/" + name for name in names]
    return changed


def has_submodules(listing: bytes) -> bool:
    """Whether an index, as `read_index` has it, names submodules."""
    return listing.startswith(b"160000 ") or b"\x00160000 " in listing


def _modes(repo: Repository, tracked: Iterable[Entry]) -> dict[bytes, int]:
    """Modes by path where git's count and not those on disk (core.fileMode=false); under "" that of new files.

    Where links are checked out as files (core.symlinks=false), git's count for links.
    """
    settings = repository_settings(repo.root)
    modes = {b"": 0 if settings.file_mode else stat.S_IFREG | 0o644}
    for entry in tracked:
        if entry.mode != GITLINK and (not settings.file_mode or (entry.mode == SYMLINK and not settings.symlinks)):
            modes[entry.path] = entry.mode
    return modes


def _undeclared(root: bytes, path: bytes) -> Repository:
    """The repository in a folder that git lists as one, though it is no submodule."""
    found = open_nested(root, path)
    if found is None:
        raise BundleError(
            f"{os.fsdecode(path)} looks like a repository that git cannot open: repair it, remove its .git, or ignore "
            "the folder."
        )
    return found


def _moved(path: bytes, root: bytes, entries: list[Entry]) -> list[Entry]:
    return [entry._replace(path=path + b"/" + entry.path, root=root) for entry in entries]


def _rules(folder: SourceFolder, path: bytes) -> bytes:
    """Content of a .gitattributes file; empty when it is listed by the index only, or a link, as for git."""
    try:
        mode, content = folder.read(path)
    except FileNotFoundError:
        return b""
    return content if stat.S_ISREG(mode) else b""


def ignore_file(root: bytes) -> tuple[bytes | None, bytes]:
    """The .ebignore of a source and the sha256 of its rules; None when it has none."""
    with SourceFolder(root) as folder:
        try:
            mode, content = folder.read(b".ebignore")
        except FileNotFoundError:
            return None, b""
    if not stat.S_ISREG(mode):
        raise BundleError(f"{os.fsdecode(root)}/.ebignore is a link or a folder: put a file with the rules there.")
    return os.path.join(root, b".ebignore"), hashlib.sha256(content).digest()


def check_rule_files(root: bytes) -> None:
    """BundleError where git would wait for ever: for a FIFO that it takes for rules."""
    patterns = [b":(glob)**/" + name for name in _RULES]
    names = set(git(root, "ls-files", "-z", "-c", "--", *patterns).split(b"\0")[:-1])
    with SourceFolder(root) as folder:
        for name in sorted(names.union(_RULES)):
            try:
                folder.read(name)
            except FileNotFoundError:
                continue


def filter_ignored(entries: list[Entry], ignore_file: bytes, empty_git: bytes) -> list[Entry]:
    """Apply an .ebignore to files that need not be on disk (a ref's, the index's), with git's own matcher."""
    empty_tree = os.path.join(empty_git, b"refs")
    args = [
        b"--git-dir=" + ensure_empty_repository(empty_git),
        b"--work-tree=" + empty_tree,
        b"-c",
        b"core.excludesFile=" + ignore_file,
    ]
    # A name that starts with a colon would be a pattern of git's. That a submodule is a folder is told by a file in it.
    asked = {b"./" + entry.path + b"/.git-file" * (entry.mode == GITLINK): entry for entry in entries}
    names = b"\0".join(asked)
    out = git(empty_tree, *args, "check-ignore", "--no-index", "-z", "--stdin", stdin=names, ok=(0, 1))
    ignored = set(out.split(b"\0"))
    return [entry for name, entry in asked.items() if name not in ignored and entry.path != b".ebignore"]
