# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aborting the operation that runs on an environment, until the environment is Ready again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import api, waiters
from ..core.errors import AnsibleBeanstalkRefusedError, translate_errors
from ..core.transformations import environment_out
from ..observe.lookup import find_environment

Environment = Mapping[str, Any]


def ensure_aborted(client: Any, params: Mapping[str, Any], check_mode: bool) -> tuple[bool, dict[str, Any]]:
    """Abort what runs, if anything does, and wait for the end of it; returns (changed, result).

    Elastic Beanstalk can abort an update of an environment and no other operation (AbortEnvironmentUpdate in its API
    reference; DescribeEnvironments says when, as AbortableOperationInProgress): another one is a refusal.
    """
    environment = find_environment(client, params)
    if environment is None:
        asked = params["cname_prefix"] or params["name"] or params["environment_id"]
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {params['application']} has no environment {asked}."
        )
    status, name = environment.get("Status"), environment["EnvironmentName"]
    if status == "Ready":
        return False, _result(client, environment, environment)
    if status == "Aborting":
        return False, _result(client, environment, environment if check_mode else _ended(client, environment, params))
    if not environment.get("AbortableOperationInProgress"):
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {name} is {status}, and Elastic Beanstalk cannot abort that operation: wait for "
            "its end."
        )
    if check_mode:
        return True, _result(client, environment, {**environment, "Status": "Aborting"})
    _abort(client, environment["EnvironmentId"])
    return True, _result(client, environment, _ended(client, environment, params))


def _ended(client: Any, environment: Environment, params: Mapping[str, Any]) -> dict[str, Any]:
    deadline = waiters.Deadline(params["wait_timeout"], params["poll_interval"])
    return waiters.wait_until_ready(client, environment["EnvironmentId"], deadline)


@translate_errors("abort the update")
def _abort(client: Any, environment_id: str) -> None:
    client.abort_environment_update(EnvironmentId=environment_id)


def _result(client: Any, before: Environment, after: Environment) -> dict[str, Any]:
    names = ("Status", "VersionLabel")
    return {
        "environment": environment_out(after, api.region_of(client)),
        "diff": {side: {key: one.get(key) for key in names} for side, one in (("before", before), ("after", after))},
    }
