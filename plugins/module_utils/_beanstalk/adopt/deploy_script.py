# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy scripts: `git add -f .secrets/ && eb deploy --staged; git reset HEAD .secrets/`, and what stands around it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ..lint.project_files import is_inside
from .notes import Notes, masked

# Where people keep the script; nothing of the application itself is read.
_PLACES = ("*.sh", "deploy", "scripts/*", "bin/*", ".dev/bin/*")
_LARGEST = 64 * 1024
_HARMLESS = (
    "git reset",
    "git status",
    "git restore --staged",
    "git rm --cached",
    "echo",
    "sleep",
    "set ",
    "cd ",
    "exit",
)


@dataclass
class DeployScript:
    """What the scripts say; empty where they say nothing."""

    secrets: list[str] = field(default_factory=list)
    profile: str = ""
    staged: bool = False
    base_image: str = ""
    properties: list[str] = field(default_factory=list)


def read_deploy_scripts(root: Path, notes: Notes) -> DeployScript:
    """Read every script of the project that calls `eb deploy`."""
    found = DeployScript()
    seen = False
    for pattern in _PLACES:
        for path in sorted(root.glob(pattern)):
            if not is_inside(root, path) or path.stat().st_size > _LARGEST:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if re.search(r"\beb\s+deploy\b", text):
                seen = True
                name = path.relative_to(root).as_posix()
                if path.suffix == ".py":
                    notes.ask(name, 0, "The script calls eb deploy in Python, which was not read.")
                else:
                    _ScriptReader(name, found, notes).read(text)
    if not seen:
        notes.ask("deploy.sh", 0, "No script calls eb deploy; secrets that git ignores have to go to eb_secrets_files.")
    return found


class _ScriptReader:
    def __init__(self, file: str, found: DeployScript, notes: Notes) -> None:
        self.file = file
        self.found = found
        self.notes = notes

    def read(self, text: str) -> None:
        joined = text.replace("\\\n", "  ")
        for number, line in enumerate(joined.splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            for part in re.split(r"&&|\|\||;|(?<!&)&(?!&)", line):
                if part.strip():
                    self._command(number, part.strip())

    def _command(self, line: int, text: str) -> None:
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
        start = " ".join(words[:2])
        if start == "git add":
            self._git_add(line, words[2:])
        elif start == "eb deploy":
            self._eb_deploy(line, words[2:])
        elif start == "eb setenv":
            self.found.properties += [word.partition("=")[0] for word in words[2:] if "=" in word]
            names = ", ".join(self.found.properties)
            self.notes.ask(
                self.file, line, f"eb setenv sets {names}: write them to eb_environment_properties; no value was read."
            )
        elif start in ("docker build", "docker push", "docker tag"):
            self._docker(line, words)
        elif not text.startswith(_HARMLESS):
            self.notes.ask(self.file, line, f"Not understood: {masked(text)}")

    def _git_add(self, line: int, words: list[str]) -> None:
        forced = "-f" in words or "--force" in words
        for word in words:
            if word.startswith("-") or word == ".":
                continue
            if forced:
                pattern = word.removeprefix("./")
                if pattern not in self.found.secrets:
                    self.found.secrets.append(pattern)
                text = (
                    f"{pattern} is staged although git ignores it: eb_secrets_files puts it straight into the bundle."
                )
                self.notes.learn(self.file, line, text)

    def _eb_deploy(self, line: int, words: list[str]) -> None:
        waiting = iter(words)
        for word in waiting:
            name, _equals, value = word.partition("=")
            if name == "--staged":
                self.found.staged = True
                text = (
                    "eb deploy --staged deployed what was staged. The inventory deploys what is committed on the "
                    "branch; set eb_source.from to index for the old way."
                )
                self.notes.learn(self.file, line, text)
            elif name == "--profile":
                self.found.profile = value or next(waiting, "")
                self.notes.learn(self.file, line, f"The AWS profile is {self.found.profile} (eb_aws.profile).")
            elif name in ("--timeout", "-l", "--label", "-m", "--message", "-r", "--region"):
                option = value or next(waiting, "")
                self.notes.ask(self.file, line, f"eb deploy {name} {option} was left out.")
            elif not name.startswith("-"):
                self.notes.ask(self.file, line, f"eb deploy names {name}; use --limit with that host of the inventory.")

    def _docker(self, line: int, words: list[str]) -> None:
        image = next((value for flag, value in pairwise(words) if flag in ("-t", "--tag")), "")
        if words[1] == "push" and len(words) > 2:
            image = words[-1]
        if "base" in " ".join(words):
            self.found.base_image = image or self.found.base_image
        self.notes.ask(
            self.file,
            line,
            f"{' '.join(words[:2])} builds or publishes {image or 'an image'}: the role image can do it.",
        )
