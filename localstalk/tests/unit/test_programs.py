# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that make images end with the daemon: when it closes them, when their time is over, when it is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localstalk.driver import DriverError
from localstalk.images.programs import Programs

OWNER = """
import sys
from localstalk.images.programs import Programs
Programs().run(["sh", "-c", 'echo $$ >"$1"; exec sleep 60', "sh", sys.argv[1]], 60)
"""


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(note: Path) -> int:
    """Pid of the program that writes it into a file."""
    until(lambda: note.exists() and note.read_text().endswith("\n"))
    return int(note.read_text())


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def writes_pid(note: Path, then: str) -> list[str]:
    return ["sh", "-c", f'echo $$ >"$1"; {then}', "sh", str(note)]


def test_output_errors_and_code_are_returned() -> None:
    done = Programs().run(["sh", "-c", 'echo "$SAID"; echo no >&2; exit 3'], 20, {**os.environ, "SAID": "yes"})
    assert (done.stdout, done.stderr, done.returncode) == ("yes\n", "no\n", 3)


def test_a_program_has_its_time(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"^sh did not end within 1 s$"):
        Programs().run(writes_pid(tmp_path / "pid", "exec sleep 60"), 1)
    assert gone(started(tmp_path / "pid"))


def test_close_ends_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    programs, said = Programs(), []

    def run() -> None:
        try:
            programs.run(writes_pid(tmp_path / "pid", "exec sleep 60"), 60)
        except DriverError as error:
            said.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    pid = started(tmp_path / "pid")
    programs.close()
    assert gone(pid)
    thread.join(20)
    assert said == ["sh was ended: localstalk ends"]
    with pytest.raises(DriverError, match=r"^true was not started: localstalk ends$"):
        programs.run(["true"], 20)


def test_what_a_program_runs_ends_with_it_and_it_has_time_to_tidy_up(tmp_path: Path) -> None:
    end, note = tmp_path / "end", tmp_path / "pid"
    # It says who it is once it is a program of its own: until then a signal meets the trap of the one that begins it.
    script = f'trap "wait; echo tidy >{end}; exit" TERM; sh -c "echo \\$\\$ >{note}; exec sleep 60" & wait'
    programs = Programs()

    def run() -> None:
        with contextlib.suppress(DriverError):
            programs.run(["sh", "-c", script], 60)

    thread = threading.Thread(target=run)
    thread.start()
    pid = started(note)
    programs.close()
    assert gone(pid)
    assert end.read_text() == "tidy\n"
    thread.join(20)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_ends_with_its_owner(tmp_path: Path, number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path / "pid")]) as owner:
        pid = started(tmp_path / "pid")
        owner.send_signal(number)
    until(lambda: gone(pid))
