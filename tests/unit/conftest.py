# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ansible_collections.* importable, own and installed ones; and no test fails because a machine is busy."""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[2]

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()

settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


@cache
def weight(path: Path) -> int:
    """How long tests of a file take: 2 where they run playbooks, 1 where they start localstalk or programs, else 0."""
    text = path.read_text()
    if re.search(r"ansible-playbook|run_playbook|start_play|play_shop|from \.(plays|shop)|import (start|Shop)\b", text):
        return 2
    return int(bool(re.search(r"run_module|subprocess|\baws\b|from steps", text)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that none is left to one worker at the end."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (-weight(item.path), -tests[item.path], item.path))
