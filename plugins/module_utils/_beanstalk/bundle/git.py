# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that starts git.

A repository's own configuration can name programs (git-config(1)): they are switched off here, so that reading a
repository never runs what somebody put into it. Nothing is written, nothing is fetched, and every process has a
deadline. git's own check of who owns a repository stays (safe.directory), and so does the user's configuration.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..core.user_errors import BundleError

DEADLINE = 300.0
"""Seconds after which a git that has not finished is ended."""

# Not named here are the programs of drivers (filter.NAME.clean): their names are asked for, see `repository_settings`.
_OFF = (
    "core.fsmonitor=",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.askPass=false",
    "credential.helper=",
    "diff.external=",
    "diff.ignoreSubmodules=dirty",
    "log.showSignature=false",
    "gpg.program=false",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
    "status.submoduleSummary=false",
    "submodule.recurse=false",
)
# What the user set up for git on this machine; everything else that begins with GIT_ is of another command (a hook's
# GIT_DIR, say) or names a program.
_KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_CEILING_DIRECTORIES")
_KEPT_PREFIXES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")


def environment() -> dict[str, str]:
    """The environment for git: no locks, no network, no attributes of the machine, no prompts, no replaced objects."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    env.update(
        GIT_ALLOW_PROTOCOL="",
        GIT_ATTR_NOSYSTEM="1",
        GIT_NO_LAZY_FETCH="1",
        GIT_NO_REPLACE_OBJECTS="1",
        GIT_OPTIONAL_LOCKS="0",
        GIT_TERMINAL_PROMPT="0",
        LC_ALL="C",
    )
    return env


def _command(root: bytes, args: Iterable[str | bytes], filters: Iterable[str]) -> list[str | bytes]:
    settings = [*_OFF, *(f"filter.{name}.{key}" for name in filters for key in ("clean=", "process=", "required=no"))]
    return ["git", "--no-pager", *(word for setting in settings for word in ("-c", setting)), "-C", root, *args]


def start(
    root: bytes, *args: str | bytes, filters: Sequence[str] = (), stdin: int | None = None
) -> subprocess.Popen[bytes]:
    """Start git in `root`, to be read from; the caller ends it. `filters` are those to switch off."""
    return subprocess.Popen(
        _command(root, args, filters),
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        bufsize=1 << 18,
    )


def attempt(
    root: bytes, *args: str | bytes, stdin: bytes | None = None, filters: Sequence[str] = ()
) -> tuple[int, bytes, str]:
    """Run git in `root`: exit code, output, and what it said on its error output; BundleError past the deadline."""
    command = _command(root, args, filters)
    try:
        done = subprocess.run(
            command, input=stdin or b"", capture_output=True, env=environment(), check=False, timeout=DEADLINE
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(too_slow(root)) from error
    return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()


def git(
    root: bytes,
    *args: str | bytes,
    stdin: bytes | None = None,
    ok: tuple[int, ...] = (0,),
    filters: Sequence[str] = (),
) -> bytes:
    """Run git in `root` and return its output; BundleError with git's own last line when it fails."""
    code, out, message = attempt(root, *args, stdin=stdin, filters=filters)
    if code not in ok:
        lines = message.splitlines()
        raise BundleError(f"git failed in {os.fsdecode(root)}: {lines[-1] if lines else 'no message'}")
    return out


def too_slow(root: bytes, seconds: float | None = None) -> str:
    """The sentence for a git that did not finish within `seconds` (the deadline)."""
    return (
        f"git did not finish within {seconds or DEADLINE:.0f} seconds in {os.fsdecode(root)}: look for a FIFO among "
        "its .gitignore files or in its .git folder, and for a disk that does not answer."
    )


@contextmanager
def ended_in_time(child: subprocess.Popen[bytes], seconds: float | None = None) -> Iterator[None]:
    """End `child` when the block takes longer than `seconds` (the deadline); what is read from it ends then."""
    done = threading.Event()

    def watch() -> None:
        if not done.wait(seconds or DEADLINE):
            child.kill()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
