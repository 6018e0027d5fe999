# SPDX-License-Identifier: GPL-3.0-or-later
"""Loopback addresses: each daemon has a 127.N.0.0/16 of its own, each load balancer and each name an address in it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

FIRST_NETWORK = 66
LAST_NETWORK = 126
HTTP_PORT = 80
GUARD_HOST = "255.254"
BALANCERS = 1
NAMES = 128
HOSTS = 250


def networks(home_label: str) -> Iterator[int]:
    """Yield every N, each home from another start: daemons seldom want the same one."""
    count = LAST_NETWORK - FIRST_NETWORK + 1
    start = int(home_label, 16) % count
    for step in range(count):
        yield FIRST_NETWORK + (start + step) % count


def bindable(address: str, port: int) -> bool:
    """Tell whether this process may listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError:
            return False
        return True


def choose_port(guard: str) -> int:
    """Return 80 when it may be bound, else a free port."""
    if bindable(guard, HTTP_PORT):
        return HTTP_PORT
    with socket.socket() as probe:
        probe.bind((guard, 0))
        return int(probe.getsockname()[1])


class Pool:
    """Hands out addresses of one part of the network; one that was given back is used again only after all others."""

    def __init__(self, network: int, part: int) -> None:
        self.network = network
        self.part = part
        self.count = 0
        self.taken: set[str] = set()

    def take(self) -> str:
        """Return a free address; raises RuntimeError when none is left."""
        size = 127 * HOSTS
        for _ in range(size):
            number = self.count % size
            self.count += 1
            address = f"127.{self.network}.{self.part + number // HOSTS}.{1 + number % HOSTS}"
            if address not in self.taken:
                self.taken.add(address)
                return address
        raise RuntimeError(f"no address left in 127.{self.network}.0.0/16")

    def give_back(self, address: str) -> None:
        """Let others have the address."""
        self.taken.discard(address)
