# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables of the inventory to an item of the module ``cycles``: the one place where they meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.connection import connection
from ..core.receivers import receivers_problem
from ..deployment.items import deployment_item
from ..platform.resolution import other_platforms

Variables = Mapping[str, Any]
# Of a deployment, what a fresh environment gets.
_WANTED = ("platform", "platform_downgrade", "option_settings", "purge_properties", "version_label")

# What a user can do in place of a cycle.
_INSTEAD = {
    "recreate": "deploy.yml updates it in place",
    "rollback": "deploy.yml brings an earlier version back, from an earlier eb_source.ref",
}


def cycle_items(
    hosts: Iterable[str], variables: Mapping[str, Variables], goal: str = "recreate"
) -> list[dict[str, Any]]:
    """An item for each host. One whose variables cannot be used has a ``problem``, a sentence, and no arguments.

    With the goal ``deploy`` only hosts that are deployed to by a swap have one, as the role ``deploy`` found them.
    """
    items = []
    for host in hosts:
        try:
            wanted = _swapped_in(host, variables) if goal == "deploy" else {}
            if wanted is not None:
                items.append(_cycle_item(host, variables[host], goal, wanted))
        except Exception as error:  # whatever a template of the inventory may raise
            items.append({"item": host, "problem": f"A variable of {host} cannot be used: {error}"})
    return items


def _cycle_item(host: str, mine: Variables, goal: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of one host, as ``cycles`` takes them."""
    if mine.get("eb_tier") == "Worker":
        problem = (
            f"{host} is a worker environment (eb_tier: Worker): it has no CNAME, so there is nothing to swap; "
            f"{_INSTEAD[goal]}. Leave it out with --limit '!{host}'."
        )
        return {"item": host, "problem": problem}
    if problem := receivers_problem(mine.get("eb_notify")):
        return {"item": host, "problem": problem}
    options = dict(mine.get("eb_recreate") or {})
    if goal == "rollback":
        # What fresh environments get every night is no version to go back to.
        options.pop("version_label", None)
        wanted = {"version_label": str(mine["eb_version_label"])} if mine.get("eb_version_label") else {}
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
        **wanted,
        **options,
        "lock": lock,
    }


def _swapped_in(host: str, variables: Mapping[str, Variables]) -> dict[str, Any] | None:
    """What a fresh environment shall be; None where the live one runs the version on the platform, or there is none."""
    found = variables[host].get("__deploy_live") or {}
    live = found.get("environments") or []
    if variables[host].get("eb_deploy_strategy") != "swap" or "problem" in found or not live:
        return None
    item = deployment_item(host, variables)
    # Another platform needs a fresh environment, even where the version is the same.
    force = bool(other_platforms(live, item["platform"]))
    if not force and all(one["version_label"] == item["version_label"] for one in live):
        return None
    return {**{name: item[name] for name in _WANTED}, "force": force}
