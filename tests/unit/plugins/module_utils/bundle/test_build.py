# SPDX-License-Identifier: GPL-3.0-or-later
"""Source bundles of real repositories, read back with Python's own zipfile."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build, cache, files
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import zip as zip_file
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.types import Overlay
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError

from .sources import git, names, read, repo, spec

__all__ = ["repo"]


def test_ref_ships_what_is_committed(repo: Path, tmp_path: Path) -> None:
    (repo / "app" / "main.py").write_text("print('changed')\n")
    (repo / "new.py").write_text("")
    made = build.make_bundle(spec(repo, tmp_path))
    assert names(made) == {
        ".gitignore": 0o100644,
        "Dockerfile": 0o100644,
        "app/main.py": 0o100644,
        "link": 0o120777,
        "run.sh": 0o100755,
    }
    assert read(made, "app/main.py") == b"print('hello')\n"
    assert read(made, "link") == b"app/main.py"
    assert made.changed
    assert made.bundle.description == "First words"
    assert made.bundle.commit == git(repo, "rev-parse", "HEAD").strip()
    assert made.warnings == [
        f"2 changed or new file(s) in {repo} are left out of the bundle, which holds HEAD as it was committed; "
        "use from: index or from: work_tree to ship them."
    ]


def test_all_sources_of_a_clean_tree_have_one_label_and_equal_bytes(repo: Path, tmp_path: Path) -> None:
    made = [build.make_bundle(spec(repo, tmp_path / kind, kind)) for kind in ("ref", "index", "work_tree")]
    assert len({item.bundle.version_label for item in made}) == 1
    assert len({item.bundle.sha256 for item in made}) == 1
    assert len({Path(item.bundle.path).read_bytes() for item in made}) == 1
    assert made[0].warnings == []


def test_unchanged_is_recognised_and_a_change_is_seen(repo: Path, tmp_path: Path) -> None:
    for source in ("ref", "index", "work_tree"):
        first = build.make_bundle(spec(repo, tmp_path, source))
        again = build.make_bundle(spec(repo, tmp_path, source))
        assert again.bundle == first.bundle
        assert not again.changed
    (repo / "app" / "main.py").write_text("print('HELLO')\n")
    assert build.make_bundle(spec(repo, tmp_path)).bundle == first.bundle
    assert build.make_bundle(spec(repo, tmp_path, "index")).bundle.version_label == first.bundle.version_label
    tree = build.make_bundle(spec(repo, tmp_path, "work_tree"))
    assert tree.changed
    assert tree.bundle.version_label != first.bundle.version_label
    git(repo, "add", "-A")
    assert build.make_bundle(spec(repo, tmp_path, "index")).bundle.version_label == tree.bundle.version_label


def test_nothing_of_the_repository_changes(repo: Path, tmp_path: Path) -> None:
    (repo / "app" / "main.py").write_text("print('staged')\n")
    git(repo, "add", "-A")
    os.utime(repo / "Dockerfile")

    def state() -> list[tuple[str, bytes, int]]:
        files = sorted(path for path in repo.rglob("*") if path.is_file() and not path.is_symlink())
        return [(str(path), path.read_bytes(), path.stat().st_mtime_ns) for path in files]

    before = state()
    for source in ("ref", "index", "work_tree"):
        build.make_bundle(spec(repo, tmp_path, source, overlay=(Overlay("x", b"y", 0o644),)))
    assert state() == before


def test_executable_bit_and_link_targets_count(repo: Path, tmp_path: Path) -> None:
    labels = {build.make_bundle(spec(repo, tmp_path, "work_tree")).bundle.version_label}
    (repo / "run.sh").chmod(0o644)
    labels.add(build.make_bundle(spec(repo, tmp_path, "work_tree")).bundle.version_label)
    (repo / "link").unlink()
    (repo / "link").symlink_to("Dockerfile")
    labels.add(build.make_bundle(spec(repo, tmp_path, "work_tree")).bundle.version_label)
    assert len(labels) == 3


def test_overlay_and_secrets_go_straight_into_the_zip(repo: Path, tmp_path: Path) -> None:
    (repo / ".secrets").mkdir()
    (repo / ".secrets" / "key").write_text("hush")
    made = build.make_bundle(
        spec(
            repo,
            tmp_path,
            overlay=(
                Overlay(".platform/hooks/postdeploy/a.sh", b"#!/bin/sh\n", 0o644),
                Overlay("run.sh", b"new", 0o755),
            ),
            secrets=(".secrets/",),
        )
    )
    assert names(made)[".platform/hooks/postdeploy/a.sh"] == 0o100755
    assert read(made, ".secrets/key") == b"hush"
    assert read(made, "run.sh") == b"new"
    assert not (repo / ".platform").exists()
    assert Path(made.bundle.path).stat().st_mode & 0o777 == 0o600
    assert Path(made.bundle.path).parent.stat().st_mode & 0o777 == 0o700
    assert not list((tmp_path / "cache").glob("*.part"))
    (repo / ".secrets" / "key").write_text("hush!")
    again = build.make_bundle(spec(repo, tmp_path, secrets=(".secrets/",)))
    assert again.bundle.version_label != made.bundle.version_label


def test_tracked_secret_is_warned_about(repo: Path, tmp_path: Path) -> None:
    made = build.make_bundle(spec(repo, tmp_path, secrets=("Dockerfile",)))
    assert made.warnings == ["Secret file(s) tracked by git: Dockerfile. Remove them from the repository's history."]


@pytest.mark.parametrize("source", ["ref", "index", "work_tree"])
def test_ebignore_replaces_gitignore(repo: Path, tmp_path: Path, source: str) -> None:
    (repo / ".ebignore").write_text("app/\n*.sh\n!keep.sh\n")
    (repo / "keep.sh").write_text("")
    (repo / "noise.log").write_text("")
    git(repo, "add", "-f", "-A")
    git(repo, "commit", "-qm", "Rules")
    shipped = set(names(build.make_bundle(spec(repo, tmp_path, source))))
    assert shipped == {".gitignore", "Dockerfile", "keep.sh", "link", "noise.log"}


def test_never_shipped_folders(repo: Path, tmp_path: Path) -> None:
    for folder in (".elasticbeanstalk", "app/.elasticbeanstalk"):
        (repo / folder).mkdir()
        (repo / folder / "config.yml").write_text("")
    (repo / ".ebignore").write_text("nothing\n")
    (repo / "old.py~").write_text("")
    shipped = names(build.make_bundle(spec(repo, tmp_path, "work_tree")))
    assert not [name for name in shipped if ".git/" in name or ".elasticbeanstalk" in name or name.endswith("~")]


def test_any_file_name(repo: Path, tmp_path: Path) -> None:
    odd = ["näme.txt", "with space", "-dash", ":(glob)x", "new\nline", "tab\there", 'quote"', "back\\slash"]
    for name in odd:
        (repo / name).write_text(name)
    Path(os.fsdecode(os.fsencode(repo) + b"/latin-\xe9")).write_text("x")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Odd names")
    for source in ("ref", "index", "work_tree"):
        made = build.make_bundle(spec(repo, tmp_path, source))
        raw = Path(made.bundle.path).read_bytes()
        assert made.bundle.file_count == 5 + len(odd) + 1
        assert all(name.encode() in raw for name in odd)
        assert b"latin-\xe9" in raw


def test_folder_inside_a_repository(repo: Path, tmp_path: Path) -> None:
    for source in ("ref", "index", "work_tree"):
        assert set(names(build.make_bundle(spec(repo / "app", tmp_path, source)))) == {"main.py"}
    (repo / "fresh").mkdir()
    with pytest.raises(BundleError, match="is not part of the git ref HEAD: commit it, or use from: work_tree"):
        build.make_bundle(spec(repo / "fresh", tmp_path))


def test_submodule(repo: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    git(tmp_path, "init", "-q", "-b", "main", str(inner))
    (inner / "lib.py").write_text("x = 1\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "Library")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "vendor/lib")
    git(repo, "commit", "-qm", "Use it")
    labels = set()
    for source in ("ref", "index", "work_tree"):
        made = build.make_bundle(spec(repo, tmp_path, source))
        assert read(made, "vendor/lib/lib.py") == b"x = 1\n"
        labels.add(made.bundle.version_label)
    assert len(labels) == 1


def test_check_mode_writes_no_zip_but_knows_the_label(repo: Path, tmp_path: Path) -> None:
    predicted = build.make_bundle(spec(repo, tmp_path), check_mode=True)
    assert predicted.changed
    assert predicted.bundle.size is None
    assert not Path(predicted.bundle.path).exists()
    made = build.make_bundle(spec(repo, tmp_path))
    assert made.bundle.version_label == predicted.bundle.version_label
    assert not build.make_bundle(spec(repo, tmp_path), check_mode=True).changed


def test_work_tree_without_repository(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    made = build.make_bundle(spec(root, tmp_path, "work_tree"))
    assert set(names(made)) == {"Dockerfile"}
    assert made.bundle.commit is None
    (root / "Dockerfile").write_text("FROM debian\n")
    assert build.make_bundle(spec(root, tmp_path, "work_tree")).changed


def test_large_files_and_many_files(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "big").write_bytes(os.urandom(3_000_000) + b"a" * 3_000_000)
    for number in range(60):
        (repo / "app" / f"{number}.txt").write_text(f"{number}\n" * number)
    git(repo, "add", "-A")
    one = build.make_bundle(spec(repo, tmp_path / "one", "index"))
    monkeypatch.setattr(zip_file, "_MIN_PER_WORKER", 7)
    many = build.make_bundle(spec(repo, tmp_path / "many", "index"))
    assert Path(one.bundle.path).read_bytes() == Path(many.bundle.path).read_bytes()
    assert read(many, "big") == (repo / "big").read_bytes()


def test_a_file_that_the_kernel_gives_in_parts(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "big").write_bytes(os.urandom(5000))
    read_whole = os.read
    monkeypatch.setattr(files.os, "read", lambda handle, size: read_whole(handle, min(size, 999)))
    made = build.make_bundle(spec(repo, tmp_path, "work_tree"))
    assert read(made, "big") == (repo / "big").read_bytes()


def test_too_large(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_file, "MAX_BUNDLE_BYTES", 1000)
    (repo / "big").write_bytes(os.urandom(5000))
    with pytest.raises(BundleError, match="at most 500 MB"):
        build.make_bundle(spec(repo, tmp_path, "work_tree"))


def test_more_entries_than_a_plain_zip_counts(tmp_path: Path) -> None:
    many = [zip_file.Entry(b"f%06d" % number, 0o100644, b"", b"", data=b"") for number in range(70_000)]
    handle, packed = zip_file.pack(many, b"/", 0, str(tmp_path), write=True)
    assert handle is not None
    with os.fdopen(handle, "rb") as file, zipfile.ZipFile(file) as archive:
        assert len(archive.infolist()) == len(packed) == 70_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "/nowhere/at/all"}, "The application source /nowhere/at/all is not a folder; give the path of the"),
        ({"ref": "nothing"}, "The git ref nothing is not known in "),
        ({"ref": "--output=x"}, "is not a git ref."),
        (
            {"secrets": ("*.pem",)},
            "matches the secrets pattern \\*.pem .*eb_secrets_files of the inventory.: put the file there",
        ),
        ({"secrets": ("../x",)}, "leaves the application source."),
        ({"overlay": (Overlay("../x", b"", 0o644),)}, "is not a file inside the bundle."),
        ({"overlay": (Overlay(".git/config", b"", 0o644),)}, "is in a folder that is never shipped."),
        ({"overlay": (Overlay("Dockerfile/x", b"", 0o644),)}, "Dockerfile is a file in the source and a folder"),
        ({"overlay": (Overlay("app", b"", 0o644),)}, "app is a file of the overlay and a folder in the source."),
        ({"label_prefix": "x" * 90}, "The version label .* has 107 characters"),
    ],
)
def test_clear_errors(repo: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        build.make_bundle(spec(repo, tmp_path)._replace(**change))  # type: ignore[arg-type]


def test_outside_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(BundleError, match="is not in a git repository: use from: work_tree, or run git init"):
        build.make_bundle(spec(tmp_path / "plain", tmp_path))


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", str(tmp_path / "empty"))
    with pytest.raises(BundleError, match="has no commit yet"):
        build.make_bundle(spec(tmp_path / "empty", tmp_path))


def test_unfinished_merge(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-qb", "other")
    (repo / "Dockerfile").write_text("FROM other\n")
    git(repo, "commit", "-qam", "Other")
    git(repo, "checkout", "-q", "main")
    (repo / "Dockerfile").write_text("FROM main\n")
    git(repo, "commit", "-qam", "Main")
    with pytest.raises(subprocess.CalledProcessError):
        git(repo, "merge", "other")
    with pytest.raises(BundleError, match=r"1 file\(s\) with merge conflicts"):
        build.make_bundle(spec(repo, tmp_path, "index"))


def test_git_missing(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BundleError, match="git is not installed on the controller"):
        build.make_bundle(spec(repo, tmp_path))


def test_git_hook_variables_do_not_mislead(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert build.make_bundle(spec(repo, tmp_path)).bundle.file_count == 5


def test_old_bundles_are_removed(repo: Path, tmp_path: Path) -> None:
    first = build.make_bundle(spec(repo, tmp_path, "work_tree"))
    os.utime(first.bundle.path, (1, 1))
    left = tmp_path / "cache" / "attributes-of-a-killed-run"
    (left / "app").mkdir(parents=True)
    os.utime(left, (1, 1))
    (repo / "Dockerfile").write_text("FROM other\n")
    build.make_bundle(spec(repo, tmp_path, "work_tree"))
    assert not Path(first.bundle.path).exists()
    assert not left.exists()


def test_a_zip_gets_its_name_without_being_copied(tmp_path: Path) -> None:
    handle = zip_file.anonymous_file(str(tmp_path))
    os.write(handle, b"zip")
    path = tmp_path / "bundle.zip"
    path.write_bytes(b"an older one")
    cache.publish(handle, str(path))
    assert path.read_bytes() == b"zip"
    assert os.fstat(handle).st_ino == path.stat().st_ino
    assert [each.name for each in tmp_path.iterdir()] == ["bundle.zip"]
    os.close(handle)


def test_faults_stop_before_the_zip_has_a_name(repo: Path, tmp_path: Path) -> None:
    faulty = Overlay(".ebextensions/a.config", b"option_settings:\n  aws:autoscaling:asg: {MinSzie: 1}\n", 0o644)
    wanted = spec(repo, tmp_path, overlay=(faulty,), platform="al2023")
    for check_mode in (True, False):
        with pytest.raises(BundleError, match=r"\n\.ebextensions/a\.config:2: error: .*MinSize.*Correct the option"):
            build.make_bundle(wanted, check_mode)
    assert list((tmp_path / "cache").glob("*.zip")) == []
    assert build.make_bundle(wanted._replace(skip_rules=("unknown-option",))).changed
    with pytest.raises(BundleError, match="no rule nonsense"):
        build.make_bundle(wanted._replace(skip_rules=("nonsense",)))


def test_warnings_are_shown_again_for_an_unchanged_bundle(repo: Path, tmp_path: Path) -> None:
    wanted = spec(repo, tmp_path, overlay=(Overlay(".ebextensions/a.config~", b"", 0o644),), platform="al2023")
    first, again = build.make_bundle(wanted), build.make_bundle(wanted)
    assert (first.changed, again.changed) == (True, False)
    assert first.warnings == again.warnings
    assert "backup-leftover" in first.warnings[0]


def test_a_bundle_with_secrets_has_a_name_of_its_own_and_does_not_stay(repo: Path, tmp_path: Path) -> None:
    wanted = spec(repo, tmp_path, overlay=(Overlay("key", b"very secret", 0o600),))
    assert not build.make_bundle(spec(repo, tmp_path)).bundle.has_secrets
    first, again = build.make_bundle(wanted), build.make_bundle(wanted)
    assert first.bundle.has_secrets
    assert (first.changed, again.changed) == (True, False)
    assert first.bundle.version_label == again.bundle.version_label
    assert first.bundle.path != again.bundle.path
    Path(again.bundle.path).unlink()
    assert not build.make_bundle(wanted).changed
    # What a killed run has left.
    os.utime(first.bundle.path, (0, 0))
    build.make_bundle(wanted)
    assert not Path(first.bundle.path).exists()
