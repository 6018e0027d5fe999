# SPDX-License-Identifier: GPL-3.0-or-later
"""One cell of the matrix: a virtual environment with an ansible-core, and the installed tarball in an empty folder."""

from __future__ import annotations

import pytest
from built import aws, elsewhere, installed, localstalk, tarball
from cells import Cell, cells

__all__ = ["aws", "elsewhere", "installed", "localstalk", "tarball"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cell", help="ansible-core of the cell, such as 2.21 (default: the newest)")


@pytest.fixture(scope="session")
def cell(request: pytest.FixtureRequest) -> Cell:
    """The cell that was asked for."""
    wanted = request.config.getoption("--cell") or cells()[0].core
    return next(cell for cell in cells() if cell.core == wanted)
