# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others say, made fit to be shown: an instance, an event or a web page must not command a terminal.

Control characters move the cursor, set titles, or have a terminal type (ECMA-48); bidirectional controls show text in
another order than it has (Unicode TR36). Escape sequences are dropped, every other such character is shown as what it
is: ``\\x07``.
"""

from __future__ import annotations

import re
from typing import Any

# ECMA-48: CSI with its parameters, the strings of OSC, DCS, SOS, PM and APC up to their end, and the short ones.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
# C0 without tab and newline, DEL, C1, line and paragraph separators, Bidi_Control, halves of characters.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """The text as it may be shown to people."""
    if text.isprintable():
        return text
    return _CONTROLS.sub(_escaped, _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def all_shown(value: Any) -> Any:
    """The same of all texts in a result, keys included."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {all_shown(name): all_shown(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_shown(one) for one in value]
    return value
