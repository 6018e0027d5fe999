# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of cycles as it is stored in the lock object: dataclasses to plain JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ..core.errors import AnsibleBeanstalkError
from .planner.model import Entry, Goal, Journal, PendingResize, Record, Result, Retired


def to_document(record: Record) -> dict[str, Any]:
    """The record as JSON types; times stay seconds on S3's clock."""
    return asdict(record)


def from_document(document: Mapping[str, Any]) -> Record:
    """Read a record; an empty document is an empty record.

    Raises AnsibleBeanstalkError when it was written by something that this code does not know: to guess what a cycle
    was doing is worse than to stop.
    """
    try:
        journal = document.get("journal")
        return Record(
            journal=_journal(journal) if journal else None,
            retired=tuple(Retired(**one) for one in document.get("retired", ())),
            ledger=tuple(Entry(**{**one, "result": Result(one["result"])}) for one in document.get("ledger", ())),
            pending_resize=PendingResize(**document["pending_resize"]) if document.get("pending_resize") else None,
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise AnsibleBeanstalkError(
            message=f"The record in the lock object cannot be read ({error}): was it written by a newer version?"
        ) from error


def _journal(document: Mapping[str, Any]) -> Journal:
    known = {field.name for field in fields(Journal)}
    if unknown := sorted(set(document) - known):
        raise ValueError(f"unknown {', '.join(unknown)}")
    return Journal(**{**document, "goal": Goal(document["goal"])})
