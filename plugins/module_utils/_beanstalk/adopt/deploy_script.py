# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that call the EB CLI: `git add -f .secrets/ && eb deploy --staged; git reset`, and the rest."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from itertools import pairwise

from .notes import Notes, masked
from .source import Source

_HARMLESS = (
    *("git reset", "git status", "git restore --staged", "git rm --cached", "git commit", "git push", "git checkout"),
    *(
        "echo",
        "printf",
        "sleep",
        "set ",
        "cd ",
        "exit",
        "eb open",
        "eb status",
        "eb health",
        "eb events",
        "eb list",
        "eb use",
    ),
    *("then", "fi", "else", "if ", "done", "}", "{", "export PATH", "date", "pip install", "wait"),
)
_MAKES = re.compile(
    r"(?:pipenv\s+(?:lock|requirements)|pip3?\s+freeze|poetry\s+export|pip-compile|uv\s+(?:export|pip\s+compile)).*"
)
_TARGET = re.compile(r"(?:>|-o|--output(?:-file)?)[\s=]*([\w./-]+)")


@dataclass
class DeployScript:
    """What the scripts say; empty where they say nothing. ``makes`` are files that only a script makes, with it."""

    secrets: list[str] = field(default_factory=list)
    profile: str = ""
    staged: bool = False
    base_image: str = ""
    properties: list[str] = field(default_factory=list)
    makes: dict[str, str] = field(default_factory=dict)


def read_deploy_scripts(source: Source) -> DeployScript:
    """Read every script of the project that calls the EB CLI."""
    found = DeployScript()
    scripts = source.scripts
    for name, text in scripts.items():
        if name.endswith((".sh", ".bash", ".mk")) or "." not in name.rpartition("/")[2]:
            _ScriptReader(name, found, source.notes).read(text)
        else:
            source.notes.ask(
                name, 0, "It calls the EB CLI, and was not read: let it call ansible-playbook deploy.yml instead."
            )
    if not any("eb deploy" in text or '"deploy"' in text or "'deploy'" in text for text in scripts.values()):
        source.notes.ask(".", 0, "No script calls eb deploy; secrets that git ignores have to go to eb_secrets_files.")
    return found


class _ScriptReader:
    def __init__(self, file: str, found: DeployScript, notes: Notes) -> None:
        self.file = file
        self.found = found
        self.notes = notes

    def read(self, text: str) -> None:
        before = len(self.notes.understood) + len(self.notes.open)
        joined = text.replace("\\\n", "  ")
        for number, line in enumerate(joined.splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            for part in re.split(r"&&|\|\||;|(?<![&>])&(?![&>])", line):
                command = re.sub(r"^(?:[@-]|then |else |do )+", "", part.strip()).strip()
                if command:
                    self._command(number, command)
        if len(self.notes.understood) + len(self.notes.open) == before:
            self.notes.learn(self.file, 0, "The script calls the EB CLI with nothing that the inventory has to know.")

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
        elif _MAKES.match(text) and (made := _TARGET.search(text)):
            self.found.makes[made[1].removeprefix("./")] = self.file
            self.notes.ask(
                self.file,
                line,
                f"It makes {made[1]}, which only exists while it runs: commit the file, or let the role image make it.",
            )
        elif not (text.startswith(_HARMLESS) or re.match(r"rm\s", text) or re.match(r"[\w-]+:(\s|$)", text)):
            self.notes.ask(self.file, line, f"Not understood: {masked(text)}")

    def _git_add(self, line: int, words: list[str]) -> None:
        forced = "-f" in words or "--force" in words
        for word in words:
            if word.startswith("-") or word in ("", "."):
                continue
            if forced and re.search(r"^[/~]|\$|\.\.", word):
                self.notes.ask(self.file, line, f"git add -f names {word}, which is no path below the project.")
            elif forced:
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
