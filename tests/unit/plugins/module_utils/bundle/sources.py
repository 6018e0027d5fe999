# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository to bundle, and what is in the zip, by Python's own zipfile."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.types import SourceSpec


def git(folder: Path, *args: str) -> str:
    env = {
        **os.environ,
        **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    done = subprocess.run(["git", "-C", folder, *args], env=env, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "app").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "app" / "main.py").write_text("print('hello')\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("app/main.py")
    (root / ".gitignore").write_text(".secrets/\n*.log\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "First words")
    return root


def spec(root: Path, tmp_path: Path, source: str = "ref", **more: object) -> SourceSpec:
    values = {"ref": "HEAD", "overlay": (), "secrets": (), "label_prefix": "app", "cache_dir": str(tmp_path / "cache")}
    return SourceSpec(path=str(root), source=source, **{**values, **more})  # type: ignore[arg-type]


def names(result: build.BundleResult) -> dict[str, int]:
    with zipfile.ZipFile(result.bundle.path) as archive:
        assert archive.testzip() is None
        return {item.filename: item.external_attr >> 16 for item in archive.infolist()}


def read(result: build.BundleResult, name: str) -> bytes:
    with zipfile.ZipFile(result.bundle.path) as archive:
        return archive.read(name)
