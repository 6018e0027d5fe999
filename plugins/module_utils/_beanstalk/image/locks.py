# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`Pipfile.lock`, `poetry.lock` and `uv.lock` as pinned requirements.

All are read without asking an index; the addresses in them are not used. A package that does not come from an index (a
git repository, a folder) has no hash that pip could check, and is refused by name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..core import shape
from ..core.shape import ANYTHING, ShapeError, check, load
from .requirement import Edge, LockError, Requirement, closure, normal_name

Read = Callable[[str], "str | None"]


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python reads
        raise LockError(f"{name} is not valid TOML: {str(error).partition(';')[0]}.") from error
    except RecursionError as error:
        raise LockError(f"{name} is nested too deeply.") from error


def _checked(name: str, value: Any, wanted: Any) -> Any:
    try:
        return check(value, wanted)
    except ShapeError as error:
        raise LockError(f"{name} is not as its program writes it: {error}.") from error


def _unknown_group(name: str, group: str, known: Iterable[str]) -> LockError:
    names = ", ".join(sorted(known)) or "none"
    return LockError(f"{name} has no dependency group {group!r} (groups: {names}).")


_TEXT = shape.text(1 << 16)
_TEXTS = [_TEXT]
_FILE = {"hash?": _TEXT}

# --- pipenv ---

_PIPENV_PACKAGE = {"version?": _TEXT, "hashes?": _TEXTS, "markers?": _TEXT, "extras?": _TEXTS}


def read_pipfile_lock(text: str, groups: tuple[str, ...]) -> list[Requirement]:
    """The packages of `default` and of the groups (`dev` is pipenv's `develop`). Raises LockError."""
    try:
        lock = load(text, {str: ANYTHING})
    except ShapeError as error:
        raise LockError(f"Pipfile.lock cannot be read: {error}.") from error
    sections = {"dev" if name == "develop" else name: value for name, value in lock.items() if name != "_meta"}
    _checked("Pipfile.lock", sections, {str: {str: _PIPENV_PACKAGE}})
    found: dict[str, Requirement] = {}
    for group in ("default", *groups):
        if group not in sections:
            raise _unknown_group("Pipfile.lock", group, set(sections) - {"default"})
        for name, package in sections[group].items():
            found.setdefault(normal_name(name), _pipenv_package(name, package))
    return list(found.values())


def _pipenv_package(name: str, package: Mapping[str, Any]) -> Requirement:
    version = str(package.get("version", ""))
    if not version.startswith("=="):
        raise LockError(f"{name} in Pipfile.lock comes from no package index, so its hash cannot be checked.")
    hashes = tuple(package.get("hashes", ()))
    return Requirement(name, version[2:], hashes, package.get("markers", ""), tuple(package.get("extras", ())))


# --- uv ---

_UV_DEPENDENCIES = [{"name": _TEXT, "version?": _TEXT, "marker?": _TEXT, "extra?": _TEXTS}]
_UV_PACKAGE = {
    "name": _TEXT,
    "version?": _TEXT,
    "source?": {str: ANYTHING},
    "dependencies?": _UV_DEPENDENCIES,
    "dev-dependencies?": {str: _UV_DEPENDENCIES},
    "optional-dependencies?": {str: _UV_DEPENDENCIES},
    "wheels?": [_FILE],
    "sdist?": _FILE,
}


def read_uv_lock(text: str, groups: tuple[str, ...], extras: tuple[str, ...]) -> list[Requirement]:
    """The packages that the project needs, with those of the groups and of its own extras. Raises LockError."""
    packages: dict[str, dict[str, Any]] = {}
    root: dict[str, Any] | None = None
    for package in _checked("uv.lock", _toml("uv.lock", text), {"package?": [_UV_PACKAGE]}).get("package", []):
        source = package.get("source", {})
        if "." in (source.get("virtual"), source.get("editable"), source.get("directory")):
            root = package
        packages[f"{package['name']} {package.get('version', '')}"] = package
    if root is None:
        raise LockError("uv.lock has no project of its own: it must lie beside the project's pyproject.toml.")
    graph = _UvGraph(packages)
    roots = graph.edges_of(root.get("dependencies", []))
    for kind, names in (("dev-dependencies", groups), ("optional-dependencies", extras)):
        known = root.get(kind, {})
        for name in names:
            if name not in known:
                raise _unknown_group("uv.lock", name, known)
            roots += graph.edges_of(known[name])
    return [
        _uv_package(packages[key], marker)
        for key, marker in sorted(closure(roots, graph.edges).items())
        if packages[key] is not root
    ]


class _UvGraph:
    def __init__(self, packages: Mapping[str, Mapping[str, Any]]) -> None:
        self.packages = packages
        self.keys: dict[str, list[str]] = {}
        for key in packages:
            self.keys.setdefault(key.split(" ")[0], []).append(key)

    def edges_of(self, dependencies: Iterable[Mapping[str, Any]]) -> list[Edge]:
        found = []
        for item in dependencies:
            marker = item.get("marker", "")
            if "extra ==" in marker:
                raise LockError(f"uv.lock has conflicting groups or extras ({item['name']}), which cannot be pinned.")
            known = self.keys.get(item["name"], [])
            keys = [f"{item['name']} {item['version']}"] if "version" in item else known
            if not keys or any(key not in self.packages for key in keys):
                raise LockError(f"uv.lock does not hold {item['name']}, which it refers to: run uv lock.")
            found += [Edge(key, marker, tuple(item.get("extra", ()))) for key in keys]
        return found

    def edges(self, key: str, extra: str) -> list[Edge]:
        package = self.packages[key]
        if not extra:
            return self.edges_of(package.get("dependencies", []))
        return self.edges_of(package.get("optional-dependencies", {}).get(extra, []))


def _uv_package(package: Mapping[str, Any], marker: str) -> Requirement:
    if "registry" not in package.get("source", {}) or "version" not in package:
        raise LockError(f"{package['name']} in uv.lock comes from no package index, so its hash cannot be checked.")
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    hashes = tuple(file["hash"] for file in files if "hash" in file)
    return Requirement(package["name"], package["version"], hashes, marker)


# --- poetry ---

_POETRY_TABLE = {"optional?": shape.FLAG, "markers?": _TEXT, "extras?": _TEXTS}
_POETRY_DEPENDENCIES = {str: (_TEXT, [(_TEXT, _POETRY_TABLE)], _POETRY_TABLE)}
_POETRY_FILES = [{"hash": _TEXT}]
_POETRY_PACKAGE = {
    "name": _TEXT,
    "version": _TEXT,
    "groups?": _TEXTS,
    "markers?": (_TEXT, {str: _TEXT}),
    "files?": _POETRY_FILES,
    "source?": {"type?": _TEXT},
    "extras?": {str: _TEXTS},
    "dependencies?": _POETRY_DEPENDENCIES,
}
_POETRY_LOCK = {
    "package?": [_POETRY_PACKAGE],
    "extras?": {str: _TEXTS},
    "metadata?": {"files?": {str: _POETRY_FILES}},
}
_POETRY_PROJECT = {
    "dependencies?": _POETRY_DEPENDENCIES,
    "dev-dependencies?": _POETRY_DEPENDENCIES,
    "group?": {str: {"dependencies?": _POETRY_DEPENDENCIES}},
}


def read_poetry_lock(text: str, groups: tuple[str, ...], extras: tuple[str, ...], read: Read) -> list[Requirement]:
    """The packages of the main group, of the groups and of the project's extras. Raises LockError.

    `poetry.lock` says which package belongs to which group since poetry 2; before that, pyproject.toml (by `read`) is
    asked for the groups' own packages.
    """
    lock = _checked("poetry.lock", _toml("poetry.lock", text), _POETRY_LOCK)
    packages = lock.get("package", [])
    by_extra = lock.get("extras", {})
    for extra in extras:
        if extra not in by_extra:
            raise _unknown_group("poetry.lock", extra, by_extra)
    wanted = {normal_name(re.split(r"[ (\[;<>=!~]", item)[0]) for extra in extras for item in by_extra[extra]}
    if any("groups" in package for package in packages):
        return _poetry_2(packages, groups, extras)
    return _poetry_1(lock, groups, wanted, read)


def _poetry_2(packages: list[dict[str, Any]], groups: tuple[str, ...], extras: tuple[str, ...]) -> list[Requirement]:
    known = {group for package in packages for group in package.get("groups", [])}
    for group in groups:
        if group not in known:
            raise _unknown_group("poetry.lock", group, known - {"main"})
    found = []
    for package in packages:
        markers = [_group_marker(package, group) for group in ("main", *groups) if group in package.get("groups", [])]
        kept = [text for marker in markers if (text := _without_extras(package["name"], marker, extras)) is not None]
        if kept:
            marker = "" if "" in kept else " or ".join(f"({text})" for text in kept) if len(kept) > 1 else kept[0]
            found.append(_poetry_package(package, marker, {}))
    return found


def _group_marker(package: Mapping[str, Any], group: str) -> str:
    markers = package.get("markers", "")
    return str(markers.get(group, "")) if isinstance(markers, Mapping) else str(markers)


_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")


def _without_extras(name: str, marker: str, extras: tuple[str, ...]) -> str | None:
    """The marker with its conditions on extras decided; None when they do not hold."""
    if "extra" not in marker:
        return marker
    parts = [part.strip() for part in re.split(r"\band\b", marker)]
    rest = []
    for part in parts:
        alternatives = re.split(r"\bor\b", part.strip("() "))
        asked = [_EXTRA.fullmatch(item.strip()) for item in alternatives]
        if all(asked):
            if not any(match and match[1] in extras for match in asked):
                return None
        elif "extra" in part:
            raise LockError(f"The marker of {name} in poetry.lock mixes extras with other conditions: {marker}.")
        else:
            rest.append(part)
    return " and ".join(rest)


def _poetry_1(lock: Mapping[str, Any], groups: tuple[str, ...], wanted: set[str], read: Read) -> list[Requirement]:
    text = read("pyproject.toml")
    if text is None:
        raise LockError("This poetry.lock does not name groups, so pyproject.toml must lie beside it.")
    project = _checked("pyproject.toml", _toml("pyproject.toml", text), {"tool?": {"poetry?": _POETRY_PROJECT}})
    poetry = project.get("tool", {}).get("poetry", {})
    named = {name: group.get("dependencies", {}) for name, group in poetry.get("group", {}).items()}
    if "dev-dependencies" in poetry:
        named["dev"] = {**named.get("dev", {}), **poetry["dev-dependencies"]}
    graph = _PoetryGraph(lock.get("package", []))
    roots = graph.edges_of(poetry.get("dependencies", {}), wanted)
    for group in groups:
        if group not in named:
            raise _unknown_group("pyproject.toml", group, named)
        roots += graph.edges_of(named[group], wanted)
    old_files = lock.get("metadata", {}).get("files", {})
    return [
        _poetry_package(package, marker, old_files)
        for key, marker in sorted(closure(roots, graph.edges).items())
        for package in graph.packages[key]
    ]


class _PoetryGraph:
    def __init__(self, packages: Iterable[dict[str, Any]]) -> None:
        self.packages: dict[str, list[dict[str, Any]]] = {}
        for package in packages:
            self.packages.setdefault(normal_name(package["name"]), []).append(package)
        for name, versions in self.packages.items():
            if len(versions) > 1:
                message = f"poetry.lock holds {len(versions)} versions of {name}; only poetry 2 says which is when."
                raise LockError(message)

    def edges_of(self, dependencies: Mapping[str, Any], optional: set[str]) -> list[Edge]:
        found = []
        for name, given in dependencies.items():
            for item in given if isinstance(given, list) else [given]:
                table = item if isinstance(item, Mapping) else {}
                key = normal_name(name)
                if key == "python" or (table.get("optional") and key not in optional):
                    continue
                if key not in self.packages:
                    raise LockError(f"poetry.lock does not hold {name}, which is needed: run poetry lock.")
                found.append(Edge(key, table.get("markers", ""), tuple(table.get("extras", ()))))
        return found

    def edges(self, key: str, extra: str) -> list[Edge]:
        package = self.packages[key][0]
        named = package.get("extras", {}).get(extra, []) if extra else []
        wanted = {normal_name(re.split(r"[ (\[;<>=!~]", item)[0]) for item in named}
        dependencies = {
            name: _decided(given) for name, given in package.get("dependencies", {}).items()
            if not extra or normal_name(name) in wanted
        }  # fmt: skip
        return self.edges_of(dependencies, wanted)


def _decided(given: Any) -> Any:
    """A dependency of a package without its conditions on extras: the walk itself follows the extras."""
    if isinstance(given, list):
        return [_decided(item) for item in given]
    if not isinstance(given, Mapping) or "extra" not in str(given.get("markers", "")):
        return given
    parts = [part for part in re.split(r"\s+and\s+", given["markers"]) if "extra" not in part]
    return {**given, "markers": " and ".join(parts)}


def _poetry_package(package: Mapping[str, Any], marker: str, old_files: Mapping[str, Any]) -> Requirement:
    if package.get("source", {}).get("type", "legacy") != "legacy":
        raise LockError(f"{package['name']} in poetry.lock comes from no package index, so its hash cannot be checked.")
    files = package.get("files") or old_files.get(package["name"], [])
    return Requirement(package["name"], package["version"], tuple(file["hash"] for file in files), marker)
