# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of Elastic Beanstalk resources: unset is not empty, and AWS's own tags are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import api
from .diff import DifferenceTracker
from .transformations import tags_in, tags_out

_OWN = ("aws:", "elasticbeanstalk:")


class TagPlan(NamedTuple):
    """What the tags are, what they shall be, and how to get there."""

    before: dict[str, str]
    after: dict[str, str]
    add: dict[str, str]
    remove: list[str]


def user_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those that AWS sets itself."""
    return {key: value for key, value in tags.items() if not key.startswith(_OWN) and key != "Name"}


def plan_tags(client: Any, arn: str, wanted: Mapping[str, Any] | None, purge: bool) -> TagPlan | None:
    """Compare tags; None (and no call) when the user says nothing about them."""
    if wanted is None:
        return None
    before = user_tags(tags_out(api.list_tags(client, arn)))
    target = {str(key): str(value) for key, value in wanted.items()}
    add = {key: value for key, value in target.items() if before.get(key) != value}
    remove = sorted(set(before) - set(target)) if purge else []
    after = {key: value for key, value in before.items() if key not in remove} | target
    return TagPlan(before, after, add, remove)


def record(tracker: DifferenceTracker, plan: TagPlan | None) -> None:
    """Put a plan's difference on the record."""
    if plan is not None:
        tracker.add("tags", plan.before, plan.after)


def apply_tags(client: Any, arn: str, plan: TagPlan) -> dict[str, Any]:
    """Carry a plan out."""
    return api.update_tags(client, arn, tags_in(plan.add), plan.remove)
