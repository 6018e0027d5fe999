# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that take long: they end with the process that runs them, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from localstalk.driver import DriverError

GRACE_SECONDS = 10.0
"""For a program that is told to end: podman and mmdebstrap take away what they have half made."""

_END_ALL = 'trap "trap : TERM; kill -TERM 0; wait" TERM; "$@" & wait $!'
_DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "sh", "-c", _END_ALL, "sh")
"""The kernel tells a shell when this process is gone, killed or not, and the shell its whole process group."""


class Programs:
    """Programs of one owner, run one at a time or side by side until :meth:`close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._closed = False

    def run(
        self, argv: Sequence[str], timeout: float, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; raises DriverError after ``timeout`` seconds and after :meth:`close`."""
        with self._lock:
            if self._closed:
                raise DriverError(f"{argv[0]} was not started: localstalk ends")
            process = subprocess.Popen(
                [*_DIES_WITH_US, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, errors="replace", env=env, process_group=0,
            )  # fmt: skip
            self._running.add(process)
        try:
            with process:
                try:
                    output, errors = process.communicate(timeout=timeout)
                except subprocess.TimeoutExpired:
                    process.terminate()
                    _await_end(process)
                    raise
        except subprocess.TimeoutExpired as error:
            raise DriverError(f"{argv[0]} did not end within {timeout:.0f} s") from error
        finally:
            with self._lock:
                self._running.discard(process)
        if self._closed:
            raise DriverError(f"{argv[0]} was ended: localstalk ends")
        return subprocess.CompletedProcess(argv, process.returncode, output, errors)

    def close(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            _await_end(process)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed


def _await_end(process: subprocess.Popen[str]) -> None:
    # Told once: a second signal would cut short what it does at its end.
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
