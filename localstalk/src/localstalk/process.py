# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's process, seen from outside: start it, and end it wherever it is in its life.

The daemon gets its lock from whoever starts it, already locked, and keeps it until it ends: whether there is a daemon
is never in doubt, and who runs it stands in its record from its first moment on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from localstalk import interrupts
from localstalk.home import Home, Record

START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_KILL_SECONDS = 10.0
_POLL_SECONDS = 0.02


class ProcessError(Exception):
    """One sentence about a daemon that does not start or end."""


def start(home: Home, intended: Record, options: Sequence[str], alive: Callable[[Record], bool]) -> Record:
    """Start a daemon and wait until it answers. Raises ProcessError; then, and after an interrupt, nothing is left.

    Once it answers it stays, and so this process can be interrupted no more: the caller has only to say that it runs.
    """
    command = [sys.executable, "-m", "localstalk.daemon", "--home", str(home.path), *options]
    try:
        home.write(intended)
        with home.lock("daemon") as lock, home.log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--lock", str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                pass_fds=[lock],
            )
        record = _wait(home, process, alive)
        interrupts.too_late()
        return record
    except BaseException:
        # Another interrupt must not leave half of it.
        interrupts.too_late()
        end(home)
        home.clean()
        raise


def _wait(home: Home, process: subprocess.Popen[bytes], alive: Callable[[Record], bool]) -> Record:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        record = home.running()
        if record is not None and record.pid == process.pid and alive(record):
            return record
        if process.poll() is not None:
            raise ProcessError(_last_line(home.log) or f"the daemon ended with code {process.returncode}")
        time.sleep(_POLL_SECONDS)
    raise ProcessError(f"the daemon did not answer within {START_SECONDS:.0f} seconds; see {home.log}")


def settled(home: Home) -> Record | None:
    """The record of the daemon that runs, once it has started; None when there is none. Raises ProcessError."""
    deadline = time.monotonic() + START_SECONDS
    while home.held():
        record = home.running()
        if record is not None:
            return record
        if time.monotonic() > deadline:
            raise ProcessError("a daemon is starting and does not get on; end it with: localstalk down")
        time.sleep(_POLL_SECONDS)
    return None


def end(home: Home) -> bool:
    """End the daemon that holds the lock; whether there was one. Raises ProcessError when it does not end."""
    if not home.held():
        return False
    pid = _pid(home)
    if pid is None:
        return True
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not home.held():
                return True
            time.sleep(_POLL_SECONDS)
    raise ProcessError(f"the daemon (pid {pid}) did not end")


def _pid(home: Home) -> int | None:
    """Who holds the lock; None when nobody does any more."""
    deadline = time.monotonic() + START_SECONDS
    while home.held():
        record = home.record()
        if record is not None and record.pid:
            return record.pid
        if time.monotonic() > deadline:
            raise ProcessError(f"somebody holds {home.path}/daemon.lock and does not say who it is")
        time.sleep(_POLL_SECONDS)
    return None


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
