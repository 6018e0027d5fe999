# SPDX-License-Identifier: GPL-3.0-or-later
"""A localstalk with simulated instances, started and stopped for a measurement."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
_READING = ("Describe", "List", "Check", "Retrieve", "Get", "Head", "GET", "HEAD", "RequestEnvironmentInfo")
# A presigned address is a request to no API and counts towards nobody's limit.
DOWNLOAD = "unsigned:GET"
# An account has 200 unless it asks for more, and the budgets are for 1,000.
_ENVIRONMENTS = 10_000


def is_write(call: str) -> bool:
    """Whether AWS's service authorisation reference counts a call as one that changes something."""
    return not call.partition(":")[2].startswith(_READING)


class Localstalk:
    """One daemon with the sim driver and a home of its own."""

    def __init__(self, home: Path, speed: float) -> None:
        self.home = home
        self.speed = speed
        self.variables = os.environ | {"LOCALSTALK_HOME": str(home)}
        # With the second one, Python compiles what it imports at every start: no user has that.
        for name in ("ANSIBLE_CONFIG", "PYTHONDONTWRITEBYTECODE"):
            self.variables.pop(name, None)

    def _cli(self, *words: str) -> str:
        done = subprocess.run(
            [BIN / "localstalk", *words], env=self.variables, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise RuntimeError(f"localstalk {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def up(self) -> float:
        """Start it; returns the seconds that ``localstalk up`` took."""
        started = time.perf_counter()
        self._cli("up", "--driver", "sim", "--speed", str(self.speed), f"--quota=Environment={_ENVIRONMENTS}")
        took = time.perf_counter() - started
        self.variables |= json.loads(self._cli("env", "--format", "json"))
        return took

    def down(self) -> None:
        """Stop it; nothing is left."""
        self._cli("down")

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.variables["AWS_ENDPOINT_URL"]

    def ask(self, path: str) -> Any:
        """An answer of the admin interface."""
        keys = f"{self.variables['AWS_ACCESS_KEY_ID']}:{self.variables['AWS_SECRET_ACCESS_KEY']}".encode()
        signed = {"Authorization": f"Basic {base64.b64encode(keys).decode()}"}
        request = urllib.request.Request(f"{self.url}/_localstalk/{path}", headers=signed)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
            return json.load(answer)

    def calls(self) -> dict[str, int]:
        """API calls since the start, by name."""
        return dict(self.ask("calls"))

    @contextmanager
    def calls_per_second(self) -> Iterator[list[float]]:
        """API calls in each second of the block, as a list that grows."""
        seconds: list[float] = []
        ended = threading.Event()

        def total() -> int:
            return sum(count for name, count in self.calls().items() if name != DOWNLOAD)

        def record() -> None:
            before, due = total(), time.perf_counter() + 1
            while not ended.wait(max(0.0, due - time.perf_counter())):
                now = total()
                seconds.append(now - before)
                before, due = now, due + 1

        thread = threading.Thread(target=record)
        thread.start()
        try:
            yield seconds
        finally:
            ended.set()
            thread.join()

    def resident_kib(self) -> int:
        """Resident memory of the daemon in KiB."""
        for line in Path(f"/proc/{self.ask('health')['pid']}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("the daemon is gone")

    def client(self, service: str) -> Any:
        """A boto3 client of it."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.variables["AWS_REGION"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )
