# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a Procfile, under runit where EB has systemd: started again when they end, output in ``/var/log``.

What systemd gives to EB's units: docs/elastic_beanstalk.md §6.1.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .layout import Layout
from .process import run
from .request import CommandError

USER = "webapp"
STOP_SECONDS = 10
"""For a process and, half of it, for what it has left behind."""

START_SECONDS = 5.0
"""How long to wait for the application's port; an application that needs longer is left to the health checks."""

SETTLE_SECONDS = 0.5
"""A process that ends within this time after the port answered, or after START_SECONDS, has failed to start."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

RUN = """\
#!/bin/sh
exec 2>&1
cd {current} || exit 1
echo $$ > {pid}
exec chpst -P -e {service}/env -u {user}:{user} /bin/sh -c {command}
"""

# What the command has started ends with it, as the processes of a unit do; a shell, for one, does not wait for them.
# systemd gives up as well: after StartLimitBurst (5) starts within StartLimitIntervalSec (10).
FINISH = """\
#!/bin/sh
group=$(cat {pid})
rm -f {pid}
patience={patience}
while kill -TERM -- "-$group" && [ $patience -gt 0 ]; do
  sleep 0.2
  patience=$((patience - 1))
done 2>/dev/null
kill -KILL -- "-$group" 2>/dev/null
now=$(date +%s)
echo "$now" >> {service}/starts
set -- $(tail -n 5 {service}/starts)
[ $# -lt 5 ] || [ "$1" -lt $((now - 10)) ] || exec sv down {service}
"""

LOG = """\
#!/bin/sh
PYTHONPATH={package} exec python3 -m engine.proclog {name}
"""


class Processes:
    """Starts and stops all of them together; a folder of ``/run/eb-app`` is one process."""

    def __init__(self, layout: Layout, note: Callable[[str], None]) -> None:
        self.layout = layout
        self.note = note
        self.services = layout.at("/run/eb-app")

    def _pid_file(self, name: str) -> Path:
        return self.layout.at("/var/pids") / f"{name}.pid"

    def names(self) -> list[str]:
        """Return the names of the processes that were started, alphabetically."""
        return sorted(path.name for path in self.services.iterdir()) if self.services.is_dir() else []

    def start(self, commands: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Start shell commands by their names, in the current application's folder, as EB's own user."""
        self.note("Register application processes...")
        self._pid_file("").parent.mkdir(parents=True, exist_ok=True)
        for name, command in commands.items():
            self.note(f"Registering the proc: {name}")
            service = self.services / name
            (service / "log").mkdir(parents=True)
            values = {
                "name": name,
                "service": service,
                "pid": self._pid_file(name),
                "current": self.layout.current,
                "user": USER,
                "patience": STOP_SECONDS * 5 // 2,
                "command": shlex.quote(command),
                "package": Path(__file__).resolve().parents[1],
            }
            for path, text in (("run", RUN), ("finish", FINISH), ("log/run", LOG)):
                (service / path).write_text(text.format(**values))
                (service / path).chmod(0o755)
            _write_environment(service / "env", environment)
            self.note(f"Running command: systemctl start {name}.service")
            subprocess.run(
                # It outlives this command, whose session may be ended.
                ["setsid", "--fork", "runsv", str(service)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": self.layout.search_path},
                check=True,
            )

    def stop(self) -> None:
        """End all of them and forget them."""
        self.note("Purge old process...")
        for name in self.names():
            argv = ["sv", "-w", str(STOP_SECONDS), "force-shutdown", str(self.services / name)]
            run(argv, env={"PATH": self.layout.search_path})
            self.note(f"Process {name} has been fully terminated")
        shutil.rmtree(self.services, ignore_errors=True)

    def track(self, port: int) -> None:
        """Return when ``port`` answers or START_SECONDS are over; raises CommandError when a process has ended."""
        deadline = time.monotonic() + START_SECONDS
        before = self._pids()
        while time.monotonic() < deadline and not (all(before.values()) and _answers(port)):
            time.sleep(0.1)
            before = self._pids()
        time.sleep(SETTLE_SECONDS)
        after = self._pids()
        for name, pid in before.items():
            if pid is None or after[name] != pid:
                shown = self.layout.shown(self._pid_file(name))
                processes = " ".join([*before, "cfn-hup", "nginx", "healthd"])
                reason = f"failed to read file {shown} after 6 attempts"
                raise CommandError(f"update processes [{processes}] pid symlinks failed with error {reason}")

    def _pids(self) -> dict[str, int | None]:
        return {name: self._pid(name) for name in self.names()}

    def _pid(self, name: str) -> int | None:
        try:
            pid = int(self._pid_file(name).read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def _write_environment(folder: Path, environment: Mapping[str, str]) -> None:
    """Write variables as ``chpst -e`` reads them: a file each, for root only; a NUL stands for the end of a line.

    systemd passes over names that are none for a variable, such as EB's properties may have.
    """
    folder.mkdir(mode=0o700)
    for name, value in environment.items():
        if VARIABLE.fullmatch(name):
            (folder / name).write_bytes(value.replace("\n", "\0").encode() + b"\n")
