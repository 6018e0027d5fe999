# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of a Python package imports which, read from the sources, and the circles among them.

Every import counts: those inside functions and those for type checkers only hide a circle, they do not undo it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = dict[str, set[str]]
"""By dotted name: the names that it imports."""


def file_graph(root: Path, name: str) -> Graph:
    """Imports between the files below ``root``, whose own dotted name is ``name``. An ``__init__`` is its package."""
    files = {_dotted(root, name, path): path for path in sorted(root.rglob("*.py"))}
    return {
        module: {found for wanted in _imports(path, module) if (found := _file(wanted, files)) not in (None, module)}
        for module, path in files.items()
    }  # type: ignore[misc]


def _dotted(root: Path, name: str, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join([name, *(parts[:-1] if parts[-1] == "__init__" else parts)])


def _imports(path: Path, module: str) -> Iterator[str]:
    """Dotted names as far as the text tells: ``from a import b`` may mean the file a.b or something in the file a."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{each.name}" for each in node.names)


def _file(wanted: str, files: Mapping[str, Path]) -> str | None:
    """The file that an imported name leads to; None outside the package."""
    while wanted and wanted not in files:
        wanted = wanted.rpartition(".")[0]
    return wanted or None


def package_graphs(graph: Graph) -> dict[str, Graph]:
    """By package: imports between its children, which are files and packages, each with all that is below it."""
    found: dict[str, Graph] = {}
    for module, imported in graph.items():
        for other in imported:
            one, two = module.split("."), other.split(".")
            common = next((at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), 0)
            if common:
                children = found.setdefault(".".join(one[:common]), {})
                children.setdefault(one[common], set()).add(two[common])
    return found


def circles(graph: Graph) -> list[list[str]]:
    """Groups of names each of which imports, by way of others, all of its group; each sorted."""
    reached = {name: _reachable(graph, name) for name in graph}
    found = {
        tuple(sorted({name} | {other for other in reached[name] if name in reached.get(other, ())}))
        for name in graph
        if name in reached[name]
    }
    return [list(each) for each in sorted(found)]


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(graph.get(name, ()))
    return seen


def all_circles(root: Path, name: str) -> list[str]:
    """Every circle of files, and of the children of one package, as a line."""
    graph = file_graph(root, name)
    lines = [f"files: {', '.join(each)}" for each in circles(graph)]
    for package, children in sorted(package_graphs(graph).items()):
        lines += [f"in {package}: {', '.join(each)}" for each in circles(children)]
    return lines
