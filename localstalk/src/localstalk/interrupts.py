# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGINT and SIGTERM: what they do to a command, and from when on they come too late. Imports nothing that is slow."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


def on_interrupt(action: signal.Handlers | Callable[[int, FrameType | None], object]) -> None:
    """Change what interrupts do, unless whoever started this wants them ignored."""
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, action)


def too_late() -> None:
    """Ignore interrupts from here to the very end of the process. One that came before acts in this call, not later."""
    # Python tells a signal that comes while its handler is being changed as an error of its own; so none may come then.
    signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)
