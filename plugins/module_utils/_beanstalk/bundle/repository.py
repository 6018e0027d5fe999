# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask git about a repository: its settings, refs, commits and objects, and whether there is one.

Only reads: never refreshes the index, never writes an object. Paths are bytes, as git and the kernel have them.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH103, PTH110, PTH118, PTH123

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..core.user_errors import BundleError
from .files import SourceFolder, check_size
from .git import attempt, ended_in_time, git, start, too_slow

_ELSEWHERE = ("not a git repository (or any",)
_SETTINGS = r"^(filter\..*|core\.(filemode|symlinks))$"
_NO = ("false", "no", "off", "0", "")


class Repository(NamedTuple):
    """A checkout: `root` is the folder to bundle, `prefix` its place inside the repository ("" or "a/b/")."""

    root: bytes
    prefix: bytes


class RepositorySettings(NamedTuple):
    """What the configuration says that matters here: drivers to switch off, and whether modes on disk count."""

    filters: tuple[str, ...]
    file_mode: bool
    symlinks: bool


class Commit(NamedTuple):
    """`date` is when it was committed, in seconds since 1970; `subject` the first paragraph of its message."""

    oid: str
    date: int
    subject: str


def require_git() -> None:
    """Raise BundleError when there is no git on PATH."""
    if shutil.which("git") is None:
        raise BundleError("git is not installed on the controller: install it (Debian: apt-get install git).")


def open_repository(root: bytes) -> Repository | None:
    """The repository that `root` is in, or None when it is in none; BundleError for anything else git refuses."""
    code, out, message = attempt(root, "rev-parse", "--is-inside-work-tree", "--show-prefix")
    if code == 0 and out.startswith(b"true"):
        return Repository(root, out.split(b"\n", 2)[1])
    name = os.fsdecode(root)
    if code == 0:
        # Without rules of its own, a work tree that git does not take for one would ship what it ignores.
        raise BundleError(f"git does not take {name} for a work tree: look at core.worktree and core.bare there.")
    if not any(text in message for text in _ELSEWHERE):
        first = message.splitlines()[0] if message else "?"
        remedy = f" If you trust it: git config --global --add safe.directory {name}" if "dubious" in first else ""
        raise BundleError(f"git refuses to read {name}: {first}.{remedy}")
    return None


def open_nested(root: bytes, path: bytes) -> Repository | None:
    """The repository that is checked out in the folder `path` below `root`, itself and behind no link; else None."""
    with SourceFolder(root) as folder:
        try:
            mode = folder.stat(path + b"/.git").st_mode
        except OSError:
            return None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return None
    found = open_repository(os.path.join(root, path))
    return found if found is not None and found.prefix == b"" else None


def require_nested(root: bytes, path: bytes) -> Repository:
    """The checked out submodule `path` below `root`; BundleError, with what to do, when it is not checked out."""
    found = open_nested(root, path)
    if found is not None:
        return found
    name = os.fsdecode(path)
    if path in submodules(Repository(root, git(root, "rev-parse", "--show-prefix").rstrip(b"\n"))):
        raise BundleError(f"The submodule {name} is not checked out: run git submodule update --init {name}.")
    raise BundleError(
        f"The submodule {name} is not checked out, and .gitmodules does not say where it comes from: clone it into "
        f"that folder, or take it out of the repository (git rm --cached {name})."
    )


def submodules(repo: Repository) -> set[bytes]:
    """Paths below `repo.root` that the repository's .gitmodules names."""
    top = os.path.join(repo.root, *[b".."] * repo.prefix.count(b"/"))
    with SourceFolder(top) as folder:
        try:
            mode, content = folder.read(b".gitmodules")
        except FileNotFoundError:
            return set()
    if not stat.S_ISREG(mode):
        return set()
    listing = ("config", "-z", "--file", "-", "--get-regexp", r"^submodule\..*\.path$")
    _code, out, _errors = attempt(top, *listing, stdin=content)
    paths = {item.partition(b"\n")[2].rstrip(b"/") for item in out.split(b"\0")}
    return {path[len(repo.prefix) :] for path in paths if path and path.startswith(repo.prefix)}


def repository_settings(root: bytes) -> RepositorySettings:
    """Read the configuration of the repository that `root` is in; no program is needed for that."""
    out = git(root, "config", "-z", "--get-regexp", _SETTINGS, ok=(0, 1)).decode(errors="surrogateescape")
    filters: set[str] = set()
    truths = {"core.filemode": True, "core.symlinks": True}
    for item in out.split("\0")[:-1]:
        key, given, value = item.partition("\n")
        if key in truths:
            truths[key] = not given or value.lower() not in _NO
        elif match := re.fullmatch(r"filter\.(.*)\.[a-z0-9-]+", key, re.DOTALL):
            filters.add(match.group(1))
    strange = next((name for name in sorted(filters) if "=" in name), None)
    if strange is not None:
        raise BundleError(
            f"The configuration of {os.fsdecode(root)} has a filter named {strange!r}, which cannot be switched off: "
            "give it a name without an equals sign."
        )
    return RepositorySettings(tuple(sorted(filters)), truths["core.filemode"], truths["core.symlinks"])


def resolve(repo: Repository, ref: str) -> tuple[str, str]:
    """The commit and the tree (of the folder to bundle) that `ref` names."""
    name = os.fsdecode(repo.root)
    if not ref or ref.startswith("-"):
        raise BundleError(f"{ref!r} is not a git ref.")
    commit = git(repo.root, "rev-parse", "--verify", "--quiet", ref + "^{commit}", ok=(0, 1, 128)).decode().strip()
    if not commit:
        if ref == "HEAD":
            raise BundleError(f"{name} has no commit yet: commit, or use from: work_tree.")
        raise BundleError(f"The git ref {ref} is not known in {name}.")
    path = commit.encode() + b":" + repo.prefix.rstrip(b"/")
    tree = git(repo.root, "rev-parse", "--verify", "--quiet", path, ok=(0, 1, 128)).decode().strip()
    if not tree:
        raise BundleError(f"{name} is not part of the git ref {ref}: commit it, or use from: work_tree.")
    return commit, tree


def head_commit(root: bytes) -> str | None:
    """The commit that is checked out; None before the first."""
    found = git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1, 128)).decode().strip()
    return found or None


def read_commit(root: bytes, oid: str) -> Commit:
    """Date and subject of a commit, from the object itself: git log would check signatures where it is told to."""
    head, _gap, body = git(root, "cat-file", "commit", oid).partition(b"\n\n")
    written = re.search(rb"^committer .*> (-?\d+) [+-]\d{4}$", head, re.MULTILINE)
    coding = re.search(rb"^encoding (.+)$", head, re.MULTILINE)
    try:
        text = body.decode(coding.group(1).decode() if coding else "utf-8", "replace")
    except (LookupError, UnicodeDecodeError):
        text = body.decode("utf-8", "replace")
    subject = " ".join(text.strip("\n").partition("\n\n")[0].split("\n"))
    return Commit(oid, int(written.group(1)) if written else 0, subject.strip())


def ensure_empty_repository(folder: bytes) -> bytes:
    """An empty git directory in `folder` (ours, never the user's), made when it is not there."""
    for name in (b"objects", b"refs"):
        os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)
    head = os.path.join(folder, b"HEAD")
    if not os.path.exists(head):
        with open(head, "wb") as file:
            file.write(b"ref: refs/heads/none\n")
    return folder


class ObjectReader:
    """Reads objects of repositories through one git cat-file for each, in batches that cannot fill the pipe."""

    def __init__(self) -> None:
        self._children: dict[bytes, subprocess.Popen[bytes]] = {}

    def read(self, root: bytes, oids: Sequence[bytes]) -> Iterator[bytes]:
        """The contents of these objects of the repository that `root` is in, one after the other.

        All of them have to be taken before others are asked for. BundleError when one is not there, or larger than a
        bundle, which is known before it is read.
        """
        child = self._children.get(root)
        if child is None:
            child = self._children[root] = start(root, "cat-file", "--batch", stdin=subprocess.PIPE)
        stdin, stdout = child.stdin, child.stdout
        if stdin is None or stdout is None:
            raise BundleError("git cat-file has no pipes.")
        with ended_in_time(child):
            try:
                stdin.write(b"\n".join(oids) + b"\n")
                stdin.flush()
            except BrokenPipeError:
                pass  # What it did not answer is found below.
            for oid in oids:
                head = stdout.readline().split()
                if len(head) != 3:
                    raise BundleError(_unanswered(root, oid, child, ended=not head))
                size = int(head[2])
                check_size(b"The git object " + oid, size)
                data = stdout.read(size + 1)
                if len(data) != size + 1:
                    raise BundleError(_unanswered(root, oid, child, ended=True))
                yield data[:-1]

    def close(self) -> None:
        """End the processes."""
        for child in self._children.values():
            child.kill()
            child.communicate()
        self._children.clear()


def _unanswered(root: bytes, oid: bytes, child: subprocess.Popen[bytes], ended: bool) -> str:
    if ended and child.wait() < 0:
        return too_slow(root)
    return (
        f"git has no object {oid.decode()} in {os.fsdecode(root)}: the clone is partial or damaged; fetch it whole "
        "(git fetch --refetch --no-filter), or see git fsck."
    )
