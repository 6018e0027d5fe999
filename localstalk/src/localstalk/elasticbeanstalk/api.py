# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operations of the API have in common: parameters, answers, pages and tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from localstalk.model.errors import InvalidParameterValue, ServiceError

T = TypeVar("T")
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
        found[tag["Key"]] = tag.get("Value", "")
    return found
