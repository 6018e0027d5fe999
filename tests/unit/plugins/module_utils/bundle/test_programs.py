# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a repository's own configuration names (git-config(1)) never run; git is started in one place."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.source import Source

from .sources import git, names, read, repo, spec

__all__ = ["repo"]

ROOT = Path(__file__).resolve().parents[5]
SOURCES = ("ref", "index", "work_tree")

# Every setting whose value git may start, as a command, a hook folder, a driver or a helper.
PROGRAMS = [
    *("core.fsmonitor", "core.sshCommand", "core.gitProxy", "core.pager", "core.editor", "core.askPass"),
    *("core.alternateRefsCommand", "sequence.editor", "credential.helper", "pager.status", "pager.log"),
    *("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "filter.Odd.Name.clean"),
    *("diff.external", "diff.evil.command", "diff.evil.textconv", "merge.evil.driver", "interactive.diffFilter"),
    *("gpg.program", "gpg.ssh.program", "gpg.x509.program", "gpg.ssh.defaultKeyCommand"),
    *("remote.origin.uploadpack", "remote.origin.vcs", "uploadpack.packObjectsHook", "submodule.lib.update"),
    *(
        "alias.status",
        "alias.ls-files",
        "alias.cat-file",
        "trailer.x.command",
        "tar.zip.command",
        "sendemail.smtpserver",
    ),
    *("browser.x.cmd", "difftool.x.cmd", "mergetool.x.cmd", "man.x.cmd", "sendemail.smtpserver", "core.hooksPath"),
]


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A program that leaves a mark beside itself, and names the way in which it was started."""
    program = tmp_path / "evil"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/mark\ncat\n')
    program.chmod(0o755)
    return program


def ran(marker: Path) -> str:
    mark = marker.parent / "mark"
    return mark.read_text() if mark.exists() else ""


@pytest.fixture
def hostile(repo: Path, marker: Path) -> Path:
    """A repository whose configuration names the program everywhere, and whose files give git a reason to run it."""
    (repo / ".gitattributes").write_text("*.py filter=evil diff=evil merge=evil\nrun.sh filter=Odd.Name\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Drivers")
    hooks = repo / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "fsmonitor-watchman", "post-checkout", "pre-auto-gc", "reference-transaction"):
        (hooks / name).symlink_to(marker)
        (repo / ".git" / "hooks").mkdir(exist_ok=True)
        (repo / ".git" / "hooks" / name).symlink_to(marker)
    for key in PROGRAMS:
        git(repo, "config", key, str(hooks if key == "core.hooksPath" else marker))
    for key, value in (
        ("log.showSignature", "true"),
        ("filter.evil.required", "true"),
        ("core.fsmonitorHookVersion", "2"),
        ("status.submoduleSummary", "true"),
        ("protocol.allow", "always"),
        ("protocol.ext.allow", "always"),
        ("remote.origin.url", f"ext::{marker}"),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
    ):
        git(repo, "config", key, value)
    # Equal in size and time, so that git has to compare contents, for which it would run the filter.
    info = (repo / "app" / "main.py").stat()
    (repo / "app" / "main.py").write_text("print('HELLO')\n")
    os.utime(repo / "app" / "main.py", ns=(info.st_atime_ns, info.st_mtime_ns))
    (repo / "run.sh").touch()
    return repo


def test_the_marker_would_appear(hostile: Path, marker: Path) -> None:
    """What the tests below show is worth something only where plain git runs the program."""
    subprocess.run(["git", "-C", hostile, "status"], capture_output=True, check=False)
    assert "evil" in ran(marker)


@pytest.mark.parametrize("source", SOURCES)
def test_no_program_of_the_configuration_runs(hostile: Path, tmp_path: Path, marker: Path, source: str) -> None:
    made = build.make_bundle(spec(hostile, tmp_path, source, secrets=("run.sh",)))
    assert read(made, "run.sh") == b"#!/bin/sh\n"
    build.make_bundle(spec(hostile, tmp_path, source))
    assert "Dockerfile" in set(Source(str(hostile), source, "HEAD").names())
    assert Source(str(hostile), source, "HEAD").read("Dockerfile") == b"FROM scratch\n"
    assert ran(marker) == ""


@pytest.mark.parametrize("key", PROGRAMS)
def test_no_program_of_one_setting_runs(repo: Path, tmp_path: Path, marker: Path, key: str) -> None:
    """Each alone, so that none hides another by failing first."""
    (repo / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    git(repo, "config", key, str(marker))
    for source in SOURCES:
        build.make_bundle(spec(repo, tmp_path, source))
    assert ran(marker) == ""


@pytest.mark.parametrize("source", SOURCES)
def test_no_program_of_included_configuration_runs(repo: Path, tmp_path: Path, marker: Path, source: str) -> None:
    (repo / ".gitattributes").write_text("*.py filter=evil\n")
    (repo / "more.config").write_text(f'[core]\n\tfsmonitor = {marker}\n[filter "evil"]\n\tclean = {marker}\n')
    git(repo, "config", "include.path", "../more.config")
    git(repo, "config", "includeIf.onbranch:main.path", "../more.config")
    (repo / "app" / "main.py").write_text("print('HELLO')\n")
    build.make_bundle(spec(repo, tmp_path, source))
    assert ran(marker) == ""


@pytest.mark.parametrize("source", SOURCES)
def test_no_program_of_a_submodule_runs(repo: Path, tmp_path: Path, marker: Path, source: str) -> None:
    inner = tmp_path / "inner"
    git(tmp_path, "init", "-q", "-b", "main", str(inner))
    (inner / "lib.py").write_text("x = 1\n")
    (inner / ".gitattributes").write_text("*.py filter=evil\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "Library")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    git(repo, "commit", "-qm", "Use it")
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process"):
        git(repo / "lib", "config", key, str(marker))
    (repo / "lib" / "lib.py").write_text("x = 2\n")
    assert "lib/lib.py" in names(build.make_bundle(spec(repo, tmp_path, source)))
    assert ran(marker) == ""


@pytest.mark.parametrize("source", SOURCES)
def test_no_program_of_a_bare_repository_in_the_tree_runs(
    repo: Path, tmp_path: Path, marker: Path, source: str
) -> None:
    """Its files are plain files of the tree, so a clone brings it along with its configuration."""
    bare = repo / "fixture.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    for key, value in (("core.fsmonitor", str(marker)), ("core.bare", "false"), ("core.worktree", str(repo))):
        git(bare, "config", key, value)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "A fixture")
    assert "fixture.git/HEAD" in names(build.make_bundle(spec(repo, tmp_path, source)))
    with pytest.raises(BundleError, match=r"git refuses to read .*fixture\.git: .*bare repository"):
        build.make_bundle(spec(bare, tmp_path, source))
    assert ran(marker) == ""


def test_no_program_of_the_callers_environment_runs(
    repo: Path, tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_of_programs = ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EDITOR")
    for name in names_of_programs:
        monkeypatch.setenv(name, str(marker))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor'='{marker}'")
    monkeypatch.setenv("GIT_EXEC_PATH", str(tmp_path))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    for source in SOURCES:
        build.make_bundle(spec(repo, tmp_path, source))
    assert ran(marker) == ""
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(("key", "value"), [("core.worktree", "/etc"), ("core.bare", "true")])
@pytest.mark.parametrize("source", SOURCES)
def test_work_tree_that_is_elsewhere_is_refused(repo: Path, tmp_path: Path, key: str, value: str, source: str) -> None:
    """Taken for a folder without a repository, it would ship what git ignores."""
    git(repo, "config", key, value)
    with pytest.raises(BundleError, match=rf"{repo}.*(core\.worktree|bare repository)"):
        build.make_bundle(spec(repo, tmp_path, source))


def test_missing_object_is_not_fetched(hostile: Path, tmp_path: Path, marker: Path) -> None:
    """A partial clone fetches what it lacks, through whatever the remote says."""
    oid = git(hostile, "rev-parse", "HEAD:app/main.py").strip()
    (hostile / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(BundleError, match=f"git has no object {oid} in .*: the clone is partial or damaged; fetch it"):
        build.make_bundle(spec(hostile, tmp_path))
    assert ran(marker) == ""


def test_filter_that_cannot_be_switched_off_is_refused(repo: Path, tmp_path: Path, marker: Path) -> None:
    with (repo / ".git" / "config").open("a") as file:
        file.write(f'[filter "a=b"]\n\tclean = {marker}\n')
    (repo / ".gitattributes").write_text("*.py filter=a=b\n")
    with pytest.raises(BundleError, match="has a filter named 'a=b', which cannot be switched off: give it a name"):
        build.make_bundle(spec(repo, tmp_path))
    assert ran(marker) == ""


def test_the_users_own_configuration_counts(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ignore").write_text("*.bak\n")
    (tmp_path / "gitconfig").write_text(f"[core]\n\texcludesFile = {tmp_path / 'ignore'}\n")
    (repo / "x.bak").write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert "x.bak" not in names(build.make_bundle(spec(repo, tmp_path, "work_tree")))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_repository_of_somebody_else_is_refused(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in [repo, *repo.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(BundleError, match=rf"dubious ownership.* git config --global --add safe.directory {repo}"):
        build.make_bundle(spec(repo, tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(repo))
    assert build.make_bundle(spec(repo, tmp_path)).bundle.file_count == 5


def _sources() -> Iterator[Path]:
    for folder in ("plugins", "roles", "playbooks"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and path.suffix in (".py", ".yml", ".j2", ".sh"):
                yield path


def test_git_is_started_in_one_place() -> None:
    starts = re.compile(r"""["']git["'],|ansible\.builtin\.git\b|\b(?:command|shell|cmd): git """)
    found = [str(path.relative_to(ROOT)) for path in _sources() if starts.search(path.read_text())]
    assert found == ["plugins/module_utils/_beanstalk/bundle/git.py"]
