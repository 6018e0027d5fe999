# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball, built from this checkout, and what is needed to use it where there is no checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def run(*command: object, cwd: Path, env: Mapping[str, str] = os.environ, status: int = 0) -> str:
    """Standard output and error of a command, which must end with the status."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def program(part: str, name: str) -> Path:
    """A program of the virtual environment that scripts/setup makes for a part."""
    path = ROOT / f".venv-{part}" / "bin" / name
    assert path.exists(), f"{path} is missing: run scripts/setup {part}"
    return path


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a process that knows of no checkout and of no collection but the tarball's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "ansible.cfg").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_", "PYTHON"))}
    return {
        **kept,
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built of what git knows or would add."""
    tree, target = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("built")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, tree / name
        if source.is_symlink() or source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    # It is published nowhere yet, and Galaxy's importer insists on an address.
    with (tree / "galaxy.yml").open("a") as galaxy:
        galaxy.write("repository: https://example.com/jack.beanstalk\n")
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", target, cwd=tree)
    (built,) = target.glob("jack-beanstalk-*.tar.gz")
    return built


@pytest.fixture(scope="session")
def installed(tarball: Path, elsewhere: dict[str, str]) -> Path:
    """The folder that it was installed to."""
    folder = Path(elsewhere["ANSIBLE_COLLECTIONS_PATH"])
    words = ("collection", "install", tarball, "--offline", "--no-deps", "-p", folder)
    run(BIN / "ansible-galaxy", *words, cwd=folder.parent, env=elsewhere)
    return folder


@pytest.fixture(scope="session")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[object]]:
    """The command of a localstalk with simulated instances."""
    home = tmp_path_factory.mktemp("localstalk")
    command: list[object] = [BIN / "localstalk", "--home", home]
    run(*command, "up", "--driver", "sim", "--speed", "500", cwd=home)
    try:
        yield command
    finally:
        run(*command, "down", cwd=home)


@pytest.fixture(scope="session")
def aws(localstalk: list[object], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a process that uses it."""
    return dict(json.loads(run(*localstalk, "env", "--format", "json", cwd=tmp_path_factory.getbasetemp())))
