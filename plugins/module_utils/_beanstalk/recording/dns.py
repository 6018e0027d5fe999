# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One question to a name server, for what Python's own resolver does not tell: the time to live."""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
from pathlib import Path
from typing import NamedTuple

_A, _IN, _RECURSION_DESIRED = 1, 1, 0x0100
_SECONDS = 2.0
_PORT = 53


class Address(NamedTuple):
    """What a name leads to, and for how many seconds that may be remembered."""

    address: str
    ttl: int


def system_server() -> str:
    """The machine's own name server; "" where none is configured."""
    with contextlib.suppress(OSError):
        for line in Path("/etc/resolv.conf").read_text(encoding="utf-8").splitlines():
            if line.startswith("nameserver") and ":" not in line:
                return line.split()[1]
    return ""


def ask(name: str, server: str) -> Address | None:
    """The first address of a name (RFC 1035), None where there is none or nobody answers. ``server``: HOST[:PORT]."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack(">HHHHHH", number, _RECURSION_DESIRED, 1, 0, 0, 0) + labels + struct.pack(">xHH", _A, _IN)
    host, _colon, port = server.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_SECONDS)
        try:
            asking.connect((host, int(port or _PORT)))
            asking.send(question)
            answer = asking.recv(4096)
        except OSError:
            return None
    try:
        return _first_address(answer, number, len(question))
    except (struct.error, IndexError):
        return None


def _first_address(answer: bytes, number: int, at: int) -> Address | None:
    got, _flags, _questions, answers = struct.unpack_from(">HHHH", answer)
    for _record in range(answers if got == number else 0):
        # A name is labels, or ends with a pointer, which has two bits set.
        while answer[at] and answer[at] < 0xC0:
            at += 1 + answer[at]
        at += 2 if answer[at] else 1
        kind, _class, ttl, length = struct.unpack_from(">HHIH", answer, at)
        at += 10 + length
        if kind == _A:
            return Address(socket.inet_ntoa(answer[at - length : at]), ttl)
    return None
