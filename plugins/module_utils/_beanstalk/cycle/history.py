# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was live when, from the ledger in the lock object, as a module returns it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..core.shown import all_shown
from ..core.transformations import iso
from ..deployment.history import UPDATED
from ..lock.store import LockStore
from .record import from_document


def history(store: LockStore) -> list[dict[str, Any]]:
    """Deployments and cycles, newest first. Raises AnsibleBeanstalkError where the lock object cannot be read."""
    found = []
    for entry in reversed(from_document(store.read().record).ledger):
        updated = entry.goal == UPDATED
        line = {
            "at": iso(datetime.fromtimestamp(entry.at, tz=UTC)),
            "goal": entry.goal or "recreate",
            "result": str(entry.result),
            "owner": entry.owner,
            "environment_id": entry.live,
            "version_label": entry.label,
            "previous_environment_id": entry.previous or None,
            "previous_version_label": entry.previous_label or None,
            "description": entry.sentence if updated else "",
            "sentence": "" if updated else entry.sentence,
        }
        found.append(dict(all_shown(line)))
    return found
