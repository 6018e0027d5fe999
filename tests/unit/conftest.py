# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ansible_collections.* importable, own and installed ones; and no test fails because a machine is busy."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[2]

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()

settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")
