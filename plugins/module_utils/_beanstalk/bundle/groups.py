# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a fleet have the same source bundle, so that one of them makes it for all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .types import is_confidential

NAMES = frozenset(
    (
        *("eb_application", "eb_platform", "eb_source", "eb_image", "eb_bundle_overlay", "eb_bundle_skip_rules"),
        *("eb_hooks", "eb_hooks_prefix", "eb_hooks_once_store", "eb_localstalk"),
    )
)
PREFIXES = ("bundle_", "hooks_", "image_")
"""Defaults of the roles that make a bundle, which an inventory may replace."""


def bundle_groups(hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """By host, the first host whose variables make the same bundle.

    A bundle with secrets lies on the controller until it is uploaded, so its host makes it for itself when its turn has
    come: such hosts are left out. So are hosts whose variables cannot be read, which fail with their own message then.
    """
    groups: dict[str, str] = {}
    first: dict[str, str] = {}
    for host in hosts:
        try:
            mine = variables[host]
            if _has_secrets(mine):
                continue
            names = sorted(name for name in mine if name in NAMES or name.startswith(PREFIXES))
            key = json.dumps([(name, mine[name]) for name in names], sort_keys=True)
        except Exception:  # noqa: S112 -- whatever a template of the inventory may raise
            continue
        groups[host] = first.setdefault(key, host)
    return groups


def _has_secrets(variables: Mapping[str, Any]) -> bool:
    if variables.get("eb_secrets_files"):
        return True
    secrets, overlay = variables.get("eb_secrets", {}), variables.get("eb_bundle_overlay", [])
    return any("file" in one for one in secrets.values()) or any(
        is_confidential(int(str(one.get("mode", "0644")), 8)) for one in overlay
    )
