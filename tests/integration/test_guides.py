# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the guides runs. A comment before each block says how:

``sim``: the commands of a guide run one after the other in one shell, in a checkout with simulated instances.
``edit``: the same, after a template was edited.
``dry``: they would install packages, or reach AWS; tested is that they are understood (``make --dry-run``,
``ansible-playbook --syntax-check``).
a file: this test runs the same playbook with containers or as root.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import BIN, ROOT, Localstalk, export
from .minimal import git

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.rst"))
_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. (?P<kind>tested|file): (?P<how>\S+)\n(?P=indent)\.\. code-block:: \w+\n\n"
    r"(?P<text>(?:(?P=indent)   .*\n|\n)+)",
    re.MULTILINE,
)
_BESIDE = re.compile(r"^from \.(\w+) import", re.MULTILINE)
_CONSOLE = re.compile(r"^ *\.\. code-block:: console$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block that is marked: how it is tested, or the file that it is to be."""

    kind: str
    how: str
    lines: list[str]

    @property
    def commands(self) -> list[str]:
        return [line.removeprefix("$ ") for line in self.lines if line.startswith("$ ")]


def blocks(guide: Path) -> list[Block]:
    found = []
    for match in _BLOCK.finditer(guide.read_text()):
        margin = len(match["indent"]) + 3
        found.append(
            Block(match["kind"], match["how"], [line[margin:] for line in match["text"].rstrip().splitlines()])
        )
    return found


def understood(command: str) -> list[str]:
    """The command, changed so that it only says whether it could run."""
    words = command.split()
    return ["make", "--dry-run", *words[1:]] if words[0] == "make" else [*words, "--syntax-check"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Localstalk]]:
    """A checkout with its virtual environment, a running localstalk, and a project with legacy hooks beside it."""
    tmp_path = tmp_path_factory.mktemp("newcomer")
    root = tmp_path / "beanstalk"
    export(root)
    (root / ".venv").symlink_to(BIN.parent)
    guestbook = tmp_path / "guestbook"
    shutil.copytree(ROOT / "tests/fixtures/legacy_project", guestbook)
    git(tmp_path, "init", "-q", "-b", "main", str(guestbook))
    git(guestbook, "add", "-A")
    git(guestbook, "commit", "-qm", "As it was")
    localstalk = Localstalk(tmp_path / "localstalk")
    up = localstalk.cli("up", "--driver", "sim", "--speed", "500")
    assert up.returncode == 0, up.stderr
    yield root, localstalk
    assert localstalk.cli("down").returncode == 0


def run(script: str | list[str], root: Path, localstalk: Localstalk) -> str:
    command = ["bash", "-ec", script] if isinstance(script, str) else script
    done = subprocess.run(
        command,
        cwd=root,
        env=localstalk.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_console_block_is_marked(guide: Path) -> None:
    marked = [block for block in blocks(guide) if block.kind == "tested"]
    assert len(marked) == len(_CONSOLE.findall(guide.read_text()))
    assert all(line.startswith("$ ") for block in marked for line in block.lines), "a command to a line"


@pytest.mark.slow
@pytest.mark.parametrize("guide", [each for each in GUIDES if blocks(each)], ids=lambda guide: guide.stem)
def test_the_commands_of_a_guide_run(guide: Path, checkout: tuple[Path, Localstalk]) -> None:
    root, localstalk = checkout
    if guide.stem == "nightly":
        run([str(BIN / "ansible-playbook"), "deploy.yml"], root, localstalk)
    for block in blocks(guide):
        if block.kind == "file":
            path = root / block.how
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(block.lines) + "\n")
        elif block.how == "sim":
            run("\n".join(block.commands), root, localstalk)
        elif block.how == "edit":
            edit_and_deploy(block.commands, root, localstalk)
        elif block.how == "dry":
            for command in block.commands:
                run(understood(command), root, localstalk)
        else:
            text = with_helpers(ROOT / block.how)
            for playbook in re.findall(r"\w+\.yml", " ".join(block.commands)):
                assert playbook in text, f"{block.how} does not run {playbook}"


def with_helpers(path: Path) -> str:
    """The text of a test file and of what it imports from beside it."""
    text = path.read_text()
    return text + "".join((path.parent / f"{name}.py").read_text() for name in _BESIDE.findall(text))


def edit_and_deploy(commands: list[str], root: Path, localstalk: Localstalk) -> None:
    """What the quick start says of an edited template: it would be deployed, it is, and then nothing changes."""
    run([str(BIN / "ansible-playbook"), "deploy.yml"], root, localstalk)
    page = root / "examples/blog/blog/templates/blog/base.html"
    assert f"``{page.relative_to(root)}``" in (ROOT / "docs/guides/quick_start.rst").read_text()
    page.write_text(page.read_text() + "<!-- edited -->\n")
    changes = [int(re.findall(r"changed=(\d+)", run(command, root, localstalk))[-1]) for command in commands]
    assert changes[0] > 0 and changes[1] > 0 and changes[2] == 0
