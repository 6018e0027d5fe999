# SPDX-License-Identifier: GPL-3.0-or-later
"""The API on its port, and the fault that lets it be away for a while as a process is that restarts.

Meanwhile no connection is accepted, open ones are cut (what they asked for may have happened), and workflows stand
still; instances and load balancers go on. Then everything goes on as it was: AWS keeps its state outside of the
processes that answer. A daemon that is really killed has lost its state, and the next ``localstalk up`` says so.
"""

from __future__ import annotations

import contextlib
import socket
import threading

from localstalk.server import Application, listen


class Serving:
    """The server of one daemon. Raises OSError when the port is taken."""

    def __init__(self, application: Application, port: int) -> None:
        self._application = application
        self._connections: set[socket.socket] = set()
        self._server = listen(application, port, self._connections)
        self._stopping = threading.Event()
        self._away = 0.0
        self._answered: object = None
        self.port: int = self._server.port
        application.restart = self.restart

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while True:
            self._server.serve_forever(poll_interval=0.1)
            self._server.server_close()
            self._cut()
            if self._stopping.is_set():
                return
            # Workflows need this lock for every step.
            with self._application.control.scheduler.lock:
                self._stopping.wait(self._away)
            self._server = listen(self._application, self.port, self._connections)
            if self._stopping.is_set():
                self._server.server_close()
                return

    def stop(self) -> None:
        """End :meth:`run`; returns when it accepts nothing any more."""
        self._stopping.set()
        self._server.shutdown()

    def restart(self, seconds: float, answered: object) -> None:
        """Be away for real seconds from now on; the connection ``answered`` may still get its answer."""
        self._away, self._answered = seconds, answered
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    def _cut(self) -> None:
        for connection in self._connections.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD if connection is self._answered else socket.SHUT_RDWR)
