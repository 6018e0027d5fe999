# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that clean_hooks.yml runs on instances, against a folder instead of an instance's file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/hooks/files/leftovers.sh"
HOOKS = "opt/elasticbeanstalk/hooks"
LEFT = (
    f"{HOOKS}/appdeploy/post/jack_10_migrate.sh",
    f"{HOOKS}/appdeploy/post/jack_10_migrate.sh.bak",
    f"{HOOKS}/configdeploy/post/jack_20_static.sh.bak",
    "var/lib/jack_hooks/markers/migrate",
)
NEEDED = (
    f"{HOOKS}/configdeploy/post/jack_20_static.sh",
    "opt/elasticbeanstalk/tasks/taillogs.d/jack_hooks.conf",
    "var/log/jack-hooks.log",
)
THEIRS = (
    f"{HOOKS}/appdeploy/post/jackson.sh",
    f"{HOOKS}/appdeploy/pre/nick_10_x.sh.bak",
    "opt/elasticbeanstalk/tasks/taillogs.d/jackson_hooks.conf",
    "var/log/nick-hooks.log",
)


def run(root: Path, action: str) -> dict[str, set[str]]:
    done = subprocess.run(
        ["bash", SCRIPT, action, "jack"],
        env=os.environ | {"JACK_HOOKS_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, set[str]] = {"own": set(), "kept": set(), "else": set()}
    for line in done.stdout.splitlines():
        kind, _space, path = line.partition(" ")
        said[kind].add(path.removeprefix("/"))
    return said


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*LEFT, *NEEDED, *THEIRS, "var/log/eb-hooks.log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
    return tmp_path


@pytest.mark.parametrize("generation", ["al1", "al2023"])
def test_what_the_running_version_needs_is_kept(root: Path, generation: str) -> None:
    if generation == "al1":
        bundle = root / "opt/elasticbeanstalk/deploy/appsource/source_bundle"
        bundle.parent.mkdir(parents=True)
        with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(".ebextensions/jack_hooks.config", "files: {}\n")
    else:
        library = root / "var/app/current/.platform/files/jack_hooks.sh"
        library.parent.mkdir(parents=True)
        library.touch()
    wanted = {"own": set(LEFT), "kept": {*NEEDED, "var/lib/jack_hooks"}, "else": set(THEIRS)}
    assert run(root, "find") == wanted
    assert all((root / name).exists() for name in (*LEFT, *NEEDED, *THEIRS))
    assert run(root, "remove") == wanted
    assert not any((root / name).exists() for name in LEFT)
    assert all((root / name).exists() for name in (*NEEDED, *THEIRS))
    assert run(root, "find")["own"] == set()


def test_everything_of_an_owner_that_has_gone_is_left_over(root: Path) -> None:
    assert run(root, "remove")["own"] == {*LEFT, *NEEDED, "var/lib/jack_hooks"}
    assert not any((root / name).exists() for name in (*LEFT, *NEEDED))
    assert run(root, "find") == {"own": set(), "kept": set(), "else": set(THEIRS)}


def test_shellcheck_finds_nothing() -> None:
    shellcheck = shutil.which("shellcheck")
    assert shellcheck, "apt-get install shellcheck"
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
