# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of docs/guides/ci.rst are what GitHub and GitLab take, by the schemas that check-jsonschema carries."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "ci.rst"
SCHEMAS = {".github/workflows/deploy.yml": "vendor.github-workflows", ".gitlab-ci.yml": "vendor.gitlab-ci"}


def files() -> dict[str, str]:
    """The blocks of the guide that are files, by name."""
    found = re.findall(
        r"^\.\. file: (\S+)\n\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", GUIDE.read_text(), re.MULTILINE
    )
    return {name: textwrap.dedent(text) for name, text in found}


def checked(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    return subprocess.run(
        [program, "--builtin-schema", schema, path], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_a_file_is_valid(name: str, schema: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yml"
    path.write_text(files()[name])
    done = checked(path, schema)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_a_file_with_a_wrong_key_is_not(name: str, schema: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yml"
    path.write_text(files()[name].replace("timeout", "timout"))
    done = checked(path, schema)
    assert done.returncode == 1
    assert "timout" in done.stdout


@pytest.mark.parametrize("form", ["bug", "idea"])
def test_the_forms_of_issues_are_valid(form: str) -> None:
    done = checked(ROOT / ".github" / "ISSUE_TEMPLATE" / f"{form}.yml", "vendor.github-issue-forms")
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_files_of_the_guide_are_checked() -> None:
    assert set(files()) == set(SCHEMAS)
