# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection is tested with: the rows of requirements/matrix.conf, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cell:
    """Versions as text: those of ansible-core and Python have two parts, those of the others one."""

    core: str
    python: str
    amazon_aws: str
    package: str


def cells() -> list[Cell]:
    """All rows."""
    lines = (ROOT / "requirements" / "matrix.conf").read_text().splitlines()
    return [Cell(*line.split()) for line in lines if not line.startswith("#")]
