# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which process holds a lease, and whether it has ended.

A module is a process of a second, so the holder is the Ansible run above it. A process is the same one only on the
same boot of the same machine, in the same process namespace, and with the same start time: process ids are reused,
and containers count their own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROC = Path("/proc")


def boot(proc: Path = PROC) -> str:
    """Which boot of this machine it is; "" where that cannot be told."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def this_run(proc: Path = PROC) -> dict[str, Any] | None:
    """The Ansible run that this process belongs to; None where that cannot be told (not Linux, or a remote host)."""
    try:
        place = _place(proc)
        found = None
        pid = os.getpid()
        while pid > 1:
            if _is_ansible(proc, pid):
                found = pid
            elif found is not None:
                break
            pid = _parent(proc, pid)
        if found is None:
            return None
        return {**place, "pid": found, "start": _start(proc, found)}
    except (OSError, ValueError, IndexError):
        return None


def this_process(proc: Path = PROC) -> dict[str, Any] | None:
    """The process that asks; None where that cannot be told."""
    try:
        return {**_place(proc), "pid": os.getpid(), "start": _start(proc, os.getpid())}
    except (OSError, ValueError, IndexError):
        return None


def has_ended(process: Mapping[str, Any], proc: Path = PROC) -> bool:
    """Whether the process certainly ended. False when it runs, and when it is none of this machine's."""
    try:
        place = _place(proc)
    except (OSError, ValueError):
        return False
    if any(process.get(key) != value for key, value in place.items()):
        return False
    try:
        pid = int(process["pid"])
        # A zombie does nothing any more; it waits for a parent that may be late.
        return _stat(proc, pid)[0] in ("Z", "X") or _start(proc, pid) != process["start"]
    except FileNotFoundError:
        return True
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return False


def _place(proc: Path) -> dict[str, str]:
    return {
        "host": socket.gethostname(),
        "boot": (proc / "sys/kernel/random/boot_id").read_text().strip(),
        "namespace": str((proc / "self/ns/pid").readlink()),
    }


def _stat(proc: Path, pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the command, which may itself contain spaces and brackets."""
    return (proc / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()


def _parent(proc: Path, pid: int) -> int:
    return int(_stat(proc, pid)[1])


def _start(proc: Path, pid: int) -> str:
    return _stat(proc, pid)[19]


def _is_ansible(proc: Path, pid: int) -> bool:
    """Whether one of the first two words of the command is a program of Ansible's (the first may be Python)."""
    words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")[:2]
    return any(Path(word.decode(errors="replace")).name.startswith("ansible") for word in words)
