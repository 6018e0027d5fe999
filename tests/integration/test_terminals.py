# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows where only a real build tells the cause, as docs/guides/terminals has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminals import seen

from .conftest import Project
from .minimal import DOCKERFILE, Minimal

pytestmark = [pytest.mark.containers, pytest.mark.slow]


def test_a_dockerfile_that_cannot_be_built(project: Project, tmp_path: Path) -> None:
    minimal = Minimal.make(project, tmp_path, "shop")
    try:
        first = minimal.deploy()
        assert first.rc == 0, first.output
        (minimal.folder / "Dockerfile").write_text(DOCKERFILE.replace("EXPOSE", "RUN cat /no-such-file\nEXPOSE"))
        failed = minimal.deploy()
        assert failed.rc == 2, failed.output
        seen("failing_build", "deploy", failed.output)
    finally:
        minimal.terminate()
