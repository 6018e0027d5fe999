# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables of the inventory to an item of the module ``environments``: the one place where they meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.connection import connection
from ..core.receivers import receivers_problem
from ..environment.secrets import SecretsError, sort_secrets
from ..option_settings.given import merged

PROPERTIES = "aws:elasticbeanstalk:application:environment"
REFERENCES = "aws:elasticbeanstalk:application:environmentsecrets"
# Two requests for each environment: of a fleet, leader_info asks for all at once.
_LEADERS_OF = 10
_LONGEST_DESCRIPTION = 200
"""Of an application version (API reference)."""

Variables = Mapping[str, Any]


def deployment_items(hosts: Iterable[str], variables: Mapping[str, Variables]) -> list[dict[str, Any]]:
    """An item for each host. One whose variables cannot be used has a ``problem``, a sentence, and no arguments."""
    names = list(hosts)
    items = []
    for host in names:
        try:
            items.append(deployment_item(host, variables, many=len(names) > _LEADERS_OF))
        except SecretsError as error:
            items.append({"item": host, "problem": str(error)})
        except Exception as error:  # whatever a template of the inventory may raise
            items.append({"item": host, "problem": f"A variable of {host} cannot be used: {error}"})
    return items


def deployment_item(host: str, variables: Mapping[str, Variables], *, many: bool = False) -> dict[str, Any]:
    """The arguments of one host, as ``environments`` takes them; ``many`` is whether it is one of a fleet."""
    mine = variables[host]
    first = (mine.get("eb_bundle_groups") or {}).get(host, host)
    made = variables[first].get("bundle_made") or {}
    if "bundle" not in made:
        return {"item": host, "problem": f"The source bundle is missing: {first} failed to make it."}
    bundle = made["bundle"]
    swap = (mine.get("__deploy_live") or {}) if mine.get("eb_deploy_strategy") == "swap" else {}
    # In check mode nothing was swapped, so the old environment has its platform still.
    would_swap = bool(mine.get("ansible_check_mode") and swap.get("environments"))
    problem = swap.get("problem") or receivers_problem(mine.get("eb_notify"))
    return {
        "item": host,
        **({"problem": problem} if problem else {}),
        **connection(mine),
        **wanted_environment(host, mine),
        "platform": None if would_swap else mine["eb_platform"],
        "platform_downgrade": mine.get("eb_platform_downgrade", False),
        "version_label": bundle["version_label"],
        "version_description": _description(bundle, mine),
        "src": bundle["path"],
        "remove_src": bundle["has_secrets"],
        "purge_properties": mine.get("eb_environment_properties_purge", False),
        "purge_tags": False,
        "gather_leader": bool(mine.get("eb_report_leader", not many)),
        "wait_timeout": mine.get("eb_wait_timeout", 1800),
        "poll_interval": mine.get("eb_poll_interval", 5),
    }


def wanted_environment(host: str, mine: Variables) -> dict[str, Any]:
    """Which environment a host is, and what it is to be, whatever version it runs. SecretsError for bad secrets."""
    properties = mine.get("eb_environment_properties") or {}
    options = mine.get("eb_option_settings") or {}
    secrets = sort_secrets(mine.get("eb_secrets") or {}, properties, options, mine["eb_platform"])
    more = {REFERENCES: secrets["references"], PROPERTIES: {**properties, **secrets["properties"]}}
    return {
        "application": mine["eb_application"],
        "name": mine.get("eb_environment_name", host),
        # A worker takes its work from a queue: it has no CNAME, and its name is what everybody knows it by.
        "cname_prefix": None if mine.get("eb_tier") == "Worker" else mine["eb_cname_prefix"],
        **({"tier": mine["eb_tier"]} if mine.get("eb_tier") else {}),
        "platform": mine["eb_platform"],
        "option_settings": merged(options, {name: values for name, values in more.items() if values}),
        "tags": mine.get("eb_tags") or None,
        "lock": mine.get("eb_lock") or {},
    }


def _description(bundle: Mapping[str, Any], mine: Variables) -> str | None:
    """What a version says of itself: the commit, where the files are from if not from it, and its first line."""
    commit, kind = bundle.get("commit"), (mine.get("eb_source") or {}).get("from", "ref")
    if not commit:
        return bundle.get("description") or None
    place = "" if kind == "ref" else f" and {str(kind).replace('_', ' ')}"
    return f"{commit[:10]}{place}: {bundle.get('description') or ''}"[:_LONGEST_DESCRIPTION]
