# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of bundles: whose it may be, what a killed run leaves in it, and what is said of a full disk."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build, cache
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import cache as hints
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import process
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError

from .sources import repo, spec

__all__ = ["repo"]

SOMEBODY = 4242


@pytest.fixture
def secret(repo: Path) -> Path:
    """The repository with a file that git does not have."""
    (repo / "key").write_text("the key")
    return repo


def make(root: Path, tmp_path: Path) -> Path:
    return Path(build.make_bundle(spec(root, tmp_path, "ref", secrets=("key",))).bundle.path)


def run_of(monkeypatch: pytest.MonkeyPatch, ended: bool) -> None:
    """Have bundles be made by a run that has ended, or by one that goes on."""
    found = process.this_process()
    assert found is not None
    if ended:
        child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        found = {**found, "pid": int(child.stdout)}
    monkeypatch.setattr(process, "this_run", lambda: found)


def test_bundle_of_a_killed_run_goes_with_the_next(
    secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_of(monkeypatch, ended=True)
    killed = make(secret, tmp_path)
    half = killed.with_name(f"{killed.name}.123.part")
    half.write_text("the key")
    run_of(monkeypatch, ended=False)
    mine = make(secret, tmp_path)
    assert not killed.exists()
    assert not half.exists()
    assert sorted(path.name for path in (tmp_path / "cache").glob("*.secret*")) == [mine.name, f"{mine.name}.run"]


def test_bundle_of_a_run_that_goes_on_stays(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(monkeypatch, ended=False)
    theirs = make(secret, tmp_path)
    mine = make(secret, tmp_path)
    assert theirs.exists()
    assert theirs != mine


@pytest.mark.parametrize("content", ["", "[]", "nonsense", '{"pid": "x"}', '{"pid": 1e999}', "[" * 2000])
def test_broken_note_of_a_run_is_no_traceback(
    secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    run_of(monkeypatch, ended=False)
    theirs = make(secret, tmp_path)
    theirs.with_name(f"{theirs.name}.run").write_text(content)
    assert make(secret, tmp_path).exists()


def test_note_goes_when_the_bundle_was_uploaded(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(monkeypatch, ended=True)
    make(secret, tmp_path).unlink()
    cache.remove_abandoned(str(tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("*.run"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_folder_of_somebody_else_is_refused_whatever_its_mode(repo: Path, tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, SOMEBODY, SOMEBODY)
    with pytest.raises(BundleError, match=r"is not ours, and its owner could swap what is in it. Name another one."):
        build.make_bundle(spec(repo, tmp_path, "ref"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody")
def test_hints_are_not_kept_in_a_folder_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert hints.runtime_directory() == tmp_path / "jack.beanstalk"
    os.chown(tmp_path / "jack.beanstalk", SOMEBODY, SOMEBODY)
    assert hints.runtime_directory() is None


def test_without_a_folder_for_temporary_files_there_are_no_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(hints.tempfile, "gettempdir", nowhere)
    assert hints.runtime_directory() is None


def test_folder_that_is_a_file_is_a_sentence(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(BundleError, match=r"Cannot use the cache folder .*cache: .*Name another one."):
        build.make_bundle(spec(repo, tmp_path, "ref"))


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file of this process may have more than a few bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_a_sentence_and_leaves_nothing(repo: Path, tmp_path: Path, little_room: None) -> None:
    with pytest.raises(BundleError, match=r"The bundle cannot be made in .*cache: File too large."):
        build.make_bundle(spec(repo, tmp_path, "ref"))
    assert not list((tmp_path / "cache").glob("*.zip*"))


def test_recorded_bundle_that_is_nonsense_is_made_anew(repo: Path, tmp_path: Path) -> None:
    long_ago = time.time() - 60
    for path in [repo, *repo.rglob("*")]:
        os.utime(path, (long_ago, long_ago), follow_symlinks=False)
    first = build.make_bundle(spec(repo, tmp_path, "ref"))
    (record,) = (tmp_path / "cache").glob("*.json")
    assert not build.make_bundle(spec(repo, tmp_path, "ref")).changed
    record.write_text(record.read_text().replace('"path"', '"bath"'))
    assert build.make_bundle(spec(repo, tmp_path, "ref")).bundle == first.bundle
