# SPDX-License-Identifier: GPL-3.0-or-later
"""One network per daemon, in a subnet that is free, and the addresses in it."""

from __future__ import annotations

import ipaddress
import threading

from localstalk.driver import DriverError
from localstalk.images.podman import LABEL, attempt, podman

VPC = ipaddress.IPv4Network("172.31.0.0/16")
"""AWS's default VPC: instances get addresses that look like EC2's. Each daemon takes a piece of it."""

PIECE = 22
RESERVED = 3
"""Network address, gateway, and the one that AWS keeps as well."""


def network_name(home_label: str) -> str:
    """Return the name of a daemon's network."""
    return f"localstalk-{home_label}"


class Network:
    """The daemon's network: created on construction; raises DriverError when no piece of the VPC is free."""

    def __init__(self, home_label: str) -> None:
        self.name = network_name(home_label)
        self._lock = threading.Lock()
        self._taken: set[str] = set()
        self.subnet = self._create(home_label)
        self._next = RESERVED

    def _create(self, home_label: str) -> ipaddress.IPv4Network:
        pieces = list(VPC.subnets(new_prefix=PIECE))
        start = int(home_label, 16) % len(pieces)
        error = ""
        for piece in pieces[start:] + pieces[:start]:
            # Without podman's DNS: its server would be one more process to look after.
            options = [f"--label={LABEL}={home_label}", f"--subnet={piece}", "--disable-dns"]
            done = attempt("network", "create", *options, self.name)
            if done.returncode == 0:
                return piece
            error = done.stderr.strip()
            if "subnet" not in error:
                break
        raise DriverError(f"No network for the instances: {error}")

    def take(self) -> str:
        """Return an address that nobody has; an address comes back only after all others have been used."""
        with self._lock:
            count = self.subnet.num_addresses
            for _ in range(count):
                address = str(self.subnet[self._next])
                self._next = RESERVED if self._next + 2 >= count else self._next + 1
                if address not in self._taken:
                    self._taken.add(address)
                    return address
        raise DriverError(f"All addresses of {self.subnet} are in use")

    def give_back(self, address: str) -> None:
        """Let others have the address."""
        with self._lock:
            self._taken.discard(address)

    def remove(self) -> None:
        """Remove the network; its containers must be gone."""
        podman("network", "rm", "--force", self.name)
