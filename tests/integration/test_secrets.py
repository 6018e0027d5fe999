# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret stays behind: after success, failure, and kill -9 at any moment. The same search finds what eb leaves."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .conftest import ROOT, Project, Run
from .small import Small, git, git_bytes, options

pytestmark = [pytest.mark.containers, pytest.mark.slow]

EB = ROOT / ".venv-eb" / "bin" / "eb"
KILLS = 4
SHARED_TEMPORARY = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
LARGEST = 64 * 1024 * 1024


@dataclass
class Watch:
    """Looks at all command lines of the machine while something runs."""

    tokens: list[str]
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        wanted = [token.encode() for token in self.tokens]
        while not self._over.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    words = entry.read_bytes()
                    if any(token in words for token in wanted):
                        self.seen.add(words.replace(b"\0", b" ").decode(errors="replace"))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@dataclass
class Guarded:
    """An application with a secret file, overlay and property, and the places where they could stay."""

    small: Small
    tokens: dict[str, str]
    place: Path
    outputs: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    def environ(self) -> dict[str, str]:
        """A home and a folder for temporary files that are all ours, to be searched."""
        return {"HOME": str(self.place / "home"), "TMPDIR": str(self.place / "tmp"), "ANSIBLE_NOCOLOR": "1"}

    def start(self, *args: str) -> subprocess.Popen[str]:
        return self.small.start(*args, environ=self.environ())

    def deploy(self, *args: str) -> Run:
        with Watch(list(self.tokens.values())) as watch:
            running = self.start("-vvv", "--diff", *args)
            output, _ = running.communicate(timeout=300)
        self.outputs.append(output)
        assert watch.seen == set()
        return Run(running.returncode, output)

    def findings(self) -> list[str]:
        """Every place where a secret was found, apart from where the user put it."""
        own = {str(self.small.folder / ".secrets/base.json")}
        home = self.small.project.stalk.home
        found = [
            f"output {number}: {name}" for number, text in enumerate(self.outputs) for name in self._in(text.encode())
        ]
        for folder in (self.small.folder, self.place / "home", self.place / "tmp"):
            found += self._below(folder)
        # localstalk's logs; what it keeps as S3 and as disks of instances is AWS's side.
        found += [f"{path}: {name}" for path in home.rglob("*.log*") for name in self._in(path.read_bytes())]
        for folder in SHARED_TEMPORARY:
            found += self._below(folder, self.began)
        objects = git_bytes(self.small.folder, "cat-file", "--batch-all-objects", "--batch", "--unordered")
        found += [f"git object: {name}" for name in self._in(objects)]
        return [line for line in found if line.rpartition(": ")[0] not in own]

    def _below(self, folder: Path, since: float = 0.0) -> Iterator[str]:
        for base, folders, names in os.walk(folder):
            if since:
                # Other tests and people's own folders; ours are searched by name.
                folders[:] = [name for name in folders if base != str(folder) or not name.startswith(("pytest-", "w"))]
            for name in names:
                path = Path(base, name)
                with contextlib.suppress(OSError):
                    info = path.lstat()
                    if path.is_file() and not path.is_symlink() and since <= info.st_mtime and info.st_size <= LARGEST:
                        yield from (f"{path}: {token}" for token in self._in(path.read_bytes()))

    def _in(self, data: bytes) -> list[str]:
        texts = [data]
        if data.startswith(b"PK"):
            with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
                texts += [archive.read(name) for name in archive.namelist()]
        return [name for name, token in self.tokens.items() if any(token.encode() in text for text in texts)]


@pytest.fixture(scope="module")
def guarded(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    tokens = {name: uuid.uuid4().hex for name in ("file", "overlay", "property")}
    place = tmp_path_factory.mktemp("guarded")
    for name in ("home", "tmp"):
        (place / name).mkdir(mode=0o700)
    small = Small.make(
        project,
        tmp_path_factory.mktemp("application"),
        "guarded",
        eb_source={"path": "", "from": "index"},
        eb_secrets_files=[".secrets/"],
        eb_overlay=[{"path": ".secrets/key", "content": tokens["overlay"], "mode": "0600"}],
        eb_properties={"GREETING": tokens["property"]},
        eb_hooks=[{"name": "note", "command": "echo noted"}],
        eb_options=options(1),
    )
    small.variables["eb_source"]["path"] = str(small.folder)
    git(small.folder.parent, "init", "-q", "-b", "main", str(small.folder))
    (small.folder / ".gitignore").write_text(".secrets/\n")
    git(small.folder, "add", "-A")
    git(small.folder, "commit", "-qm", "Without secrets")
    (small.folder / ".secrets").mkdir()
    (small.folder / ".secrets" / "base.json").write_text(f'{{"SECRET_KEY": "{tokens["file"]}"}}')
    made = Guarded(small, tokens, place)
    yield made
    small.terminate()


def change(guarded: Guarded, text: str) -> None:
    (guarded.small.folder / "text").write_text(text)
    git(guarded.small.folder, "add", "text")


def test_success_leaves_nothing(guarded: Guarded) -> None:
    run = guarded.deploy()
    assert run.rc == 0, run.output
    assert guarded.small.page() == f"hello {guarded.tokens['property']}"
    (instance,) = guarded.small.instances()
    assert guarded.tokens["file"] in guarded.small.shell(instance, "cat /var/app/current/.secrets/base.json")
    assert guarded.tokens["overlay"] == guarded.small.shell(instance, "cat /var/app/current/.secrets/key")
    assert guarded.findings() == []
    again = guarded.deploy()
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert guarded.findings() == []


def test_failure_leaves_nothing(guarded: Guarded) -> None:
    change(guarded, "fails")
    hooks = guarded.small.variables["eb_hooks"]
    guarded.small.variables["eb_hooks"] = [{"name": "breaks", "command": "exit 1"}]
    run = guarded.deploy()
    guarded.small.variables["eb_hooks"] = hooks
    assert run.rc == 2, run.output
    assert guarded.findings() == []
    # A fault in the bundle stops it before it has a name.
    guarded.small.variables["eb_overlay"].append({"path": ".ebextensions/x.config", "content": "commands: 5\n"})
    run = guarded.deploy()
    guarded.small.variables["eb_overlay"].pop()
    assert run.rc == 2, run.output
    assert ".ebextensions/x.config:1: error: commands takes a mapping of names [wrong-type]" in run.output
    assert guarded.findings() == []


def test_kill_leaves_nothing_but_the_bundle_that_was_to_be_uploaded(guarded: Guarded) -> None:
    chance = random.Random(20)  # noqa: S311 - moments, not secrets
    for number in range(KILLS):
        change(guarded, f"killed {number}")
        running = guarded.start("-vvv")
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(chance.uniform(0.5, 9.0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        guarded.outputs.append(running.communicate(timeout=60)[0])
        for line in guarded.findings():
            # Between making and upload the bundle has to be somewhere: for nobody else to read, an hour at most.
            path = Path(line.rpartition(": ")[0])
            assert path.name.endswith(".secret.zip"), line
            assert path.parent == guarded.place / "home/.cache/jack.beanstalk/bundles"
            assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
            os.utime(path, (0, 0))
    run = guarded.deploy()
    assert run.rc == 0, run.output
    assert guarded.findings() == []


def test_the_search_finds_what_eb_leaves(guarded: Guarded) -> None:
    aws = guarded.small.project.stalk.aws()
    environment = guarded.small.environment()["EnvironmentName"]
    settings = guarded.small.folder / ".elasticbeanstalk"
    settings.mkdir()
    (settings / "config.yml").write_text(
        f"branch-defaults:\n  main:\n    environment: {environment}\nglobal:\n  application_name: guarded\n"
        "  default_region: us-east-1\n  sc: git\n"
    )
    change(guarded, "eb")
    git(guarded.small.folder, "add", "-f", ".secrets")
    done = subprocess.run(
        [EB, "deploy", "--staged", "--timeout", "5"],
        cwd=guarded.small.folder,
        env=os.environ | aws | guarded.environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    git(guarded.small.folder, "reset", "-q", "HEAD", "--", ".secrets")
    assert done.returncode == 0, done.stdout + done.stderr
    found = guarded.findings()
    assert any(".elasticbeanstalk/app_versions/" in line and ".zip: file" in line for line in found), found
    assert "git object: file" in found
