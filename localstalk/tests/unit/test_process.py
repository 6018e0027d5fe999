# SPDX-License-Identifier: GPL-3.0-or-later
"""``up`` that is interrupted or killed at any moment, ``down`` at any moment, and a log that stays small."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from interrupts import MOMENTS, assert_nothing_left, cli, signalled_up, up_takes

from localstalk.home import Home


@pytest.fixture(scope="module", autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        yield


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory, runtime: None) -> float:
    """Seconds that ``up`` takes here."""
    home = tmp_path_factory.mktemp("first") / "home"
    try:
        return up_takes(home, "sim")
    finally:
        cli(home, "down")


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_up_interrupted_at_any_moment_leaves_nothing(tmp_path: Path, duration: float, moment: int) -> None:
    home = tmp_path / "home"
    code, output, errors = signalled_up(home, "sim", signal.SIGINT, duration * moment / MOMENTS)
    if code == 0:
        assert (output.startswith("localstalk is running at "), errors) == (True, ""), "it was done"
        assert cli(home, "down").stdout == "localstalk was stopped.\n"
    else:
        assert (code, output, errors) == (130, "", "localstalk: interrupted\n")
        assert_nothing_left(home)
        assert cli(home, "down").stdout == "localstalk is not running.\n"
    assert_nothing_left(home)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_up_interrupted_while_it_says_that_it_runs_is_done(tmp_path: Path, name: str) -> None:
    program = f"""
import atexit, io, os, signal, sys
from localstalk.__main__ import run
class Interrupting(io.FileIO):
    def write(self, text):
        os.kill(os.getpid(), signal.{name})
        return super().write(text)
sys.stdout = io.TextIOWrapper(Interrupting(1, "w", closefd=False), write_through=True)
atexit.register(os.kill, os.getpid(), signal.{name})
sys.exit(run())
"""
    home = tmp_path / "home"
    command = [sys.executable, "-c", program, "--home", str(home), "up", "--driver", "sim"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("localstalk is running at ")
    finally:
        assert cli(home, "down").stdout == "localstalk was stopped.\n"
    assert_nothing_left(home)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_down_ends_a_daemon_whose_up_was_killed_at_any_moment(tmp_path: Path, duration: float, moment: int) -> None:
    home = tmp_path / "home"
    signalled_up(home, "sim", signal.SIGKILL, duration * moment / MOMENTS)
    down = cli(home, "down")
    assert (down.returncode, down.stderr) == (0, "")
    assert_nothing_left(home)


def test_down_during_up_in_another_shell(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "localstalk", "--home", str(home), "up", "--driver", "sim"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starting:
        deadline = time.monotonic() + 60
        while not Home(home).held():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert cli(home, "down").stdout == "localstalk was stopped.\n"
        output, _ = starting.communicate(timeout=60)
    assert output.startswith("localstalk is running at ")
    assert_nothing_left(home)


def test_a_daemon_asked_to_end_where_python_drops_what_the_handler_raises_ends(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from localstalk import daemon
from localstalk.drivers.sim import SimDriver
class Collected:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100_000):
            pass
def made(name, home, speed):
    Collected()
    print("went on")
    return SimDriver(home.path, home.runtime, speed, 0)
daemon.make_driver = made
sys.exit(daemon.main(sys.argv[1:]))
"""
    home = tmp_path / "home"
    command = [sys.executable, "-c", program, "--home", str(home), "--driver", "sim", "--speed", "1", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (home / "daemon.log").read_text().endswith("output: went on\n")
    assert not Home(home).held()


def test_a_second_up_waits_for_a_daemon_that_starts(tmp_path: Path, duration: float) -> None:
    home = tmp_path / "home"
    signalled_up(home, "sim", signal.SIGKILL, duration / 2)
    again = cli(home, "up", "--driver", "sim")
    try:
        assert (again.returncode, again.stderr) == (0, "")
        assert json.loads(cli(home, "env", "--format", "json").stdout)["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    finally:
        cli(home, "down")
    assert_nothing_left(home)


def test_the_keys_are_in_a_file_of_the_user_alone_and_new_each_time(tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen = set()
    for _ in range(2):
        cli(home, "up", "--driver", "sim")
        try:
            found = json.loads(cli(home, "env", "--format", "json").stdout)
            seen.add(found["AWS_SECRET_ACCESS_KEY"])
            holding = [each for each in home.rglob("*") if found["AWS_SECRET_ACCESS_KEY"] in each.read_text()]
            assert [(each.name, stat.S_IMODE(each.stat().st_mode)) for each in holding] == [("daemon.json", 0o600)]
            assert not any(found["AWS_SECRET_ACCESS_KEY"].encode() in words for words in command_lines())
        finally:
            cli(home, "down")
    assert len(seen) == 2


def command_lines() -> list[bytes]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    return found


def test_the_log_is_bounded_whoever_writes_it(tmp_path: Path) -> None:
    program = """
import logging, os, subprocess, sys
from pathlib import Path
from localstalk import log
log.LARGEST = 10_000
log.write_log(Path(sys.argv[1]))
for number in range(1000):
    logging.getLogger("x").warning("logged %s", number)
    print("printed", number)
    print("said", number, file=sys.stderr)
subprocess.run(["sh", "-c", "echo a program of ours; echo another >&2"], check=True)
"""
    target = tmp_path / "daemon.log"
    done = subprocess.run([sys.executable, "-c", program, str(target)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1"]
    assert all(each.stat().st_size <= 10_100 for each in tmp_path.iterdir())
    text = target.read_text()
    assert "output: said 999" in text
    assert text.endswith("a program of ours\nanother\n")
