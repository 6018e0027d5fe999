# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dockerfile, Dockerfile.base and the requirements: which image stands on which, and what installs the requirements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..lint.project_files import is_inside
from .notes import Notes

# Newest kind of lock file first; a project that has several is asked about.
_REQUIREMENTS = ("uv.lock", "poetry.lock", "Pipfile.lock", "Pipfile", "requirements.txt")
_INSTALLS = re.compile(r"\b(pip3?\s+install|pipenv\s+(install|sync)|poetry\s+install|uv\s+(sync|pip\s+install))\b")


@dataclass
class Images:
    """`base` is what the Dockerfile stands on; `managed` when the role image can fill it in."""

    base: str = ""
    requirements: str = ""
    managed: bool = False


def read_images(root: Path, notes: Notes) -> Images:
    """Read the Docker files at the top of the project. Nothing is built."""
    found = Images()
    kinds = [name for name in _REQUIREMENTS if is_inside(root, root / name)]
    if kinds:
        found.requirements = kinds[0]
        notes.learn(kinds[0], 0, f"The requirements are in {' and '.join(kinds)}.")
    dockerfile = root / "Dockerfile"
    if not is_inside(root, dockerfile):
        notes.ask("Dockerfile", 0, "There is no Dockerfile at the top; Elastic Beanstalk builds only that one.")
        return found
    text = dockerfile.read_text(encoding="utf-8", errors="replace")
    froms = [
        (number, line.split()) for number, line in enumerate(text.splitlines(), 1) if re.match(r"(?i)\s*FROM\s", line)
    ]
    has_base = is_inside(root, root / "Dockerfile.base")
    if froms:
        line, words = froms[-1]
        words = [word for word in words if not word.startswith("--")]
        found.base = words[1] if len(words) > 1 else ""
        notes.learn("Dockerfile", line, f"The application's image stands on {found.base}.")
        if has_base:
            _read_base(root, text, line, found, notes)
    for number, row in enumerate(text.splitlines(), 1):
        if has_base and _INSTALLS.search(row) and not row.lstrip().startswith("#"):
            notes.ask("Dockerfile", number, "The requirements are installed here and in Dockerfile.base.")
    for path in sorted(root.glob("Dockerfile.*")):
        if path.name != "Dockerfile.base":
            notes.ask(path.name, 0, "Elastic Beanstalk does not build this one; it stays as it is.")
    return found


def _read_base(root: Path, text: str, line: int, found: Images, notes: Notes) -> None:
    notes.learn("Dockerfile.base", 0, "The base image carries the requirements.")
    found.managed = bool(re.search(r"(?m)^ARG BASE_IMAGE(=.*)?$", text)) and is_inside(root, root / "requirements.txt")
    if not found.managed:
        advice = (
            f"{found.base} must be in a registry that the instances reach, or already on them. To have the role image "
            "build and tag it: write ARG BASE_IMAGE and FROM ${BASE_IMAGE} here, keep a requirements.txt, and set "
            "eb_image.name."
        )
        notes.ask("Dockerfile", line, advice)
    base = (root / "Dockerfile.base").read_text(encoding="utf-8", errors="replace")
    copied = re.search(r"(?im)^\s*(?:COPY|ADD)\s+\S*?(requirements[\w.-]*\.txt)", base)
    if copied and not is_inside(root, root / copied[1]):
        advice = f"It copies {copied[1]}, which is not in the project: make it from {found.requirements}."
        notes.ask("Dockerfile.base", 0, advice)
