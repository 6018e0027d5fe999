# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries in place of secrets, and a search of every place where one could stay behind."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import stat
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/var/log"))
LARGEST = 64 * 1024 * 1024


@dataclass
class Watch:
    """Looks at the command lines and environments of all processes of the machine while something runs.

    Those of containers, which have process ids of their own, are instances: an application has its secrets there.
    """

    tokens: Mapping[str, str]
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        # Of those that are here already, the tests' own processes and localstalk among them, only command lines count.
        self._known = {entry.name for entry in os.scandir("/proc")}
        self._namespace = Path("/proc/self/ns/pid").readlink()

    def _look(self) -> None:
        wanted = {name: token.encode() for name, token in self.tokens.items()}
        looks: dict[str, int] = {}
        while not self._over.wait(0.02):
            # They change by exec only, soon after the process was made; the old ones are read now and then.
            present = [entry.name for entry in os.scandir("/proc") if entry.name.isdigit()]
            looks = {pid: looks.get(pid, -1) + 1 for pid in present}
            for pid, count in looks.items():
                if count < 10 or count % 50 == 0:
                    for what in ("cmdline",) if pid in self._known else ("cmdline", "environ"):
                        with contextlib.suppress(OSError):
                            if Path("/proc", pid, "ns/pid").readlink() != self._namespace:
                                continue
                            content = Path("/proc", pid, what).read_bytes()
                            self.seen |= {f"{what}: {name}" for name, token in wanted.items() if token in content}

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def marked_processes(mark: str) -> list[int]:
    """Those that have ``mark`` (``NAME=value``) in their environment: Ansible's workers have sessions of their own."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def kill_all(mark: str) -> None:
    """kill -9 every process that has ``mark`` in its environment."""
    while pids := marked_processes(mark):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Scan:
    """Runs commands in a home of their own, and searches what they leave.

    ``tokens`` are canaries by name; ``place`` is a folder for everything that a run may write; ``folders`` are
    searched, too, and ``repositories`` with their objects. ``own`` are files in which users put secrets themselves.
    """

    tokens: Mapping[str, str]
    place: Path
    folders: Sequence[Path] = ()
    repositories: Sequence[Path] = ()
    own: set[Path] = field(default_factory=set)
    outputs: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        for part in ("home", "tmp", "run", "reports"):
            (self.place / part).mkdir(mode=0o700, parents=True, exist_ok=True)

    def environ(self) -> dict[str, str]:
        """Variables that lead everything below ``place``, and have as much written and printed as there is."""
        return {
            "HOME": str(self.place / "home"),
            "TMPDIR": str(self.place / "tmp"),
            "XDG_RUNTIME_DIR": str(self.place / "run"),
            "ANSIBLE_LOG_PATH": str(self.place / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.place / "facts"),
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(
        self,
        command: Sequence[str | Path],
        environ: Mapping[str, str],
        cwd: Path,
        until: Callable[[float], bool] | None = None,
    ) -> tuple[int, str]:
        """Status and output of a command, which gets kill -9 once ``until`` says so of the seconds it took."""
        name, value = "SECRET_SCAN_RUN", uuid.uuid4().hex
        with Watch(self.tokens) as watch:
            began = time.monotonic()
            running = subprocess.Popen(
                command,
                cwd=cwd,
                env={**environ, **self.environ(), name: value},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            output = ""
            while running.returncode is None:
                try:
                    output, _ = running.communicate(timeout=0.02 if until else 300)
                except subprocess.TimeoutExpired:
                    if until is None or until(time.monotonic() - began):
                        kill_all(f"{name}={value}")
                        output, _ = running.communicate(timeout=60)
        self.outputs.append(output)
        self.seen |= watch.seen
        return running.returncode, output

    def findings(self) -> list[str]:
        """Every place where a canary was found, apart from where the user put it, as ``place: name``."""
        found = [f"process: {line}" for line in sorted(self.seen)]
        for number, text in enumerate(self.outputs):
            found += [f"output {number}: {name}" for name in self.in_bytes(text.encode())]
        for folder in (self.place, *self.folders, *self.repositories):
            found += self.below(folder)
        for folder in SHARED:
            found += self.below(folder, self.began)
        for folder in self.repositories:
            command = ["git", "-C", folder, "cat-file", "--batch-all-objects", "--batch", "--unordered"]
            objects = subprocess.run(command, check=True, capture_output=True).stdout
            found += [f"git object: {name}" for name in self.in_bytes(objects)]
        return found

    def below(self, folder: Path, since: float = 0.0) -> Iterator[str]:
        """Files below a folder that hold a canary; with ``since``, a time of change, those of others are left out."""
        for base, folders, names in os.walk(folder):
            if since:
                # Other tests and people's own folders; ours are searched by name.
                folders[:] = [name for name in folders if base != str(folder) or not name.startswith(("pytest-", "w"))]
            for name in names:
                path = Path(base, name)
                if path in self.own:
                    continue
                with contextlib.suppress(OSError):
                    info = path.lstat()
                    # Files of a /proc that is mounted below have no size, and some of them never end.
                    if stat.S_ISREG(info.st_mode) and since <= info.st_mtime and 0 < info.st_size <= LARGEST:
                        yield from (f"{path}: {token}" for token in self.in_bytes(path.read_bytes()))

    def in_bytes(self, data: bytes) -> list[str]:
        """Names of the canaries in it, or in the files of it where it is a zip."""
        texts = [data]
        if data.startswith(b"PK"):
            with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
                texts += [archive.read(name) for name in archive.namelist()]
        return [name for name, token in self.tokens.items() if any(token.encode() in text for text in texts)]

    def in_s3(self, s3: Any) -> list[str]:
        """Objects that hold a canary, as ``s3 KEY: name``."""
        found = []
        for bucket in s3.list_buckets()["Buckets"]:
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
                for one in page.get("Contents", ()):
                    body = s3.get_object(Bucket=bucket["Name"], Key=one["Key"])["Body"].read()
                    found += [f"s3 {one['Key']}: {name}" for name in self.in_bytes(body)]
        return found
