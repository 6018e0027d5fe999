# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ansible_collections.* and the shared world of these tests importable; start a localstalk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).resolve().parents[2]

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))

from chaos.local import localstalk  # noqa: E402


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with localstalk(tmp_path_factory.mktemp("localstalk"), "sim", 200) as variables:
        yield variables


@pytest.fixture
def figures(record_property: Callable[[str, object], None], capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print what a suite did, and note it in its report."""

    def told(text: str) -> None:
        record_property("figures", text)
        with capfd.disabled():
            sys.stderr.write(f"\n{text}, no promise broken\n")

    return told
