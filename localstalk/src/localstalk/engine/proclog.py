# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what a process prints to its log, as the system log does on EB's instances: runit's logger of one process."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from .layout import Layout
from .logs import Logger


def record(layout: Layout, name: str, lines: Iterable[bytes]) -> None:
    """Append lines to ``/var/log/<name>.stdout.log``: ``Mar  3 12:38:28 ip-172-31-35-64 web[2013]: text``."""
    logger = Logger(layout.log / f"{name}.stdout.log")
    host = socket.gethostname().partition(".")[0]
    pid_file = layout.at("/var/pids") / f"{name}.pid"
    pid = ""
    for line in lines:
        # A process that has ended may have left lines; they are still its own.
        pid = pid_file.read_text().strip() if pid_file.exists() else pid
        now = datetime.now(UTC)
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        logger.write(f"{now:%b} {now.day:2} {now:%H:%M:%S} {host} {name}[{pid}]: {text}")


if __name__ == "__main__":
    record(Layout(Path("/")), sys.argv[1], sys.stdin.buffer)
