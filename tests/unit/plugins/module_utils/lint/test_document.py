# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents keep their lines, in YAML and in JSON."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.document import (
    DocumentError,
    duplicate_keys,
    parse,
    parse_json,
)


def test_json_keeps_lines_and_values():
    text = '{\n  "a": [1, -2.5e3,\n    true, null],\n\n  "b": {"c\\n\\u00e4": "x\\/y"}\n}\n'
    node = parse_json(text)
    assert node.plain() == {"a": ["1", "-2.5e3", True, None], "b": {"c\nä": "x/y"}}
    assert [item.line for item in node.get("a").items] == [2, 2, 3, 3]
    assert [item.kind for item in node.get("a").items] == ["number", "number", "boolean", "null"]
    assert node.get("b").pairs[0][1].line == 5


@pytest.mark.parametrize("text", ["{}", "[]", '""', "[[], {}, [{}]]", "  [ 1 , 2 ]  ", '{"a":{"b":[{"c":1}]}}'])
def test_json_shapes(text):
    def plain(value):
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else str(value)

    assert parse_json(text).plain() == plain(json.loads(text))


def test_yaml_block_text_begins_on_the_next_line():
    node = parse("a: |\n  one\n  two\nb: three\n")
    assert (node.get("a").line, node.get("a").text_line, node.get("a").text) == (1, 2, "one\ntwo\n")
    assert node.get("b").text_line == 4


def test_a_file_with_a_byte_order_mark():
    assert parse('\ufeff{\n\t"a": 1}').get("a").line == 2


def test_an_alias_in_its_own_anchor_ends():
    assert parse("a: &x [1, *x]\n").get("a").items[1].kind == "null"


def test_an_alias_bomb_is_walked_once():
    text = "a: &a [x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghijkl")
    )
    assert list(duplicate_keys(parse(text))) == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n\tb: 1\n", 2, "a tab indents the line; YAML wants spaces"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("a: *b\n", 1, "found undefined alias 'b'"),
        ("a: 'x\n", 2, "found unexpected end of stream"),
        ("a: \x01\n", 1, "special characters are not allowed"),
    ],
)
def test_yaml_errors_have_a_line(text, line, message):
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert (caught.value.rule, caught.value.line) == ("yaml-syntax", line)
    assert message in caught.value.message


@pytest.mark.parametrize("depth", [900, 100_000])
def test_json_nested_too_deeply(depth):
    with pytest.raises(DocumentError, match="nested too deeply"):
        parse_json("[" * depth + "]" * depth)


def test_yaml_nested_too_deeply():
    with pytest.raises(DocumentError, match="nested too deeply"):
        parse("".join(f"{' ' * depth}a:\n" for depth in range(1000)))
