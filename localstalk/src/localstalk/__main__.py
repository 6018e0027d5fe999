# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``localstalk``, and ``python -m localstalk``."""

from __future__ import annotations

import signal
import sys

from localstalk import interrupts


def run() -> int:
    """One command. An interrupt ends it with one sentence, also while modules are still imported."""
    # Until there is somebody to catch it, a KeyboardInterrupt would be a traceback.
    interrupts.on_interrupt(signal.SIG_DFL)
    from localstalk.cli import main

    try:
        interrupts.on_interrupt(signal.default_int_handler)
        code = main()
        # What is done is done, whatever comes while Python ends.
        interrupts.too_late()
        return code
    except KeyboardInterrupt:
        interrupts.too_late()
        sys.stderr.write("localstalk: interrupted\n")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    raise SystemExit(run())
