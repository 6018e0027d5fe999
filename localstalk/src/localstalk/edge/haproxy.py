# SPDX-License-Identifier: GPL-3.0-or-later
"""Run HAProxy: start, hitless reload, drain, health, stop."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from localstalk.driver import DriverError

from .config import Paths

START_SECONDS = 5.0
RELOAD_SECONDS = 10.0
ASK_AGAIN_SECONDS = 1.0
STOP_SECONDS = 2.0
POLL_SECONDS = 0.01

STATE_HEADER = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port\n"
)


class BindError(Exception):
    """HAProxy could not listen where it should."""


class HAProxy:
    """One HAProxy in master-worker mode.

    ``folder`` holds its files, ``runtime`` its sockets; ``log`` gets one JSON object per request, and between them
    HAProxy's own notices as plain text.
    """

    def __init__(self, folder: Path, runtime: Path, log: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.paths = Paths(folder / "haproxy.cfg", runtime / "stats.sock", runtime / "master.sock", folder / "servers")
        self.errors = folder / "haproxy.log"
        self.log = log
        # Addresses and paths of requests are nobody else's business.
        self.log.touch(mode=0o600)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, config: str, version: int) -> None:
        """Start with a configuration; raises BindError or DriverError."""
        if shutil.which("haproxy") is None:
            raise DriverError("haproxy is missing: apt-get install haproxy")
        self.paths.servers.write_text(STATE_HEADER)
        self.paths.config.write_text(config)
        with self.log.open("ab") as out, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                ["haproxy", "-W", "-S", f"{self.paths.master},mode,600", "-f", str(self.paths.config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        try:
            self._wait_for(version, START_SECONDS)
        except DriverError:
            self.stop()
            text = self.errors.read_text(errors="replace")
            if "cannot bind" in text.lower() or "in use" in text.lower() or "binding" in text.lower():
                raise BindError(text) from None
            raise

    def _wait_for(self, version: int, seconds: float, ask: signal.Signals | None = None) -> None:
        """Wait until it runs a version of its configuration.

        ``ask`` is sent every second: HAProxy 2.6 now and then loses one that comes just when its last reload ends.
        """
        now = due = time.monotonic()
        deadline = now + seconds
        while now < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if ask and now >= due:
                self.process.send_signal(ask)
                due = now + ASK_AGAIN_SECONDS
            with suppress(OSError):
                if f"\ndescription: {version}\n" in f"\n{self.command('show info').lower()}\n":
                    return
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
        lines = self.errors.read_text(errors="replace").strip().splitlines()
        raise DriverError(f"HAProxy did not take its configuration: {lines[-1] if lines else 'no message'}")

    def reload(self, config: str, version: int, unchecked: list[tuple[str, str]]) -> None:
        """Take another configuration without dropping a connection.

        ``unchecked`` are (backend, server) pairs that are new: HAProxy would trust them until a check fails, a load
        balancer only after its checks have passed.
        """
        self._save_states(unchecked)
        temporary = self.paths.config.with_suffix(".new")
        temporary.write_text(config)
        checked = subprocess.run(["haproxy", "-c", "-f", str(temporary)], capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            lines = [line for line in checked.stderr.splitlines() if "[ALERT]" in line] or ["no message"]
            raise DriverError(f"HAProxy refuses its configuration: {lines[0]}")
        temporary.rename(self.paths.config)
        if self.process is None or self.ended:
            raise DriverError("HAProxy has ended; see edge/haproxy.log in the home directory")
        self._wait_for(version, RELOAD_SECONDS, signal.SIGUSR2)

    def _save_states(self, unchecked: list[tuple[str, str]]) -> None:
        lines = [line for line in self.command("show servers state").splitlines() if line.strip()]
        known = [line for line in lines if not line.startswith("#") and line != "1"]
        new = []
        for backend, server in unchecked:
            # State 0 is "stopped", check result 2 "failed", check state 6 "configured and enabled".
            new.append(f"0 {backend} 0 {server} - 0 0 1 1 0 1 2 0 6 0 0 0 - 80 - 0 0 - - 0")
        self.paths.servers.write_text(STATE_HEADER + "".join(f"{line}\n" for line in [*known, *new]))

    def command(self, text: str) -> str:
        """Send one command to the stats socket; raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            connection.connect(str(self.paths.stats))
            connection.sendall(text.encode() + b"\n")
            chunks = []
            while chunk := connection.recv(65536):
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", errors="replace")

    def drain(self, backend: str, server: str) -> None:
        """Send the server no new requests."""
        with suppress(OSError):
            self.command(f"set server {backend}/{server} state drain")

    def sessions(self, backend: str, server: str) -> int:
        """Return how many requests the server is serving now."""
        for row in self._stat():
            if row["# pxname"] == backend and row["svname"] == server:
                return int(row["scur"] or 0)
        return 0

    def healthy(self, backend: str) -> frozenset[str]:
        """Return the servers of a backend that pass their checks; one without weight is DRAIN, healthy all the same."""
        return frozenset(
            row["svname"]
            for row in self._stat()
            if row["# pxname"] == backend and row["svname"] != "BACKEND" and row["status"].startswith(("UP", "DRAIN"))
        )

    @property
    def ended(self) -> bool:
        """Whether it was started, and has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def _stat(self) -> Iterator[dict[str, str]]:
        try:
            text = self.command("show stat -1 4 -1")
        except OSError as error:
            raise DriverError(f"HAProxy does not answer: {error}") from error
        yield from csv.DictReader(text.strip().splitlines())

    def stop(self) -> None:
        """End HAProxy with all of its workers."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
