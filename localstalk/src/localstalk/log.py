# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's log: everything that it and the libraries in it say, in two files of bounded size."""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
import threading
from pathlib import Path

LARGEST = 2_000_000
"""Bytes of the file; the one before it is kept as ``NAME.1``."""


class _Log(logging.handlers.RotatingFileHandler):
    """A file that standard output and error follow: programs that the daemon starts write there too."""

    def doRollover(self) -> None:  # noqa: N802 - the name that logging has for it
        super().doRollover()
        self.take_over()

    def take_over(self) -> None:
        if self.stream is not None:
            for descriptor in (1, 2):
                os.dup2(self.stream.fileno(), descriptor)


class _Printed(io.TextIOBase):
    """What libraries print, as lines of the log."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line = ""

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._line = (self._line + text).split("\n")
        for line in filter(None, map(str.rstrip, lines)):
            logging.getLogger("output").warning("%s", line)
        return len(text)


def write_log(path: Path) -> None:
    """From now on, write everything to ``path``."""
    handler = _Log(path, maxBytes=LARGEST, backupCount=1, encoding="utf-8")
    handler.take_over()
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, handlers=[handler])
    # A full disk must not be told to where nothing can be written.
    logging.raiseExceptions = False
    sys.stdout = sys.stderr = _Printed()
