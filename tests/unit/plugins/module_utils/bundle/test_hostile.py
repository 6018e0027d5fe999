# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees that want to bring in files from elsewhere, to unpack elsewhere, or to keep a run waiting."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build, files, listing, repository
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import git as git_process
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.source import Source

from .sources import git, names, read, repo, spec

__all__ = ["repo"]

SOURCES = ("ref", "index", "work_tree")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the source, with files of the names that the source has."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "main.py").write_text("print('of another application')\n")
    (folder / "key").write_text("the key of another application\n")
    return folder


def refused(root: Path, tmp_path: Path, source: str, **more: object) -> str:
    with pytest.raises(BundleError) as error:
        build.make_bundle(spec(root, tmp_path, source, **more))
    assert not list((tmp_path / "cache").glob("*.zip"))
    return str(error.value)


# Nothing from outside


def test_tracked_folder_that_became_a_link_is_a_link(repo: Path, tmp_path: Path, outside: Path) -> None:
    (repo / "app" / "main.py").unlink()
    (repo / "app").rmdir()
    (repo / "app").symlink_to(outside)
    made = build.make_bundle(spec(repo, tmp_path, "work_tree"))
    assert names(made)["app"] == 0o120777
    assert not [name for name in names(made) if name.startswith("app/")]
    assert read(made, "app") == os.fsencode(outside)
    for source in ("ref", "index"):
        assert read(build.make_bundle(spec(repo, tmp_path, source)), "app/main.py") == b"print('hello')\n"


def test_link_in_the_middle_of_a_path_is_not_followed(repo: Path, tmp_path: Path, outside: Path) -> None:
    deep = repo / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "key").write_text("ours\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Deep")
    (repo / "a").rename(tmp_path / "moved")
    (outside / "b" / "c").mkdir(parents=True)
    (outside / "b" / "c" / "key").write_text("theirs\n")
    (repo / "a").symlink_to(outside)
    assert "a/b/c/key" not in names(build.make_bundle(spec(repo, tmp_path, "work_tree")))
    assert read(build.make_bundle(spec(repo, tmp_path)), "a/b/c/key") == b"ours\n"


def test_folder_reads_nothing_behind_links_or_above(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "real" / "key").write_text("ours")
    (root / "link").symlink_to(outside)
    with files.SourceFolder(os.fsencode(root)) as folder:
        assert folder.read(b"real/key")[1] == b"ours"
        for path in (b"link/key", b"../outside/key", b"real/../../outside/key", b"/etc/passwd", b"real/key/x", b".."):
            with pytest.raises(FileNotFoundError):
                folder.read(path)
        assert folder.read(b"link") == (0o120000, os.fsencode(outside))
        assert folder.read(b"real/key")[1] == b"ours"


@pytest.mark.parametrize("pattern", ["cfg/*", "cfg/key", "cfg/", "cfg", "cfg/**", "c*", "single", "sing*", "**"])
def test_secrets_pattern_does_not_follow_a_link(repo: Path, tmp_path: Path, outside: Path, pattern: str) -> None:
    (repo / "cfg").symlink_to(outside)
    (repo / "single").symlink_to(outside / "key")
    (repo / "link").unlink()
    message = refused(repo, tmp_path, "ref", secrets=(pattern,))
    name = "single" if pattern.startswith("sing") else "cfg"
    assert message == (
        f"The secrets pattern {pattern} names {name}, which is a symbolic link; only what lies in the source itself is "
        "shipped: put the file there."
    )


def test_secrets_patterns_match_as_before(repo: Path, tmp_path: Path) -> None:
    for name in ("s/a.pem", "s/b.pem", "s/.hidden", "s/deep/er/c.pem", "s/deep/er/[x].pem", "t/a.pem"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("x")

    def matched(*patterns: str) -> list[str]:
        with files.SourceFolder(os.fsencode(repo)) as folder:
            return [os.fsdecode(path) for path in build.secret_paths(folder, patterns)]

    assert matched("s/*.pem") == ["s/a.pem", "s/b.pem"]
    assert matched("s/**/*.pem") == ["s/a.pem", "s/b.pem", "s/deep/er/[x].pem", "s/deep/er/c.pem"]
    assert matched("./s/") == ["s/.hidden", "s/a.pem", "s/b.pem", "s/deep/er/[x].pem", "s/deep/er/c.pem"]
    assert matched("?/a.pem", "s/.h*") == ["s/.hidden", "s/a.pem", "t/a.pem"]
    assert matched("s/deep/er/[[]x].pem") == ["s/deep/er/[x].pem"]


def test_image_reads_nothing_behind_links(repo: Path, outside: Path) -> None:
    (repo / "app").rename(repo.parent / "moved")
    (repo / "app").symlink_to(outside)
    source = Source(str(repo), "work_tree", "HEAD")
    assert source.read("app/main.py") is None
    assert "app/main.py" not in set(source.names())


# Names


def hand_written(repo: Path, *lines: tuple[str, str, bytes]) -> str:
    """A commit of a tree that git would not make: (mode, object, name) each."""
    tree = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, oid, name in lines)
    done = subprocess.run(
        ["git", "-C", repo, "hash-object", "-t", "tree", "--literally", "-w", "--stdin"],
        input=tree,
        check=True,
        capture_output=True,
    )
    return git(repo, "commit-tree", "-m", "By hand", done.stdout.decode().strip()).strip()


@pytest.mark.parametrize(
    "name", [b"../x", b"/etc/x", b"a/../../x", b"..", b".", b"a//b", b".git/config", b".git", b"a/.git/hooks/x", b"./x"]
)
def test_name_that_leaves_the_bundle_is_refused(repo: Path, tmp_path: Path, name: bytes) -> None:
    blob = git(repo, "rev-parse", "HEAD:Dockerfile").strip()
    commit = hand_written(repo, ("100644", blob, name))
    message = refused(repo, tmp_path, "ref", ref=commit)
    assert message == (
        f"The repository {repo} has a file named {os.fsdecode(name)!r}, which leaves the bundle: its tree was not made "
        "by git; see git fsck, and do not deploy it."
    )


def test_rules_with_a_name_that_leaves_are_not_written(repo: Path, tmp_path: Path) -> None:
    (repo / "rules").write_text("* export-ignore\n")
    blob = git(repo, "hash-object", "-w", str(repo / "rules")).strip()
    commit = hand_written(repo, ("100644", blob, b"../../.gitattributes"))
    assert "leaves the bundle" in refused(repo, tmp_path, "ref", ref=commit)
    assert not list(tmp_path.rglob(".gitattributes"))


def test_names_that_only_look_strange_are_shipped(repo: Path, tmp_path: Path) -> None:
    odd = ["...", "..x", "x..", ".gitx", "a\t..", "a\t.git", "C:\\x", "..\\x"]
    for name in odd:
        (repo / name).write_text("x")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Odd")
    assert set(odd) <= set(names(build.make_bundle(spec(repo, tmp_path))))


@pytest.mark.parametrize("mode", ["120000", "100644"])
def test_link_and_folder_of_one_name_is_refused(repo: Path, tmp_path: Path, mode: str) -> None:
    target = git(repo, "rev-parse", "HEAD:link").strip()
    commit = hand_written(repo, (mode, target, b"app"), ("40000", git(repo, "rev-parse", "HEAD:app").strip(), b"app"))
    message = refused(repo, tmp_path, "ref", ref=commit)
    assert message == "app is both a file or link and a folder in the source: keep one of them."


def test_name_that_is_there_twice_is_refused(repo: Path, tmp_path: Path) -> None:
    blob = git(repo, "rev-parse", "HEAD:Dockerfile").strip()
    commit = hand_written(repo, ("100644", blob, b"a"), ("100644", blob, b"a"))
    assert refused(repo, tmp_path, "ref", ref=commit).startswith("a is in the source twice: ")


def test_tracked_file_that_became_a_folder(repo: Path, tmp_path: Path) -> None:
    (repo / "run.sh").unlink()
    (repo / "run.sh").mkdir()
    (repo / "run.sh" / "inner").write_text("x")
    shipped = names(build.make_bundle(spec(repo, tmp_path, "work_tree")))
    assert "run.sh/inner" in shipped
    assert "run.sh" not in shipped


# Submodules


def add_gitlink(repo: Path, place: str, declared: bool) -> None:
    inner = repo.parent / "inner"
    git(repo.parent, "init", "-q", "-b", "main", str(inner))
    (inner / "lib.py").write_text("x = 1\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "Library")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(inner, 'rev-parse', 'HEAD').strip()},{place}")
    if declared:
        (repo / ".gitmodules").write_text(f'[submodule "lib"]\n\tpath = {place}\n\turl = {inner}\n')
        git(repo, "add", ".gitmodules")
    git(repo, "commit", "-qm", "Use it")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("rules", [None, "docs/\n"])
@pytest.mark.parametrize("folder", ["empty", "gone", "link", "files"])
def test_submodule_that_is_not_checked_out_is_refused(
    repo: Path, tmp_path: Path, source: str, rules: str | None, folder: str
) -> None:
    add_gitlink(repo, "vendor/lib", declared=True)
    if rules is not None:
        (repo / ".ebignore").write_text(rules)
    if folder != "gone":
        (repo / "vendor").mkdir()
    if folder == "link":
        (repo / "vendor" / "lib").symlink_to(tmp_path / "inner")
    elif folder != "gone":
        (repo / "vendor" / "lib").mkdir()
    if folder == "files":
        (repo / "vendor" / "lib" / "left.py").write_text("")
    message = refused(repo, tmp_path, source)
    assert message == "The submodule vendor/lib is not checked out: run git submodule update --init vendor/lib."


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("rules", [None, "docs/\n"])
def test_gitlink_without_gitmodules_is_refused(repo: Path, tmp_path: Path, source: str, rules: str | None) -> None:
    add_gitlink(repo, "vendor/lib", declared=False)
    if rules is not None:
        (repo / ".ebignore").write_text(rules)
    assert refused(repo, tmp_path, source) == (
        "The submodule vendor/lib is not checked out, and .gitmodules does not say where it comes from: clone it into "
        "that folder, or take it out of the repository (git rm --cached vendor/lib)."
    )


@pytest.mark.parametrize("source", SOURCES)
def test_submodule_that_is_left_out_need_not_be_there(repo: Path, tmp_path: Path, source: str) -> None:
    add_gitlink(repo, "vendor/lib", declared=True)
    (repo / ".ebignore").write_text("vendor/\n")
    assert "Dockerfile" in names(build.make_bundle(spec(repo, tmp_path, source)))
    (repo / ".ebignore").unlink()
    (repo / ".gitattributes").write_text("vendor/lib export-ignore\n")
    git(repo, "add", "-A", ".gitattributes")
    git(repo, "commit", "-qm", "Rules")
    assert "Dockerfile" in names(build.make_bundle(spec(repo, tmp_path, source)))


def test_submodule_without_the_wanted_commit_is_refused(repo: Path, tmp_path: Path) -> None:
    add_gitlink(repo, "vendor/lib", declared=True)
    git(tmp_path, "init", "-q", str(repo / "vendor" / "lib"))
    for source in ("ref", "index"):
        message = refused(repo, tmp_path, source)
        assert message.startswith("The submodule vendor/lib has not the commit ")
        assert message.endswith(" that is wanted of it: run git submodule update --init vendor/lib.")


def test_change_inside_a_submodule_is_seen_each_time(repo: Path, tmp_path: Path) -> None:
    add_gitlink(repo, "vendor/lib", declared=True)
    git(tmp_path, "clone", "-q", str(tmp_path / "inner"), str(repo / "vendor" / "lib"))
    labels = set()
    for text in ("x = 1\n", "x = 2\n", "x = 3\n"):
        (repo / "vendor" / "lib" / "lib.py").write_text(text)
        labels.add(build.make_bundle(spec(repo, tmp_path, "work_tree")).bundle.version_label)
    assert len(labels) == 3
    made = build.make_bundle(spec(repo, tmp_path))
    assert read(made, "vendor/lib/lib.py") == b"x = 1\n"
    assert made.warnings[0].startswith("1 changed or new file(s) in ")


# Modes


@pytest.mark.parametrize("rules", [None, "docs/\n"])
def test_git_modes_count_where_the_disk_has_none(repo: Path, tmp_path: Path, rules: str | None) -> None:
    git(repo, "config", "core.fileMode", "false")
    (repo / "run.sh").chmod(0o644)
    (repo / "Dockerfile").chmod(0o755)
    (repo / "new.py").write_text("")
    (repo / "new.py").chmod(0o755)
    if rules is not None:
        (repo / ".ebignore").write_text(rules)
    shipped = names(build.make_bundle(spec(repo, tmp_path, "work_tree")))
    assert (shipped["run.sh"], shipped["Dockerfile"], shipped["new.py"]) == (0o100755, 0o100644, 0o100644)
    assert Source(str(repo), "work_tree", "HEAD").mode("run.sh") == 0o755
    git(repo, "config", "core.fileMode", "true")
    shipped = names(build.make_bundle(spec(repo, tmp_path, "work_tree")))
    assert (shipped["run.sh"], shipped["Dockerfile"], shipped["new.py"]) == (0o100644, 0o100755, 0o100755)


def test_link_that_is_checked_out_as_a_file(repo: Path, tmp_path: Path) -> None:
    git(repo, "config", "core.symlinks", "false")
    (repo / "link").unlink()
    (repo / "link").write_text("app/main.py")
    made = build.make_bundle(spec(repo, tmp_path, "work_tree"))
    assert (names(made)["link"], read(made, "link")) == (0o120777, b"app/main.py")


# What is no file, and sizes


def put(kind: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(path.parent)
            try:
                listener.bind(path.name)
            finally:
                os.chdir(here)
    else:
        os.mknod(path, 0o020600, os.makedev(1, 5))


KINDS = [
    "FIFO",
    "socket",
    pytest.param("device", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_in_place_of_a_tracked_file(repo: Path, tmp_path: Path, kind: str) -> None:
    put(kind, repo / "app" / "main.py")
    message = refused(repo, tmp_path, "work_tree")
    assert message.startswith(f"app/main.py is a {kind}; a source bundle holds files and symbolic links: remove it")
    for source in ("ref", "index"):
        assert read(build.make_bundle(spec(repo, tmp_path, source)), "app/main.py") == b"print('hello')\n"


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_as_a_secret(repo: Path, tmp_path: Path, kind: str) -> None:
    (repo / ".secrets").mkdir()
    put(kind, repo / ".secrets" / "key")
    for pattern in (".secrets/", ".secrets/key", ".secrets/*"):
        assert refused(repo, tmp_path, "ref", secrets=(pattern,)).startswith(f".secrets/key is a {kind}; ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [".gitattributes", ".gitignore", ".ebignore", "app/.gitattributes"])
def test_no_file_in_place_of_rules(repo: Path, tmp_path: Path, kind: str, name: str) -> None:
    (repo / name).write_text("nothing\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Rules")
    put(kind, repo / name)
    assert refused(repo, tmp_path, "work_tree").startswith(f"{name} is a {kind}; ")
    if name == ".ebignore":
        assert refused(repo, tmp_path, "ref").startswith(f"{name} is a {kind}; ")
        return
    made = build.make_bundle(spec(repo, tmp_path))
    assert made.warnings == [
        f"Whether files in {repo} differ from HEAD is not known: {name} is a {kind}; a source bundle holds files and "
        "symbolic links: remove it, or put the file there."
    ]


def test_git_that_waits_is_ended(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_process, "DEADLINE", 1.0)
    (repo / "new").mkdir()
    os.mkfifo(repo / "new" / ".gitignore")
    message = refused(repo, tmp_path, "work_tree")
    assert message == (
        f"git did not finish within 1 seconds in {repo}: look for a FIFO among its .gitignore files or in its .git "
        "folder, and for a disk that does not answer."
    )
    made = build.make_bundle(spec(repo, tmp_path))
    assert made.warnings == [f"Whether files in {repo} differ from HEAD is not known: {message}"]


def test_object_reader_that_waits_is_ended(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_process, "DEADLINE", 1.0)
    oid = git(repo, "rev-parse", "HEAD:Dockerfile").strip()
    loose = repo / ".git" / "objects" / oid[:2] / oid[2:]
    loose.unlink()
    os.mkfifo(loose)
    reader = repository.ObjectReader()
    with pytest.raises(BundleError, match=re.escape(f"git did not finish within 1 seconds in {repo}: ")):
        list(reader.read(os.fsencode(repo), [oid.encode()]))
    reader.close()


@pytest.mark.parametrize("name", ["big", ".secrets/big", ".gitattributes", ".ebignore"])
def test_huge_file_is_refused_unread(repo: Path, tmp_path: Path, name: str) -> None:
    (repo / name).parent.mkdir(exist_ok=True)
    with (repo / name).open("wb") as file:
        file.truncate(3 * 1024**3)
    tracemalloc.start()
    try:
        secrets = (".secrets/",) if "/" in name else ()
        message = refused(repo, tmp_path, "work_tree", secrets=secrets)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith(
        f"{name} has 3221225472 bytes; Elastic Beanstalk takes bundles of at most 500 MB: keep it"
    )
    assert peak < 20_000_000


def test_huge_object_is_refused_unread(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "big").write_bytes(b"x" * 30_000_000)
    git(repo, "add", "big")
    (repo / "big").unlink()
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 20_000_000)
    oid = git(repo, "rev-parse", ":big").strip()
    tracemalloc.start()
    try:
        message = refused(repo, tmp_path, "index")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith(f"The git object {oid} has 30000000 bytes; ")
    assert peak < 10_000_000


def test_damaged_repository_inside_is_named(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", str(repo / "nested"))
    (repo / "nested" / "x").write_text("x")
    assert "nested/x" in names(build.make_bundle(spec(repo, tmp_path, "work_tree")))
    assert listing.has_submodules(b"100644 a 0\tx\x00160000 b 0\ty\x00")
