# SPDX-License-Identifier: GPL-3.0-or-later
"""Small projects, one text file each: what it is, its files after ``-- NAME``, what is expected after ``== KIND``.

The shapes are those of public repositories and of AWS's samples, written anew. Kinds: ``inventory`` (without what is in
all), ``report`` and ``lint``, a line for each note and finding. ``folder: PATH`` takes a folder of this repository.
A project that runs ``server.pl`` gets one, so that it answers where no image but Debian's can be had.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.inventory import inventory_files
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.project import Adopted, read_project

ROOT = Path(__file__).resolve().parents[2]
SERVER = r"""
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r?$/ }
  my $text = "hello $ENV{GREETING}";
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
  close $client;
}
"""
_SECTION = re.compile(r"^(--|==) (\S+)\n", re.MULTILINE)
_NOBODY = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# The same in every inventory, and asserted once elsewhere.
_ALIKE = ("eb_environment_properties_purge", "eb_option_settings", "eb_poll_interval", "eb_wait_timeout")


@dataclass(frozen=True)
class Project:
    """A project of tests/projects: its files, and what is expected by kind."""

    path: Path
    what: str
    files: dict[str, str]
    expected: dict[str, str]

    @property
    def name(self) -> str:
        return self.path.stem

    @classmethod
    def read(cls, path: Path) -> Project:
        """Take a file apart."""
        what, *parts = _SECTION.split(path.read_text())
        found: dict[str, dict[str, str]] = {"--": {}, "==": {}}
        for mark, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            found[mark][name] = text
        return cls(path, what, found["--"], found["=="])

    def write(self, folder: Path, *, repository: bool = False) -> Path:
        """Make the project in a folder, as a git repository with the branches that its configuration names."""
        place = folder / self.name
        if named := re.search(r"^folder: (\S+)$", self.what, re.MULTILINE):
            shutil.copytree(ROOT / named[1], place)
        served = {"server.pl": SERVER} if "server.pl" in self.files.get("Dockerfile", "") else {}
        for name, text in {**self.files, **served}.items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if text.startswith("#!") else 0o644)
        if repository:
            self._commit(place)
        else:
            (place / ".git").mkdir()
        return place

    def _commit(self, place: Path) -> None:
        config = place / ".elasticbeanstalk/config.yml"
        branches = yaml.safe_load(config.read_text()).get("branch-defaults", {}) if config.exists() else {}
        for words in (
            ("init", "--quiet", "--initial-branch=main"),
            ("add", "--all"),
            ("commit", "--quiet", "--message=As it was"),
            *(("branch", "--force", branch) for branch in branches if branch not in ("main", "default")),
        ):
            subprocess.run(["git", "-C", place, *words], check=True, env=os.environ | _NOBODY, capture_output=True)

    def update(self, expected: dict[str, str]) -> None:
        """Write what is now into the file."""
        parts = [self.what, *(f"-- {name}\n{text}" for name, text in self.files.items())]
        parts += [f"== {kind}\n{text}" for kind, text in expected.items()]
        self.path.write_text("".join(part if part.endswith("\n") else f"{part}\n" for part in parts))


PROJECTS = [Project.read(path) for path in sorted(Path(__file__).parent.glob("*.txt"))]


def told(adopted: Adopted, place: Path) -> dict[str, str]:
    """What adopting says of a project, in the form of its file."""
    hosts = json.loads(json.dumps(adopted.hosts).replace(str(place.resolve()), place.name))
    inventory: dict[str, Any] = {"hosts": hosts}
    for kind, values in (("variables", adopted.variables), ("aws", adopted.aws), ("local", adopted.local)):
        inventory[kind] = {name: value for name, value in values.items() if name not in _ALIKE}
    notes = adopted.notes.as_dict()
    lines = [_line("decide" if note["urgent"] else "look", note) for note in notes["open"]]
    lines += [_line(kind, note) for kind in ("understood", "kept") for note in notes[kind]]
    findings = [f"{one.file}:{one.line}: {one.severity}: {one.message} [{one.rule}]" for one in adopted.findings]
    return {
        "inventory": str(yaml.safe_dump(inventory, sort_keys=False, width=120)),
        "report": "\n".join([*lines, ""]),
        "lint": "\n".join([*findings, ""]),
    }


def _line(kind: str, note: dict[str, Any]) -> str:
    return f"{kind} {note['file']}:{note['line']} {note['text']}"


def local_hosts(place: Path, project: Project) -> dict[str, dict[str, Any]]:
    """The hosts of the adopted local inventory, each with all of its variables, as the files say them."""
    adopted = read_project(str(place))
    files = {(one["inventory"], one["path"]): one["content"] for one in inventory_files(adopted, str(place))}
    shared = yaml.safe_load(files["aws", "group_vars/all/project.yml"])
    local = yaml.safe_load(files["local", "group_vars/all/localstalk.yml"])
    hosts = yaml.safe_load(files["local", "hosts.yml"])["all"]["hosts"]
    # One application each, so that the projects do not meet.
    return {
        f"{project.name}.{name}": {**shared, **local, **variables, "eb_application": f"{project.name}"}
        for name, variables in hosts.items()
    }
