# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read back is checked once, where it comes in: JSON of the shape that is wanted, or a sentence with the place.

A shape is a :class:`Kind`, a tuple of shapes of which one has to fit, ``[shape]`` for a list, ``{str: shape}`` for a
mapping with any names, or a mapping of names to shapes. A name that ends in ``?`` may be missing; members that are not
named are left alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn


class ShapeError(ValueError):
    """What was read is not as it has to be; the message says where and why, and shows no content."""


class Kind(NamedTuple):
    """A plain value: what it is called, and whether a value is one."""

    name: str
    holds: Callable[[Any], bool]


def number(least: float, greatest: float) -> Kind:
    """A number between two others."""
    return Kind(
        f"a number from {least:g} to {greatest:g}",
        lambda value: (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
            and least <= value <= greatest
        ),
    )


def whole(least: int, greatest: int) -> Kind:
    """A whole number between two others."""
    return Kind(
        f"a whole number from {least} to {greatest}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= greatest,
    )


def text(longest: int) -> Kind:
    """A text that can be written out."""
    return Kind(
        f"a text of at most {longest} characters",
        lambda value: isinstance(value, str) and len(value) <= longest and _can_be_written(value),
    )


FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NOTHING = Kind("null", lambda value: value is None)
ANYTHING = Kind(
    "anything that can be written", lambda value: _can_be_written(json.dumps(value, ensure_ascii=False, default=str))
)


def _can_be_written(value: str) -> bool:
    # JSON can name halves of characters, which no output can show.
    return not any("\ud800" <= one <= "\udfff" for one in value) if not value.isascii() else True


def load(content: bytes | str, shape: Any) -> Any:
    """JSON of a shape. ShapeError when it is not JSON, or not of the shape."""
    try:
        value = json.loads(content, parse_constant=_not_json)
    except RecursionError as error:
        raise ShapeError("it is nested too deeply") from error
    except ValueError as error:
        raise ShapeError("it is not JSON") from error
    return check(value, shape)


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)


def check(value: Any, shape: Any, place: str = "it") -> Any:
    """The value. ShapeError when it is not of the shape."""
    match shape:
        case Kind():
            if not shape.holds(value):
                raise ShapeError(f"{place} is {_kind_of(value)}, and not {shape.name}")
        case tuple():
            _check_any(value, shape, place)
        case [inner]:
            if not isinstance(value, list):
                raise ShapeError(f"{place} is {_kind_of(value)}, and not a list")
            for index, one in enumerate(value):
                check(one, inner, f"{place}[{index}]")
        case _:
            _check_members(value, shape, place)
    return value


def _check_any(value: Any, shapes: tuple[Any, ...], place: str) -> None:
    problems = []
    for one in shapes:
        try:
            check(value, one, place)
        except ShapeError as error:
            problems.append(str(error))
        else:
            return
    raise ShapeError(problems[-1])


def _check_members(value: Any, shape: dict[Any, Any], place: str) -> None:
    if not isinstance(value, dict):
        raise ShapeError(f"{place} is {_kind_of(value)}, and not a mapping")
    if str in shape:
        for name, one in value.items():
            check(one, shape[str], _member(place, check(name, text(512), "a name")))
        return
    for name, inner in shape.items():
        key = name.removesuffix("?")
        if key in value:
            check(value[key], inner, _member(place, key))
        elif key == name:
            raise ShapeError(f"{_member(place, key)} is missing")


def _member(place: str, name: str) -> str:
    return name if place == "it" else f"{place}.{name}"


def _kind_of(value: Any) -> str:
    words = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return words.get(type(value)) or ("a list" if isinstance(value, list) else "a mapping")
