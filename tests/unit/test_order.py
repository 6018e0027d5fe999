# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that people read comes from a set: its order differs from run to run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "plugins").rglob("*.py"))
TEXTS = [path for part in ("roles", "playbooks") for path in sorted((ROOT / part).rglob("*")) if path.is_file()]
# Ansible makes sets of their operands (ansible.plugins.filter.mathstuff).
SET_FILTERS = re.compile(r"\|\s*(union|difference|symmetric_difference|intersect)\b")
SET_OPERATORS = (ast.Sub, ast.BitOr, ast.BitAnd, ast.BitXor)


def joined_sets(text: str) -> Iterator[str]:
    """The calls of ``join`` whose argument is a set, as far as that can be seen."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "join"
            and node.args
        ):
            given = node.args[0]
            if isinstance(given, ast.GeneratorExp):
                given = given.generators[0].iter
            made = isinstance(given, ast.Call) and isinstance(given.func, ast.Name)
            if (
                isinstance(given, ast.Set | ast.SetComp)
                or (made and given.func.id in ("set", "frozenset"))
                or (isinstance(given, ast.BinOp) and isinstance(given.op, SET_OPERATORS))
            ):
                yield ast.unparse(node)


def test_no_set_is_joined_to_a_text() -> None:
    found = {path.name: list(joined_sets(path.read_text())) for path in SOURCES}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_the_search_finds_what_it_is_for() -> None:
    examples = ("', '.join(set(a))", "', '.join(x for x in a - b)", "', '.join({*a})", "', '.join(a | b)")
    assert all(list(joined_sets(text)) for text in examples)
    assert not list(joined_sets("', '.join(sorted(set(a)))"))


def test_templates_do_not_use_filters_of_sets() -> None:
    found = [f"{path.relative_to(ROOT)}: {hit[0]}" for path in TEXTS for hit in SET_FILTERS.finditer(_text(path))]
    assert found == []


def _text(path: Path) -> str:
    return path.read_text(errors="replace")
