# SPDX-License-Identifier: GPL-3.0-or-later
"""Which platforms the engine can be, and what a platform adds to its sequence of instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from .request import Event

Kind = Literal["docker", "python"]
Instruction = tuple[str, Callable[[], None]]
RUNS = "Docker on every Amazon Linux, and Python on Amazon Linux 2023"
"""For sentences that refuse all others."""


def kind(branch: str, generation: str) -> Kind | None:
    """Return what the engine is on a branch ("Python 3.11 running on 64bit Amazon Linux 2023"); None: it cannot."""
    if branch.startswith("Docker running on "):
        return "docker"
    if branch.startswith("Python ") and generation == "al2023":
        return "python"
    return None


class Platform(Protocol):
    """A platform of AL2 and AL2023 (docs/elastic_beanstalk.md §5.4, §6, §6.1)."""

    port: str
    """PORT where the environment properties have none."""

    properties: Mapping[str, str]
    """The environment properties, with those that the platform has by itself."""

    events: list[Event]
    """What the environment's event list shall say besides, such as where the start command came from."""

    def stage(self) -> None:
        """Look at the bundle that was extracted to the staging directory; raises CommandError."""

    def build(self) -> list[Instruction]:
        """Return what comes between the prebuild hooks and the container commands."""

    def flip(self) -> list[Instruction]:
        """Return what replaces the current application by the staged one, after the predeploy hooks."""

    def serve(self) -> list[Instruction]:
        """Return what lets requests in afterwards."""

    def track(self) -> None:
        """Find the processes whose health is reported; raises CommandError when one is missing."""

    def configure(self) -> None:
        """Take over changed settings, before the predeploy hooks of a configuration deployment; raises CommandError."""

    def restart(self) -> None:
        """Start the current application anew; raises CommandError."""

    def discard(self) -> None:
        """Remove what a failed command has started beside the application that serves."""
