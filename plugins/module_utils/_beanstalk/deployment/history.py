# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was live when: a line of the ledger in the lock object, which is written when the lock is freed.

So it costs no request, nobody else can write it meanwhile, and a rollback, which is a cycle, goes by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UPDATED = "update"
"""The goal of a deployment in place, among those of cycles."""
LEDGER_ENTRIES = 10


def noted(
    record: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    *,
    owner: str,
    at: float,
    description: str,
) -> dict[str, Any] | None:
    """The record with a line for a deployment; None where the same version ran before.

    ``before`` and ``after`` are the environment as it was (None: it was made) and is, ``at`` is in seconds since the
    epoch on the lock's clock. The oldest lines go.
    """
    was, runs = (before or {}).get("VersionLabel") or "", after.get("VersionLabel") or ""
    if before is not None and was == runs:
        return None
    # The fields of Entry in cycle/planner/model.py.
    entry = {
        "cycle": "",
        "owner": owner,
        "result": "done",
        "at": round(at, 3),
        "live": str(after["EnvironmentId"]),
        "label": str(runs),
        "previous": str((before or {}).get("EnvironmentId") or ""),
        "previous_label": str(was),
        "sentence": description,
        "goal": UPDATED,
    }
    return {**record, "ledger": [*record.get("ledger", ()), entry][-LEDGER_ENTRIES:]}
