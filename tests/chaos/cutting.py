# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to a service that is cut after so many bytes of its answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with a time of 0: close() resets the connection


class CuttingProxy:
    """Passes connections on. Of the answers, ``cut_after`` bytes come through, and then one connection is cut."""

    def __init__(self, upstream: str) -> None:
        where = urlsplit(upstream)
        self._upstream = (str(where.hostname), int(where.port or 80))
        self._lock = threading.Lock()
        self.passed = 0
        self._cut_at: int | None = None
        self._reset = True
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, count: int | None, *, reset: bool = True) -> None:
        """Cut once, by a reset or by an ordinary end, after so many bytes from now on; None for never."""
        with self._lock:
            self.passed, self._cut_at, self._reset = 0, count, reset

    @property
    def was_cut(self) -> bool:
        return self._cut_at is None

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                far = socket.create_connection(self._upstream)
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        cut = False
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                kept = self._kept(len(data)) if is_answer else None
                target.sendall(data[:kept])
                if kept is not None:
                    cut = True
                    if self._reset:
                        target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
        # Wakes the other pump, which may be in recv() of either: until then, no close() takes effect.
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RD if cut and self._reset else socket.SHUT_RDWR)
            one.close()

    def _kept(self, count: int) -> int | None:
        """How much of so many bytes comes through before the cut; None for all of it."""
        with self._lock:
            before, self.passed = self.passed, self.passed + count
            if self._cut_at is None or self.passed <= self._cut_at:
                return None
            kept, self._cut_at = self._cut_at - before, None
            return kept
