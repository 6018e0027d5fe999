# SPDX-License-Identifier: GPL-3.0-or-later
"""The logic of the modules imports one way: no circle of files, nor of packages."""

from __future__ import annotations

from pathlib import Path

from import_graph import all_circles, file_graph

UTILS = Path(__file__).parents[2] / "plugins/module_utils/_beanstalk"
NAME = "ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk"


def test_module_utils_has_no_circle_of_imports() -> None:
    assert any(file_graph(UTILS, NAME).values())
    assert all_circles(UTILS, NAME) == []
