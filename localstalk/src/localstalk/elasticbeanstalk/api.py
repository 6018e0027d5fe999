# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operations of the API have in common: parameters, answers, pages and tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from localstalk.model.errors import InvalidParameterValue, ServiceError

T = TypeVar("T")
_MAX_KEY, _MAX_VALUE = 127, 255
_TAG_LETTERS = re.compile(r"[\w\s.:/=+@-]*")
Params = dict[str, Any]
"""Parameters by name, of the types that the service model gives them."""
Answer = dict[str, Any]
"""Members of the output by name, likewise."""


def page(
    items: Sequence[T], params: Params, size: str = "MaxRecords", largest: int = 1000
) -> tuple[list[T], str | None]:
    """One page and the token of the next. Tokens are offsets; a token that we did not give is refused."""
    token = params.get("NextToken")
    start = 0
    if token is not None:
        if not str(token).isdigit() or int(token) > len(items):
            raise InvalidParameterValue(f"Invalid NextToken: {token}")
        start = int(token)
    end = start + min(int(params.get(size) or largest), largest)
    return list(items[start:end]), str(end) if end < len(items) else None


def read_tags(params: Params, name: str = "Tags") -> dict[str, str]:
    """Tags of a call, by key. A tag has a key, though the service model does not say so."""
    found = {}
    for number, tag in enumerate(params.get(name) or (), 1):
        if tag.get("Key") is None:
            raise ServiceError(
                "ValidationError",
                f"1 validation error detected: Value null at '{name[:1].lower()}{name[1:]}.{number}.member.key' failed "
                "to satisfy constraint: Member must not be null",
            )
        _check_tag(tag["Key"], tag.get("Value", ""))
        found[tag["Key"]] = tag.get("Value", "")
    return found


def _check_tag(key: str, value: str) -> None:
    """Raise the service's error for what a tag cannot have (Developer Guide, "Tagging"); its wording is not known."""
    for word, text, most in (("key", key, _MAX_KEY), ("value", value, _MAX_VALUE)):
        if len(text) > most:
            raise InvalidParameterValue(f"Tag {word} '{text}' is longer than {most} characters.")
        if not _TAG_LETTERS.fullmatch(text):
            raise InvalidParameterValue(
                f"Tag {word} '{text}' has other characters than letters, digits, white space and _ . : / = + - @."
            )
