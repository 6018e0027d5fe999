# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server for local environments: one server per daemon, one role and database per name."""

from __future__ import annotations

import os
import re
import secrets
import socket
import threading
import time
from pathlib import Path

from localstalk.driver import DriverError
from localstalk.images import Images
from localstalk.images.podman import attempt, common_options, podman

from .network import Network

PORT = 5432
START_SECONDS = 30.0
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Database:
    """The daemon's PostgreSQL server, started at the first use."""

    def __init__(self, home: Path, home_label: str, images: Images, network: Network) -> None:
        self.password_file = home / "database-password"
        self.home_label = home_label
        self.container = f"localstalk-{home_label}-database"
        self.images = images
        self.network = network
        self._lock = threading.Lock()
        self._address: str | None = None

    def provide(self, name: str) -> dict[str, str]:
        """Return host, port, name, user and password of database ``name``, made if missing; raises DriverError."""
        if not NAME.fullmatch(name):
            raise DriverError(f"{name!r} is no name for a database: lower case letters, digits and _ only")
        with self._lock:
            if self._address is None:
                self._address = self._start()
            password = self._password()
            self._make(name, password)
            return {"host": self._address, "port": str(PORT), "name": name, "user": name, "password": password}

    def _password(self) -> str:
        if not self.password_file.exists():
            descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return self.password_file.read_text()

    def _start(self) -> str:
        # What an earlier attempt, which failed half-way, may have left.
        attempt("rm", "--force", "--time=0", "--volumes", "--ignore", self.container)
        address = self.network.take()
        options = [f"--name={self.container}", f"--network={self.network.name}", f"--ip={address}", "--pull=never"]
        podman(
            "run",
            "--detach",
            *options,
            "--shm-size=128m",
            *common_options(self.home_label),
            self.images.tag("postgres"),
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection((address, PORT), timeout=1.0):
                    pass
                if attempt(*self._psql("postgres"), stdin="SELECT 1;").returncode == 0:
                    return address
            except OSError:
                pass
            if time.monotonic() > deadline:
                said = attempt("logs", "--tail=3", self.container).stderr.strip()
                raise DriverError(f"PostgreSQL did not start within {START_SECONDS:.0f} s: {said}")
            time.sleep(0.05)

    def _psql(self, database: str) -> list[str]:
        tool = [
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--init-groups",
            "psql",
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        return ["exec", "--interactive", self.container, *tool, "-d", database]

    def _make(self, name: str, password: str) -> None:
        # By standard input: no process list shows the password; it is URL-safe text, so it needs no quoting.
        role = f"CREATE ROLE \"{name}\" LOGIN CREATEDB PASSWORD '{password}';\n"
        sql = (
            "SET client_min_messages = warning; SET log_statement = 'none'; SET log_min_error_statement = 'panic';\n"
            f"SELECT count(*) = 0 AS missing FROM pg_roles WHERE rolname = '{name}' \\gset\n"
            f"\\if :missing\n{role}\\endif\n"
            f"SELECT count(*) = 0 AS missing FROM pg_database WHERE datname = '{name}' \\gset\n"
            f'\\if :missing\nCREATE DATABASE "{name}" OWNER "{name}";\n\\endif\n'
        )
        done = attempt(*self._psql("postgres"), stdin=sql)
        if done.returncode != 0:
            raise DriverError(f"Database {name} could not be made: {done.stderr.strip().replace(password, '***')}")

    def close(self) -> None:
        """Remove the server and its password."""
        with self._lock:
            attempt("rm", "--force", "--time=0", "--volumes", "--ignore", self.container)
            self._address = None
            self.password_file.unlink(missing_ok=True)
