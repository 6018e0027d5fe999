# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of many items, of which each process reads its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.memory import Memory
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.table import Table, TableMemory

ITEMS = {"a": {"text": "with\nlines", "number": 1}, "b": ["ü"]}


def table(at: float, **items: object) -> Table:
    return Table.of(
        {"at": at}, {key: f"mark of {key}" for key in items}, {key: json.dumps(items[key]) for key in items}
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


def test_what_one_wrote_another_reads(path: Path) -> None:
    reader = TableMemory(Memory(path))
    assert reader.read() == Table()
    TableMemory(Memory(path)).write(table(1, **ITEMS))
    assert reader.read() == table(1, **ITEMS)
    assert {key: reader.read().item(key) for key in reader.read().marks} == ITEMS
    assert reader.read() is reader.read(), "read once"
    TableMemory(Memory(path)).write(table(2))
    assert reader.read() == table(2)
    assert path.with_suffix(".table").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyError):
        reader.read().item("a")


def test_only_what_is_wanted_is_read(path: Path) -> None:
    TableMemory(Memory(path)).write(Table.of({"at": 1}, {"a": "1", "b": "2"}, {"a": "no JSON", "b": "[]"}))
    assert TableMemory(Memory(path)).read().item("b") == []


def test_what_is_newer_stays(path: Path) -> None:
    mine = TableMemory(Memory(path))
    mine.write(table(5))
    mine.write(table(4, **ITEMS), lambda head: head["at"] <= 4)
    assert mine.read() == table(5)
    mine.write(table(6, **ITEMS), lambda head: head["at"] <= 6)
    assert mine.read() == table(6, **ITEMS)


@pytest.mark.parametrize("text", ["", "not JSON", "[]", '{"head": {}}', '{"head": {}, "marks": {"a": "1"}}'])
def test_what_is_no_table_is_an_empty_one(path: Path, text: str) -> None:
    path.with_suffix(".table").write_text(text)
    assert TableMemory(Memory(path)).read() == Table()


def test_without_a_file_each_has_its_own() -> None:
    mine, another = TableMemory(Memory(None)), TableMemory(Memory(None))
    mine.write(table(1, **ITEMS))
    assert mine.read() == table(1, **ITEMS)
    assert another.read() == Table()
