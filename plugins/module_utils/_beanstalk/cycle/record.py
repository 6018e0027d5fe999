# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of cycles as it is stored in the lock object: dataclasses to plain JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from enum import StrEnum
from typing import Any, TypeVar, get_type_hints

from ..core.errors import AnsibleBeanstalkError
from ..core.shape import FLAG, NOTHING, Kind, ShapeError, check, number, text, whole
from .planner.model import Entry, Goal, Journal, PendingResize, Record, Result, Retired

_Part = TypeVar("_Part")


def _one_of(words: type[StrEnum]) -> Kind:
    names = [str(one) for one in words]
    return Kind(f"one of {', '.join(names)}", lambda value: value in names)


_TIME, _COUNT = number(-1e11, 1e11), whole(0, 1 << 31)
_SHAPES: dict[Any, Any] = {
    str: text(4096),
    bool: FLAG,
    int: _COUNT,
    int | None: (NOTHING, _COUNT),
    float: _TIME,
    float | None: (NOTHING, _TIME),
    Goal: _one_of(Goal),
    Result: _one_of(Result),
}
"""What a field of a type is in JSON."""
_LIST = Kind("a list", lambda value: isinstance(value, (list, tuple)))


def to_document(record: Record) -> dict[str, Any]:
    """The record as JSON types; times stay seconds on S3's clock."""
    return asdict(record)


def from_document(document: Mapping[str, Any], place: str = "the lock object") -> Record:
    """Read a record; an empty document is an empty record.

    Raises AnsibleBeanstalkError when it was written by something that this code does not know: to guess what a cycle
    was doing is worse than to stop. ``place`` is where it was read.
    """
    try:
        journal, resize = document.get("journal"), document.get("pending_resize")
        return Record(
            journal=_part(Journal, journal, "journal") if journal else None,
            retired=_parts(Retired, document, "retired"),
            ledger=_parts(Entry, document, "ledger"),
            pending_resize=_part(PendingResize, resize, "pending_resize") if resize else None,
        )
    except ShapeError as error:
        raise AnsibleBeanstalkError(
            message=f"The record of cycles in {place} cannot be read: {error}. Update the collection if a newer "
            "version wrote it; else find out who did, and remove that object: no cycle is continued then."
        ) from error


def _parts(kind: type[_Part], document: Mapping[str, Any], name: str) -> tuple[_Part, ...]:
    found = check(document.get(name, ()), _LIST, name)
    return tuple(_part(kind, one, f"{name}[{index}]") for index, one in enumerate(found))


def _part(kind: type[_Part], document: Any, place: str) -> _Part:
    shape, hints = _PARTS[kind]
    check(document, shape, place)
    if unknown := sorted(set(document) - set(hints)):
        raise ShapeError(f"{place} has {', '.join(unknown)}, which this version does not know")
    words = {name: hints[name](document[name]) for name in document if hints[name] in (Goal, Result)}
    return kind(**{**document, **words})


def _shape_of(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The shape of a dataclass, of which fields with a default may be missing; and the types of its fields."""
    hints = get_type_hints(kind)
    return {
        f"{one.name}{'' if one.default is MISSING else '?'}": _SHAPES[hints[one.name]] for one in fields(kind)
    }, hints


_PARTS: dict[Any, Any] = {kind: _shape_of(kind) for kind in (Journal, Retired, Entry, PendingResize)}
