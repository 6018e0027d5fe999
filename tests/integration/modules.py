# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's modules in the tests' own process: no Python is started."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(Path(__file__).resolve().parents[2] / "collections")])._install()


def run_module(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a module answers."""
    module = importlib.import_module(f"ansible_collections.jack.beanstalk.plugins.modules.{name}")
    output = io.StringIO()
    with patch_module_args(arguments), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    return dict(json.loads(output.getvalue()))
