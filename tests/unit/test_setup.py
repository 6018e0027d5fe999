# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/setup with the network cut, or killed, in each of its steps, and then again: it ends what it began.

The programs that it calls are doubles that note what they installed; those of the network fail or kill when told to.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("runtime", "test", "eb", "importer")
STEPS = 7
"""Of the network: pip, two parts of .venv, localstalk, two for eb, one for the importer."""

DOUBLE = """#!{python}
import os, sys, signal
from pathlib import Path
words, place = sys.argv[1:], Path(os.environ["PLACE"])

def network(note):
    count = len(list(place.glob("step-*"))) + 1
    (place / f"step-{{count}}").touch()
    if count == int(os.environ["STOP_AT"]):
        (place / "half").write_text(note)
        if os.environ["HOW"] == "kill":
            os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
    with (place / "installed").open("a") as file:
        file.write(note + "\\n")

if "venv" in words:
    folder = Path(words[-1])
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for old in folder.glob(".*"):
        old.unlink()
    for name in ("python", "uv"):
        target = folder / "bin" / name
        target.unlink(missing_ok=True)
        target.symlink_to(place / "double")
elif words[:3] == ["-m", "pip", "--version"]:
    pass
elif words[:2] == ["-m", "pip"] or words[:2] == ["pip", "install"]:
    network(" ".join(words))
    if "--editable" in words:
        (Path(".venv/bin") / "localstalk").symlink_to(place / "double")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with doubles on PATH."""
    made = tmp_path / "checkout"
    (made / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", made / "scripts")
    shutil.copytree(ROOT / "requirements", made / "requirements")
    (tmp_path / "bin").mkdir()
    double = tmp_path / "double"
    double.write_text(DOUBLE.format(python=sys.executable))
    double.chmod(0o755)
    programs = (
        "git curl podman runc iptables mmdebstrap shellcheck cron logrotate systemd-analyze docker-registry chromium"
    )
    for name in (*programs.split(), "chromedriver", "python3", "apt-get", "dpkg"):
        (tmp_path / "bin" / name).symlink_to(double)
    (tmp_path / "bin" / "id").write_text("#!/bin/sh\necho 0\n")
    (tmp_path / "bin" / "id").chmod(0o755)
    for name in ("bash", "sha256sum", "cat", "flock", "mv", "rm", "touch", "mktemp", "tail", "sort", "awk", "dirname"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return made


def set_up(checkout: Path, stop_at: int, how: str = "fail") -> int:
    place = checkout.parent
    environ = {"PATH": str(place / "bin"), "PLACE": str(place), "STOP_AT": str(stop_at), "HOW": how, "HOME": str(place)}
    command = [checkout / "scripts" / "setup", *PARTS]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    (place / "output").write_text(ended.stdout + ended.stderr)
    return ended.returncode


def steps(checkout: Path) -> int:
    return len(list(checkout.parent.glob("step-*")))


def test_all_steps_are_counted_and_done_once(checkout: Path) -> None:
    assert set_up(checkout, 0) == 0, (checkout.parent / "output").read_text()
    assert steps(checkout) == STEPS
    assert set_up(checkout, 0) == 0
    assert steps(checkout) == STEPS


@pytest.mark.parametrize("how", ["fail", "kill"])
@pytest.mark.parametrize("stop_at", range(1, STEPS + 1))
def test_what_was_cut_is_ended_by_the_next(checkout: Path, stop_at: int, how: str) -> None:
    assert set_up(checkout, stop_at, how) != 0
    assert steps(checkout) == stop_at, "it went on after a step that failed"
    half = (checkout.parent / "half").read_text()
    assert set_up(checkout, 0) == 0, (checkout.parent / "output").read_text()
    installed = (checkout.parent / "installed").read_text().splitlines()
    plain = [line.replace("--reinstall ", "").replace("--force-reinstall ", "") for line in installed]
    assert half in plain
    assert len(set(plain)) == STEPS
    if "-r" in half:
        assert [line for line in installed if "reinstall" in line], "what was half installed is not trusted"
    assert set_up(checkout, 0) == 0
    assert (checkout.parent / "installed").read_text().splitlines() == installed
