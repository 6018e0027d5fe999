# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a candidate's own logs say: whether its leader tasks ran; and why it failed, before it is terminated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError
from ..core.transformations import event_out
from ..core.waiters import Deadline
from ..observe.deployment_log import ON_INSTANCE, DeploymentLog
from ..observe.events import failing_instances
from ..observe.failure import LINES, Cause, find_cause, logged_cause, short_cause
from ..observe.logs import request_tails, telling_lines

_EVENTS = 25
_INSTANCES = 2
_TOLD_EVENTS = 5
_RUN_BEFORE = "this version has run it"  # in the reason of a hook whose ledger knows the version (roles/hooks)


def failure_of(
    client: Any,
    environment_id: str,
    seconds: float,
    deployment_log: Callable[[str], DeploymentLog | None] = lambda _request_id: None,
) -> dict[str, Any]:
    """Events that warn, and log tails of the instances that they name (two of any when they name none).

    ``lines`` are the failing step's own output and the last events, ``cause`` is one line. ``deployment_log`` reads
    Elastic Beanstalk's log of a request. Takes at most about ``seconds``. Never raises: what cannot be had is told
    under ``problem``, as a failed candidate must go also when nobody learns why.
    """
    found: dict[str, Any] = {"environment_id": environment_id, "events": [], "logs": {}}
    found |= {"cause": "", "lines": [], "problem": ""}
    try:
        events = api.describe_events(client, EnvironmentId=environment_id)[::-1]
        told = [one for one in events if one.get("Severity") in ("WARN", "ERROR", "FATAL")][-_EVENTS:]
        found["events"] = [event_out(one) for one in told]
        failing = failing_instances(told)[:_INSTANCES]
        tails = request_tails(client, environment_id, failing, Deadline(seconds, min(2.0, seconds / 5)))
        found["logs"] = dict(list(tails.items())[:_INSTANCES])
    except AnsibleBeanstalkError as error:
        found["problem"] = str(error)
    causes = [find_cause(instance, sections) for instance, sections in found["logs"].items()]
    causes.insert(0, _logged(found, deployment_log))
    cause = next((one for one in causes if one is not None), None)
    if cause is not None:
        found["lines"] = [cause.heading, *(f"  {line}" for line in cause.lines)]
    else:
        for instance, sections in found["logs"].items():
            if lines := telling_lines(sections, LINES):
                found["lines"] += [f"Log of {instance}:", *(f"  {line}" for line in lines)]
    last = found["events"][-_TOLD_EVENTS:]
    found["cause"] = short_cause(cause, [one["message"] for one in last if one["severity"] != "WARN"])
    found["lines"] += [f"{one['event_date']} {one['severity']} {one['message']}" for one in last]
    return found


def _logged(found: dict[str, Any], deployment_log: Callable[[str], DeploymentLog | None]) -> Cause | None:
    """What the deployment log of the last request says, which joins the logs. One that cannot be read is none."""
    request = next((str(one["request_id"]) for one in reversed(found["events"]) if one.get("request_id")), "")
    try:
        log = deployment_log(request) if request else None
    except AnsibleBeanstalkError:
        return None
    if log is None:
        return None
    found["logs"].setdefault(found["environment_id"], {})[f"{ON_INSTANCE}/{log.name}"] = log.lines
    return logged_cause(log)


def leader_trouble(told: Mapping[str, Any]) -> str:
    """Why the answer of leaders.LeaderQuery does not show that all leader tasks ran well; empty when it does."""
    leader = told["leader"]
    if leader["state"] != "found":
        return f"the leader is {leader['state']} ({leader['reason']})"
    for hook in told["hooks"]:
        if hook["leader_only"] and hook["instance_id"] == leader["instance_id"]:
            if hook["ran"] and hook["rc"] not in (0, None):
                return f"{hook['name']} ended with {hook['rc']} on {hook['instance_id']}"
            if not hook["ran"] and _RUN_BEFORE not in str(hook["reason"]):
                return f"{hook['name']} did not run on {hook['instance_id']} ({hook['reason']})"
    return ""
