# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs into a source bundle: files of a git ref, of the index, or of the work tree.

Only reads: never refreshes the index, never writes an object. Paths are bytes, as git and the kernel have them.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH103, PTH110, PTH112, PTH114, PTH118, PTH123

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NamedTuple

from .bundle_types import BundleError, Entry

# A git hook's own variables would make git look at another repository than the one the user named.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
_NEVER_SHIPPED = frozenset((b".git", b".elasticbeanstalk"))
SYMLINK = 0o120000
GITLINK = 0o160000


class Repository(NamedTuple):
    """A checkout: `root` is the folder to bundle, `prefix` its place inside the repository ("" or "a/b/")."""

    root: bytes
    prefix: bytes


class Listing(NamedTuple):
    """The files to ship, and a signature that is equal as long as none of them changed ("" when that is unknown)."""

    entries: list[Entry]
    signature: bytes


def git_environment() -> dict[str, str]:
    """Environment for git that keeps it from writing (no optional locks) and from other repositories."""
    env = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    env.update(GIT_OPTIONAL_LOCKS="0", LC_ALL="C", GIT_NO_LAZY_FETCH="1")
    return env


def require_git() -> None:
    """Raise BundleError when there is no git on PATH."""
    if shutil.which("git") is None:
        raise BundleError("git is not installed on the controller: install it (Debian: apt-get install git).")


def git(root: bytes, *args: str | bytes, stdin: bytes | None = None, ok: tuple[int, ...] = (0,)) -> bytes:
    """Run git in `root` and return its output; BundleError with git's own last line when it fails."""
    done = subprocess.run(
        ["git", "-C", root, *args], input=stdin, capture_output=True, env=git_environment(), check=False
    )
    if done.returncode not in ok:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise BundleError(f"git failed in {os.fsdecode(root)}: {lines[-1] if lines else 'no message'}")
    return done.stdout


def open_repository(root: bytes) -> Repository | None:
    """The repository that `root` is in, or None when it is in none; BundleError for anything else git refuses."""
    done = subprocess.run(
        ["git", "-C", root, "rev-parse", "--is-inside-work-tree", "--show-prefix"],
        capture_output=True,
        env=git_environment(),
        check=False,
    )
    if done.returncode == 0 and done.stdout.startswith(b"true"):
        return Repository(root, done.stdout.split(b"\n", 2)[1])
    message = done.stderr.decode(errors="replace").strip()
    if done.returncode and "not a git repository" not in message:
        raise BundleError(f"git refuses to read {os.fsdecode(root)}: {message.splitlines()[0] if message else '?'}")
    return None


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


def subject(root: bytes, commit: str) -> str:
    """First line of a commit message."""
    return git(root, "log", "-1", "--format=%s", commit).decode(errors="replace").strip()


def shipped(path: bytes) -> bool:
    """False for what never belongs into a bundle: git's and the EB CLI's own folders, at any depth."""
    if b".git" not in path and b".elasticbeanstalk" not in path:
        return True
    return _NEVER_SHIPPED.isdisjoint(path.split(b"/"))


def list_tree(repo: Repository, tree: str) -> list[Entry]:
    """Entries of a tree object, submodules included."""
    out = git(repo.root, "ls-tree", "-r", "-z", "--full-tree", tree)
    entries = []
    for line in out.split(b"\0")[:-1]:
        meta, path = line.split(b"\t", 1)
        mode, _kind, oid = meta.split(b" ")
        entries.append(Entry(path, int(mode, 8), oid, repo.root))
    return _with_submodules(repo, entries)


def read_index(repo: Repository) -> bytes:
    """The index as `ls-files -s -z` prints it: equal output means equal content."""
    return git(repo.root, "ls-files", "-s", "-z")


def list_index(repo: Repository, listing: bytes) -> list[Entry]:
    """Entries of the index; BundleError while a merge is unfinished."""
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
    return _with_submodules(repo, entries)


def _with_submodules(repo: Repository, entries: list[Entry]) -> list[Entry]:
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
        for inner in list_tree(Repository(folder, b""), entry.oid.decode()):
            result.append(inner._replace(path=entry.path + b"/" + inner.path, local=inner.local or inner.path))
    return result


def list_work_tree(root: bytes, repo: Repository | None, ignore_file: bytes | None, empty_git: bytes) -> list[Entry]:
    """Entries of the files on disk.

    With an .ebignore only its rules count, as for the EB CLI; else a repository's own ignore rules; outside of a
    repository everything is shipped. `empty_git` is a folder that may hold an empty repository, so that git's own
    matcher applies the rules where there is no repository to ask.
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
    for path in sorted(set(out.split(b"\0")[:-1])):
        full = os.path.join(root, path.rstrip(b"/"))
        # A repository inside (a submodule, or a clone that nobody declared) is listed as one name.
        if path.endswith(b"/") or (os.path.isdir(full) and not os.path.islink(full)):
            inside = open_repository(full)
            nested = _disk_paths(full, inside if ignore_file is None else None, ignore_file, empty_git)
            found.extend(path.rstrip(b"/") + b"/" + name for name in nested)
        else:
            found.append(path)
    return found


def ensure_empty_repository(folder: bytes) -> bytes:
    """An empty git directory in `folder` (ours, never the user's), made when it is not there."""
    for name in (b"objects", b"refs"):
        os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)
    head = os.path.join(folder, b"HEAD")
    if not os.path.exists(head):
        with open(head, "wb") as file:
            file.write(b"ref: refs/heads/none\n")
    return folder


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
