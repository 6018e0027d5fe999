# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets at a localstalk with containers, and what an ``up`` that was interrupted leaves of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Browser, open_browser, start_chromium  # noqa: F401 - fixtures
from hostile import from_a_name_that_leads_here, from_other_origins
from interrupts import MOMENTS, assert_nothing_left, cli, processes_of, signalled_up, up_takes

from localstalk.home import Home
from localstalk.images.builder import BASE
from localstalk.testing import Localstalk

pytestmark = pytest.mark.containers

SENTENCE = (
    "Code in an instance is root on this machine: instances run privileged, because a Docker engine is nested in them."
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Localstalk]:
    made = Localstalk(tmp_path / "home", "--driver", "container")
    yield made
    made.close()


def test_pages_of_other_origins_get_nowhere(browser: Browser, running: Localstalk) -> None:
    from_other_origins(browser, running)


def test_pages_whose_name_leads_here_get_nowhere(browser: Browser, tmp_path: Path) -> None:
    from_a_name_that_leads_here(browser, tmp_path / "home", "--driver", "container")


def test_up_says_what_code_in_an_instance_may_do(running: Localstalk) -> None:
    assert cli(running.home, "up").stdout.endswith(f").\n{SENTENCE}\n")
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert SENTENCE in " ".join(readme.split())


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that ``up`` takes here."""
    home = tmp_path_factory.mktemp("first") / "home"
    try:
        return up_takes(home, "container")
    finally:
        cli(home, "down")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_nothing_is_left_of_an_up_that_ended_early(tmp_path: Path, duration: float, moment: int, number: int) -> None:
    home = tmp_path / "home"
    code, _, errors = signalled_up(home, "container", number, duration * moment / MOMENTS)
    if number == signal.SIGINT and code != 0:
        assert "Traceback" not in errors
        assert_nothing_left(home)
        assert traces(home) == []
    down = cli(home, "down")
    assert (down.returncode, down.stderr) == (0, "")
    assert_nothing_left(home)
    assert traces(home) == []


def traces(home: Path) -> list[str]:
    """Containers, networks, links and mounts of a home."""
    mark = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
    asked = (
        ["podman", "ps", "--all", "--format", "{{.Names}} {{.Labels}}"], ["podman", "network", "ls"],
        ["ip", "-oneline", "link"], ["cat", "/proc/mounts"],
    )  # fmt: skip
    printed = [subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in asked]
    return [line for text in printed for line in text.splitlines() if mark in line or str(home) in line]


EMPTY = {"nothing": "mmdebstrap", "an empty base": "pip"}
"""What the machine's store has, and the program that then makes the next of the images."""


@pytest.fixture(params=EMPTY)
def making(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store of the test's own; returns a word of the command that runs for long."""
    store = tmp_path / "store"
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{store}/graph"\nrunroot = "{store}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    if request.param != "nothing":
        (tmp_path / "empty").mkdir()
        subprocess.run(["tar", "-cf", tmp_path / "empty.tar", "-C", tmp_path / "empty", "."], check=True)
        subprocess.run(["podman", "import", "--quiet", tmp_path / "empty.tar", BASE], check=True, capture_output=True)
    yield EMPTY[request.param]
    # Nothing of it is mounted any more, or the folder could not be removed.
    subprocess.run(["podman", "unmount", "--all"], check=True, capture_output=True)
    shutil.rmtree(store)


@pytest.mark.parametrize("number", [None, signal.SIGKILL])
def test_what_makes_images_ends_with_the_daemon(tmp_path: Path, making: str, number: int | None) -> None:
    home, before = tmp_path / "home", set(Path("/tmp").iterdir())
    up = cli(home, "up", "--driver", "container")
    assert up.returncode == 0, up.stderr
    until(lambda: any(making in words for words in processes_of(home)))
    if number is not None:
        record = Home(home).running()
        assert record is not None
        os.kill(record.pid, number)
        until(lambda: not any(making in words for words in processes_of(home)))
    down = cli(home, "down")
    assert (down.returncode, down.stderr) == (0, "")
    assert_nothing_left(home)
    assert traces(home) == []
    assert not (home / "images").exists()
    until(lambda: not [path for path in set(Path("/tmp").iterdir()) - before if "mmdebstrap" in path.name])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
