# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies that are signed chunk by chunk, each signature over the one before.

Sources: S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple
Chunks", and "... Including Trailing Headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from localstalk.access.errors import AccessError

_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})")
_TRAILER_SIGNATURE = b"x-amz-trailer-signature:"
_NOTHING = hashlib.sha256(b"").hexdigest()


def check(body: bytes, payload: str, seed: str, sign: Callable[[str, str], str]) -> None:
    """Compare all signatures of a body of the kind ``payload``. Raises AccessError.

    ``seed`` is the signature of the headers; ``sign`` takes what is signed (PAYLOAD or TRAILER) and its last lines.
    """
    before, at, size = seed, 0, -1
    while size != 0:
        end = body.find(b"\r\n", at)
        found = _CHUNK.fullmatch(body[at:end]) if end >= 0 else None
        if not found:
            raise AccessError("wrong signature")
        size = int(found[1], 16)
        content = body[end + 2 : end + 2 + size]
        at = end + 2 + size + (2 if size else 0)
        hashed = hashlib.sha256(content).hexdigest()
        before = _compared(sign("PAYLOAD", f"{before}\n{_NOTHING}\n{hashed}"), found[2])
    if payload.endswith("-TRAILER"):
        *trailers, signed = [line.strip() for line in body[at:].split(b"\n") if line.strip()] or [b""]
        if not signed.startswith(_TRAILER_SIGNATURE):
            raise AccessError("wrong signature")
        hashed = hashlib.sha256(b"".join(line + b"\n" for line in trailers)).hexdigest()
        _compared(sign("TRAILER", f"{before}\n{hashed}"), signed.removeprefix(_TRAILER_SIGNATURE).strip())


def _compared(wanted: str, given: bytes) -> str:
    if not hmac.compare_digest(wanted.encode(), given):
        raise AccessError("wrong signature")
    return wanted
