# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file per run with what is known of its failures, for what would be too long to print."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.folders import make_private

_KEPT = 50


def state_folder():
    """Where files of runs are: the user's folder for state (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".local" / "state") / "jack.beanstalk" / "failures"


def write_details(lines):
    """Write lines into a new file that only this user can read; its path. OSError when it cannot be.

    The newest files are kept, and older ones go.
    """
    folder = state_folder()
    make_private(str(folder))
    prefix = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-"
    descriptor, path = tempfile.mkstemp(prefix=prefix, suffix=".txt", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write("\n".join(lines) + "\n")
    for old in sorted(folder.glob("*Z-*.txt"))[:-_KEPT]:
        old.unlink(missing_ok=True)
    return path
