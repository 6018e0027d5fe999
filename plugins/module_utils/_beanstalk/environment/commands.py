# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shell scripts on the instances of one environment, by Systems Manager's Run Command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkRefusedError, AnsibleBeanstalkWaitError
from ..core.shown import all_shown
from ..core.waiters import Deadline
from ..leader.query import LeaderQuery
from ..leader.sources import Services
from ..observe import environments

_AT_ONCE = 50
"""SendCommand takes so many instances (API reference of AWS Systems Manager)."""

_BUSY = ("", "Pending", "InProgress", "Delayed", "Cancelling")

Result = dict[str, Any]


def choose_instances(services: Services, environment: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """The instances that the parameters mean, in order; AnsibleBeanstalkRefusedError when there are none."""
    environment_id = environment["EnvironmentId"]
    resources = api.describe_resources(services.eb, environment_id)
    present = sorted(item["Id"] for item in resources.get("Instances", []))
    if not present:
        raise AnsibleBeanstalkRefusedError(message=f"The environment {environment_id} has no instance.")
    if params["target"] == "all":
        return present
    if params["target"] == "one":
        return present[:1]
    (answer,) = LeaderQuery(services, params, lambda: 0).ask([environment])
    leader = answer["leader"]
    if leader["state"] != "found":
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {environment_id} has no leader to run the command on ({leader['state']}): "
            f"{leader['reason']}."
        )
    return [leader["instance_id"]]


def _outcome(instance_id: str, answer: Mapping[str, Any]) -> Result:
    return {
        "instance_id": instance_id,
        "status": answer.get("Status", "Pending"),
        "rc": answer.get("ResponseCode", -1),
        "stdout": answer.get("StandardOutputContent", ""),
        "stderr": answer.get("StandardErrorContent", ""),
    }


def run_on(ssm: Any, instances: Sequence[str], script: str, deadline: Deadline, timeout: int) -> list[Result]:
    """Run the script on the instances and wait for all of them; raises AnsibleBeanstalkWaitError after the deadline."""
    commands = {}
    for start in range(0, len(instances), _AT_ONCE):
        part = instances[start : start + _AT_ONCE]
        sent = api.send_command(ssm, part, script, timeout)
        commands.update(dict.fromkeys(part, sent))
    answers: dict[str, dict[str, Any]] = {}
    waiting = list(commands)
    while waiting:
        for instance_id in waiting:
            answers[instance_id] = api.command_invocation(ssm, commands[instance_id], instance_id)
        waiting = [name for name in waiting if answers[name].get("Status", "") in _BUSY]
        if waiting and deadline.over:
            results = [_outcome(name, answers[name]) for name in commands]
            raise AnsibleBeanstalkWaitError(
                f"The command did not end within {deadline.timeout:.0f} seconds on {', '.join(waiting)}.",
                {"results": results},
            )
        if waiting:
            deadline.pause()
    return [_outcome(name, answers[name]) for name in commands]


def run_command(services: Services, params: Mapping[str, Any], check_mode: bool) -> Result:
    """Run a script on the leader, on one instance or on all; returns the outcome on each."""
    environment = environments.find_one(services.eb, params)
    environment_id = environment["EnvironmentId"]
    instances = choose_instances(services, environment, params)
    if check_mode:
        return {"environment_id": environment_id, "results": [_outcome(name, {}) for name in instances]}
    deadline = Deadline(params["wait_timeout"], params["poll_interval"])
    results = all_shown(run_on(services.ssm, instances, params["script"], deadline, params["timeout"]))
    failed = [item for item in results if item["status"] != "Success"]
    if failed and params["fail_on_rc"]:
        first = failed[0]
        said = (first["stderr"].strip() or first["stdout"].strip()).splitlines()
        raise AnsibleBeanstalkWaitError(
            f"The command failed on {len(failed)} of {len(results)} instance(s), first on {first['instance_id']} "
            f"({first['status']}, exit code {first['rc']}){': ' + said[-1] if said else ''}.",
            {"results": results},
        )
    return {"environment_id": environment_id, "results": results}
