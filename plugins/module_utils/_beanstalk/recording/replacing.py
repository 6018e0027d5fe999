# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes accounts, addresses and secrets out of what is recorded, so that it can be sent to others.

What stands in their place is a kind in angle brackets, which scripts/compare_recording compares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SECRET_NAME = re.compile(r"(?i)secret|passw|credential|signature|private_?key|access_?key|token$|_key$")
# An address of every machine is nobody's.
_ANYBODYS = r"(?!0\.0\.0\.0|127\.|169\.254\.|255\.)"
_KINDS = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        # Whoever has a presigned link may do what its signer may.
        (r"((?:X-Amz-[A-Za-z-]+|Signature|AWSAccessKeyId|Expires)=)[^&\s\"']+", r"\1<secret>"),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", "<secret>"),
        (r"\b(?:AROA|AIDA|AIPA|ANPA|AGPA)[A-Z0-9]{12,}\b", "<principal>"),
        (r"(?<=:)(user|assumed-role|federated-user)/[^\s\"',]+", r"\1/<principal>"),
        (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<e-mail>"),
        (r"\b(?:ip|ec2)-\d{1,3}(?:-\d{1,3}){3}[\w.-]*", "<host>"),
        (rf"(?<![\w.]){_ANYBODYS}\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\w.]*\w)", "<address>"),
        (r"(?i)(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}(?![\w:])", "<address>"),
        (r"(?i)(?<![\w:-])(?:[0-9a-f]{1,4}:)+(?::[0-9a-f]{1,4})+(?![\w:])", "<address>"),
        (r"(?<!\d)\d{12}(?!\d)", "<account>"),
        (r"(?m)^(\w*(?i:secret|token|passw|credential|key)\w*=).+$", r"\1<secret>"),
    )
]


def replaced(value: Any, secrets: Sequence[str] = ()) -> Any:
    """The value with kinds in the place of what is nobody else's business. ``secrets`` are texts that are known."""
    if isinstance(value, Mapping):
        return {
            replaced(name, secrets): "<secret>" if _is_secret(name, member) else replaced(member, secrets)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_option(item) or replaced(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        value = value.replace(secret, "<secret>")
    for pattern, kind in _KINDS:
        value = pattern.sub(kind, value)
    return value


def _is_secret(name: Any, member: Any) -> bool:
    return isinstance(member, str) and bool(member) and name != "NextToken" and bool(_SECRET_NAME.search(str(name)))


def _option(item: Any) -> dict[str, Any] | None:
    """An option setting that may hold a secret, without its value; None for anything else."""
    if not (isinstance(item, Mapping) and "OptionName" in item and item.get("Value")):
        return None
    properties = item["OptionName"] == "EnvironmentVariables" or ":application:environment" in item.get("Namespace", "")
    return {**item, "Value": "<secret>"} if properties or _is_secret(item["OptionName"], item["Value"]) else None
