# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Dockerfile copies from its context, and where it installs requirements."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from ..core.shape import ShapeError, load
from ..core.shape import text as text_shape

_INSTALLS = re.compile(
    r"\b(?:pip3?\s+install\b[^&|;]*(?:-r\b|--requirement\b|\s\.(?:\s|$))|pipenv\s+(?:install|sync)\b"
    r"|poetry\s+(?:install|sync)\b|uv\s+(?:sync\b|pip\s+(?:sync\b|install\b[^&|;]*(?:-r\b|--requirements?\b))))"
)
_ARGUMENT = re.compile(r"^ARG BASE_IMAGE(=.*)?$", re.MULTILINE)


class Instruction(NamedTuple):
    """An instruction with continuations joined; `line` is that of its first line, counted from 1."""

    line: int
    word: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile. Here-documents are not followed."""
    found: list[Instruction] = []
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("#") or not line:
            continue
        first = first if parts else number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\"):
            word, _space, rest = " ".join(parts).partition(" ")
            found.append(Instruction(first, word.upper(), rest.strip()))
            parts = []
    return found


def copied(text: str) -> list[str]:
    """The sources that COPY and ADD take from the build context, as they are written."""
    found: list[str] = []
    for item in instructions(text):
        if item.word not in ("COPY", "ADD"):
            continue
        flags = re.findall(r"(?:^|\s)(--\S+)", item.rest)
        if any(flag.startswith("--from") for flag in flags):
            continue
        rest = re.sub(r"(?:^|(?<=\s))--\S+\s*", "", item.rest).strip()
        try:
            words = load(rest, [text_shape(4096)])
        except ShapeError:
            words = rest.split()  # as Docker does with what is no JSON
        found += [word for word in words[:-1] if "://" not in word and not word.startswith("<<")]
    return found


def selected(sources: Iterable[str], names: Iterable[str]) -> list[str]:
    """Those of the names of files that the sources (files, folders, patterns) mean."""
    patterns = [posixpath.normpath(source.lstrip("/") or ".") for source in sources]
    everything = "." in patterns
    return sorted(
        name
        for name in names
        if everything
        or any(name == each or name.startswith(each + "/") or fnmatch.fnmatchcase(name, each) for each in patterns)
    )


def installs(text: str) -> list[Instruction]:
    """The RUN instructions that install requirements."""
    return [item for item in instructions(text) if item.word == "RUN" and _INSTALLS.search(item.rest)]


def point_to(text: str, reference: str) -> str | None:
    """The Dockerfile with the base image's name as default of its argument BASE_IMAGE; None when it has none."""
    if not _ARGUMENT.search(text):
        return None
    return _ARGUMENT.sub(lambda _match: f"ARG BASE_IMAGE={reference}", text)
