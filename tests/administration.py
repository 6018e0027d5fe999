# SPDX-License-Identifier: GPL-3.0-or-later
"""localstalk's administration pages, as anybody with its keys asks them."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Mapping


def ask(aws: Mapping[str, str], path: str, method: str = "GET", body: bytes | None = None) -> str:
    """What ``/_localstalk/PATH`` answers; ``aws`` is what ``localstalk env`` prints. Raises urllib.error.HTTPError."""
    keys = f"{aws['AWS_ACCESS_KEY_ID']}:{aws['AWS_SECRET_ACCESS_KEY']}".encode()
    signed = {"Authorization": f"Basic {base64.b64encode(keys).decode()}"}
    request = urllib.request.Request(  # noqa: S310 - our own URL
        f"{aws['AWS_ENDPOINT_URL']}/_localstalk/{path}", body, signed, method=method
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return str(answer.read().decode())


def with_keys(aws: Mapping[str, str], path: str) -> str:
    """The URL of an administration page with the keys in it, for programs that take them so."""
    keys = f"{aws['AWS_ACCESS_KEY_ID']}:{aws['AWS_SECRET_ACCESS_KEY']}@"
    return f"{aws['AWS_ENDPOINT_URL'].replace('://', f'://{keys}')}/_localstalk/{path}"
