# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that Elastic Beanstalk takes, for what a project is called.

CreateEnvironment and CreateApplication of the API reference: an environment has 4 to 40 letters, digits and hyphens,
no hyphen at the ends; a CNAME prefix 4 to 63; an application at most 100 characters and no slash.
"""

from __future__ import annotations

import re
import unicodedata

from .notes import Notes

_LONGEST = 40


def environment_name(name: str, file: str, notes: Notes) -> str:
    """The name itself, or one that is taken in its place, which the report then says."""
    made = re.sub(r"[^A-Za-z0-9-]+", "-", _plain(name)).strip("-")[:_LONGEST].strip("-")
    if len(made) < 4:
        made = f"{made}-env".strip("-") if made else "application"
    if made != name:
        notes.ask(file, 0, f"Elastic Beanstalk takes no environment called {name}: the inventory writes {made}.")
    return made


def application_name(name: str, file: str, notes: Notes) -> str:
    """The same for an application."""
    made = re.sub(r"[/\x00-\x1f\x7f]+", "-", name).strip()[:100] or "application"
    if made != name:
        notes.ask(file, 0, f"Elastic Beanstalk takes no application called {name!r}: the inventory writes {made}.")
    return made


def _plain(name: str) -> str:
    """Letters without their accents."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
