# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a project that say how it is deployed: found in bounded time, whatever else lies beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from ..lint.project_files import is_inside
from .notes import Notes

MOST_ENTRIES = 20_000
"""Files and folders that are looked at; deployment files stand near the top, which is listed first."""
_MOST_SCRIPTS = 1_000
_LARGEST_SCRIPT = 64 * 1024
_SKIPPED = frozenset((".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", "env", ".tox", "vendor"))

FOLDERS = (".ebextensions", ".elasticbeanstalk", ".platform")
_AT_THE_TOP = re.compile(
    r"Procfile|Buildfile|cron\.yaml|env\.yaml|\.ebignore"
    r"|Dockerrun\.aws\.json|aws-windows-deployment-manifest\.json|docker-compose[\w.-]*\.ya?ml|compose\.ya?ml"
)
_DOCKERFILE = re.compile(r"(?:.*/)?(?:Dockerfile[\w.-]*|[\w.-]+\.[Dd]ockerfile)")
# Where people call the EB CLI from: scripts, and what runs them for a team.
_SCRIPT = re.compile(
    r"(?:.*/)?(?:[\w.-]+\.(?:sh|bash|py|mk|ps1)|[\w-]+|package\.json|(?:\.gitlab-ci|\.travis|buildspec|appveyor|"
    r"bitbucket-pipelines|azure-pipelines)\.ya?ml)|\.(?:github/workflows|circleci|buildkite)/[\w.-]+\.ya?ml"
)
_CALLS_EB = re.compile(
    r"(?<![\w./-])eb(?:['\"],\s*['\"]|\s+)(deploy|create|clone|init|use|setenv|swap|upgrade|config|terminate)\b"
)


class Source:
    """The folder of a project. ``names`` are its files near the top, relative and sorted."""

    def __init__(self, root: Path, notes: Notes) -> None:
        self.root = root
        self.notes = notes
        self.names: list[str] = []
        left = MOST_ENTRIES
        for folder in FOLDERS:  # these count, however many files there are besides
            left -= self._list(folder, left)
        left -= self._list("", left)
        self.names = sorted(set(self.names))
        if left <= 0:
            text = (
                f"The project has more than {MOST_ENTRIES} files: only the "
                "first were looked at, those at the top before others."
            )
            notes.ask(".", 0, text)

    def has(self, name: str) -> bool:
        """Whether the project has a file of that name that can be read."""
        return is_inside(self.root, self.root / name)

    def text(self, name: str) -> str | None:
        """What a file says; None for one that is not there, or is no text, which the report then says."""
        path = self.root / name
        if not path.is_symlink() and not path.exists():
            return None
        if not is_inside(self.root, path):
            what = "a link that leads out of it, a FIFO, or more than 2 MiB"
            self.notes.ask(name, 0, f"It is no file of the project ({what}): it was not read.")
            return None
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            self.notes.ask(name, 0, f"The file could not be read ({error}); it stays in the bundle as it is.")
            return None
        if "\0" in text:
            self.notes.ask(name, 0, "The file is a program, not a text; it stays in the bundle as it is.")
            return None
        return text

    def below(self, folder: str) -> list[str]:
        """The files anywhere below a folder."""
        return [name for name in self.names if name.startswith(folder + "/")]

    def dockerfiles(self) -> list[str]:
        """Every Dockerfile, of whatever name and in whatever folder."""
        return [name for name in self.names if _DOCKERFILE.fullmatch(name)]

    def deployment_files(self) -> list[str]:
        """Every file that says how the project is deployed; each of them has a line in the report."""
        fixed = [name for name in self.names if name.split("/")[0] in FOLDERS or _AT_THE_TOP.fullmatch(name)]
        return sorted({*fixed, *self.dockerfiles(), *self.scripts})

    @cached_property
    def scripts(self) -> dict[str, str]:
        """The scripts that call the EB CLI, with their texts."""
        found: dict[str, str] = {}
        candidates = [name for name in self.names if name.split("/")[0] not in FOLDERS and _SCRIPT.fullmatch(name)]
        for name in sorted(candidates, key=lambda name: (name.count("/"), name))[:_MOST_SCRIPTS]:
            path = self.root / name
            if not is_inside(self.root, path) or path.stat().st_size > _LARGEST_SCRIPT:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if _CALLS_EB.search(_without_comments(text)):
                found[name] = text
        return found

    def _list(self, folder: str, most: int) -> int:
        """Add the files below a folder, those near its top first, and return how many entries were looked at."""
        waiting, seen = [folder], 0
        while waiting:
            current = waiting.pop(0)
            for entry in _entries(self.root / current):
                seen += 1
                if seen >= most:
                    return seen
                name = f"{current}/{entry.name}" if current else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and (folder or name not in FOLDERS):
                        waiting.append(name)
                else:
                    self.names.append(name)
        return seen


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    # A link to a folder is no folder of the project: it may lead out of it, or in a circle.
    if folder.is_symlink():
        return
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
