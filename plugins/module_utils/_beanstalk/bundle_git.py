# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs into a source bundle: files of a git ref, of the index, or of the work tree."""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH110, PTH112, PTH114, PTH118, PTH123

from __future__ import annotations

import os
from collections.abc import Sequence

from .bundle_attributes import export_ignored
from .bundle_repository import ObjectReader, Repository, ensure_empty_repository, git, open_repository
from .bundle_types import BundleError, Entry

_NEVER_SHIPPED = frozenset((b".git", b".elasticbeanstalk"))
SYMLINK = 0o120000
GITLINK = 0o160000


def shipped(path: bytes) -> bool:
    """False for what never belongs into a bundle: git's and the EB CLI's own folders, at any depth."""
    if b".git" not in path and b".elasticbeanstalk" not in path:
        return True
    return _NEVER_SHIPPED.isdisjoint(path.split(b"/"))


def list_tree(repo: Repository, tree: str, empty_git: bytes | None = None) -> list[Entry]:
    """Entries of a tree object, submodules included.

    With `empty_git`, the folder of an empty repository, those that are marked export-ignore are left out.
    """
    out = git(repo.root, "ls-tree", "-r", "-z", "--full-tree", tree)
    entries = []
    for line in out.split(b"\0")[:-1]:
        meta, path = line.split(b"\t", 1)
        mode, _kind, oid = meta.split(b" ")
        entries.append(Entry(path, int(mode, 8), oid, repo.root))
    return _with_submodules(repo, entries, empty_git)


def read_index(repo: Repository) -> bytes:
    """The index as `ls-files -s -z` prints it: equal output means equal content."""
    return git(repo.root, "ls-files", "-s", "-z")


def list_index(repo: Repository, listing: bytes, empty_git: bytes | None = None) -> list[Entry]:
    """Entries of the index, as `list_tree` has them; BundleError while a merge is unfinished."""
    entries = []
    conflicts = set()
    for line in listing.split(b"\0")[:-1]:
        meta, path = line.split(b"\t", 1)
        mode, oid, stage = meta.split(b" ")
        if stage != b"0":
            conflicts.add(path)
        entries.append(Entry(path, int(mode, 8), oid, repo.root))
    if conflicts:
        raise BundleError(f"The index has {len(conflicts)} file(s) with merge conflicts: resolve them first.")
    return _with_submodules(repo, entries, empty_git)


def _exported(entries: list[Entry], empty_git: bytes) -> list[Entry]:
    objects = {entry.path: entry for entry in entries}
    reader = ObjectReader()

    def read(paths: Sequence[bytes]) -> list[bytes]:
        return [content for path in paths for content in reader.read(objects[path].root, [objects[path].oid])]

    # git knows folders, and the submodules that stand in their place, by the slash at the end.
    names = {entry.path + b"/" * (entry.mode == GITLINK): entry for entry in entries}
    try:
        ignored = export_ignored(names, read, empty_git)
    finally:
        reader.close()
    return [entry for name, entry in names.items() if name not in ignored]


def _with_submodules(repo: Repository, entries: list[Entry], empty_git: bytes | None) -> list[Entry]:
    if empty_git is not None:
        entries = _exported(entries, empty_git)
    if all(entry.mode != GITLINK for entry in entries):
        return entries
    result = []
    for entry in entries:
        if entry.mode != GITLINK:
            result.append(entry)
            continue
        folder = os.path.join(repo.root, entry.path)
        if not os.path.exists(os.path.join(folder, b".git")):
            name = os.fsdecode(entry.path)
            raise BundleError(f"The submodule {name} is not checked out: run git submodule update --init {name}.")
        for inner in list_tree(Repository(folder, b""), entry.oid.decode(), empty_git):
            result.append(inner._replace(path=entry.path + b"/" + inner.path, local=inner.local or inner.path))
    return result


def list_work_tree(root: bytes, repo: Repository | None, ignore_file: bytes | None, empty_git: bytes) -> list[Entry]:
    """Entries of the files on disk.

    With an .ebignore only its rules count, as for the EB CLI; else a repository's own rules for what is ignored and
    what is exported; outside of a repository everything is shipped. `empty_git` is a folder that may hold an empty
    repository, so that git's own matcher applies the rules where there is no repository to ask.
    """
    paths = _disk_paths(root, repo, ignore_file, empty_git)
    return [
        Entry(path, 0, b"", root)
        for path in paths
        if path and not path.endswith((b"~", b"/")) and path != b".ebignore" and shipped(path)
    ]


def _disk_paths(root: bytes, repo: Repository | None, ignore_file: bytes | None, empty_git: bytes) -> list[bytes]:
    if repo is not None and ignore_file is None:
        out = git(root, "ls-files", "-z", "-c", "-o", "--exclude-standard")
    else:
        rules: list[bytes] = [b"--exclude-from=" + ignore_file] if ignore_file else []
        place = [b"--git-dir=" + ensure_empty_repository(empty_git), b"--work-tree=" + root]
        out = git(root, *place, "ls-files", "-z", "-o", *rules)
    found: list[bytes] = []
    # A repository inside (a submodule, or a clone that nobody declared) is listed as one name.
    paths = {path + b"/" if _is_folder(root, path) else path for path in out.split(b"\0")[:-1]}
    if repo is not None and ignore_file is None:
        paths -= export_ignored(paths, lambda names: [_content(root, name) for name in names], empty_git)
    for path in sorted(paths):
        if path.endswith(b"/"):
            full = os.path.join(root, path.rstrip(b"/"))
            inside = open_repository(full)
            nested = _disk_paths(full, inside if ignore_file is None else None, ignore_file, empty_git)
            found.extend(path.rstrip(b"/") + b"/" + name for name in nested)
        else:
            found.append(path)
    return found


def _is_folder(root: bytes, path: bytes) -> bool:
    full = os.path.join(root, path)
    return not path.endswith(b"/") and os.path.isdir(full) and not os.path.islink(full)


def _content(root: bytes, path: bytes) -> bytes:
    """A file's content; empty when it is listed by the index only."""
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read()
    except OSError:
        return b""


def filter_ignored(entries: list[Entry], ignore_file: bytes, empty_git: bytes) -> list[Entry]:
    """Apply an .ebignore to files that need not be on disk (a ref's, the index's), with git's own matcher."""
    empty_tree = os.path.join(empty_git, b"refs")
    args = [
        b"--git-dir=" + ensure_empty_repository(empty_git),
        b"--work-tree=" + empty_tree,
        b"-c",
        b"core.excludesFile=" + ignore_file,
    ]
    # A name that starts with a colon would be a pattern of git's.
    names = b"\0".join(b"./" + entry.path for entry in entries)
    out = git(empty_tree, *args, "check-ignore", "--no-index", "-z", "--stdin", stdin=names, ok=(0, 1))
    ignored = set(out.split(b"\0"))
    return [entry for entry in entries if b"./" + entry.path not in ignored and entry.path != b".ebignore"]
