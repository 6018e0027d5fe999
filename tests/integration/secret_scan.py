# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with secrets, and a search of every place where one could stay behind."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secret_scan import kill_all

from .conftest import Project, Run
from .minimal import Minimal, git, git_bytes, options

SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/var/log"))
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
        looks: dict[str, int] = {}
        while not self._over.wait(0.02):
            # A command line changes by exec only, soon after the process was made; the old ones are read now and then.
            present = [entry.name for entry in os.scandir("/proc") if entry.name.isdigit()]
            looks = {name: looks.get(name, -1) + 1 for name in present}
            for name, count in looks.items():
                if count < 10 or count % 50 == 0:
                    with contextlib.suppress(OSError):
                        words = Path("/proc", name, "cmdline").read_bytes()
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

    minimal: Minimal
    tokens: dict[str, str]
    place: Path
    outputs: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    def environ(self) -> dict[str, str]:
        """A home and a folder for temporary files that are all ours, to be searched."""
        return {"HOME": str(self.place / "home"), "TMPDIR": str(self.place / "tmp"), "ANSIBLE_NOCOLOR": "1"}

    def deploy(self, until: Callable[[float], bool] | None = None) -> Run:
        """Run deploy.yml with all the output there is, and kill -9 it once ``until`` says so of the seconds it took."""
        with Watch(list(self.tokens.values())) as watch:
            began = time.monotonic()
            mark = f"RESIDUE_RUN={uuid.uuid4().hex}"
            running = self.minimal.start("-vvv", "--diff", environ=self.environ() | dict([mark.split("=")]))
            output = ""
            while running.returncode is None:
                try:
                    output, _ = running.communicate(timeout=0.02 if until else 300)
                except subprocess.TimeoutExpired:
                    if until is None or until(time.monotonic() - began):
                        kill_all(mark)
                        output, _ = running.communicate(timeout=60)
        self.outputs.append(output)
        assert watch.seen == set()
        return Run(running.returncode, output)

    @property
    def bundles(self) -> Path:
        """Where bundles are until they are uploaded."""
        return self.place / "home/.cache/jack.beanstalk/bundles"

    def change(self, text: str) -> None:
        """Stage something new."""
        (self.minimal.folder / "text").write_text(text)
        git(self.minimal.folder, "add", "text")

    def findings(self) -> list[str]:
        """Every place where a secret was found, apart from where the user put it."""
        own = {str(self.minimal.folder / ".secrets/base.json")}
        home = self.minimal.project.stalk.home
        found = [
            f"output {number}: {name}" for number, text in enumerate(self.outputs) for name in self._in(text.encode())
        ]
        for folder in (self.minimal.folder, self.place / "home", self.place / "tmp"):
            found += self._below(folder)
        # localstalk's logs; what it keeps as S3 and as disks of instances is AWS's side.
        found += [f"{path}: {name}" for path in home.rglob("*.log*") for name in self._in(path.read_bytes())]
        for folder in SHARED:
            found += self._below(folder, self.began)
        objects = git_bytes(self.minimal.folder, "cat-file", "--batch-all-objects", "--batch", "--unordered")
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
                    # Files of a /proc that is mounted below have no size, and some of them never end.
                    if stat.S_ISREG(info.st_mode) and since <= info.st_mtime and 0 < info.st_size <= LARGEST:
                        yield from (f"{path}: {token}" for token in self._in(path.read_bytes()))

    def _in(self, data: bytes) -> list[str]:
        texts = [data]
        if data.startswith(b"PK"):
            with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
                texts += [archive.read(name) for name in archive.namelist()]
        return [name for name, token in self.tokens.items() if any(token.encode() in text for text in texts)]


def guarded_application(project: Project, folder: Path, name: str, **variables: Any) -> Guarded:
    """The application in a repository of its own, with three secrets that git does not have."""
    tokens = {kind: uuid.uuid4().hex for kind in ("file", "overlay", "property")}
    place = folder / f"{name}-places"
    for part in ("home", "tmp"):
        (place / part).mkdir(mode=0o700, parents=True)
    minimal = Minimal.make(
        project,
        folder,
        name,
        eb_source={"path": "", "from": "index"},
        eb_secrets_files=[".secrets/"],
        eb_bundle_overlay=[{"path": ".secrets/key", "content": tokens["overlay"], "mode": "0600"}],
        eb_environment_properties={"GREETING": tokens["property"]},
        eb_hooks=[{"name": "note", "command": "echo noted"}],
        eb_option_settings=options(1),
        # A killed run holds the lock for as long, and the next one waits.
        eb_lock={"ttl": 10},
        **variables,
    )
    minimal.variables["eb_source"]["path"] = str(minimal.folder)
    git(minimal.folder.parent, "init", "-q", "-b", "main", str(minimal.folder))
    (minimal.folder / ".gitignore").write_text(".secrets/\n")
    git(minimal.folder, "add", "-A")
    git(minimal.folder, "commit", "-qm", "Without secrets")
    (minimal.folder / ".secrets").mkdir()
    (minimal.folder / ".secrets" / "base.json").write_text(f'{{"SECRET_KEY": "{tokens["file"]}"}}')
    return Guarded(minimal, tokens, place)
