# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go one way: no circle of files, nor of packages."""

from __future__ import annotations

from pathlib import Path

from import_graph import all_circles, circles, file_graph, package_graphs

import localstalk

SOURCE = Path(localstalk.__file__).parent


def test_localstalk_has_no_circle_of_imports() -> None:
    assert all_circles(SOURCE, "localstalk") == []


def test_model_imports_neither_workflows_nor_the_api() -> None:
    children = package_graphs(file_graph(SOURCE, "localstalk"))["localstalk"]
    assert not children["model"] & {"workflows", "elasticbeanstalk", "server", "drivers"}
    assert "elasticbeanstalk" not in children["workflows"]


def test_a_circle_of_files_is_found_in_any_kind_of_import(tmp_path: Path) -> None:
    files = {
        "one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.two import Two\n",
        "two.py": "def f():\n    import pack.three\n",
        "three.py": "from . import one\n",
        "four.py": "from pack import one, elsewhere\nimport json\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert all_circles(tmp_path, "pack") == [
        "files: pack.one, pack.three, pack.two",
        "in pack: one, three, two",
    ]


def test_a_circle_of_packages_is_found_without_one_of_files(tmp_path: Path) -> None:
    for name, text in {
        "up/a.py": "from ..down.b import x\n",
        "up/c.py": "",
        "down/b.py": "",
        "down/d.py": "from pack.up import c\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert circles(file_graph(tmp_path, "pack")) == []
    assert all_circles(tmp_path, "pack") == ["in pack: down, up"]
