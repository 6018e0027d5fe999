# SPDX-License-Identifier: GPL-3.0-or-later
"""The background of a run without threads, for a clock that is not the machine's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Inline:
    """Does at once what the background would do in a thread."""

    def submit(self, function: Callable[[], Any], done: Callable[[Any, Exception | None], None]) -> None:
        try:
            result = function()
        except Exception as problem:
            done(None, problem)
        else:
            done(result, None)
