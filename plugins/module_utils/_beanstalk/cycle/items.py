# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables of the inventory to an item of the module ``cycles``: the one place where they meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.connection import connection

Variables = Mapping[str, Any]

# What a user can do in place of a cycle.
_INSTEAD = {
    "recreate": "deploy.yml updates it in place",
    "rollback": "deploy.yml brings an earlier version back, from an earlier eb_source.ref",
}


def cycle_items(
    hosts: Iterable[str], variables: Mapping[str, Variables], goal: str = "recreate"
) -> list[dict[str, Any]]:
    """An item for each host. One whose variables cannot be used has a ``problem``, a sentence, and no arguments."""
    items = []
    for host in hosts:
        try:
            items.append(cycle_item(host, variables[host], goal))
        except Exception as error:  # whatever a template of the inventory may raise
            items.append({"item": host, "problem": f"A variable of {host} cannot be used: {error}"})
    return items


def cycle_item(host: str, mine: Variables, goal: str) -> dict[str, Any]:
    """The arguments of one host, as ``cycles`` takes them."""
    if mine.get("eb_tier") == "Worker":
        problem = (
            f"{host} is a worker environment (eb_tier: Worker): it has no CNAME, so there is nothing to swap; "
            f"{_INSTEAD[goal]}. Leave it out with --limit '!{host}'."
        )
        return {"item": host, "problem": problem}
    options = dict(mine.get("eb_recreate") or {})
    lock = {**(mine.get("eb_lock") or {}), **(options.pop("lock", None) or {})}
    # A name that several runs have would make one of them end as another did.
    lock.pop("owner", None)
    return {
        "item": host,
        **connection(mine),
        "application": mine["eb_application"],
        "cname_prefix": mine["eb_cname_prefix"],
        "name_prefix": mine.get("eb_environment_name", host),
        "goal": goal,
        **options,
        "lock": lock,
    }
