# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy takes its next configuration."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk.edge.haproxy import HAProxy


class Deaf:
    """A process that does not hear the first signal."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.heard: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)

    def send_signal(self, number: int) -> None:
        self.heard.append(number)
        if len(self.heard) > 1:
            self._process.send_signal(number)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for sockets, whose paths have at most 108 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_reload_that_haproxy_did_not_hear_is_asked_for_again(tmp_path: Path, short: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    haproxy = HAProxy(tmp_path, short, tmp_path / "access.log")

    def config(version: int) -> str:
        return (
            f"global\n  description {version}\n  stats socket {haproxy.paths.stats} level admin expose-fd listeners\n"
            f"  server-state-file {haproxy.paths.servers}\n"
            "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\n"
            f"frontend web\n  bind 127.0.0.1:{port}\n  http-request return status 200 hdr Version {version}\n"
        )

    try:
        haproxy.start(config(1), 1)
        process = haproxy.process = Deaf(haproxy.process)  # type: ignore[assignment]
        haproxy.reload(config(2), 2, [])
        assert len(process.heard) > 1
        assert "description: 2" in haproxy.command("show info")
    finally:
        haproxy.stop()
