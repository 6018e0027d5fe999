# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends of ``localstalk up`` before it is done, and what is left of it then."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from localstalk.home import Home

MOMENTS = 10


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "localstalk", "--home", str(home), *arguments]


def cli(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(home, *arguments), capture_output=True, text=True, timeout=180, check=False)


def up_takes(home: Path, driver: str) -> float:
    """Seconds from the first trace of ``up`` to its end."""
    with subprocess.Popen(command(home, "up", "--driver", driver), stdout=subprocess.DEVNULL) as process:
        await_folder(home)
        began = time.monotonic()
        assert process.wait(120) == 0
        return time.monotonic() - began


def await_folder(home: Path) -> None:
    deadline = time.monotonic() + 60
    while not home.exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def signalled_up(home: Path, driver: str, number: int, seconds: float) -> tuple[int, str, str]:
    """Send a signal to ``up`` that long after it made its folder; returns code, output and errors."""
    with subprocess.Popen(
        command(home, "up", "--driver", driver), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        await_folder(home)
        time.sleep(seconds)
        process.send_signal(number)
        output, errors = process.communicate(timeout=180)
    return process.returncode, output, errors


def processes_of(home: Path) -> list[str]:
    """Command lines in which the home appears."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(home) in words:
                found.append(words)
    return found


def assert_nothing_left(home: Path) -> None:
    assert not Home(home).held()
    assert processes_of(home) == []
    assert not (home / "daemon.json").exists()
    if (home / "daemon.log").exists():
        text = (home / "daemon.log").read_text()
        assert "Traceback" not in text, text
