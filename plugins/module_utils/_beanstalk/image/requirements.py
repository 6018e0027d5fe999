# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an application's lock file to the requirements file that pip installs from."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from .locks import Read, read_pipfile_lock, read_poetry_lock, read_uv_lock
from .requirement import LockError, Requirement, normal_name

# In the order in which they are looked for.
LOCK_FILES = ("uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt")
_COMPILE = "uv pip compile --generate-hashes --no-emit-index-url {name} -o {out}"
_INDEX = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index")
_INCLUDES = ("-r", "--requirement")
_IGNORED = (*_INDEX, "--require-hashes", "-c", "--constraint")
_KEPT = ("--no-binary", "--only-binary", "--prefer-binary", "--pre", "--no-deps")
_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*===?\s*([^\s;,]+)\s*(?:;\s*(.+))?")


class Lock(NamedTuple):
    """What a lock file says. `text` is the requirements file; `names` the normal names of the packages in it."""

    file: str
    text: str
    names: frozenset[str]


def find_lock(read: Read, name: str = "") -> str:
    """The lock file to use: the given one, else the first of those that are known. Raises LockError."""
    if name:
        if read(name) is None:
            raise LockError(f"There is no file {name} in the application source.")
        return name
    for candidate in LOCK_FILES:
        if read(candidate) is not None:
            return candidate
    if read("requirements.in") is not None:
        raise _not_compiled("requirements.in")
    if read("Pipfile") is not None:
        raise LockError("There is a Pipfile but no Pipfile.lock; make it with: pipenv lock.")
    names = ", ".join(LOCK_FILES)
    raise LockError(f"The application source has no lock file ({names}), so the base image has nothing to install.")


def _not_compiled(name: str) -> LockError:
    out = name.removesuffix(".in") + ".txt"
    command = _COMPILE.format(name=name, out=out)
    return LockError(f"{name} alone does not pin anything; compile it with: {command}, and commit {out}.")


def read_lock(
    name: str, read: Read, groups: tuple[str, ...] = (), extras: tuple[str, ...] = (), require_hashes: bool = True
) -> Lock:
    """The requirements of a lock file, the default group and those that are named. Raises LockError."""
    text = read(name)
    if text is None:
        raise LockError(f"There is no file {name} in the application source.")
    base = posixpath.basename(name)
    options: list[str] = []
    if base.endswith(".in"):
        raise _not_compiled(name)
    if base == "Pipfile.lock":
        found = read_pipfile_lock(text, groups)
    elif base == "poetry.lock":
        found = read_poetry_lock(text, groups, extras, _beside(name, read))
    elif base == "uv.lock":
        found = read_uv_lock(text, groups, extras)
    else:
        found, options = _read_text(name, read, groups)
    if require_hashes:
        bare = sorted({item.name for item in found if not item.hashes})
        if bare:
            raise LockError(
                f"{name} has no hashes for {', '.join(bare[:5])}{' and others' if len(bare) > 5 else ''}; "
                f"{_hash_advice(base)}."
            )
    return Lock(name, render(found, options), frozenset(normal_name(item.name) for item in found))


def _hash_advice(base: str) -> str:
    if base.endswith(".txt"):
        return "compile it with: " + _COMPILE.format(name=base.removesuffix(".txt") + ".in", out=base)
    return "lock it again from an index that gives hashes"


def _beside(name: str, read: Read) -> Read:
    folder = posixpath.dirname(name)
    return lambda other: read(posixpath.join(folder, other))


def render(found: list[Requirement], options: list[str]) -> str:
    """A requirements file: options first, packages in order of name; equal requirements give equal text."""
    ordered = sorted(set(found), key=lambda item: (normal_name(item.name), item.version, item.marker))
    return "".join(f"{option}\n" for option in sorted(set(options))) + "".join(item.text() for item in ordered)


# --- requirements files ---


def _read_text(name: str, read: Read, groups: tuple[str, ...]) -> tuple[list[Requirement], list[str]]:
    found: list[Requirement] = []
    options: list[str] = []
    _read_one(name, read, found, options, ())
    stem = name.removesuffix(".txt")
    for group in groups:
        candidates = [f"{stem}-{group}.txt", f"{stem}_{group}.txt", posixpath.join(stem, f"{group}.txt")]
        present = next((candidate for candidate in candidates if read(candidate) is not None), None)
        if present is None:
            raise LockError(f"There is no {candidates[0]} for the group {group!r}.")
        _read_one(present, read, found, options, ())
    return found, options


def _read_one(name: str, read: Read, found: list[Requirement], options: list[str], above: tuple[str, ...]) -> None:
    text = read(name)
    if text is None:
        raise LockError(f"{above[-1] if above else 'The requirements'} includes {name}, which is not in the source.")
    if name in above:
        raise LockError(f"{name} includes itself.")
    for number, line in _logical_lines(text):
        word = re.split(r"[\s=]", line, maxsplit=1)[0]
        if word in _INCLUDES or line.startswith("-r"):
            other = re.sub(r"^(-r|--requirement)[\s=]*", "", line)
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(name), other))
            _read_one(inner, read, found, options, (*above, name))
        elif word in _KEPT:
            options.append(line)
        elif word not in _IGNORED:
            found.append(_parse(name, number, line))


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their continuations joined and comments removed, each with the number of its first line."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        first = first if parts else number
        parts.append(line.removesuffix("\\").strip())
        if line.endswith("\\"):
            continue
        whole = " ".join(part for part in parts if part)
        if whole:
            found.append((first, whole))
        parts = []
    if any(parts):
        found.append((first, " ".join(part for part in parts if part)))
    return found


def _parse(name: str, number: int, line: str) -> Requirement:
    hashes = tuple(re.findall(r"--hash[=\s]\s*(\S+)", line))
    spec = re.sub(r"\s*--hash[=\s]\s*\S+", "", line).strip()
    match = _PINNED.fullmatch(spec)
    if match is None:
        raise LockError(f"{name} line {number} is not a package pinned with ==: {_shown(spec)}.")
    extras = tuple(sorted(part.strip() for part in (match[2] or "").split(",") if part.strip()))
    return Requirement(match[1], match[3], hashes, (match[4] or "").strip(), extras)


def _shown(spec: str) -> str:
    """A line of the file without what may be a password in an address."""
    return re.sub(r"://[^/@\s]*@", "://(hidden)@", spec)[:80]
