# SPDX-License-Identifier: GPL-3.0-or-later
"""Call podman; every failure becomes one sentence."""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path

from localstalk.driver import DriverError

CALL_SECONDS = 120.0
LABEL = "localstalk.home"
MAX_PROCESSES = 32768
"""podman 4.3 lowers its own limit of processes to this, and may not raise it again for a container."""


def podman(*arguments: str, timeout: float = CALL_SECONDS, stdin: str | None = None) -> str:
    """Run podman and return its standard output; raises DriverError."""
    done = attempt(*arguments, timeout=timeout, stdin=stdin)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise DriverError(f"podman {arguments[0]} failed: {lines[-1]}")
    return done.stdout


def attempt(
    *arguments: str, timeout: float = CALL_SECONDS, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run podman and return what came of it, good or bad; raises DriverError when it cannot be run or does not end."""
    try:
        return subprocess.run(
            command(*arguments),
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            input=stdin if stdin is not None else "",
        )
    except FileNotFoundError as error:
        raise DriverError("podman is missing: apt-get install podman") from error
    except subprocess.TimeoutExpired as error:
        raise DriverError(f"podman {arguments[0]} did not end within {timeout:.0f} s") from error


def command(*arguments: str) -> list[str]:
    """Return the command of a call of podman."""
    # crun, podman's first choice, refuses cgroups in hybrid mode; runc takes all of them.
    return ["podman", *(["--runtime=runc"] if shutil.which("runc") else []), *arguments]


def limits() -> list[tuple[str, int]]:
    """Return (ulimit, value) for containers: what this process may give, soft equal to hard.

    Some machines forbid raising limits, and podman's defaults would; its Docker API swaps soft and hard when they
    differ.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    files = 65536 if files == resource.RLIM_INFINITY else min(files, 65536)
    processes = MAX_PROCESSES if processes == resource.RLIM_INFINITY else min(processes, MAX_PROCESSES)
    return [("nofile", files), ("nproc", processes)]


def common_options(home_label: str) -> list[str]:
    """Return the options that every container of a daemon gets."""
    return [f"--label={LABEL}={home_label}", *(f"--ulimit={name}={value}:{value}" for name, value in limits())]


def image_store() -> Path:
    """Return the directory of this user's image store; raises DriverError."""
    return Path(podman("info", "--format", "{{.Store.GraphRoot}}").strip())
