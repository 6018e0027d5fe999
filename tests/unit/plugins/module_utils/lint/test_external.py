# SPDX-License-Identifier: GPL-3.0-or-later
"""shellcheck as it is installed for the tests, and a program that answers as hadolint's documentation says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.runner import lint_bundle

BIN = Path(sys.executable).parent
HADOLINT = """#!/bin/sh
cat >/dev/null
echo '[{"line": 2, "code": "DL3008", "message": "Pin versions in apt get install", "column": 1, "level": "warning"},
  {"line": 3, "code": "DL3059", "message": "Multiple RUN", "column": 1, "level": "info"}]'
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    hooks = tmp_path / "bundle/.platform/hooks/postdeploy"
    hooks.mkdir(parents=True)
    for name, text in (("1.sh", "#!/bin/bash\ncd /srv\nrm x\n"), ("2.py", "#!/usr/bin/python3\ncd /srv\n")):
        (hooks / name).write_text(text)
        (hooks / name).chmod(0o755)
    (tmp_path / "bundle/Dockerfile").write_text("FROM debian\nRUN apt-get install x\nRUN true\nEXPOSE 80\n")
    return tmp_path / "bundle"


def program(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "hadolint").write_text(text)
    (folder / "hadolint").chmod(0o755)


def test_findings_have_their_own_names(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", HADOLINT)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{BIN}:{os.environ['PATH']}")
    found = [str(item) for item in lint_bundle(str(bundle), programs=True).findings]
    assert [line for line in found if "DL" in line] == [
        "Dockerfile:2: warning: Pin versions in apt get install [DL3008]"
    ]
    assert len([line for line in found if line.endswith("[SC2164]")]) == 1
    assert found[0].startswith(".platform/hooks/postdeploy/1.sh:2: warning: Use 'cd ...")
    quiet = lint_bundle(str(bundle), skip=["SC2164", "DL3008"], programs=True)
    assert quiet.findings == []
    assert lint_bundle(str(bundle)).findings == []


@pytest.mark.parametrize(
    "answer", ["#!/bin/sh\necho no JSON\n", "#!/bin/sh\necho '{}'; exit 1\n", "#!/no/such/shell\n"]
)
def test_a_program_that_does_not_answer_is_no_fault(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    program(tmp_path / "bin", answer)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert lint_bundle(str(bundle), programs=True).findings == []
