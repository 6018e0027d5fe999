# SPDX-License-Identifier: GPL-3.0-or-later
"""Visitors of a website: requests at a steady rate from clients that ask DNS again when its answer is too old.

Usage: load.py HOST_NAME NAME_SERVER RATE; runs until its standard input ends, then prints one line of JSON.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

from dnslib import QTYPE, DNSRecord

CLIENTS = 10
TIMEOUT = 10.0


class Client(threading.Thread):
    """One visitor with a DNS cache of its own; a connection per request."""

    def __init__(self, name: str, server: str, pause: float, ended: threading.Event) -> None:
        super().__init__()
        self.host, self.server, self.pause, self.ended = name, server, pause, ended
        self.address, self.expires = "", 0.0
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def run(self) -> None:
        due = time.monotonic()
        while not self.ended.is_set():
            due += self.pause
            began = time.monotonic()
            try:
                self.visit()
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {self.address}: {error!r}")
            self.seconds.append(time.monotonic() - began)
            time.sleep(max(0.0, due - time.monotonic()))

    def visit(self) -> None:
        """One request, at the address that DNS says now."""
        if time.monotonic() >= self.expires:
            self.resolve()
        connection = http.client.HTTPConnection(self.address, 80, timeout=TIMEOUT)
        try:
            connection.request("GET", "/", headers={"Host": self.host, "Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise ValueError(f"status {answer.status}")
        finally:
            connection.close()

    def resolve(self) -> None:
        """Ask the authoritative server; the answer is good for its TTL and not a moment longer."""
        asked = time.monotonic()
        server, _, port = self.server.partition(":")
        answer = DNSRecord.parse(DNSRecord.question(self.host).send(server, int(port), timeout=5))
        record = next(one for one in answer.rr if one.rtype == QTYPE.A)
        self.address, self.expires = str(record.rdata), asked + record.ttl


def main(name: str, server: str, rate: str) -> None:
    """Send requests until told to stop; say what came of them."""
    ended = threading.Event()
    clients = [Client(name, server, CLIENTS / float(rate), ended) for _ in range(CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()
    sys.stdin.read()
    ended.set()
    for client in clients:
        client.join()
    seconds = sorted(one for client in clients for one in client.seconds)
    failures = [one for client in clients for one in client.failures]
    summary = {
        "sent": len(seconds),
        "rate": len(seconds) / (time.monotonic() - began),
        "failed": len(failures),
        "failures": failures[:5],
        "p99": seconds[int(len(seconds) * 0.99)],
    }
    sys.stdout.write(json.dumps(summary) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
