# SPDX-License-Identifier: GPL-3.0-or-later
"""The dates of a bundle's files: those of the commit, or of the newest change since, read with Python's zipfile."""

from __future__ import annotations

import os
import subprocess
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import zip as zip_file
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.types import Overlay

from .sources import git, names, repo, spec

__all__ = ["repo"]

SOURCES = ("ref", "index", "work_tree")
# 2024-03-09 10:30:45, as `date -u -d` has it.
COMMITTED = 1709980245
CHANGED = 1718000000


def commit(repo: Path, message: str, date: int = COMMITTED) -> str:
    """Commit everything at a time; authored an hour earlier, and in another time zone, neither of which counts."""
    env = {**os.environ, "GIT_COMMITTER_DATE": f"{date} +0900", "GIT_AUTHOR_DATE": f"{date - 3600} -0300"}
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "-C", repo, "add", "-A"], env=env, check=True)
    subprocess.run(["git", "-C", repo, *who, "commit", "-q", "--allow-empty", "-m", message], env=env, check=True)
    return git(repo, "rev-parse", "HEAD").strip()


@pytest.fixture
def dated(repo: Path) -> Path:
    commit(repo, "Dated")
    return repo


def dates(made: build.BundleResult) -> set[str]:
    with zipfile.ZipFile(made.bundle.path) as archive:
        return {datetime(*item.date_time, tzinfo=UTC).isoformat() for item in archive.infolist()}


def the_date(made: build.BundleResult) -> int:
    """The one date of all files, rounded down to two seconds by the format."""
    (only,) = dates(made)
    return int(datetime.fromisoformat(only).timestamp())


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_commit_date_in_utc_whatever_the_time_zone(
    dated: Path, tmp_path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for source in SOURCES:
            assert dates(build.make_bundle(spec(dated, tmp_path / source, source))) == {"2024-03-09T10:30:44+00:00"}
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("source", SOURCES)
def test_two_clones_made_at_different_times_are_byte_identical(dated: Path, tmp_path: Path, source: str) -> None:
    made = []
    for number in (1, 2):
        clone = tmp_path / str(number) / "repo"
        git(tmp_path, "clone", "-q", str(dated), str(clone))
        for path in clone.rglob("*"):
            if ".git" not in path.parts:
                os.utime(path, (number * 10**9, number * 10**9), follow_symlinks=False)
        made.append(build.make_bundle(spec(clone, tmp_path / str(number), source)))
    assert Path(made[0].bundle.path).read_bytes() == Path(made[1].bundle.path).read_bytes()
    assert the_date(made[0]) == COMMITTED - 1


def test_another_commit_of_the_same_tree_is_the_same_version(dated: Path, tmp_path: Path) -> None:
    first = build.make_bundle(spec(dated, tmp_path))
    commit(dated, "Nothing new", COMMITTED + 86400)
    second = build.make_bundle(spec(dated, tmp_path))
    assert second.bundle.version_label == first.bundle.version_label
    assert not second.changed
    assert second.bundle.sha256 != first.bundle.sha256
    assert the_date(second) == COMMITTED - 1 + 86400
    assert not build.make_bundle(spec(dated, tmp_path)).changed


def test_rendered_files_and_secrets_have_the_date_of_the_tree(dated: Path, tmp_path: Path) -> None:
    (dated / ".secrets").mkdir()
    (dated / ".secrets" / "key").write_text("hush")
    overlay = (Overlay(".platform/hooks/postdeploy/a.sh", b"#!/bin/sh\n", 0o755),)
    made = build.make_bundle(spec(dated, tmp_path, overlay=overlay, secrets=(".secrets/",)))
    assert the_date(made) == COMMITTED - 1


def test_local_change_dates_the_work_tree(dated: Path, tmp_path: Path) -> None:
    (dated / "Dockerfile").write_text("FROM other\n")
    os.utime(dated / "Dockerfile", (CHANGED, CHANGED))
    (dated / "new.py").write_text("")
    os.utime(dated / "new.py", (CHANGED - 50, CHANGED - 50))
    (dated / "ignored.log").write_text("")
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == CHANGED
    # Neither staged nor committed.
    assert the_date(build.make_bundle(spec(dated, tmp_path, "index"))) == COMMITTED - 1
    assert the_date(build.make_bundle(spec(dated, tmp_path))) == COMMITTED - 1
    os.utime(dated / "Dockerfile", (CHANGED + 600, CHANGED + 600))
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == CHANGED + 600


def test_touched_file_is_no_change(dated: Path, tmp_path: Path) -> None:
    os.utime(dated / "Dockerfile", (CHANGED, CHANGED))
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == COMMITTED - 1


def test_staged_change_dates_the_index(dated: Path, tmp_path: Path) -> None:
    (dated / "Dockerfile").write_text("FROM other\n")
    os.utime(dated / "Dockerfile", (CHANGED, CHANGED))
    git(dated, "add", "-A")
    assert the_date(build.make_bundle(spec(dated, tmp_path, "index"))) == CHANGED
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == CHANGED
    (dated / "app" / "main.py").write_text("not staged\n")
    os.utime(dated / "app" / "main.py", (CHANGED + 50, CHANGED + 50))
    assert the_date(build.make_bundle(spec(dated, tmp_path, "index"))) == CHANGED


@pytest.mark.parametrize("source", ["index", "work_tree"])
def test_removed_file_counts_as_changed_with_its_folder(dated: Path, tmp_path: Path, source: str) -> None:
    git(dated, "rm", "-q", "run.sh")
    os.utime(dated, (CHANGED, CHANGED))
    assert the_date(build.make_bundle(spec(dated, tmp_path, source))) == CHANGED


@pytest.mark.parametrize("source", ["index", "work_tree"])
def test_file_moved_in_with_an_old_date_is_a_new_change(dated: Path, tmp_path: Path, source: str) -> None:
    """As mv, cp -p and rsync -t do it: what was deployed from the commit itself must look older."""
    before = int(time.time())
    (dated / "Dockerfile").write_text("FROM old\n")
    os.utime(dated / "Dockerfile", (COMMITTED - 500, COMMITTED - 500))
    git(dated, "add", "-A")
    assert the_date(build.make_bundle(spec(dated, tmp_path, source))) >= before - 1


def test_date_of_the_future_is_bounded_by_the_clock(dated: Path, tmp_path: Path) -> None:
    (dated / "Dockerfile").write_text("FROM other\n")
    os.utime(dated / "Dockerfile", (time.time() + 10**7, time.time() + 10**7))
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) <= time.time()


def test_without_a_repository_the_newest_file_counts(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    (root / "app").mkdir(parents=True)
    for name, when in (("Dockerfile", CHANGED), ("app/main.py", CHANGED + 4), ("old", 0)):
        (root / name).write_text(name)
        os.utime(root / name, (when, when))
    os.utime(root / "old", (CHANGED - 10, CHANGED - 10))
    assert the_date(build.make_bundle(spec(root, tmp_path, "work_tree"))) == CHANGED + 4


def test_before_the_first_commit_the_newest_file_counts(tmp_path: Path) -> None:
    root = tmp_path / "fresh"
    git(tmp_path, "init", "-q", str(root))
    (root / "Dockerfile").write_text("FROM scratch\n")
    os.utime(root / "Dockerfile", (CHANGED, CHANGED))
    git(root, "add", "-A")
    for source in ("index", "work_tree"):
        assert the_date(build.make_bundle(spec(root, tmp_path, source))) == CHANGED


def test_with_an_ebignore_ignored_files_that_are_shipped_count(dated: Path, tmp_path: Path) -> None:
    (dated / ".ebignore").write_text("nothing\n")
    commit(dated, "Rules")
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == COMMITTED - 1
    (dated / "built.log").write_text("git ignores it")
    os.utime(dated / "built.log", (CHANGED, CHANGED))
    made = build.make_bundle(spec(dated, tmp_path, "work_tree"))
    assert "built.log" in names(made)
    assert the_date(made) == CHANGED


def test_submodule_counts_by_its_commit_and_its_changes(dated: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    git(tmp_path, "init", "-q", "-b", "main", str(inner))
    (inner / "lib.py").write_text("x = 1\n")
    commit(inner, "Library", COMMITTED + 1000)
    git(dated, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    commit(dated, "Use it", COMMITTED + 2001)
    made = [build.make_bundle(spec(dated, tmp_path / source, source)) for source in SOURCES]
    assert {the_date(each) for each in made} == {COMMITTED + 2001}
    assert len({each.bundle.sha256 for each in made}) == 1
    (dated / "lib" / "lib.py").write_text("x = 2\n")
    os.utime(dated / "lib" / "lib.py", (CHANGED, CHANGED))
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == CHANGED
    assert the_date(build.make_bundle(spec(dated, tmp_path, "index"))) == COMMITTED + 2001
    commit(dated / "lib", "Newer", CHANGED + 600)
    assert the_date(build.make_bundle(spec(dated, tmp_path, "work_tree"))) == CHANGED + 600
    git(dated, "add", "lib")
    assert the_date(build.make_bundle(spec(dated, tmp_path, "index"))) == CHANGED + 600


def test_repository_that_nobody_declared_counts_by_its_files(dated: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", str(dated / "clone"))
    (dated / "clone" / "x.py").write_text("x")
    os.utime(dated / "clone" / "x.py", (CHANGED, CHANGED))
    made = build.make_bundle(spec(dated, tmp_path, "work_tree"))
    assert "clone/x.py" in names(made)
    assert the_date(made) == CHANGED


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (0, (1980, 1, 1, 0, 0, 0)),
        (-5, (1980, 1, 1, 0, 0, 0)),
        (315532800, (1980, 1, 1, 0, 0, 0)),
        (315532803, (1980, 1, 1, 0, 0, 2)),
        (951782399, (2000, 2, 28, 23, 59, 58)),
        (4354819198, (2107, 12, 31, 23, 59, 58)),
        (4354819200, (2107, 12, 31, 23, 59, 58)),
        (10**12, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_dates_that_a_zip_can_hold(seconds: int, wanted: tuple[int, ...], tmp_path: Path) -> None:
    entries = [zip_file.Entry(b"x", 0o100644, b"", b"", data=b"")]
    handle, _label = zip_file.pack(entries, b"/", seconds, str(tmp_path), write=True)
    assert handle is not None
    with os.fdopen(handle, "rb") as file, zipfile.ZipFile(file) as archive:
        assert archive.infolist()[0].date_time == wanted


def test_description_is_the_subject_without_asking_git_log(dated: Path, tmp_path: Path) -> None:
    commit(dated, "Two lines\nof one subject\n\nBody\n")
    made = build.make_bundle(spec(dated, tmp_path))
    assert made.bundle.description == git(dated, "log", "-1", "--format=%s").strip() == "Two lines of one subject"
    git(dated, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-m", "plain")
    raw = b"Gr\xfc\xdfe\n"
    tree = git(dated, "rev-parse", "HEAD^{tree}").strip()
    env = {**os.environ, **{f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
    words = ["git", "-C", dated, "-c", "i18n.commitEncoding=ISO-8859-1", "commit-tree", tree]
    done = subprocess.run(words, input=raw, env=env, check=True, capture_output=True)
    made = build.make_bundle(spec(dated, tmp_path, ref=done.stdout.decode().strip()))
    assert made.bundle.description == "Gr\u00fc\u00dfe"
