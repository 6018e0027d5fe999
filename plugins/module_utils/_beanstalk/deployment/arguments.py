# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the module ``environment``, and of each item of ``environments``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..core.cnames import key_of
from ..core.errors import AnsibleBeanstalkRefusedError
from ..option_settings.given import parse
from ..option_settings.shortcuts import ARGUMENTS as CAPACITY_ARGUMENTS

LOCK_ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str"},
    "owner": {"type": "str"},
    "ttl": {"default": 180, "type": "int"},
    "wait_timeout": {"default": 300, "type": "int"},
}

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

REQUIRED_ONE_OF = [["name", "cname_prefix", "environment_id"]]

Items = dict[str, dict[str, Any]]


def checked_items(
    given: Iterable[Mapping[str, Any]], connection: Mapping[str, Any], shared: Mapping[str, Any]
) -> tuple[Items, dict[str, str]]:
    """Items with all their arguments by name, and those that cannot be used, with a sentence each.

    ``connection`` is the argument specification for reaching AWS, ``shared`` its values for items that name no region.
    """
    validator = ArgumentSpecValidator(
        {**connection, **ARGUMENTS, "item": {"required": True, "type": "str"}}, required_one_of=REQUIRED_ONE_OF
    )
    good: Items = {}
    bad: dict[str, str] = {}
    holders: dict[tuple[Any, ...], str] = {}
    for number, one in enumerate(given):
        name = str(one.get("item") or f"number {number + 1}")
        if "problem" in one:
            bad[name] = str(one["problem"])
            continue
        checked = validator.validate({**({} if one.get("region") else shared), **one})
        params = dict(checked.validated_parameters)
        problems = [*checked.error_messages, *_settings_problem(params)]
        if problems:
            bad[name] = f"The environment of {name} cannot be managed: {'; '.join(problems).rstrip('.')}."
        elif name in good or name in bad:
            bad[name] = f"Two environments have the item {name}."
        else:
            good[name] = params
        if problems or not params.get("cname_prefix"):
            continue
        place = (*(str(params.get(key)) for key in _PLACE), key_of(params["cname_prefix"]))
        other = holders.setdefault(place, name)
        if other != name:
            text = f"{other} and {name} are for the same logical environment, {params['cname_prefix']}; leave one out."
            bad[name] = bad[other] = text
    return {name: params for name, params in good.items() if name not in bad}, bad


_PLACE = ("region", "profile", "access_key", "endpoint_url", "application")


def _settings_problem(params: Mapping[str, Any]) -> list[str]:
    try:
        parse(params.get("option_settings") or {})
    except AnsibleBeanstalkRefusedError as error:
        return [str(error.message)]
    return []
