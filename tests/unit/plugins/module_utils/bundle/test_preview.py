# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a bundle that is not made: always what the zip would have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.preview import LARGEST, read_files
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError

from .sources import git, names, read, repo, spec

__all__ = ["repo"]
SOURCES = ("ref", "index", "work_tree")
NAME = "docker-compose.yml"


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def seen(root: Path, source: str, *overlay: dict[str, Any]) -> bytes | None:
    return read_files({"path": str(root), "from": source}, [NAME, "Dockerrun.aws.json"], overlay).get(NAME)


def zipped(root: Path, tmp_path: Path, source: str) -> bytes | None:
    made = build.make_bundle(spec(root, tmp_path, source))
    return read(made, NAME) if NAME in names(made) else None


def test_each_source_has_its_own_content(repo: Path, tmp_path: Path) -> None:
    assert [seen(repo, source) for source in SOURCES] == [None, None, None]
    for text, commands in (("committed", ("add", "commit")), ("staged", ("add",)), ("changed", ())):
        (repo / NAME).write_text(text)
        if "add" in commands:
            git(repo, "add", NAME)
        if "commit" in commands:
            git(repo, "commit", "-qm", "More")
    assert [seen(repo, source) for source in SOURCES] == [b"committed", b"staged", b"changed"]
    assert [zipped(repo, tmp_path, source) for source in SOURCES] == [b"committed", b"staged", b"changed"]
    assert read_files({"path": str(repo), "ref": "HEAD~1"}, [NAME]) == {}


def test_the_overlay_wins_in_every_source(repo: Path) -> None:
    (repo / NAME).write_text("source")
    overlay = {"path": f"./{NAME}", "content": "rendered", "mode": "0644"}
    assert [seen(repo, source, overlay) for source in SOURCES] == [b"rendered"] * 3


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("file", "rule"), [(".ebignore", NAME), (".gitattributes", f"{NAME} export-ignore"), (".ebignore", "*.yml\n!a.yml")]
)
def test_what_is_not_shipped_is_not_there(repo: Path, tmp_path: Path, source: str, file: str, rule: str) -> None:
    (repo / NAME).write_text("x")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Compose")
    assert seen(repo, source) == zipped(repo, tmp_path, source) == b"x"
    (repo / file).write_text(rule + "\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Rule")
    assert seen(repo, source) is zipped(repo, tmp_path, source) is None


def test_ignored_by_git_is_not_there(repo: Path, tmp_path: Path) -> None:
    (repo / NAME).write_text("x")
    (repo / ".gitignore").write_text(NAME)
    assert seen(repo, "work_tree") is zipped(repo, tmp_path, "work_tree") is None


def test_a_folder_inside_a_repository(repo: Path, tmp_path: Path) -> None:
    (repo / NAME).write_text("outer")
    (repo / "app" / NAME).write_text("inner")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Both")
    assert [seen(repo / "app", source) for source in SOURCES] == [b"inner"] * 3
    assert [zipped(repo / "app", tmp_path, source) for source in SOURCES] == [b"inner"] * 3


def test_no_repository(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("x")
    assert seen(tmp_path, "work_tree") == b"x"
    with pytest.raises(BundleError, match=r"is not in a git repository: use from: work_tree"):
        seen(tmp_path, "ref")


def test_a_link_is_followed_inside_the_source(repo: Path) -> None:
    (repo / "compose").mkdir()
    (repo / "compose" / "production.yml").write_text("x")
    (repo / NAME).symlink_to("compose/production.yml")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Link")
    assert [seen(repo, source) for source in SOURCES] == [b"x"] * 3


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", NAME])
def test_a_link_to_elsewhere_is_refused(repo: Path, source: str, target: str) -> None:
    (repo.parent / "outside").write_text("secret")
    (repo / NAME).symlink_to(target)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Link")
    with pytest.raises(BundleError, match=f"{NAME} is a link that leads to no file of the bundle; put the") as caught:
        seen(repo, source)
    assert "secret" not in str(caught.value)


def test_what_is_no_file_is_refused_at_once(repo: Path) -> None:
    git(
        repo,
        "update-index",
        "--add",
        "--cacheinfo",
        f"100644,{git(repo, 'rev-parse', 'HEAD:Dockerfile').strip()},{NAME}",
    )
    os.mkfifo(repo / NAME)
    with pytest.raises(BundleError, match=f"{NAME} is a FIFO; a source bundle holds files"):
        seen(repo, "work_tree")


def test_a_folder_of_that_name_is_no_file(repo: Path) -> None:
    (repo / NAME).mkdir()
    (repo / NAME / "x").write_text("")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Folder")
    assert [seen(repo, source) for source in ("ref", "index")] == [None, None]


@pytest.mark.parametrize("source", SOURCES)
def test_a_huge_file_is_refused_by_its_size(repo: Path, source: str) -> None:
    with (repo / NAME).open("wb") as file:
        file.truncate(LARGEST + 1)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Huge")
    with pytest.raises(BundleError, match=rf"{NAME} has {LARGEST + 1} bytes; a file of that name has at most"):
        seen(repo, source)


def test_a_source_without_a_path_is_refused() -> None:
    with pytest.raises(BundleError, match="has no path; give the folder of the application"):
        read_files({"from": "index"}, [NAME])
