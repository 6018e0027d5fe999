# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ansible_collections.* and the shared world of these tests importable; start a localstalk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).resolve().parents[2]
LOCALSTALK = Path(sys.executable).with_name("localstalk")

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))


@contextmanager
def localstalk(home: Path, driver: str, speed: float, *options: str) -> Iterator[dict[str, str]]:
    """A localstalk of one's own; yields the variables of a process that uses it."""
    command = [str(LOCALSTALK), "--home", str(home)]
    up = [*command, "up", "--driver", driver, "--speed", str(speed), *options]
    subprocess.run(up, check=True, capture_output=True, timeout=60)
    try:
        shown = subprocess.run([*command, "env", "--format", "json"], check=True, capture_output=True, timeout=20)
        yield {**os.environ, **json.loads(shown.stdout)}
    finally:
        subprocess.run([*command, "down"], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with localstalk(tmp_path_factory.mktemp("localstalk"), "sim", 200) as variables:
        yield variables
