# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of the inventory that have another name now: an old name is an error, since nothing reads it any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

RENAMED: Mapping[str, str] = {
    "eb_options": "eb_option_settings",
    "eb_properties": "eb_environment_properties",
    "eb_deploy_gather": "eb_report_leader",
    "eb_overlay": "eb_bundle_overlay",
    "eb_hooks_ledger": "eb_hooks_once_store",
}
"""Old name to new name."""


def renamed_variables(hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each variable that a host still has by its old name; empty when there is none."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        mine = variables[host]
        for old in RENAMED:
            if old in mine:
                found.setdefault(old, []).append(host)
    return [_sentence(old, found[old]) for old in RENAMED if old in found]


def _sentence(old: str, hosts: list[str]) -> str:
    others = f" and {len(hosts) - 1} more" if len(hosts) > 1 else ""
    return f"The variable {old} of {hosts[0]}{others} is called {RENAMED[old]} now: rename it; nothing was done."
