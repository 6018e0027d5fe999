# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README shows is run, and its table is complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localstalk.elasticbeanstalk import wire
from localstalk.faults import KINDS
from localstalk.testing import Localstalk

README = Path(__file__).parents[2] / "README.md"
EB = Path(__file__).parents[3] / ".venv-eb" / "bin" / "eb"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"<!-- tested: {kind} -->\n```\w+\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def run(command: list[str], folder: Path, **variables: str) -> str:
    path = f"{Path(sys.executable).parent}:{EB.parent}:{os.environ['PATH']}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environ |= {"PATH": path, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")} | variables
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("block", blocks("shell"))
def test_shell(block: str, tmp_path: Path) -> None:
    home = {"LOCALSTALK_HOME": str(tmp_path / "home")}
    try:
        assert "localstalk is running at" in run(["sh", "-ec", block], tmp_path, **home)
    finally:
        run(["localstalk", "down"], tmp_path, **home)


def test_boto3(tmp_path: Path) -> None:
    (block,) = blocks("python")
    running = Localstalk(tmp_path / "home", "--driver", "sim", "--speed", "1000")
    try:
        printed = run([sys.executable, "-c", block], tmp_path, **running.environ)
    finally:
        running.close()
    assert "INFO Successfully launched environment: shop-blue\n" in printed


@pytest.mark.skipif(not EB.exists(), reason="the eb command line is not installed (make clients)")
def test_eb(tmp_path: Path) -> None:
    (block,) = blocks("eb")
    running = Localstalk(tmp_path / "home", "--driver", "sim", "--speed", "200")
    try:
        printed = run(["sh", "-ec", block], tmp_path, **running.environ)
    finally:
        running.close()
    assert "Successfully launched environment: shop-green" in printed
    assert "Status: Ready" in printed


def test_pytest(tmp_path: Path) -> None:
    (block,) = blocks("pytest")
    (tmp_path / "test_shop.py").write_text(block, encoding="utf-8")
    # Imported by a file before the one that names the plugin, which must not be a warning.
    (tmp_path / "test_first.py").write_text("from localstalk.testing import Localstalk\n", encoding="utf-8")
    strict = ["-W", "error::pytest.PytestAssertRewriteWarning"]
    assert "3 passed" in run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *strict], tmp_path)


def test_every_operation_has_a_full_row() -> None:
    rows = re.findall(r"^\| (\w+) \| yes \| ([^|]+) \| yes \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in rows] == sorted(wire.service_model().operation_names)
    assert {validated for _, validated in rows} == {"yes", "takes no parameters"}


def test_every_kind_of_fault_is_told() -> None:
    text = README.read_text(encoding="utf-8")
    for kind, fields in KINDS.items():
        assert re.search(rf"^\| {kind} \|", text, re.MULTILINE), kind
        assert all(re.search(rf"\b{name}\b", text) for name in fields), kind
