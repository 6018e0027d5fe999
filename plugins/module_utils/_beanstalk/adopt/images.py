# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dockerfiles and the requirements: which image stands on which, what installs them, and what is missing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from .notes import Notes
from .source import Source

# Newest kind of lock file first; a project that has several is asked about.
_REQUIREMENTS = ("uv.lock", "poetry.lock", "Pipfile.lock", "Pipfile", "requirements.txt")
_INSTALLS = re.compile(r"\b(pip3?\s+install|pipenv\s+(install|sync)|poetry\s+install|uv\s+(sync|pip\s+install))\b")


@dataclass
class Images:
    """`base` is what the Dockerfile stands on; `managed` when the role image can fill it in."""

    base: str = ""
    requirements: str = ""
    managed: bool = False


def read_images(source: Source, made_by_scripts: dict[str, str], secrets: list[str]) -> Images:
    """Read the Docker files of the project. Nothing is built.

    ``made_by_scripts`` are files that an old script makes, with the script; ``secrets`` are what it stages besides.
    """
    found, notes = Images(), source.notes
    kinds = [name for name in _REQUIREMENTS if source.has(name)]
    if kinds:
        found.requirements = kinds[0]
        notes.learn(kinds[0], 0, f"The requirements are in {' and '.join(kinds)}.")
    for name in source.dockerfiles():
        text = source.text(name)
        if text is None:
            continue
        for line, copied in _missing(source, name, text, secrets):
            by = made_by_scripts.get(copied)
            why = (
                f"only {by} makes it"
                if by
                else "git ignores it"
                if _is_ignored(source, copied)
                else "the project has no such file"
            )
            notes.ask(
                name,
                line,
                f"It copies {copied}, and {why}: the image cannot be built from the bundle. {_advice(copied, found)}",
            )
        if name == "Dockerfile":
            _read_dockerfile(source, text, found)
        elif name == "Dockerfile.base":
            notes.learn(name, 0, "The base image carries the requirements.")
        elif "/" not in name:
            notes.keep(
                name, 0, "Elastic Beanstalk does not build this one unless a compose file names it; it stays as it is."
            )
        else:
            notes.keep(name, 0, "It stays in the bundle as it is.")
    return found


def _read_dockerfile(source: Source, text: str, found: Images) -> None:
    notes = source.notes
    froms = [
        (number, line.split()) for number, line in enumerate(text.splitlines(), 1) if re.match(r"(?i)\s*FROM\s", line)
    ]
    has_base = source.has("Dockerfile.base")
    if froms:
        line, words = froms[-1]
        words = [word for word in words if not word.startswith("--")]
        found.base = _filled_in(words[1], text) if len(words) > 1 else ""
        stands = found.base or "the image that the build names"
        notes.learn("Dockerfile", line, f"The application's image stands on {stands}.")
        if has_base:
            _read_base(source, text, line, found, notes)
    else:
        notes.ask("Dockerfile", 0, "It has no FROM, so nothing can be built from it.")
    for number, row in enumerate(text.splitlines(), 1):
        if has_base and _INSTALLS.search(row) and not row.lstrip().startswith("#"):
            notes.ask("Dockerfile", number, "The requirements are installed here and in Dockerfile.base.")


def _filled_in(image: str, text: str) -> str:
    """The name of an image with the defaults of its ARGs; "" where nothing else is left."""
    defaults = dict(re.findall(r"(?m)^ARG\s+(\w+)=[\"']?([^\s\"']+)", text))
    return re.sub(r"\$\{?(\w+)\}?", lambda found: defaults.get(found[1], ""), image)


def _read_base(source: Source, text: str, line: int, found: Images, notes: Notes) -> None:
    found.managed = bool(re.search(r"(?m)^ARG BASE_IMAGE(=.*)?$", text)) and source.has("requirements.txt")
    if not found.managed:
        advice = (
            f"{found.base or 'The base image'} must be in a registry that the instances reach, or already on them. "
            "To have the role image build and tag it: write ARG BASE_IMAGE and FROM ${BASE_IMAGE} here, keep a "
            "requirements.txt, and set eb_image.name."
        )
        notes.ask("Dockerfile", line, advice)


def _missing(source: Source, name: str, text: str, secrets: list[str]) -> Iterator[tuple[int, str]]:
    """What COPY and ADD take from the bundle and is not in it: the line and the path."""
    folder = name.rpartition("/")[0]
    rows = text.replace("\\\n", "  ").splitlines()
    for number, row in enumerate(rows, 1):
        command = re.match(r"(?i)\s*(?:COPY|ADD)\s+(.*)", row)
        if not command or "--from=" in row or "<<" in row:
            continue
        for path in _sources(command[1]):
            place = path.removeprefix("./").strip("/")
            if not place or place == "." or re.search(r"[$*?\[]|://|^\.\.", place):
                continue
            there = [place, f"{folder}/{place}" if folder else place]
            if any((source.root / one).exists() for one in there) and not _is_ignored(source, place):
                continue
            if not any(place == secret.strip("/") or place.startswith(secret.rstrip("/") + "/") for secret in secrets):
                yield number, place


def _sources(words: str) -> list[str]:
    if words.lstrip().startswith("["):
        return re.findall(r'"((?:[^"\\]|\\.)*)"', words)[:-1]
    try:
        parts = [word for word in shlex.split(words, comments=True) if not word.startswith("--")]
    except ValueError:
        return []
    return parts[:-1]


def _is_ignored(source: Source, path: str) -> bool:
    """Whether git leaves a file out, as far as plain names in the top .gitignore say so."""
    text = source.text(".gitignore") if source.has(".gitignore") else ""
    names = {line.strip().strip("/") for line in (text or "").splitlines() if not line.startswith(("#", "!"))}
    parts = path.split("/")
    return any("/".join(parts[: end + 1]) in names for end in range(len(parts))) or parts[-1] in names


def _advice(path: str, found: Images) -> str:
    if re.fullmatch(r"requirements[\w.-]*\.txt", path) and found.requirements:
        return f"Make it from {found.requirements} and commit it, or set eb_image.lock to {found.requirements}."
    return "Commit it, have the image make it, or name it in eb_secrets_files."
