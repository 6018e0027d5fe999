# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask git about a repository: refs, objects, and whether there is one.

Only reads: never refreshes the index, never writes an object. Paths are bytes, as git and the kernel have them.
"""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH103, PTH110, PTH118, PTH123

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from .bundle_types import BundleError

# A git hook's own variables would make git look at another repository than the one the user named.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


class Repository(NamedTuple):
    """A checkout: `root` is the folder to bundle, `prefix` its place inside the repository ("" or "a/b/")."""

    root: bytes
    prefix: bytes


def git_environment() -> dict[str, str]:
    """Environment for git that keeps it from writing (no optional locks), and from rules of elsewhere."""
    env = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    env.update(GIT_OPTIONAL_LOCKS="0", GIT_ATTR_NOSYSTEM="1", LC_ALL="C", GIT_NO_LAZY_FETCH="1")
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

    def read(self, root: bytes, oids: Sequence[bytes]) -> list[bytes]:
        """The contents of these objects of the repository that `root` is in; BundleError when one is not there."""
        child = self._children.get(root)
        if child is None:
            child = self._children[root] = subprocess.Popen(
                ["git", "-C", root, "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=git_environment(),
                bufsize=1 << 18,
            )
        stdin, stdout = child.stdin, child.stdout
        if stdin is None or stdout is None:
            raise BundleError("git cat-file has no pipes.")
        stdin.write(b"\n".join(oids) + b"\n")
        stdin.flush()
        contents = []
        for oid in oids:
            head = stdout.readline().split()
            if len(head) != 3:
                raise BundleError(f"git has no object {oid.decode()} in {os.fsdecode(root)}.")
            size = int(head[2])
            data = stdout.read(size + 1)
            if len(data) != size + 1:
                raise BundleError(f"git stopped while reading {os.fsdecode(root)}.")
            contents.append(data[:-1])
        return contents

    def close(self) -> None:
        """End the processes."""
        for child in self._children.values():
            child.communicate()
        self._children.clear()
