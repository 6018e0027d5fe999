# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a base image, the tag that follows from it, and requirements that are installed twice."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image import dockerfile
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.plan import Plan, Wanted, make_plan
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.requirement import LockError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.source import Source

HASH = "sha256:" + "a" * 64
BASE = "FROM debian\nCOPY requirements.txt /tmp/\nRUN pip install -r /tmp/requirements.txt\n"
DOCKERFILE = "ARG BASE_IMAGE=x\nFROM ${BASE_IMAGE}\nCOPY . .\n"
DEFAULTS: dict[str, Any] = {
    "base_dockerfile": "Dockerfile.base", "base_content": None, "dockerfile": "Dockerfile",
    "dockerfile_rendered": False, "requirements": "requirements.txt", "lock": None, "groups": [], "extras": [],
    "require_hashes": True, "packages": [], "build_args": {},
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    for name, text in {
        "Dockerfile": DOCKERFILE, "Dockerfile.base": BASE, "requirements.txt": f"a==1 --hash={HASH}\n", "app.py": "1\n",
    }.items():  # fmt: skip
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "first")
    return root


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", root, *words], check=True, capture_output=True)


def plan(root: Path, source: str = "work_tree", **params: Any) -> Plan:
    return make_plan(Source(str(root), source, "HEAD"), Wanted.of({**DEFAULTS, **params}))


def test_only_what_goes_in_changes_the_tag(tree: Path) -> None:
    first = plan(tree)
    assert sorted(first.context) == ["Dockerfile.base", "requirements.txt"]
    (tree / "app.py").write_text("2\n")
    (tree / "Dockerfile").write_text(DOCKERFILE + "# more\n")
    assert plan(tree).digest == first.digest
    assert plan(tree, build_args={"A": "1"}).digest != first.digest
    (tree / "requirements.txt").write_text(f"a==2 --hash={HASH}\n")
    assert plan(tree).digest != first.digest


def test_copied_files_are_in_the_context_and_in_the_tag(tree: Path) -> None:
    (tree / "docker").mkdir()
    (tree / "docker/run.sh").write_text("#!/bin/sh\n")
    (tree / "docker/run.sh").chmod(0o755)
    (tree / "Dockerfile.base").write_text(BASE + 'COPY --chown=a:b ["docker/", "/opt/"]\nCOPY --from=x /y /z\n')
    first = plan(tree)
    assert first.context["docker/run.sh"] == (0o755, b"#!/bin/sh\n")
    assert "app.py" not in first.context
    (tree / "docker/run.sh").chmod(0o644)
    assert plan(tree).digest != first.digest


def test_reads_what_the_bundle_reads(tree: Path) -> None:
    committed = plan(tree, "ref")
    assert committed.digest == plan(tree, "work_tree").digest
    (tree / "requirements.txt").write_text(f"a==2 --hash={HASH}\n")
    assert plan(tree, "ref").digest == plan(tree, "index").digest == committed.digest
    git(tree, "add", "-A")
    assert plan(tree, "ref").digest == committed.digest
    assert plan(tree, "index").digest == plan(tree, "work_tree").digest != committed.digest


def test_requirements_installed_twice(tree: Path) -> None:
    assert plan(tree).warnings == []
    (tree / "Dockerfile").write_text(DOCKERFILE + "RUN true \\\n  && pip install --no-cache-dir -r requirements.txt\n")
    (sentence,) = plan(tree).warnings
    assert sentence.startswith("Dockerfile line 4 installs requirements that the base image has already")
    (tree / "Dockerfile.base").write_text("FROM debian\nCOPY requirements.txt /tmp/\n")
    assert plan(tree).warnings == [], "the base image installs nothing"


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("RUN pip install -r requirements.txt", 1),
        ("RUN pip3 install --no-cache-dir --requirement requirements.txt && true", 1),
        ("RUN pipenv sync --system", 1),
        ("RUN poetry install --only main", 1),
        ("RUN uv sync --frozen", 1),
        ("RUN uv pip install --system -r requirements.txt", 1),
        ("RUN pip install gunicorn", 0),
        ("# RUN pip install -r requirements.txt", 0),
        ('CMD ["pip", "install", "-r"]', 0),
    ],
)
def test_what_counts_as_installing(line: str, count: int) -> None:
    assert len(dockerfile.installs(f"FROM x\n{line}\n")) == count


def test_selected_files() -> None:
    names = ["a.txt", "docker/run.sh", "docker/x/y", "dockerfile", "requirements/base.txt"]
    assert dockerfile.selected(["./docker/", "*.txt"], names) == [
        "a.txt", "docker/run.sh", "docker/x/y", "requirements/base.txt",
    ]  # fmt: skip
    assert dockerfile.selected(["."], names) == names
    assert dockerfile.selected(["/docker/x"], names) == ["docker/x/y"]


def test_refusals(tree: Path) -> None:
    with pytest.raises(
        LockError, match=r"requirements\.txt does not hold gunicorn, which the rendered Dockerfile starts"
    ):
        plan(tree, packages=["gunicorn"])
    (tree / "Dockerfile").write_text("FROM debian\n")
    with pytest.raises(LockError, match='has no line "ARG BASE_IMAGE"'):
        plan(tree)
    assert plan(tree, dockerfile_rendered=True).dockerfile is None
    (tree / "Dockerfile.base").unlink()
    with pytest.raises(LockError, match=r"Dockerfile\.base does not exist"):
        plan(tree)
    assert plan(tree, dockerfile_rendered=True, base_content=BASE).context["Dockerfile.base"] == (0o644, BASE.encode())
