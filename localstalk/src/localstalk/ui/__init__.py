# SPDX-License-Identifier: GPL-3.0-or-later
"""``/_localstalk/ui``: one read-only page that shows environments and their events as they happen."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources


@cache
def page() -> tuple[str, tuple[tuple[str, str], ...]]:
    """The page with its style and script inside, and the headers that let the browser run nothing but these."""
    folder = resources.files(__package__)
    text, style, script = ((folder / name).read_text("utf-8") for name in ("page.html", "style.css", "script.js"))
    text = text.replace('<link rel="stylesheet" href="style.css">', f"<style>{style}</style>")
    text = text.replace('<script src="script.js"></script>', f"<script>{script}</script>")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    headers = (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return text, headers


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
