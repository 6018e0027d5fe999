# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to the agent of an instance (engine/agent.py) over its unix socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localstalk.driver import DriverError

CONNECT_SECONDS = 5.0
ANSWER_SLACK_SECONDS = 15.0
"""Time for the agent to end what has timed out, and to answer."""


class AgentGoneError(Exception):
    """The instance does not answer: it was never there, or it has died."""


def ask(path: Path, request: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Send one request and return the answer; ``timeout`` is the program's own. Raises AgentGoneError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_SECONDS)
            connection.connect(str(path))
            connection.settimeout(timeout + ANSWER_SLACK_SECONDS)
            connection.sendall(json.dumps({**request, "timeout": timeout}).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline()
        answer = json.loads(line)
    except (OSError, ValueError) as error:
        raise AgentGoneError(f"the instance does not answer: {error}") from error
    if not isinstance(answer, dict):
        raise AgentGoneError("the instance gives a wrong answer")
    return answer


def wait(path: Path, deadline: float, alive: Callable[[], str | None]) -> None:
    """Return once the agent answers; ``alive`` returns why it never will, or None.

    Raises DriverError after ``deadline`` (monotonic).
    """
    looked = time.monotonic()
    while True:
        try:
            ask(path, {"stat": True}, 1.0)
            return
        except AgentGoneError as error:
            now = time.monotonic()
            if now > deadline:
                raise DriverError(f"The instance did not start in time: {error}") from error
            if now - looked > 1.0:
                looked = now
                reason = alive()
                if reason is not None:
                    raise DriverError(f"The instance ended while it started: {reason}") from error
            time.sleep(0.02)
