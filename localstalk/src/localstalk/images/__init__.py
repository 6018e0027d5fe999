# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images that localstalk needs, built when missing and tagged by a hash of their inputs."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from pathlib import Path

from localstalk.driver import DriverError

from .builder import NAMES, Builder, build_mounts

__all__ = ["Builder", "Images", "build_mounts"]

log = logging.getLogger(__name__)

END_SECONDS = 1.0


class Images:
    """The images of a daemon, made in the background: a daemon answers at once, whoever needs an image waits for it.

    ``scratch`` is a folder for what is half made; it is gone after :meth:`close`.
    """

    def __init__(self, scratch: Path) -> None:
        self._builder = Builder(scratch)
        self._made: dict[str, Future[str]] = {name: Future() for name in NAMES}
        self._thread = threading.Thread(target=self._make, name="images", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        for name, future in self._made.items():
            try:
                future.set_result(self._builder.ensure(name))
            except Exception as error:
                if not self._builder.closed:
                    log.error("image %s: %s", name, error)
                future.set_exception(error)

    def tag(self, name: str) -> str:
        """Return the tag of an image as soon as it is there; raises DriverError."""
        try:
            return self._made[name].result()
        except DriverError:
            # A mirror that did not answer at the start may do so now.
            return self._builder.ensure(name)

    def close(self) -> None:
        """End what makes them, and take away what is half made."""
        self._builder.close()
        # It may wait for another daemon's build, of which it leaves nothing.
        self._thread.join(END_SECONDS)
