# SPDX-License-Identifier: GPL-3.0-or-later
"""S3's conditional writes (``If-None-Match: *``, ``If-Match``): moto checks and writes, S3 does both at once."""

from __future__ import annotations

import threading
from typing import Any

_CONDITIONS = ("If-None-Match", "If-Match")


def install() -> None:
    """Let one conditional write happen after the other: of several to the same key, exactly one finds it free."""
    from moto.s3.responses import S3Response

    lock = threading.Lock()
    put = getattr(S3Response.put_object, "unconditional", S3Response.put_object)

    def put_object(self: Any) -> Any:
        if not any(name in self.headers for name in _CONDITIONS):
            return put(self)
        with lock:
            return put(self)

    put_object.unconditional = put  # type: ignore[attr-defined]
    S3Response.put_object = put_object
