# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of option settings: as the API takes them, and in one spelling in which equal values are equal.

The service gives values back otherwise than they were sent: an instance profile's ARN as its name, "5 Minutes" as
"5 minute", lists with or without blanks, JSON on one line. A plain comparison would update for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .keys import Key

JSON_OPTIONS = frozenset({"configdocument"})
GROUP_OPTIONS = frozenset({"securitygroups", "managedsecuritygroup"})
"""Options, in lower case, that name security groups."""

# Lists in any order. InstanceTypes is none of them: without Spot only its first one is used.
_SETS = GROUP_OPTIONS | {
    "subnets",
    "elbsubnets",
    "dbsubnets",
    "custom availability zones",
    "sslcertificatearns",
    "rules",
    "hostheaders",
    "pathpatterns",
    "supportedarchitectures",
}
_NAMED_BY_ARN = frozenset({"iaminstanceprofile", "servicerole", "serviceroleformanagedupdates"})
_ARN = re.compile(r"arn:[^:]*:iam::\d*:(?:instance-profile|role)/(?:.*/)?([^/]+)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORDS = re.compile(r"(\d+) (minute|second|hour)s?", re.IGNORECASE)
_COMMA = re.compile(r"\s*,\s*")


def text_value(value: Any) -> str:
    """A YAML value as the API takes it: booleans in lower case, lists joined with commas, dictionaries as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set)):
        return ",".join(text_value(item) for item in value)
    if isinstance(value, Mapping):
        return json.dumps(value, separators=(",", ":"))
    return "" if value is None else str(value)


def canonical(key: Key, value: str) -> str:
    """A value in the one spelling in which equal values are equal."""
    if key.is_variable:
        return value
    name = key.option.lower()
    text = value.strip()
    if name in JSON_OPTIONS:
        return _as_json(text)
    text = _COMMA.sub(",", text)
    if name in _SETS:
        return ",".join(sorted(groups_in(text)))
    if name in _NAMED_BY_ARN:
        found = _ARN.fullmatch(text)
        return found.group(1) if found else text
    if _NUMBER.fullmatch(text):
        return text.rstrip("0").rstrip(".") if "." in text else text
    if text.lower() in ("true", "false"):
        return text.lower()
    words = _WORDS.fullmatch(text)
    return f"{words.group(1)} {words.group(2).lower()}" if words else text


def groups_in(value: str) -> set[str]:
    """What a list separated by commas names."""
    return {part.strip() for part in value.split(",") if part.strip()}


def _as_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text


def equal(key: Key, wanted: str, current: str | None, generated: frozenset[str] = frozenset()) -> bool:
    """Whether the service has what the user wants. An option that is not reported counts as empty.

    ``generated`` are names and ids of security groups that Elastic Beanstalk made for the environment, and lists
    beside the user's.
    """
    have, want = canonical(key, current or ""), canonical(key, wanted)
    if have == want or key.is_variable or key.option.lower() not in GROUP_OPTIONS:
        return have == want
    return groups_in(have) - generated == groups_in(want) - generated and groups_in(want) <= groups_in(have)
