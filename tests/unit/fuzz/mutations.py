# SPDX-License-Identifier: GPL-3.0-or-later
"""Content that is not as it was written: bytes changed, cut off and put in, and JSON whose parts are something else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_ODD = [None, True, -1, 0, 1 << 70, 1e308, 0.5, "", "x", "\ud800", "\x1b]0;t\x07", "\u202e", [], {}, [[]], {"a": None}]
_PIECES = [
    *(b"\0", b"\n", b"\r", b'"', b"{", b"}", b"[", b"]", b":", b"\\", b"\\ud800", b"\xff", b"\x9b", b"\x1b]0;", b"NaN"),
    *(b"1e999", b"PK\x01\x02", b"PK\x05\x06", b"---\n", b"&a [*a]", b"!!python/object:x", b"[" * 3000, b"9" * 5000),
]


def mutated(samples: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """One of the samples after a few changes, or anything."""
    changed = st.tuples(st.sampled_from(samples), st.lists(_CHANGES, min_size=1, max_size=4)).map(_apply)
    json_samples = [value for value in map(_as_json, samples) if value is not None]
    kinds = [changed, changed, st.binary(max_size=200)]
    if json_samples:
        parts = st.tuples(st.sampled_from(json_samples), st.integers(0, 1 << 16), st.sampled_from(_ODD))
        kinds += [parts.map(lambda one: _as_bytes(_replaced(*one)))] * 2
    return st.one_of(kinds)


_PLACE = st.floats(0, 1)
_CHANGES = st.one_of(
    st.tuples(st.just("cut"), _PLACE, _PLACE, st.just(b"")),
    st.tuples(st.just("end"), _PLACE, st.just(1.0), st.just(b"")),
    st.tuples(st.just("put"), _PLACE, st.just(0.0), st.one_of(st.sampled_from(_PIECES), st.binary(max_size=8))),
    st.tuples(st.just("set"), _PLACE, st.just(0.0), st.binary(min_size=1, max_size=1)),
)


def _apply(given: tuple[bytes, list[tuple[str, float, float, bytes]]]) -> bytes:
    content, changes = given
    for kind, where, length, piece in changes:
        at = int(where * len(content))
        end = {"cut": at + int(length * 32), "end": len(content), "put": at, "set": at + 1}[kind]
        content = content[:at] + piece + content[end:]
    return content


def _as_json(sample: bytes) -> Any:
    try:
        return json.loads(sample)
    except ValueError:
        return None


def _as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def _replaced(value: Any, where: int, odd: Any) -> Any:
    """The value with one of its parts, whole or deep inside, replaced or gone."""
    if not where or not value or not isinstance(value, (dict, list)):
        return odd
    where, part = divmod(where, len(value))
    if isinstance(value, list):
        return [_replaced(one, where, odd) if index == part else one for index, one in enumerate(value)]
    name = list(value)[part]
    if where % 7 == 6:
        return {key: one for key, one in value.items() if key != name}
    return {key: _replaced(one, where, odd) if key == name else one for key, one in value.items()}
