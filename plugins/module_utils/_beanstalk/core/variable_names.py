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
    "eb_fleet_max_failures": "eb_fleet_max_fail_percentage",
    "eb_cycle": "eb_recreate",
    "eb_cycle_files": "eb_recreate_stage_tasks",
    "eb_cycle_notify": "eb_notify",
    "eb_cycle_report_folder": "eb_report_folder",
    "eb_recreate_notify": "eb_notify",
    "eb_recreate_report_folder": "eb_report_folder",
}
"""Old name to new name."""

_MEANINGS = {"eb_fleet_max_failures": " and a percentage of a wave's hosts"}
"""What else is another."""

RENAMED_OPTIONS: Mapping[str, str] = {
    "bucket": "lock.bucket",
    "cycle_limit": "cycle_timeout",
    "drain_max": "drain_timeout",
    "keep_failed": "retain_failed_for",
    "keep_retired": "retain_old_for",
    "lease_ttl": "lock.ttl",
    "lock_wait": "lock.wait_timeout",
    "name": "name_prefix",
    "noise_floor": "drain_requests_per_minute",
    "owner": "lock.owner",
    "probes": "smoke_tests",
    "probes_in_a_row": "smoke_test_successes",
    "proof_timeout": "swap_verify_timeout",
    "red_grace": "unhealthy_grace",
    "settle": "request_settle_time",
    "soak": "bake_time",
    "step_fresh": "max_decision_age",
    "until": "stop_at",
}
"""The same for options of a cycle, which are the keys of eb_recreate."""


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
    new = f"{RENAMED[old]} now{_MEANINGS.get(old, '')}"
    return f"The variable {old} of {hosts[0]}{others} is called {new}: rename it; nothing was done."
