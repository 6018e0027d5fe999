# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory of a daemon: where it is, who runs in it, and cleaning it up without the daemon."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """What is known of a daemon: its driver before it starts, its pid in its first moment, its port once it listens."""

    pid: int
    port: int
    driver: str
    speed: float
    quotas: dict[str, int] = field(default_factory=dict)
    """Those that were changed."""
    iam: bool = False
    auth: bool = True
    launch_configurations: bool = False
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Base URL of the daemon."""
        return f"http://127.0.0.1:{self.port}"


class Home:
    """A state directory. A daemon belongs to an installation, so two checkouts never share one by default."""

    def __init__(self, path: Path | None = None) -> None:
        chosen = path or os.environ.get("LOCALSTALK_HOME") or Path(sys.prefix) / "var" / "localstalk"
        self.path = Path(chosen).absolute()

    @property
    def runtime(self) -> Path:
        """A short folder for sockets, whose paths may have 108 bytes only."""
        base = os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.geteuid() == 0 else None)
        if base is None:
            # An ordinary user without a login session; the sim driver, which is what is left then, needs no sockets.
            return self.path / "run"
        return Path(base) / "localstalk" / hashlib.sha256(str(self.path).encode()).hexdigest()[:8]

    @property
    def log(self) -> Path:
        """The daemon's output."""
        return self.path / "daemon.log"

    @property
    def _record(self) -> Path:
        return self.path / "daemon.json"

    def create(self) -> None:
        """Make the folders. Raises OSError when that is not allowed."""
        for folder in (self.path, self.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, record: Record) -> None:
        """Announce the daemon; readers see the whole record or none, and nobody else than this user sees it."""
        new = self._record.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(0o600, exist_ok=False)
        new.write_text(json.dumps(asdict(record)), encoding="utf-8")
        new.replace(self._record)

    def record(self) -> Record | None:
        """The record of the last daemon, alive or not."""
        try:
            return Record(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def running(self) -> Record | None:
        """The record of a daemon that answers. It holds a lock that ends with it, so a reused pid cannot fool us."""
        record = self.record()
        return record if record is not None and record.port and self.held() else None

    def held(self) -> bool:
        """Whether there is a daemon, also one that starts or ends."""
        try:
            with (self.path / "daemon.lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @contextlib.contextmanager
    def lock(self, name: str, *, wait: bool = True) -> Iterator[int]:
        """Hold ``name``.lock; raises BlockingIOError when someone else has it and ``wait`` is false.

        Yields the file descriptor: a process that inherits it has the lock too.
        """
        with (self.path / f"{name}.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield file.fileno()

    def clean(self) -> bool:
        """Remove everything that a daemon which is gone left behind; whether there was anything."""
        record = self.record()
        if record is not None and record.driver == "container":
            from localstalk.drivers import container

            container.clean(self.path, self.runtime)
        shutil.rmtree(self.path / "bundles", ignore_errors=True)
        shutil.rmtree(self.runtime, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self._record.unlink()
        return record is not None
