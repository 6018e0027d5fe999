# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the module ``cycle``, and of each item of ``cycles``: of the policy, and how to reach it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.variable_names import RENAMED_OPTIONS
from ..environment.settings import purge_mode
from ..option_settings.given import parse
from ..run.items import LOCK_ARGUMENTS, ItemSpec
from .planner.model import Goal, Policy
from .smoke_tests import SmokeTest
from .stages import Stage

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_MAX_PORT = 65535
# What of the policy is not given as it is.
_OTHERWISE = ("goal", "window", "accepted_health", "version_label", "name_prefix", "lock_ttl", "lock_wait_timeout")


def _numbers() -> dict[str, dict[str, Any]]:
    """Fields of the policy that are numbers or switches, with its defaults."""
    # An annotation is the text of its type.
    return {
        one.name: {"default": one.default, "type": one.type} for one in fields(Policy) if one.name not in _OTHERWISE
    }


ARGUMENTS: dict[str, dict[str, Any]] = {
    **_numbers(),
    "accepted_health": {"default": ["Green"], "type": "list", "elements": "str", "choices": ["Green", "Yellow"]},
    "application": {"required": True, "type": "str"},
    "cname_prefix": {"required": True, "type": "str"},
    "goal": {"default": "recreate", "type": "str", "choices": ["recreate", "deploy", "rollback"]},
    "lock": {"apply_defaults": True, "type": "dict", "options": LOCK_ARGUMENTS},
    "name_prefix": {"type": "str"},
    "option_settings": {"default": {}, "no_log": True, "type": "raw"},
    "platform": {"type": "str"},
    "platform_downgrade": {"default": False, "type": "bool"},
    "purge_properties": {"default": False, "type": "raw"},
    "smoke_tests": {
        "default": [],
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"default": "/", "type": "str"},
            "status": {"default": [200], "type": "list", "elements": "int"},
            "body": {"type": "str"},
            "headers": {"type": "dict"},
            "latency": {"default": 0, "type": "float"},
            "timeout": {"default": 10, "type": "float"},
            "scheme": {"default": "http", "type": "str", "choices": ["http", "https"]},
            "host": {"type": "str"},
            "port": {"default": 0, "type": "int"},
            "follow_redirects": {"default": False, "type": "bool"},
            "validate_certs": {"default": True, "type": "bool"},
            "ca_path": {"type": "path"},
        },
    },
    "stage_ttl": {"default": 900, "type": "int"},
    "stop_at": {"type": "str", "choices": [str(stage) for stage in Stage]},
    "version_label": {"type": "str"},
    "window": {"type": "str"},
}


def window(text: str | None) -> tuple[int, int] | None:
    """ "02:00-04:30" as minutes after midnight UTC; None and "" are no window."""
    if not text:
        return None
    found = _CLOCK.fullmatch(text.replace(" ", ""))
    if not found:
        raise AnsibleBeanstalkRefusedError(message=f"The window {text} is not of the form 02:00-04:30.")
    hours = [int(part) for part in found.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


def policy_of(params: Mapping[str, Any]) -> Policy:
    """The planner's policy; raises AnsibleBeanstalkRefusedError where the parameters contradict each other."""
    lock = params["lock"]
    policy = Policy(
        goal=Goal(params["goal"]),
        window=window(params["window"]),
        accepted_health=tuple(params["accepted_health"]),
        version_label=params["version_label"] or "",
        name_prefix=params["name_prefix"] or "",
        lock_ttl=lock["ttl"],
        lock_wait_timeout=lock["wait_timeout"],
        **{name: params[name] for name in _numbers()},
    )
    if policy.goal is Goal.DEPLOY and not policy.version_label:
        raise AnsibleBeanstalkRefusedError(message="version_label is needed for the goal deploy.")
    if policy.request_settle_time <= policy.max_decision_age:
        raise AnsibleBeanstalkRefusedError(message="request_settle_time must be longer than max_decision_age.")
    if params["stop_at"] and not lock["owner"]:
        raise AnsibleBeanstalkRefusedError(message="stop_at needs lock.owner, by which the next call goes on.")
    return policy


def smoke_tests_of(params: Mapping[str, Any]) -> list[SmokeTest]:
    """The smoke tests; raises AnsibleBeanstalkRefusedError for what cannot be asked: hosts, ports, authorities."""
    tests = [
        SmokeTest(
            **{
                **one,
                "status": tuple(one["status"]),
                **{name: one[name] or "" for name in ("body", "host", "ca_path")},
                "headers": one["headers"] or {},
            }
        )
        for one in params["smoke_tests"]
    ]
    for test in tests:
        if test.host and not _HOST.fullmatch(test.host):
            raise AnsibleBeanstalkRefusedError(
                message=f"host of the smoke test of {test.path}: {test.host} is no name of a host; give one such as "
                "www.example.com, and scheme and port beside it."
            )
        if not 0 <= test.port <= _MAX_PORT:
            raise AnsibleBeanstalkRefusedError(
                message=f"port of the smoke test of {test.path}: there is no port {test.port}."
            )
        try:
            if test.ca_path:
                test.tls()
        except OSError as error:
            why = error.strerror or error
            raise AnsibleBeanstalkRefusedError(
                message=f"ca_path of the smoke test of {test.path}: {test.ca_path} is no file of certificates ({why})."
            ) from error
    return tests


def _check(params: Mapping[str, Any]) -> None:
    parse(params.get("option_settings") or {})
    purge_mode(params["purge_properties"])
    policy_of(params)
    smoke_tests_of(params)


# The address that tells where a name leads is for services whose names nobody else can resolve.
ITEMS = ItemSpec({**ARGUMENTS, "url_service": {"no_log": True, "type": "str"}}, _check, renamed=RENAMED_OPTIONS)
