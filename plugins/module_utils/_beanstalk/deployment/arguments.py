# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the module ``environment``, and of each item of ``environments``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..option_settings.given import parse
from ..option_settings.shortcuts import ARGUMENTS as CAPACITY_ARGUMENTS
from ..run.items import LOCK_ARGUMENTS, ItemSpec

ARGUMENTS: dict[str, Any] = {
    "application": {"required": True, "type": "str"},
    "cname_prefix": {"type": "str"},
    "description": {"type": "str"},
    "environment_id": {"type": "str"},
    "gather_leader": {"default": False, "type": "bool"},
    "lock": {"type": "dict", "options": LOCK_ARGUMENTS},
    "name": {"type": "str"},
    "option_settings": {"default": {}, "no_log": True, "type": "raw"},
    "platform": {"type": "str"},
    "platform_downgrade": {"default": False, "type": "bool"},
    "poll_interval": {"default": 5, "type": "float"},
    "purge_properties": {"default": False, "type": "raw"},
    "purge_tags": {"default": True, "type": "bool"},
    "remove_src": {"default": False, "type": "bool"},
    "src": {"type": "path"},
    "state": {"choices": ["present", "absent"], "default": "present", "type": "str"},
    "tags": {"aliases": ["resource_tags"], "type": "dict"},
    "tier": {"choices": ["WebServer", "Worker"], "type": "str"},
    "version_description": {"type": "str"},
    "version_label": {"type": "str"},
    "wait": {"default": True, "type": "bool"},
    "wait_timeout": {"default": 1800, "type": "int"},
    **CAPACITY_ARGUMENTS,
}

REQUIRED_ONE_OF = (("name", "cname_prefix", "environment_id"),)


def _check(params: Mapping[str, Any]) -> None:
    parse(params.get("option_settings") or {})


ITEMS = ItemSpec(ARGUMENTS, _check, REQUIRED_ONE_OF)
