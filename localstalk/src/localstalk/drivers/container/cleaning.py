# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this machine fit for the container driver, and cleaning up after a daemon that did not."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from localstalk.driver import DriverError
from localstalk.images.podman import LABEL, attempt

from .network import network_name

PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "conmon": "podman",
    "iptables": "iptables",
    "haproxy": "haproxy",
    "setpriv": "util-linux",
}
"""Program -> Debian package."""

HELPERS = {"netavark": "netavark"}
"""Programs that podman calls by a path of its own."""

HELPER_FOLDERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman")
KILL_SECONDS = 3.0
IMAGES = "images"
"""Folder of a home for images that are half made."""


def label(home: Path) -> str:
    """Return the text that marks everything of a home: 8 hex digits."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]


def preflight() -> str | None:
    """Return one sentence about what is missing, or None when the container driver can work here."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program, path=search) is None]
    for program, package in HELPERS.items():
        if not any(Path(folder, program).exists() for folder in HELPER_FOLDERS) and shutil.which(program) is None:
            missing.append(package)
    if missing:
        names = " ".join(sorted(set(missing)))
        return f"The container driver needs programs that are missing: apt-get install --no-install-recommends {names}"
    if os.geteuid() != 0:
        return (
            "The container driver needs root (its instances run Docker engines of their own): "
            "run as root, or use --driver sim"
        )
    try:
        done = attempt("info", "--format", "{{.Store.GraphDriverName}}", timeout=30.0)
    except DriverError as error:
        return str(error)
    if done.returncode != 0:
        return f"podman does not work here: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    if done.stdout.strip() != "overlay":
        return f"podman's storage driver is {done.stdout.strip()} but must be overlay: see /etc/containers/storage.conf"
    return None


def clean(home: Path, runtime: Path) -> None:
    """Remove what a daemon of ``home`` has left, killed or not; nobody else's. Silent when there is nothing."""
    mark = label(home)
    _end_haproxy(home / "edge" / "haproxy.cfg")
    if shutil.which("podman") is not None:
        listed = attempt("ps", "--all", "--quiet", "--filter", f"label={LABEL}={mark}")
        if listed.stdout.split():
            attempt("rm", "--force", "--time=0", "--volumes", "--ignore", *listed.stdout.split())
        attempt("network", "rm", "--force", network_name(mark))
    _unmount(home)
    for path in (
        home / IMAGES,
        *(home / name for name in ("instances", "elections", "edge")),
        runtime / "i",
        runtime / "edge",
    ):
        shutil.rmtree(path, ignore_errors=True)
    for path in (home / "database-password", home / "containers.conf", home / "mounts.conf", home / "pip.conf"):
        path.unlink(missing_ok=True)


def _end_haproxy(config: Path) -> None:
    """End every HAProxy that runs with our own configuration file."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == "haproxy" and os.fsencode(config) in words:
                    pids.append(int(entry.name))
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + KILL_SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def _unmount(home: Path) -> None:
    """Undo mounts below the home's instances; there are none unless something outside podman made them."""
    inside = f"{home.resolve() / 'instances'}/"
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in points if point.startswith(inside)), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
