# SPDX-License-Identifier: GPL-3.0-or-later
"""What contributors are told is so: the template, the links of documents, the linters before a commit."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").rglob("*.md"))
TEMPLATE = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
UTILS = "ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk"
MADE_BY_IT = f"{UTILS}.application.quotas"


def imported(source: str) -> set[tuple[str, str]]:
    """The names that a source of the template imports of the collection, with their modules."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            module = f"{UTILS}.{node.module}" if node.level else node.module or ""
            found |= {(module, one.name) for one in node.names if module.startswith("ansible_collections.jack.")}
    return found


def test_template_is_a_function_a_module_and_a_test() -> None:
    logic, module, test = map(ast.parse, TEMPLATE)
    assert [node.name for node in logic.body if isinstance(node, ast.FunctionDef)] == ["account_quotas"]
    assert [node.name for node in module.body if isinstance(node, ast.FunctionDef)] == ["main"]
    assert all(node.name.startswith("test_") for node in test.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("source", TEMPLATE[:2], ids=["logic", "module"])
def test_template_imports_what_there_is(source: str) -> None:
    names = {(module, name) for module, name in imported(source) if module != MADE_BY_IT}
    assert names
    assert [name for name in names if not hasattr(importlib.import_module(name[0]), name[1])] == []


@pytest.mark.parametrize("source", TEMPLATE, ids=["logic", "module", "test"])
@pytest.mark.parametrize("command", [["check", "--stdin-filename"], ["format", "--check", "--stdin-filename"]])
def test_template_pleases_the_linter(source: str, command: list[str]) -> None:
    place = {0: "plugins/module_utils/_beanstalk/application/quotas.py", 1: "plugins/modules/quota_info.py"}
    name = place.get(TEMPLATE.index(source), "tests/unit/plugins/modules/test_quota_info.py")
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [ruff, *command, name, "-"], cwd=ROOT, input=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def headings(path: Path) -> set[str]:
    """Names of the sections of a document, as a link has them."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_sections(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text())
    for name, section in links:
        target = path.parent / name if name else path
        assert target.exists(), f"{path.name} has a link to {name}, which is not there"
        assert not section or section in headings(target), f"{name} has no section {section}"


def test_comments_point_to_sections_that_exist() -> None:
    facts = (ROOT / "docs" / "elastic_beanstalk.md").read_text()
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", facts, re.MULTILINE))
    unknown = facts.partition("\n## 12. ")[2].partition("\n## ")[0]
    sections |= {f"12.{number}" for number in re.findall(r"^(\d+)\. ", unknown, re.MULTILINE)}
    command = ["git", "grep", "-hoIE", r"elastic_beanstalk\.md §[0-9]+(\.[0-9]+)?", "--", "."]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {line.partition("§")[2] for line in found.splitlines()}
    assert named
    assert named - sections == set()


def linters(lines: list[str]) -> set[str]:
    """Programs with the first word that follows, where it is a command: "ruff check"."""
    found = set()
    for line in lines:
        program, *rest = shlex.split(line.removeprefix(".venv/bin/"))
        command = rest[0] if rest and program in ("ruff", "antsibull-changelog") else ""
        found.add(f"{program} {command}".strip())
    return found


def test_commits_are_linted_as_make_lint_does() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    made = [part.strip() for line in recipe[1].splitlines() for part in line.split("&&")]
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    entries = [hook["entry"] for hook in repository["hooks"]]
    before = linters([re.sub(r"^sh -c .* exec (\S+)'$", r"\1", entry) for entry in entries])
    assert before == linters([line for line in made if not line.startswith("@")])
