# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of an nginx, by a stand-in with nginx's own order: first its file goes, then its port, then the process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localstalk.engine import nginx

PROGRAM = """
import pathlib, signal, sys, time
file = pathlib.Path(sys.argv[1])
def end(*_):
    file.unlink()
    time.sleep(float(sys.argv[2]))
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""


def master(box: Any, seconds_to_end: float) -> subprocess.Popen[str]:
    pid_file = Path(box.layout.at("/var/run/nginx.pid"))
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, pid_file, str(seconds_to_end)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    pid_file.write_text(f"{process.pid}\n")
    return process


def test_stop_waits_for_the_process_and_not_for_its_file(box: Any) -> None:
    with master(box, 0.2) as process:
        nginx.Nginx(box.layout, print).stop()
        assert process.poll() == 7


def test_stop_kills_what_does_not_end(box: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx, "STOP_SECONDS", 0.3)
    with master(box, 60) as process:
        nginx.Nginx(box.layout, print).stop()
        assert process.poll() == -signal.SIGKILL


@pytest.mark.parametrize("content", [None, "", "4194305\n"])
def test_stop_without_a_process(box: Any, content: str | None) -> None:
    if content is not None:
        box.script("var/run/nginx.pid", content)
    nginx.Nginx(box.layout, print).stop()
