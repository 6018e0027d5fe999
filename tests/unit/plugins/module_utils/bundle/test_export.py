# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are not exported, beside git archive, which is what the EB CLI calls."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build

from .sources import git, names, repo, spec

__all__ = ["repo"]


def archived(folder: Path, tree: str, target: Path) -> set[str]:
    """What the EB CLI would ship: it calls git archive."""
    git(folder, "archive", "--format=zip", "-o", str(target), tree)
    with zipfile.ZipFile(target) as archive:
        return {item.filename for item in archive.infolist() if not item.is_dir()}


def test_export_ignore_is_what_git_archive_makes_of_it(repo: Path, tmp_path: Path) -> None:
    rules = {
        ".gitattributes": "docs export-ignore\n*.md export-ignore\n[attr]private export-ignore\n/app/key private\n",
        "app/.gitattributes": "notes.md -export-ignore\nbuild/ export-ignore\nnot-set export-ignore=false\n",
        "other/.gitattributes": "*.txt text\n",
    }
    plain = [
        "docs/a/b.txt",
        "docs/kept.py",
        "README.md",
        "app/key",
        "app/notes.md",
        "app/build/x",
        "app/not-set",
        "key",
    ]
    for name, content in {**dict.fromkeys(plain, ""), "docs/.gitattributes": "* -export-ignore\n", **rules}.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(content)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Rules")
    wanted = archived(repo, "HEAD", tmp_path / "git.zip")
    assert "app/notes.md" in wanted
    assert not wanted & {"docs/kept.py", "docs/a/b.txt", "README.md", "app/key", "app/build/x"}
    made = {source: build.make_bundle(spec(repo, tmp_path, source)) for source in ("ref", "index", "work_tree")}
    assert {source: set(names(each)) for source, each in made.items()} == dict.fromkeys(made, wanted)
    # git archive in a folder of the repository knows nothing of the rules above that folder.
    inside = archived(repo / "app", "HEAD", tmp_path / "git.zip")
    assert "key" in inside
    assert set(names(build.make_bundle(spec(repo / "app", tmp_path)))) == inside
    # Rules that are staged only.
    (repo / ".gitattributes").write_text("*.py export-ignore\n")
    git(repo, "add", "-A")
    staged = archived(repo, git(repo, "write-tree").strip(), tmp_path / "git.zip")
    assert "README.md" in staged
    assert "app/main.py" not in staged
    assert set(names(build.make_bundle(spec(repo, tmp_path, "index")))) == staged
    assert set(names(build.make_bundle(spec(repo, tmp_path, "work_tree")))) == staged
    assert set(names(build.make_bundle(spec(repo, tmp_path)))) == wanted
    assert not list((tmp_path / "cache").glob("attributes-*"))


def test_rules_of_one_clone_or_machine_do_not_count(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / ".gitattributes").write_text("run.sh export-ignore\n")
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("Dockerfile export-ignore\n")
    (tmp_path / "machine").write_text("link export-ignore\n")
    (tmp_path / "gitconfig").write_text(f"[core]\n\tattributesFile = {tmp_path / 'machine'}\n")
    git(repo, "add", "-A")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    for source in ("index", "work_tree"):
        shipped = set(names(build.make_bundle(spec(repo, tmp_path, source))))
        assert shipped == {".gitattributes", ".gitignore", "Dockerfile", "app/main.py", "link"}


def test_an_ebignore_makes_export_ignore_void(repo: Path, tmp_path: Path) -> None:
    """The EB CLI walks the folder then, and does not ask git."""
    (repo / ".gitattributes").write_text("run.sh export-ignore\n")
    (repo / ".ebignore").write_text("link\n")
    git(repo, "add", "-A")
    for source in ("index", "work_tree"):
        assert "run.sh" in names(build.make_bundle(spec(repo, tmp_path, source)))


def test_a_submodule_is_exported_by_its_own_rules(repo: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    git(tmp_path, "init", "-q", "-b", "main", str(inner))
    for name in ("lib.py", "test.py", "docs.py"):
        (inner / name).write_text("")
    (inner / ".gitattributes").write_text("test.py export-ignore\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "Library")
    for place in ("vendor/lib", "unused"):
        git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), place)
    (repo / ".gitattributes").write_text("docs.py export-ignore\nunused export-ignore\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Use it")
    for source in ("ref", "index", "work_tree"):
        shipped = names(build.make_bundle(spec(repo, tmp_path, source)))
        assert {name for name in shipped if "." in name[1:] and "/" in name and not name.startswith("app")} == {
            "vendor/lib/.gitattributes",
            "vendor/lib/docs.py",
            "vendor/lib/lib.py",
        }
