# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/matrix names every cell with its outcome; what cannot be tried or fails is never passed over."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cells import cells

ROOT = Path(__file__).resolve().parents[2]
CORES = [cell.core for cell in cells()]
SETUP = """#!/bin/sh
case " $MISSING " in *" $1 "*) echo "setup: Python for $1 is missing" >&2; exit 1 ;; esac
"""
# The tests of a cell: what they are called with is kept, and those of one cell fail.
PYTEST = """#!/bin/sh
echo "$0 $*" >>calls
case "$*" in *"--cell $FAILING"*) echo "the reason"; exit 1 ;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of which nothing is real but the script and the list of cells."""
    files = {"scripts/setup": SETUP, ".venv/bin/pytest": PYTEST}
    for core in CORES:
        files |= {f".venv-core{core}/bin/pytest": PYTEST, f".venv-core{core}/bin/python": f"#!/bin/sh\necho {core}.0\n"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements/matrix.conf", tmp_path / "requirements")
    shutil.copy(ROOT / "scripts/matrix", tmp_path / "scripts")
    return tmp_path


def matrix(checkout: Path, what: str, missing: str = "", failing: str = "none") -> subprocess.CompletedProcess[str]:
    variables = {"PATH": "/usr/bin:/bin", "MISSING": missing, "FAILING": failing}
    command = [checkout / "scripts/matrix", what]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)


def test_each_cell_has_its_line(checkout: Path) -> None:
    done = matrix(checkout, "all")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{core}.0: ok" for core in CORES]
    calls = (checkout / "calls").read_text().splitlines()
    assert [f".venv-core{core}/bin/pytest" in call for core in CORES for call in calls].count(True) == len(CORES)


def test_a_missing_interpreter_is_named_and_fails(checkout: Path) -> None:
    done = matrix(checkout, "all", missing=f"core{CORES[1]}")
    assert done.returncode == 1
    assert f"Python for core{CORES[1]} is missing" in done.stderr
    lines = done.stdout.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["ok", "cannot be tried", "ok"]
    assert lines[1].startswith(f"ansible-core {CORES[1]}, Python ")


def test_a_cell_that_fails_says_why_and_the_others_go_on(checkout: Path) -> None:
    done = matrix(checkout, "all", failing=CORES[0])
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["the reason", f"{CORES[0]}.0: failed", *(f"{core}.0: ok" for core in CORES[1:])]


def test_a_deployment_takes_the_newest_that_can_be_tried(checkout: Path) -> None:
    done = matrix(checkout, "deployment", missing=f"core{CORES[0]}")
    assert done.returncode == 0, done.stderr
    assert "is missing" in done.stderr
    assert [line.rpartition(": ")[2] for line in done.stdout.splitlines()] == ["cannot be tried", "ok"]
    assert "-k deployment" in (checkout / "calls").read_text()
    none = matrix(checkout, "deployment", missing=" ".join(f"core{core}" for core in CORES))
    assert none.returncode == 1
    assert "there is no interpreter for any cell" in none.stderr


def test_the_newest_must_be_there_when_it_is_asked_for(checkout: Path) -> None:
    assert matrix(checkout, "newest", missing=f"core{CORES[0]}").returncode == 1
    assert matrix(checkout, "newest").stdout.splitlines() == [f"{CORES[0]}.0: ok"]
    assert matrix(checkout, "").returncode == 2
