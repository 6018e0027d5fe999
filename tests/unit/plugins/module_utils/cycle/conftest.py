# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the simulated world of tests/chaos importable."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[4]

if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))
