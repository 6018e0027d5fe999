# SPDX-License-Identifier: GPL-3.0-or-later
"""The README says which clients were run: those that have tests here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .clients import CLIENTS, ROOT

README = ROOT / "localstalk" / "README.md"


def table() -> dict[str, tuple[str, str]]:
    """Client and package of each row, by the name of its test file."""
    found = re.search(
        r"<!-- clients: begin -->(.*)<!-- clients: end -->", README.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in found[1].strip().splitlines()[2:]]
    return {file.removesuffix(".py"): (client, package) for client, package, _, file in rows}


def test_every_client_has_a_row_and_a_test() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).stem}
    assert files == CLIENTS.keys()
    assert table() == {file: (client.name, client.package) for file, client in CLIENTS.items()}


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if client.lock])
def test_a_client_is_pinned(name: str) -> None:
    assert re.fullmatch(r"\d+(\.\d+)+", CLIENTS[name].version)


def test_lock_files_of_npm_name_no_registry() -> None:
    for lock in (ROOT / "requirements").rglob("package-lock.json"):
        assert "://" not in lock.read_text(encoding="utf-8")
