# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one run of a cycle found out by itself. It can all be found out again, so a run may be killed at any point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import AnsibleBeanstalkError, already_exists, error_code, error_text, message_contains
from ..lock.lease import Lease, LeaseState
from .planner.model import Action, CheckResult, Journal, Lock, Observation, Result, Step
from .record import from_document


@dataclass
class Findings:
    """Checks, refused requests, and what a failed candidate said before it was terminated."""

    smoke_test: CheckResult | None = None
    cname_check: CheckResult | None = None
    leader_tasks: CheckResult | None = None
    refusals: dict[Action, int] = field(default_factory=dict)
    last_error: str = ""
    taken_name: str = ""
    full: str = ""
    failure: dict[str, Any] = field(default_factory=dict)

    def refused(self, step: Step, error: AnsibleBeanstalkError) -> None:
        """Count a request that AWS refused, and note what that says of the account."""
        self.refusals[step.action] = self.refusals.get(step.action, 0) + 1
        self.last_error = error_text(error)
        if step.action is Action.CREATE:
            if already_exists(error) or message_contains(error, "DNS name"):
                self.taken_name = step.name
                self.refusals[step.action] -= 1
            if error_code(error) == "TooManyEnvironmentsException":
                self.full = "the region's quota of environments is used up"


@dataclass
class Run:
    """How far a run got. ``steps`` has one sentence per step, waits told once.

    ``samples`` are requests to the live name at every wait. ``failure`` has what was learnt of a candidate before it
    was terminated (see evidence). ``journal`` is that of the cycle that the run is, or was, in.
    """

    stage: str = ""
    result: Result | None = None
    sentence: str = ""
    observation: Observation | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    failure: Mapping[str, Any] = field(default_factory=dict)
    journal: Journal | None = None
    changed: bool = False


def lock_of(lease: Lease, owner: str, now: float, place: str = "the lock object") -> Lock:
    """The lease as the planner sees it; ``place`` is where it was read."""
    return Lock(
        owner=lease.owner,
        reason=lease.reason,
        token=lease.token,
        expires=lease.expires,
        owner_ended=lease.state(owner, now) is LeaseState.ORPHANED,
        record=from_document(lease.record, place),
    )
