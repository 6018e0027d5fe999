# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML and JSON as one tree of nodes that know their lines.

Plain loading forgets two things that the linter lives on: where a value stands, and that a key was there twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

try:
    import yaml

    HAS_YAML = True
except ImportError:  # the module says so in a sentence
    HAS_YAML = False

MAPPING = "mapping"
SEQUENCE = "sequence"
STRING = "string"
NUMBER = "number"
BOOLEAN = "boolean"
NULL = "null"

_TAGS = {
    "tag:yaml.org,2002:int": NUMBER,
    "tag:yaml.org,2002:float": NUMBER,
    "tag:yaml.org,2002:bool": BOOLEAN,
    "tag:yaml.org,2002:null": NULL,
}
_JSON_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_JSON_SPACE = re.compile(r"[ \t\r\n]*")
MOST_MERGED = 200_000
"""Entries that the `<<` of a document merge in all: a small file can ask for thousands of millions."""
_DECODER = json.JSONDecoder()
_JSON_WORDS = {"true": BOOLEAN, "false": BOOLEAN, "null": NULL}


class DocumentError(Exception):
    """A text that is neither YAML nor JSON; `line` counts from 1."""

    def __init__(self, rule: str, line: int, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.line = line
        self.message = message


@dataclass(frozen=True, eq=False)
class Node:
    """A value with its line (from 1). `text` holds a scalar as written; `text_line` is the line its text begins on."""

    kind: str
    line: int
    text: str = ""
    text_line: int = 0
    pairs: tuple[tuple[Node, Node], ...] = ()
    items: tuple[Node, ...] = ()
    tag: str = ""
    """A tag of one's own, such as CloudFormation's `!Sub`; "" for what YAML itself knows."""

    @property
    def is_scalar(self) -> bool:
        """True for strings, numbers, booleans and null."""
        return self.kind not in (MAPPING, SEQUENCE)

    def get(self, key: str) -> Node | None:
        """Return the value of `key` in a mapping: of the last one, as EB's reader does; None when there is none."""
        return next((value for name, value in reversed(self.pairs) if name.text == key), None)

    def plain(self) -> Any:
        """Return dictionaries, lists, booleans and texts. Numbers stay as written: 01 is a name, 000755 a mode.

        What aliases name is one object, however often it is named, so that a small file cannot become a large one.
        """
        return _plain(self, {})


def _plain(node: Node, known: dict[int, Any]) -> Any:
    if id(node) not in known:
        if node.kind == MAPPING:
            made: Any = {}
            known[id(node)] = made
            made.update((key.text, _plain(value, known)) for key, value in node.pairs)
        elif node.kind == SEQUENCE:
            made = [_plain(item, known) for item in node.items]
        elif node.kind == BOOLEAN:
            made = node.text.lower() in ("true", "yes", "on", "y")
        else:
            made = None if node.kind == NULL else node.text
        known[id(node)] = made
    return known[id(node)]


def parse(text: str, prefer_json: bool = False) -> Node:
    """Read YAML or JSON. Raises DocumentError. An empty text is a null node.

    A text that begins with `{` is tried as JSON first: JSON with tabs or `\\/` is not YAML.
    """
    if prefer_json or text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            return parse_json(text)
        except DocumentError:
            if prefer_json:
                raise
    return parse_yaml(text)


def parse_yaml(text: str) -> Node:
    """Read YAML (1.1, as EB's own reader does). Raises DocumentError with the line of the first error."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return Node(NULL, 1) if root is None else _YamlReader().node(root)
    except RecursionError:
        raise DocumentError("yaml-syntax", 1, "nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.problem, error.context) if part)
        if what.startswith("found character '\\t'"):
            what = "a tab indents the line; YAML wants spaces"
        raise DocumentError("yaml-syntax", mark.line + 1 if mark else 1, what) from None
    except yaml.YAMLError as error:
        raise DocumentError("yaml-syntax", 1, str(error).splitlines()[0]) from None


class Unsafe(str):
    """A text that Ansible must not take for a template: written with its tag `!unsafe`."""


def dump_plain(data: Any) -> str:
    """Write dictionaries, lists and scalars as YAML, in their order, and texts of several lines as such."""

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    def unsafe(dumper: Any, value: Unsafe) -> Any:
        return dumper.represent_scalar("!unsafe", str(value), style="|" if "\n" in value else '"')

    Dumper.add_representer(str, text)
    Dumper.add_representer(Unsafe, unsafe)
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=150))


class _YamlReader:
    """Turns the nodes of one document into ours, each once, however many aliases name it."""

    def __init__(self) -> None:
        self.known: dict[int, Node] = {}
        self.merged = 0

    def node(self, node: yaml.Node) -> Node:
        if id(node) in self.known:
            return self.known[id(node)]
        line = node.start_mark.line + 1
        tag = "" if node.tag.startswith("tag:yaml.org,2002:") or node.tag == "!" else str(node.tag)
        # An alias inside its own anchor ends here instead of turning in circles.
        self.known[id(node)] = Node(NULL, line)
        if isinstance(node, yaml.MappingNode):
            result = Node(MAPPING, line, pairs=tuple(self._pairs(node, line)), tag=tag)
        elif isinstance(node, yaml.SequenceNode):
            result = Node(SEQUENCE, line, items=tuple(self.node(item) for item in node.value), tag=tag)
        else:
            style = getattr(node, "style", None)
            block = style in ("|", ">")
            kind = STRING if style else _TAGS.get(node.tag, STRING)
            result = Node(kind, line, text=str(node.value), text_line=line + 1 if block else line, tag=tag)
        self.known[id(node)] = result
        return result

    def _pairs(self, node: yaml.MappingNode, line: int) -> Iterator[tuple[Node, Node]]:
        """Resolve `<<`: a key that is written out wins over a merged one, and is no duplicate of it."""
        pairs = [(self.node(key), self.node(value)) for key, value in node.value]
        taken = {key.text for key, _value in pairs}
        for key, value in pairs:
            if key.text != "<<":
                yield key, value
                continue
            for source in value.items or (value,):
                self.merged += len(source.pairs)
                if self.merged > MOST_MERGED:
                    raise DocumentError("yaml-syntax", line, f"its << merge more than {MOST_MERGED} entries")
                for merged_key, merged_value in source.pairs:
                    if merged_key.text not in taken:
                        taken.add(merged_key.text)
                        yield merged_key, merged_value


def parse_json(text: str) -> Node:
    """Read JSON. Raises DocumentError with the line of the first error."""
    text = text.removeprefix("\ufeff")
    try:
        json.loads(text)
        return _JsonReader(text).value()
    except json.JSONDecodeError as error:
        raise DocumentError("json-syntax", error.lineno, error.msg) from None
    except RecursionError:
        raise DocumentError("json-syntax", 1, "nested too deeply") from None


class _JsonReader:
    """Walks a text that json.loads took, keeping lines and repeated keys."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1

    def value(self) -> Node:
        character, line = self._peek(), self.line
        if character == "{":
            return Node(MAPPING, line, pairs=tuple(self._members("}", self._pair)))
        if character == "[":
            return Node(SEQUENCE, line, items=tuple(self._members("]", self.value)))
        if character == '"':
            return self._string()
        number = _JSON_NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            return Node(NUMBER, line, number.group(), line)
        word = next((word for word in _JSON_WORDS if self.text.startswith(word, self.at)), "")
        if not word:
            raise DocumentError("json-syntax", line, "NaN and Infinity are no JSON")
        self.at += len(word)
        return Node(_JSON_WORDS[word], line, word, line)

    def _peek(self) -> str:
        space = _JSON_SPACE.match(self.text, self.at)
        if space:
            self.line += self.text.count("\n", self.at, space.end())
            self.at = space.end()
        return self.text[self.at]

    def _string(self) -> Node:
        line = self.line
        text, self.at = _DECODER.raw_decode(self.text, self.at)
        return Node(STRING, line, text, line)

    def _pair(self) -> tuple[Node, Node]:
        key = self._string()
        self._peek()
        self.at += 1  # the colon
        return key, self.value()

    def _members(self, end: str, read: Any) -> Iterator[Any]:
        self.at += 1  # the bracket
        while self._peek() != end:
            yield read()
            if self._peek() == ",":
                self.at += 1
                self._peek()
        self.at += 1


def walk(node: Node) -> Iterator[Node]:
    """Yield every node of a tree once, however many aliases name it."""
    visited: set[int] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if id(current) in visited:
            continue
        visited.add(id(current))
        yield current
        for key, value in current.pairs:
            waiting += (key, value)
        waiting.extend(current.items)


def tagged(node: Node) -> list[Node]:
    """The nodes that have a tag of their own, such as `!Sub`, by line."""
    return sorted((each for each in walk(node) if each.tag), key=lambda each: each.line)


def duplicate_keys(node: Node) -> Iterator[tuple[Node, Node]]:
    """Yield (first, second) key nodes for every key that stands twice in one mapping, anywhere in the tree."""
    for current in walk(node):
        seen: dict[str, Node] = {}
        for key, _value in current.pairs:
            if key.is_scalar and key.text in seen:
                yield seen[key.text], key
            seen.setdefault(key.text, key)
