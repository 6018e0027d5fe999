# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the double of AWX's REST API that need no state: recurrence rules, surveys, the filters of lists."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from awx_tables import Item

ENCRYPTED = "$encrypted$"
RRULE = re.compile(r"DTSTART(;TZID=(?P<zone>[\w/+-]+):\d{8}T\d{6}|:\d{8}T\d{6}Z) RRULE:(?=.*INTERVAL=\d)FREQ=\S+")
UNTIL = re.compile(r"(?<=UNTIL=)\d{8}T\d{6}(?!Z)")
SURVEY_TYPES = {"text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": str,
                "integer": int, "float": (int, float)}  # fmt: skip


class RefusedError(Exception):
    """An answer other than success: HTTP status and body."""

    def __init__(self, status: int, body: Item) -> None:
        super().__init__(body)
        self.status, self.body = status, body


def stored_rule(rule: str) -> str:
    """A recurrence rule as AWX keeps it: one line, its end in UTC."""
    rule = " ".join(rule.split())
    found = RRULE.fullmatch(rule)
    if found is None:
        raise RefusedError(400, {"rrule": [f"rrule parsing failed validation: {rule}"]})
    zone = ZoneInfo(found["zone"] or "UTC")

    def in_utc(until: re.Match[str]) -> str:
        local = datetime.strptime(until[0], "%Y%m%dT%H%M%S").replace(tzinfo=zone)
        return f"{local.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    return UNTIL.sub(in_utc, rule)


def checked_survey(survey: Item) -> Item:
    """A survey that AWX takes, or RefusedError."""
    if not survey.get("spec"):
        raise RefusedError(400, {"error": "'spec' doesn't contain any items."})
    for field in ("name", "description"):
        if not isinstance(survey.get(field), str):
            raise RefusedError(400, {"error": f"Field '{field}' is missing from survey spec."})
    for number, question in enumerate(survey["spec"]):
        missing = {"type", "question_name", "variable", "required"} - question.keys()
        if missing:
            raise RefusedError(400, {"error": f"'{missing.pop()}' missing from survey question {number}"})
        default = question.get("default", "")
        if default != "" and not isinstance(default, SURVEY_TYPES[question["type"]]):
            raise RefusedError(400, {"error": f"Default value {default} in survey question {number}"})
        if question["type"] in ("multiplechoice", "multiselect") and "choices" not in question:
            raise RefusedError(400, {"error": f"Survey question {number} must specify choices."})
    return survey


def shown_survey(survey: Item) -> Item:
    """A survey as a GET shows it: the defaults of passwords are secrets."""
    survey = copy.deepcopy(survey)
    for question in survey.get("spec", []):
        if question["type"] == "password" and question.get("default"):
            question["default"] = ENCRYPTED
    return survey


def matches(item: Item, query: list[tuple[str, str]], names: Callable[[str, Any], str]) -> bool:
    """AWX's list filters: equal, ``or__`` (any), ``__in``, ``__startswith``, one step to a related object."""
    either = []
    for key, value in query:
        if key in ("page", "page_size", "order_by"):
            continue
        field, _, rest = key.removeprefix("or__").partition("__")
        if field not in item:
            raise RefusedError(400, {"detail": f"{item['type']} has no field named '{field}'"})
        found = item[field]
        if rest in ("name", "organization"):
            found, rest = names(field, found)[rest], ""
        text = "" if found is None else str(found)
        true = {"": text == value, "in": text in value.split(","), "startswith": text.startswith(value)}[rest]
        if key.startswith("or__"):
            either.append(true)
        elif not true:
            return False
    return any(either) if either else True
