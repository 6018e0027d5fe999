# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Django's settings as far as they are written out: read with ast, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .bundle import Bundle

UNKNOWN = object()
"""The value of an expression that is only known when it runs."""

_MODULE = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)['\"]")
_READS_VARIABLE = ("get", "getenv", "env", "config", "str", "environ")
_KEYS = {"NAME": "name", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
_MOST_FILES = 50
_MOST_FOLDERS = 300


@dataclass
class Settings:
    """``values`` are the values of each setting in the order of their assignments, with file and line.

    ``database_variables`` are the environment variables that say where the database is, with what each holds, when all
    of the database's HOST, NAME, USER and PASSWORD come from there.
    """

    files: tuple[str, ...] = ()
    values: dict[str, list[tuple[str, int, Any]]] = field(default_factory=dict)
    database_variables: dict[str, str] = field(default_factory=dict)
    open_ended: bool = False
    """Whether modules that are not here, or a function, may set more."""
    file: str = ""
    database_line: int = 0

    def last(self, name: str) -> tuple[str, int, Any] | None:
        """Where a setting is assigned last, and its value."""
        return self.values[name][-1] if name in self.values else None

    def surely(self, name: str, default: Any) -> Any:
        """The value that a setting has whichever module is used, ``default`` when nothing assigns it, or UNKNOWN."""
        found = [value for _file, _line, value in self.values.get(name, [])]
        if not found:
            return default
        return found[0] if all(value is not UNKNOWN and value == found[0] for value in found) else UNKNOWN


def find_settings(bundle: Bundle) -> Settings:
    """The settings modules that manage.py names, of a project whose manage.py is at the top or one folder below."""
    folders = [
        "",
        *(name.rstrip("/") for name in bundle.listing("") if name.endswith("/") and not name.startswith(".")),
    ]
    for folder in folders:
        manage = f"{folder}/manage.py".lstrip("/")
        if "manage.py" in bundle.listing(folder) and (named := _MODULE.search(_text(bundle, manage))):
            files = _modules(bundle, folder, named[1])
            if files:
                return read_settings({name: _text(bundle, name) for name in files})
    return Settings()


def commands_of(bundle: Bundle) -> set[str]:
    """The management commands of the project's own applications, which are at the top or up to two folders below."""
    found: set[str] = set()
    waiting, folders = [""], 0
    while waiting and folders < _MOST_FOLDERS:
        folder, folders = waiting.pop(0), folders + 1
        for name in bundle.listing(folder):
            inside = f"{folder}/{name}".strip("/")
            if name == "management/":
                commands = bundle.listing(f"{inside}/commands")
                found |= {each.removesuffix(".py") for each in commands if each.endswith(".py")}
            elif name.endswith("/") and inside.count("/") < 3 and not name.startswith("."):
                waiting.append(inside)
    return found


def read_settings(files: Mapping[str, str]) -> Settings:
    """Read modules by name and text; what is no Python of today is left out."""
    found = Settings()
    for name, text in files.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found.files += (name,)
        for node in ast.walk(tree):
            found.open_ended = found.open_ended or _sets_more(node, files)
            for setting, value, adds in _assigned(node):
                known = UNKNOWN if adds else _value(value)
                found.values.setdefault(setting, []).append((name, node.lineno, known))  # type: ignore[attr-defined]
                if setting == "DATABASES":
                    _database(value, name, found)
    return found


def _sets_more(node: ast.AST, files: Mapping[str, str]) -> bool:
    """`from elsewhere import *`, and functions that get the module's names, as django_heroku.settings(locals())."""
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        place = "/" + (node.module or "").replace(".", "/")
        return not any(f"/{name}".endswith((f"{place}.py", f"{place}/__init__.py")) for name in files)
    return isinstance(node, ast.Call) and any(
        isinstance(given, ast.Call) and _name(given.func) in ("locals", "globals", "vars") for given in node.args
    )


def _modules(bundle: Bundle, folder: str, module: str) -> list[str]:
    """The file of a module, and those beside it that are settings too: config/settings/{base,local,production}.py."""
    place = f"{folder}/{module.replace('.', '/')}".lstrip("/")
    parent, _slash, base = place.rpartition("/")
    package = place if f"{base}/" in bundle.listing(parent) else parent if parent.endswith("settings") else ""
    if package:
        return [f"{package}/{name}" for name in bundle.listing(package) if name.endswith(".py")][:_MOST_FILES]
    return [f"{place}.py"] if f"{base}.py" in bundle.listing(parent) else []


def _text(bundle: Bundle, name: str) -> str:
    return bundle.content(name).decode("utf-8", "replace")


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr, bool]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value, False
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value, False
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, node.value, True
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        owner = _name(node.func.value)
        if node.func.attr in ("append", "extend", "insert", "update") and owner.isupper():
            yield owner, node.args[-1], True


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _partly(node) if isinstance(node, ast.Dict) else UNKNOWN


def _partly(node: ast.Dict) -> dict[Any, Any]:
    """A dictionary of which some values are known: that of DATABASES nearly always."""
    return {
        key.value: _value(value)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    }


def _database(node: ast.expr, file: str, found: Settings) -> None:
    default = _item(node, "default")
    if isinstance(default, ast.Call) and (variable := _url_variable(default)):
        found.database_variables, found.file, found.database_line = {variable: "url"}, file, default.lineno
    elif isinstance(default, ast.Dict):
        engine = _item(default, "ENGINE")
        if not (isinstance(engine, ast.Constant) and "postgres" in str(engine.value)):
            return
        variables = {}
        for key, meaning in _KEYS.items():
            value = _item(default, key)
            if value is not None and (name := _variable(value)):
                variables[name] = meaning
        if {"host", "name", "user", "password"} <= set(variables.values()):
            found.database_variables, found.file, found.database_line = variables, file, default.lineno


def _item(node: ast.expr, key: str) -> ast.expr | None:
    if not isinstance(node, ast.Dict):
        return None
    pairs = zip(node.keys, node.values, strict=True)
    return next((value for name, value in pairs if isinstance(name, ast.Constant) and name.value == key), None)


def _variable(node: ast.expr) -> str:
    """The environment variable of os.environ["X"], os.environ.get("X"), os.getenv("X") or env("X")."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value) if _name(node.value) == "environ" else ""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        return str(node.args[0].value) if _name(node.func) in _READS_VARIABLE else ""
    return ""


def _url_variable(call: ast.Call) -> str:
    """The variable of env.db(), dj_database_url.config() or dj_database_url.parse(os.environ["X"])."""
    name = _name(call.func)
    if name == "parse" and call.args:
        return _variable(call.args[0])
    first = call.args[0] if call.args else None
    if name in ("db", "db_url", "config"):
        return (
            str(first.value)
            if isinstance(first, ast.Constant) and not _keyword_env(call)
            else _keyword_env(call) or "DATABASE_URL"
        )
    return ""


def _keyword_env(call: ast.Call) -> str:
    """The value of dj_database_url.config(env="X")."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "env"), None)
    return str(given.value) if isinstance(given, ast.Constant) else ""


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
