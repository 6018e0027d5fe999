# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make release` leaves to be published: the tarball, localstalk's wheel, and checksums of both."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from built import ROOT, run
from packaging.version import Version

import localstalk

FOLDER = ROOT / "build" / "release"


@pytest.fixture(scope="module")
def wheel() -> Path:
    run(ROOT / "scripts" / "release", cwd=ROOT)
    (built,) = FOLDER.glob("localstalk-*.whl")
    return built


def test_the_checksums_are_those_of_the_files(wheel: Path) -> None:
    checked = run("sha256sum", "--check", "SHA256SUMS", cwd=FOLDER).splitlines()
    assert sorted(checked) == sorted(f"{path.name}: OK" for path in FOLDER.iterdir() if path.name != "SHA256SUMS")
    assert len(checked) == 2


def test_the_wheel_has_localstalks_own_readme_and_all_that_it_needs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        described = archive.read(metadata).decode()
        archive.extractall(tmp_path)
    assert (ROOT / "localstalk" / "README.md").read_text() in described
    source = ROOT / "localstalk" / "src"
    wanted = {path.relative_to(source) for path in (source / "localstalk").rglob("*") if path.is_file()}
    missing = [str(name) for name in wanted if "__pycache__" not in name.parts and not (tmp_path / name).exists()]
    assert [name for name in missing if not name.endswith("README.md")] == []
    told = run(
        sys.executable, "-m", "localstalk", "--version", cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}
    )
    assert told.strip() == f"localstalk {wheel.name.split('-')[1]}"


def test_the_changelog_begins_with_the_version_that_is_released() -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    releases = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]
    assert max(releases, key=lambda one: Version(one)) == version
    text = (ROOT / "CHANGELOG.md").read_text().replace("\\", "")
    assert text.partition("## v")[2].startswith(f"{version}\n")
    assert Version(localstalk.__version__) == Version(version), "they are released together"
