# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look before the first deployment finds."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, ERROR = "ok", "warning", "error"


class Finding(NamedTuple):
    """One line. ``what`` is a sentence; ``what_to_do`` is another, and empty where all is well."""

    level: str
    what: str
    what_to_do: str = ""


def ok(what: str) -> Finding:
    """All is well."""
    return Finding(OK, what)


def warning(what: str, what_to_do: str) -> Finding:
    """It will go on, and something may be missing or fail."""
    return Finding(WARNING, what, what_to_do)


def error(what: str, what_to_do: str) -> Finding:
    """It would fail."""
    return Finding(ERROR, what, what_to_do)
