# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the simulated world of tests/chaos importable, and a controller that remembers nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[4]

if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))


@pytest.fixture
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this controller remembers is this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
