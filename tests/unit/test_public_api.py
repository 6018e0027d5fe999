# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection uses what ansible-core, amazon.aws, botocore and boto3 document, and changes nothing of theirs."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "plugins").rglob("*.py"))
TEXTS = sorted(path for part in ("roles", "playbooks") for path in (ROOT / part).rglob("*") if path.is_file())
FOREIGN = re.compile(r"(ansible|ansible_collections\.amazon|botocore|boto3)(\.|$)")
PRIVATE = re.compile(r"_[a-zA-Z]")
# What the developer guides show: of action plugins, of inventory plugins, of modules (--diff).
OF_ACTIONS = {"_connection", "_execute_module", "_remove_tmp_path", "_task"}
OF_INVENTORIES = {"_add_host_to_composed_groups", "_add_host_to_keyed_groups", "_set_composite_vars"}
OF_MODULES = {"_diff"}
# What an action plugin says of itself: without it, Ansible refuses tasks with async.
DECLARED = {"_supports_async"}
# Documented by Python: private by their look only, and what is set on a thread, a TLS context or an HTTP connection.
OF_PYTHON = {"_asdict", "_exit", "_replace"}
OF_PYTHON_TO_SET = {"daemon", "check_hostname", "verify_mode", "sock"}
# A process that is not ours is not tuned.
TUNING = {"gc", "register_at_fork"}


def written_names(tree: ast.AST) -> set[str]:
    """Names that a source defines: functions, classes, variables, fields and attributes of ``self``."""
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value)
    }


def is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


@cache
def collection_names() -> frozenset[str]:
    return frozenset(name for path in SOURCES for name in written_names(ast.parse(path.read_text())))


def foreign_imports(tree: ast.AST) -> dict[str, tuple[str, str]]:
    """What names of the source stand for: module and name there, "" for a whole module."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(one.asname or one.name).partition(".")[0]: (one.name, "") for one in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            found |= {one.asname or one.name: (node.module or "", one.name) for one in node.names}
    return {name: place for name, place in found.items() if FOREIGN.match(place[0])}


def problems(text: str) -> list[str]:
    """What a source of the collection does that it must not do."""
    tree = ast.parse(text)
    own = written_names(tree)
    found = [*_imported(tree), *_inherited(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr):
            allowed = own | OF_PYTHON | OF_MODULES
            if is_own(node.value):
                allowed |= OF_ACTIONS | OF_INVENTORIES
            if node.attr not in allowed:
                found.append(f"uses {ast.unparse(node)}")
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and not is_own(node.value):
            fields = own | collection_names() | OF_PYTHON_TO_SET
            if node.attr not in fields or node.attr.startswith("__"):
                found.append(f"changes {ast.unparse(node)}")
        if isinstance(node, ast.Attribute | ast.Name | ast.alias):
            name = {"Attribute": "attr", "Name": "id", "alias": "name"}[type(node).__name__]
            if getattr(node, name) in TUNING:
                found.append(f"tunes the process: {getattr(node, name)}")
        if isinstance(node, ast.Call):
            found += _called(node, own)
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for module, name in foreign_imports(tree).values():
        if any(PRIVATE.match(part) for part in (*module.split("."), name)):
            yield f"imports {name} of {module}"


def _inherited(tree: ast.AST) -> Iterator[str]:
    """Private names of a foreign class that a class derived from it defines anew, or uses."""
    imports = foreign_imports(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for base in node.bases:
            place = imports.get(ast.unparse(base))
            if place is None:
                continue
            theirs = private_names(getattr(importlib.import_module(place[0]), place[1]))
            allowed = OF_ACTIONS | OF_INVENTORIES | DECLARED
            yield from (f"redefines {name} of {place[1]}" for name in (written_names(node) & theirs) - allowed)


def private_names(kind: type) -> set[str]:
    names = {name for name in dir(kind) if PRIVATE.match(name)}
    for one in kind.__mro__:
        if FOREIGN.match(one.__module__):
            source = inspect.getsource(sys.modules[one.__module__])
            names |= set(re.findall(r"\bself\.(_[a-zA-Z]\w*) *(?::[^=\n]+)?=[^=]", source))
    return names


def _called(node: ast.Call, own: set[str]) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if name in ("getattr", "hasattr") and any(PRIVATE.match(one) and one not in own for one in texts):
        yield f"uses {ast.unparse(node)}"
    if name in ("setattr", "delattr"):
        yield f"changes {ast.unparse(node)}"
    if name in ("import_module", "__import__", "find_spec"):
        yield f"hides an import: {ast.unparse(node)}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_uses_public_names_only(path: Path) -> None:
    assert problems(path.read_text()) == []


def test_roles_and_playbooks_name_nothing_private() -> None:
    private = re.compile(r"ansible\._internal|\b_ansible_\w+|_execute_module|_ANSIBLE_ARGS")
    named = {str(path.relative_to(ROOT)): private.findall(path.read_text()) for path in TEXTS}
    assert TEXTS
    assert {name: found for name, found in named.items() if found} == {}


ACTION = "from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    def run(self):\n        "


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("from ansible._internal import _templating", "imports _templating of ansible._internal"),
        ("import botocore._private", "imports  of botocore._private"),
        ("def key(client):\n    return client._request_signer", "uses client._request_signer"),
        ("def key(module):\n    return getattr(module, '_module', module)", "uses getattr(module, '_module', module)"),
        ("from ansible import constants\nconstants.DEFAULT_FORKS = 50", "changes constants.DEFAULT_FORKS"),
        ("def mend(loaders):\n    loaders.Loader.FILE_LOADER_CLASS = dict", "changes loaders.Loader.FILE_LOADER_CLASS"),
        ("def mend(hooks):\n    hooks.Aliaser.__init__ = print", "changes hooks.Aliaser.__init__"),
        ("def mend(parsers):\n    setattr(parsers, 'parse', print)", "changes setattr(parsers, 'parse', print)"),
        ("import importlib\nimportlib.import_module('botocore.hooks')", "hides an import"),
        ("import gc\ngc.freeze()", "tunes the process: gc"),
        ("import os\nos.register_at_fork(before=print)", "tunes the process: register_at_fork"),
        (f"{ACTION}return self._parse_returned_data({{}})", "uses self._parse_returned_data"),
        (f"{ACTION}self._connection._shell.tmpdir = '/tmp'", "uses self._connection._shell"),
        (f"{ACTION}self._templar = None", "redefines _templar of ActionBase"),
        (
            "from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler\n"
            "class Handler(AWSErrorHandler):\n    _CUSTOM_EXCEPTION = ValueError",
            "redefines _CUSTOM_EXCEPTION of AWSErrorHandler",
        ),
    ],
)
def test_what_is_private_or_changed_is_found(text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(text)), problems(text)


def test_what_the_developer_guides_show_is_allowed() -> None:
    shown = "self._remove_tmp_path(None)\n        return self._execute_module(module_args=self._task.args)"
    assert problems(f"{ACTION}{shown}") == []
