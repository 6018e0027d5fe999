# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment log of one command: what ran, and on failure the end of its output.

Source: Developer Guide, "Viewing deployment logs for an Elastic Beanstalk environment" (Amazon Linux 2 and 2023). It is
made of what the engine and its helpers write anyway, so that engines need not know of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from .layout import Layout
from .logs import EngineLog
from .request import Request

DIRECTORY = "/var/log/deployments"
KEPT = 50
"""So many logs stay on an instance."""
LINES = 50
"""So much of a failed step's output is shown."""
OPERATIONS = {
    "app-deploy": "Application deployment",
    "config-deploy": "Configuration update",
    "restart-app-server": "Restart app server",
}
STARTUP = "/var/log/eb-docker/containers/eb-current-app/*-stdouterr.log"
PROCESS = "web.stdout.log"
"""What a process of a Procfile prints, also that of earlier versions."""
_INSTRUCTION = "Executing instruction: "
_FAILED = "An error occurred during execution of command "
_NAMED = re.compile(r"Running platform hook: .*|Command \S+ succeeded")


class DeploymentLog:
    """Written while a command runs; ``take`` hears every line of the engine's log."""

    def __init__(self, layout: Layout, request: Request) -> None:
        self.layout = layout
        self.title = OPERATIONS[request.name]
        self.log = EngineLog(layout.at(DIRECTORY) / request.deployment_log)
        self.instruction = ""
        self.failed = False
        self._read: dict[Path, int] = {}
        for name in ("cfn-init.log", "cfn-init-cmd.log", "eb-hooks.log", PROCESS):
            self._new_lines(name)

    def __enter__(self) -> DeploymentLog:
        self.log.info(f"Starting {self.title}")
        return self

    def __exit__(self, *_error: object) -> None:
        if self.failed:
            self.log.error(f"{self.title} failed")
        else:
            self._say_output(self._startup())
            self.log.info(f"Completed {self.title}")
        for old in sorted(self.log.path.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()

    def take(self, level: str, text: str) -> None:
        """Hear a line of the engine's log."""
        if text.startswith(_INSTRUCTION):
            self._name_what_ran()
            self.instruction = text.removeprefix(_INSTRUCTION)
        elif level == "ERROR" and text.startswith(_FAILED):
            printed = self._name_what_ran()
            self.failed = True
            self.log.error(f"{self.instruction} failed")
            self._say_output(printed or text.partition(" Error: ")[2].splitlines())

    def _name_what_ran(self) -> list[str]:
        """Names of hooks and commands since the last instruction; returns what they printed."""
        hooks = self._new_lines("eb-hooks.log")
        for line in self._new_lines("cfn-init.log") + hooks:
            found = _NAMED.search(line)
            if found:
                self.log.info(found[0])
        return self._new_lines("cfn-init-cmd.log") + [line for line in hooks if not _NAMED.search(line)]

    def _new_lines(self, name: str) -> list[str]:
        path = self.layout.log / name
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            content = file.read()
            self._read[path] = file.tell()
        return content.decode("utf-8", errors="replace").splitlines()

    def _startup(self) -> list[str]:
        """The first lines that the application has printed so far."""
        found = sorted(self.layout.root.glob(STARTUP.lstrip("/")), key=lambda path: path.stat().st_mtime)
        if not found:
            return self._new_lines(PROCESS)[:LINES]
        return found[-1].read_text(encoding="utf-8", errors="replace").splitlines()[:LINES]

    def _say_output(self, lines: list[str]) -> None:
        for line in lines[-LINES:]:
            self.log.write(line)
