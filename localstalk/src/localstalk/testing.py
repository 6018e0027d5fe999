# SPDX-License-Identifier: GPL-3.0-or-later
"""For pytest: a fixture that gives a test a localstalk of its own; ``pytest_plugins = ["localstalk.testing"]``.

PYTEST_DONT_REWRITE: there is no assertion here, and without this word pytest warns about a plugin that a test imported
before, say for the type of the fixture (https://docs.pytest.org/en/stable/how-to/writing_plugins.html).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SECONDS = 120


class Localstalk:
    """A localstalk in a folder of its own. ``environ`` is what AWS clients need to reach it."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self._run("up", *arguments)
        self.environ: dict[str, str] = json.loads(self._run("env", "--format", "json"))
        self.url = self.environ["AWS_ENDPOINT_URL"]

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client; ``more`` as for ``boto3.client``."""
        import boto3

        where = {
            "endpoint_url": self.url,
            "region_name": self.environ["AWS_REGION"],
            "aws_access_key_id": self.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environ["AWS_SECRET_ACCESS_KEY"],
        }
        session: Any = boto3.session.Session()
        return session.client(service, **where | more)

    def ask(self, path: str) -> str:
        """What ``GET /_localstalk/PATH`` answers. Raises urllib.error.HTTPError with one sentence."""
        return self._ask("GET", path).decode()

    def open_page(self) -> str:
        """A link to the page of ``localstalk ui``, good for once."""
        return self._run("ui").strip()

    def fault(self, kind: str, **fields: object) -> str:
        """Let something go wrong; returns the fault's id. Raises urllib.error.HTTPError with one sentence."""
        body = json.dumps({"kind": kind} | fields).encode()
        return str(json.loads(self._ask("POST", "faults", body))["id"])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._ask("DELETE", "faults")

    def close(self) -> None:
        """Stop it and remove everything that it made."""
        self._run("down")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        keys = f"{self.environ['AWS_ACCESS_KEY_ID']}:{self.environ['AWS_SECRET_ACCESS_KEY']}"
        signed = {"Authorization": f"Basic {base64.b64encode(keys.encode()).decode()}"}
        request = urllib.request.Request(f"{self.url}/_localstalk/{path}", body, signed, method=method)  # noqa: S310 - our own
        # A proxy from the environment must not get between us and the loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_SECONDS) as answer:
            content: bytes = answer.read()
            return content

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "localstalk", "--home", str(self.home), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False, env=os.environ)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or done.stdout.strip())
        return done.stdout


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "localstalk(*arguments): arguments of `localstalk up` for the fixture of that name"
    )


@pytest.fixture
def localstalk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Localstalk]:
    """A localstalk for one test: simulated instances and a fast clock, unless the marker says otherwise."""
    marker = request.node.get_closest_marker("localstalk")
    arguments = [str(each) for each in marker.args] if marker else ["--driver", "sim", "--speed", "1000"]
    running = Localstalk(tmp_path / "localstalk", *arguments)
    yield running
    running.close()
