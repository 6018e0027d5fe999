# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle from a dictionary, as a folder or as a zip."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.runner import Report, lint_bundle

Files = dict[str, Any]
Lint = Callable[..., Report]


def write_tree(root: Path, files: Files) -> Path:
    """Write `files` below `root`; scripts whose name does not end in .plain get the execute bit."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if name.startswith(".platform/") and not name.endswith(".plain"):
            path.chmod(0o755)
    return root


def write_zip(path: Path, files: Files) -> Path:
    """Write `files` into a zip, with the same modes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            executable = name.startswith(".platform/") and not name.endswith(".plain")
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            archive.writestr(entry, content)
    return path


@pytest.fixture(params=["tree", "zip"])
def lint(request: pytest.FixtureRequest, tmp_path: Path) -> Lint:
    """Lint a dictionary of files, once as a folder and once as a zip."""

    def run(files: Files, platform: str | None = None, **arguments: object) -> Report:
        place = tmp_path / "bundle"
        if request.param == "zip":
            place = write_zip(tmp_path / "bundle.zip", files)
        else:
            place.mkdir()
            write_tree(place, files)
        return lint_bundle(str(place), platform, **arguments)

    return run
