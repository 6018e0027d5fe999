# SPDX-License-Identifier: GPL-3.0-or-later
"""The module source_bundle with trees that it must refuse, and with what it promises of dates and labels."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
SOURCES = ("ref", "index", "work_tree")


def git(folder: Path, *words: str, date: str = "1709980245 +0000") -> str:
    who = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", "-C", folder, *words], env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "blog"
    (root / "static").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "static" / "site.css").write_text("a{}\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "First")
    return root


def link_as_secret(root: Path) -> dict[str, Any]:
    (root.parent / "key").write_text("of somebody else")
    (root / "cfg").mkdir()
    (root / "cfg" / "key").symlink_to(root.parent / "key")
    return {"secrets": ["cfg/*"]}


def fifo_as_secret(root: Path) -> dict[str, Any]:
    os.mkfifo(root / "key")
    return {"secrets": ["key"]}


def fifo_as_file(root: Path) -> dict[str, Any]:
    (root / "static" / "site.css").unlink()
    os.mkfifo(root / "static" / "site.css")
    return {"from": "work_tree"}


def fifo_as_rules(root: Path) -> dict[str, Any]:
    os.mkfifo(root / ".gitattributes")
    return {"from": "work_tree"}


def huge_file(root: Path) -> dict[str, Any]:
    with (root / "dump.sql").open("wb") as file:
        file.truncate(3 * 1024**3)
    return {"from": "work_tree"}


def submodule(root: Path) -> dict[str, Any]:
    commit = git(root, "rev-parse", "HEAD")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    (root / ".gitmodules").write_text('[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n')
    git(root, "add", ".gitmodules")
    git(root, "commit", "-qm", "A library")
    return {}


def name_that_leaves(root: Path) -> dict[str, Any]:
    blob = git(root, "rev-parse", "HEAD:Dockerfile")
    tree = b"100644 ../../etc/cron.d/x\0" + bytes.fromhex(blob)
    words = ["git", "-C", root, "hash-object", "-t", "tree", "--literally", "-w", "--stdin"]
    oid = subprocess.run(words, input=tree, check=True, capture_output=True).stdout.decode().strip()
    return {"ref": git(root, "commit-tree", "-m", "By hand", oid)}


@pytest.mark.parametrize(
    ("prepare", "sources", "message"),
    [
        (link_as_secret, SOURCES, "The secrets pattern cfg/* names cfg/key, which is a symbolic link; only what lies"),
        (fifo_as_secret, SOURCES, "key is a FIFO; a source bundle holds files and symbolic links: remove it, or put"),
        (fifo_as_file, ("work_tree",), "static/site.css is a FIFO; a source bundle holds files and symbolic links: "),
        (fifo_as_rules, ("work_tree",), ".gitattributes is a FIFO; a source bundle holds files and symbolic links: "),
        (huge_file, ("work_tree",), "dump.sql has 3221225472 bytes; Elastic Beanstalk takes bundles of at most 500 MB"),
        (submodule, SOURCES, "The submodule lib is not checked out: run git submodule update --init lib."),
        (
            name_that_leaves,
            ("ref",),
            "has a file named '../../etc/cron.d/x', which leaves the bundle: its tree was not",
        ),
    ],
)
def test_hostile_trees_are_refused(
    run: Run,
    repo: Path,
    tmp_path: Path,
    prepare: Callable[[Path], dict[str, Any]],
    sources: tuple[str, ...],
    message: str,
) -> None:
    params = {"path": str(repo), "cache_dir": str(tmp_path / "cache"), **prepare(repo)}
    for source in sources:
        for check in (True, False):
            result = run("source_bundle", check=check, **{**params, "from": source})
            assert result["failed"]
            assert message in result["msg"]
            assert "of somebody else" not in str(result)
    assert not list((tmp_path / "cache").glob("*.zip"))


def test_folder_that_became_a_link_ships_nothing_of_its_target(run: Run, repo: Path, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "site.css").write_text("of somebody else")
    (repo / "static" / "site.css").unlink()
    (repo / "static").rmdir()
    (repo / "static").symlink_to(tmp_path / "others")
    made = run("source_bundle", **{"path": str(repo), "cache_dir": str(tmp_path / "cache"), "from": "work_tree"})
    with zipfile.ZipFile(made["bundle"]["path"]) as archive:
        assert sorted(archive.namelist()) == ["Dockerfile", "static"]
        assert archive.read("static") == os.fsencode(tmp_path / "others")


def test_clones_of_one_commit_give_equal_bytes(run: Run, repo: Path, tmp_path: Path) -> None:
    zips = []
    for number in (1, 2):
        clone = tmp_path / f"clone{number}"
        git(tmp_path, "clone", "-q", str(repo), str(clone))
        os.utime(clone / "Dockerfile", (10**9 * number, 10**9 * number))
        cache = str(tmp_path / f"cache{number}")
        made = run("source_bundle", path=str(clone), cache_dir=cache, label_prefix="blog")
        zips.append((made["bundle"]["sha256"], Path(made["bundle"]["path"]).read_bytes()))
    assert zips[0] == zips[1]
    with zipfile.ZipFile(made["bundle"]["path"]) as archive:
        assert {item.date_time for item in archive.infolist()} == {(2024, 3, 9, 10, 30, 44)}


def test_same_tree_in_another_commit_is_unchanged(run: Run, repo: Path, tmp_path: Path) -> None:
    params = {"path": str(repo), "cache_dir": str(tmp_path / "cache")}
    first = run("source_bundle", **params)
    git(repo, "commit", "--allow-empty", "-qm", "Same", date="1800000000 +0000")
    predicted, second = run("source_bundle", check=True, **params), run("source_bundle", **params)
    assert [each["changed"] for each in (first, predicted, second)] == [True, False, False]
    assert len({each["bundle"]["version_label"] for each in (first, predicted, second)}) == 1
    assert second["bundle"]["sha256"] != first["bundle"]["sha256"]
    assert second["bundle"]["description"] == "Same"
