# SPDX-License-Identifier: GPL-3.0-or-later
"""EB's log files: writing them, and answering log requests (docs/elastic_beanstalk.md §5.5; tail layout as EB's)."""

from __future__ import annotations

import io
import os
import zipfile
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .layout import Layout

TAIL_LINES = 100
RULE = "-" * 40

TAIL_PATTERNS = {
    "al1": ("/var/log/eb-activity.log", "/var/log/eb-commandprocessor.log"),
    "al2": ("/var/log/web.stdout.log", "/var/log/eb-engine.log", "/var/log/eb-hooks.log"),
}
COMMON_TAIL = (
    "/var/log/cfn-init.log",
    "/var/log/cfn-init-cmd.log",
    "/var/log/nginx/access.log",
    "/var/log/nginx/error.log",
    "/var/log/eb-docker/containers/eb-current-app/*-stdouterr.log",
)


class Logger:
    """Writes one log file, every line in the file at once (readers may look at any moment)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def write(self, line: str) -> None:
        """Append one line as it is."""
        with self.path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(line + "\n")


class EngineLog(Logger):
    """``2026/03/03 12:38:46.231012 [INFO] text``, the format of eb-engine.log and eb-hooks.log."""

    listener: Callable[[str, str], None] | None = None
    """Hears level and text of every line."""

    def info(self, text: str) -> None:
        """Write an INFO line."""
        self._log("INFO", text)

    def warn(self, text: str) -> None:
        """Write a WARN line."""
        self._log("WARN", text)

    def error(self, text: str) -> None:
        """Write an ERROR line."""
        self._log("ERROR", text)

    def _log(self, level: str, text: str) -> None:
        self.write(f"{datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} [{level}] {text}")
        if self.listener is not None:
            self.listener(level, text)


class CfnLog(Logger):
    """``2026-03-03 12:38:46,231 [INFO] text``, the format of cfn-init.log and cfn-init-cmd.log."""

    def __init__(self, path: Path, tag: str = "") -> None:
        super().__init__(path)
        self.tag = tag

    def log(self, level: str, text: str) -> None:
        """Write one line at ``level``."""
        now = datetime.now(UTC)
        self.write(f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d}{self.tag} [{level}] {text}")


def _listed(layout: Layout, folder: str) -> list[str]:
    """Return the patterns in the configuration files of ``/opt/elasticbeanstalk/tasks/<folder>``."""
    patterns: list[str] = []
    for conf in sorted((layout.opt / "tasks" / folder).glob("*")):
        if conf.is_file():
            patterns += [line.strip() for line in conf.read_text("utf-8", errors="replace").splitlines()]
    return [pattern for pattern in patterns if pattern.startswith("/") and pattern.strip("/")]


def _files(layout: Layout, patterns: list[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        for path in sorted(layout.root.glob(pattern.lstrip("/"))):
            if path.is_file() and path not in found:
                found.append(path)
    return found


def tail(layout: Layout) -> str:
    """Return the last 100 lines of every log that a tail request covers: EB's own and those in ``taillogs.d``."""
    own = TAIL_PATTERNS["al1" if layout.generation == "al1" else "al2"]
    parts: list[str] = []
    for path in _files(layout, [*own, *COMMON_TAIL, *_listed(layout, "taillogs.d")]):
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = deque(file, maxlen=TAIL_LINES)
        parts.append(f"{RULE}\n{layout.shown(path)}\n{RULE}\n{''.join(lines).rstrip(chr(10))}\n")
    return "\n\n".join(parts)


def bundle(layout: Layout) -> bytes:
    """Return a zip of all of ``/var/log`` and whatever ``bundlelogs.d`` lists; names are paths without their slash."""
    content = io.BytesIO()
    seen: set[Path] = set()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*_walk(layout.log), *_files(layout, _listed(layout, "bundlelogs.d"))]:
            if path not in seen:
                seen.add(path)
                archive.writestr(layout.shown(path).lstrip("/"), path.read_bytes())
    return content.getvalue()


def _walk(folder: Path) -> list[Path]:
    return [
        Path(parent) / name
        for parent, _, names in sorted(os.walk(folder))
        for name in sorted(names)
        if (Path(parent) / name).is_file()
    ]
