# SPDX-License-Identifier: GPL-3.0-or-later
"""Visitors of a website: requests at a steady rate from clients that ask DNS again when its answer is too old.

Usage: load.py HOST_NAME NAME_SERVER RATE [STICKY]; runs until its standard input ends, then prints one line of JSON.
With STICKY every other client keeps an answer of DNS that many seconds, whatever its time to live is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import dataclass, field

from dnslib import QTYPE, DNSRecord

CLIENTS = 20
TIMEOUT = 10.0


@dataclass
class Told:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Client:
    """One visitor with a DNS cache of its own; a connection per request."""

    def __init__(self, name: str, server: str, sticky: float, share: float, told: Told) -> None:
        """``share`` is how much of its time the first answer has left: visitors' caches are of different age."""
        self.host, self.server, self.sticky, self.share, self.told = name, server, sticky, share, told
        self.address, self.expires = "", 0.0

    async def run(self, begin: float, pause: float, ended: asyncio.Event) -> None:
        due = begin
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), max(0.0, due - time.monotonic()))
                return
            due += pause
            began = time.monotonic()
            try:
                async with asyncio.timeout(TIMEOUT):
                    await self.visit()
            except (OSError, ValueError, EOFError) as error:
                self.told.failures.append(f"{time.strftime('%H:%M:%S')} {self.address}: {error!r}")
            self.told.seconds.append(time.monotonic() - began)

    async def visit(self) -> None:
        """One request, at the address that DNS says now."""
        if time.monotonic() >= self.expires:
            await asyncio.to_thread(self.resolve)
        reader, writer = await asyncio.open_connection(self.address, 80)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b"\r\n", 1)[0]
        if status.split()[1:2] != [b"200"] or body != b"hello":
            raise ValueError(f"the answer was {status.decode(errors='replace') or 'empty'}")

    def resolve(self) -> None:
        """Ask the authoritative server; an honest client takes the answer for its TTL and not a moment longer."""
        asked = time.monotonic()
        server, _, port = self.server.partition(":")
        answer = DNSRecord.parse(DNSRecord.question(self.host).send(server, int(port), timeout=5))
        record = next(one for one in answer.rr if one.rtype == QTYPE.A)
        self.address, self.expires = str(record.rdata), asked + (self.sticky or record.ttl) * self.share
        self.share = 1.0


async def visit(name: str, server: str, rate: float, sticky: float) -> dict[str, object]:
    """Send requests until standard input ends."""
    told, ended, began = Told(), asyncio.Event(), time.monotonic()
    pause = CLIENTS / rate
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            client = Client(name, server, sticky if number % 2 else 0.0, (number + 1) / CLIENTS, told)
            group.create_task(client.run(began + pause * number / CLIENTS, pause, ended))
        await asyncio.to_thread(sys.stdin.read)
        ended.set()
    seconds = sorted(told.seconds)
    return {
        "sent": len(seconds),
        "rate": len(seconds) / (time.monotonic() - began),
        "failed": len(told.failures),
        "failures": told.failures[:5],
        "p50": seconds[len(seconds) // 2],
        "p99": seconds[int(len(seconds) * 0.99)],
    }


def main(name: str, server: str, rate: str, sticky: str = "0") -> None:
    """Send requests until told to stop; say what came of them."""
    sys.stdout.write(json.dumps(asyncio.run(visit(name, server, float(rate), float(sticky)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
