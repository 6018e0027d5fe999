# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``localstalk``, and ``python -m localstalk``."""

from __future__ import annotations

import signal
import sys

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def _on_interrupt(action: object) -> None:
    """Change what interrupts do, unless whoever started this wants them ignored."""
    for number in _INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, action)  # type: ignore[arg-type]


def run() -> int:
    """One command. An interrupt ends it with one sentence, also while modules are still imported."""
    # Until there is somebody to catch it, a KeyboardInterrupt would be a traceback.
    _on_interrupt(signal.SIG_DFL)
    from localstalk.cli import main

    try:
        _on_interrupt(signal.default_int_handler)
        return main()
    except KeyboardInterrupt:
        _on_interrupt(signal.SIG_IGN)
        sys.stderr.write("localstalk: interrupted\n")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    raise SystemExit(run())
