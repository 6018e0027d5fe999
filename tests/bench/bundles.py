# SPDX-License-Identifier: GPL-3.0-or-later
"""Source bundles: 50,000 files in 2,500 folders, 90 MB, beside git, Python's zipfile and the eb CLI."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from bench.figures import Figure, figure, share

ROOT = Path(__file__).resolve().parents[2]
_EB_PYTHON = ROOT / ".venv-eb" / "bin" / "python"
_GIT = [
    "git",
    "-c",
    "gc.auto=0",
    "-c",
    "user.name=bench",
    "-c",
    "user.email=bench@example.com",
    "-c",
    "commit.gpgsign=false",
]

# Each is run in a process of its own and prints the seconds of the very work, without interpreter start and imports.
_OURS = """
import os, sys, time
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
root, source, cache = sys.argv[1:]
_AnsibleCollectionFinder(paths=[root + "/collections"])._install()
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build, types
spec = types.SourceSpec(source, "ref", "HEAD", (), (), "bench", cache)
processor = sum(os.times()[:4])
start = time.perf_counter()
made = build.make_bundle(spec)
seconds = time.perf_counter() - start
import json
print(json.dumps([seconds, sum(os.times()[:4]) - processor, made.changed, made.bundle.path]))
"""
_ZIPFILE = """
import os, sys, time, zipfile
source, target = sys.argv[1:]
start = time.perf_counter()
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, source))
import json
print(json.dumps([time.perf_counter() - start]))
"""
_GIT_ARCHIVE = """
import subprocess, sys, time
source, target = sys.argv[1:]
start = time.perf_counter()
subprocess.run(["git", "-C", source, "archive", "-1", "--format=zip", "-o", target, "HEAD"], check=True)
import json
print(json.dumps([time.perf_counter() - start]))
"""
_EB = """
import os, sys, time
source, target = sys.argv[1:]
os.chdir(source)
from ebcli.core import fileoperations, io
from ebcli.objects.sourcecontrol import SourceControl
from ebcli.operations import commonops
io.echo = lambda *words, **options: None
start = time.perf_counter()
commonops._zip_up_project("bench", SourceControl.get_source_control())
seconds = time.perf_counter() - start
made = fileoperations.get_zip_location("bench.zip")
os.replace(made, target)
import json
print(json.dumps([seconds]))
"""
_EB_CONFIG = """
branch-defaults: {default: {environment: bench}}
global: {application_name: bench, default_region: us-east-1, sc: git, workspace_type: Application}
"""


def make_tree(folder: Path, files: int, folders: int, size: int) -> None:
    """Text of random words: seeded, so that every run packs the same."""
    chance = random.Random(4)  # noqa: S311 - not a secret
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(4000)]
    for number in range(folders):
        (folder / f"area{number % 50:02d}" / f"part{number:04d}").mkdir(parents=True)
    for number in range(files):
        place = number % folders
        lines = []
        length = 0
        wanted = chance.randint(size // 2, size * 3 // 2)
        while length < wanted:
            line = " ".join(chance.choices(words, k=12))
            lines.append(line)
            length += len(line) + 1
        path = folder / f"area{place % 50:02d}" / f"part{place:04d}" / f"file{number:05d}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _run(python: Path | str, program: str, *words: Path | str) -> list[object]:
    done = subprocess.run(
        [python, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RuntimeError(f"a measurement failed: {done.stdout}\n{done.stderr}")
    return list(json.loads(done.stdout.strip().splitlines()[-1]))


def _checkouts(folder: Path, quick: bool) -> tuple[Path, Path]:
    first, second = folder / "first", folder / "second"
    first.mkdir()
    make_tree(first, *((400, 20, 1800) if quick else (50_000, 2_500, 1800)))
    (first / ".gitignore").write_text(".elasticbeanstalk/\n", encoding="utf-8")
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "tree"]):
        subprocess.run([*_GIT, *words], cwd=first, check=True, timeout=600)
    subprocess.run([*_GIT, "clone", "--quiet", "--no-hardlinks", first, second], check=True, timeout=600)
    (first / ".elasticbeanstalk").mkdir()
    (first / ".elasticbeanstalk" / "config.yml").write_text(_EB_CONFIG, encoding="utf-8")
    return first, second


def _names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return {item.filename.removeprefix("./") for item in opened.infolist() if not item.is_dir()}


def _different_bytes(first: Path, second: Path) -> int:
    one, two = first.read_bytes(), second.read_bytes()
    if one == two:
        return 0
    return abs(len(one) - len(two)) + sum(a != b for a, b in zip(one, two, strict=False))


def _peers(first: Path, second: Path, target: Path, runs: int) -> tuple[dict[str, list[float]], set[str]]:
    """Seconds of each peer, and the names that git put into its zip."""
    seconds: dict[str, list[float]] = {"git": [], "zipfile": [], "eb": [], "eb_ignore": []}
    ignore = first / ".ebignore"
    wanted: set[str] = set()

    def run(name: str, python: Path | str, program: str, source: Path) -> None:
        seconds[name].append(float(str(_run(python, program, source, target)[0])))
        if name == "git":
            wanted.update(_names(target))
        target.unlink()

    for number in range(runs):
        run("git", sys.executable, _GIT_ARCHIVE, first)
        run("zipfile", sys.executable, _ZIPFILE, second)
        run("eb", _EB_PYTHON, _EB, first)
        if number:
            continue
        ignore.write_text(".elasticbeanstalk/\n.git/\n.ebignore\n", encoding="utf-8")
        run("eb_ignore", _EB_PYTHON, _EB, first)
        ignore.unlink()
    return seconds, wanted


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Medians of the same tree; every run in a fresh process, files in the page cache for all.

    The peers take tens of seconds a run, so they have two (with an .ebignore one), ours have five.
    """
    first, second = _checkouts(folder, quick)
    cold: list[float] = []
    processor: list[float] = []
    unchanged: list[float] = []
    made = [first, second]
    for _ in range(1 if quick else 5):
        for index, checkout in enumerate((second, first)):
            cache = folder / f"cache{index}"
            shutil.rmtree(cache, ignore_errors=True)
            seconds, busy, _, path = _run(sys.executable, _OURS, ROOT, checkout, cache)
            made[index] = Path(str(path))
        cold.append(float(str(seconds)))
        processor.append(float(str(busy)))
        seconds, _, changed, _ = _run(sys.executable, _OURS, ROOT, first, folder / "cache1")
        if changed:
            raise RuntimeError("the unchanged tree was bundled again")
        unchanged.append(float(str(seconds)))
        said = f"cold {cold[-1]:.2f} s ({processor[-1]:.2f} s CPU), unchanged {unchanged[-1]:.2f} s"
        print(f"bundles: {said}", file=sys.stderr, flush=True)  # noqa: T201
    peers, wanted = _peers(first, second, folder / "peer.zip", 1 if quick else 2)
    names = _names(made[1])
    git = ("git archive -1", peers["git"])
    return [
        figure("bundle_cold_s", cold, "s", share(0.5, git), git),
        figure("bundle_cold_cpu_s", processor, "s"),
        figure("bundle_unchanged_s", unchanged, "s", share(0.05, git), git),
        figure("bundle_different_bytes", [_different_bytes(*made)], "bytes", 0),
        figure("bundle_different_names", [len(names ^ wanted)], "names", 0),
        figure("bundle_files", [len(names)], "files"),
        figure("bundle_size_mb", [made[1].stat().st_size / 1e6], "MB"),
        figure("peer_bundle_eb_ebignore_s", peers["eb_ignore"], "s"),
        figure("peer_bundle_eb_s", peers["eb"], "s"),
        figure("peer_bundle_zipfile_1_s", peers["zipfile"], "s"),
    ]
