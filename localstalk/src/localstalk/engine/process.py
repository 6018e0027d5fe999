# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program, pass its output on line by line, and return all of it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KEEP_CHARACTERS = 200_000
"""How much of each stream is kept in memory (its end); the log has all of it."""

GRACE_SECONDS = 1.0
"""How long to read on after the program has ended while a child of it in the background holds the pipe open."""


@dataclass(frozen=True)
class Finished:
    """Exit status (negative: the signal) and output of a program."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams, standard output first."""
        return self.stdout + self.stderr


def run(
    command: str | Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | str = "/",
    on_line: Callable[[str, str], None] | None = None,
) -> Finished:
    """Run ``command`` to its end: a text by ``/bin/sh -c``, a list directly.

    ``on_line`` gets ("stdout" | "stderr", line without newline) as lines come. A program that cannot be started is
    reported as the shell would: status 126 or 127 and a line on standard error.
    """
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(env), cwd=cwd
        )
    except OSError as error:
        text = f"fork/exec {argv[0]}: {(error.strerror or str(error)).lower()}"
        return Finished(127 if isinstance(error, FileNotFoundError) else 126, "", text)
    kept: dict[str, list[str]] = {"stdout": [], "stderr": []}
    lock = threading.Lock()

    def read(name: str, stream: IO[bytes]) -> None:
        size = 0
        for raw in stream:
            line = raw.decode("utf-8", errors="replace").replace("\r", "")
            with lock:
                kept[name].append(line)
                size += len(line)
                while size > KEEP_CHARACTERS and len(kept[name]) > 1:
                    size -= len(kept[name].pop(0))
                if on_line is not None:
                    on_line(name, line.rstrip("\n"))

    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        threading.Thread(target=read, args=("stdout", process.stdout), daemon=True),
        threading.Thread(target=read, args=("stderr", process.stderr), daemon=True),
    ]
    for reader in readers:
        reader.start()
    returncode = process.wait()
    for reader in readers:
        reader.join(GRACE_SECONDS)
    with lock:
        finished = Finished(returncode, "".join(kept["stdout"]), "".join(kept["stderr"]))
    if not any(reader.is_alive() for reader in readers):
        process.stdout.close()
        process.stderr.close()
    return finished
