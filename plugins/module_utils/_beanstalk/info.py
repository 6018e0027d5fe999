# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading environments, and asking one of them for its leader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import api, leader, tags
from .common import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, says
from .environments import holder_of
from .logs import request_tails
from .transformations import cname_prefix, environment_out, instance_out, iso, tags_out
from .waiters import Deadline

Environment = dict[str, Any]


def select(client: Any, params: Mapping[str, Any]) -> list[Environment]:
    """Environments that the parameters name; all of the application (or region) when they name none."""
    filters = {
        "ApplicationName": params.get("application"),
        "EnvironmentIds": params.get("ids"),
        "EnvironmentNames": params.get("names"),
    }
    found = api.describe_environments(client, **filters)
    prefix = params.get("cname_prefix")
    if prefix:
        found = [item for item in found if cname_prefix(item.get("CNAME")) == prefix.lower()]
    return sorted(found, key=lambda item: (item["ApplicationName"], item["EnvironmentName"]))


def describe(client: Any, environment: Environment, gather: Sequence[str]) -> dict[str, Any]:
    """One environment with what was asked for: health, instances, tags (one call each)."""
    result = environment_out(environment)
    environment_id = environment["EnvironmentId"]
    if "health" in gather:
        health = api.describe_environment_health(client, environment_id)
        result["causes"] = list(health.get("Causes") or [])
    if "instances" in gather:
        instances = api.describe_instances_health(client, environment_id) or []
        result["instances"] = [instance_out(item) for item in instances]
    if "tags" in gather:
        arn = environment.get("EnvironmentArn") or ""
        result["tags"] = tags.user_tags(tags_out(api.list_tags(client, arn)))
    return result


def find_one(client: Any, params: Mapping[str, Any]) -> Environment:
    """The one environment that the parameters name; AnsibleBeanstalkRefusedError when there is none."""
    wanted = params.get("environment_id") or params.get("cname_prefix") or params.get("name")
    if params.get("environment_id"):
        found = api.describe_environments(client, EnvironmentIds=[params["environment_id"]])
        match = found[0] if found else None
    else:
        found = api.describe_environments(client, ApplicationName=params["application"])
        if params.get("cname_prefix"):
            match = holder_of(found, params["cname_prefix"])
        else:
            match = next((item for item in found if item["EnvironmentName"] == params["name"]), None)
    if match is None:
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {params['application']} has no environment {wanted}."
        )
    return match


def _present(client: Any, environment_id: str) -> tuple[list[str], dict[str, str], dict[str, int]]:
    """Instances that exist now, when each got its deployment, and the number of that deployment."""
    health = api.describe_instances_health(client, environment_id)
    if health is None:
        resources = api.describe_resources(client, environment_id)
        return [item["Id"] for item in resources.get("Instances", [])], {}, {}
    deployed, numbers = {}, {}
    for item in health:
        deployment = item.get("Deployment") or {}
        if deployment.get("DeploymentTime") is not None:
            deployed[item["InstanceId"]] = iso(deployment["DeploymentTime"])
        if deployment.get("DeploymentId") is not None:
            numbers[item["InstanceId"]] = int(deployment["DeploymentId"])
    return [item["InstanceId"] for item in health], deployed, numbers


def _removed(client: Any, environment: Environment, evidence: Sequence[leader.Evidence]) -> list[str]:
    """Instances that left after the elections that the evidence tells of."""
    times = [item.at for item in evidence if item.at]
    found = api.describe_events(client, EnvironmentId=environment["EnvironmentId"])
    removed = []
    for event in found:
        text = event.get("Message", "")
        if text.startswith("Removed instance") and (not times or iso(event["EventDate"]) >= min(times)):
            removed += [part.strip() for part in text[text.find("[") + 1 : text.find("]")].split(",")]
    return removed


def ask_leader(client: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Leader, evidence and hook results of one environment."""
    environment = find_one(client, params)
    environment_id = environment["EnvironmentId"]
    existing, deployed, numbers = _present(client, environment_id)
    deadline = Deadline(params["wait_timeout"], params["poll_interval"])
    problem = None
    tails: dict[str, Any] = {}
    if existing:
        try:
            tails = request_tails(client, environment_id, existing, deadline)
        except AnsibleBeanstalkError as error:
            # An operation is running, so a new leader is being elected: that is an answer, not a failure.
            if not says(error, "Must be Ready"):
                raise
            problem = "an operation is running, so its logs cannot be read now"
    evidence = leader.gather(tails)
    label = environment.get("VersionLabel")
    verdict = leader.decide(evidence, existing, label, deployed)
    if verdict.state == "none":
        removed = [name for name in _removed(client, environment, evidence) if name not in existing]
        verdict = leader.decide(evidence, existing, label, deployed, removed)
    chosen = verdict.chosen
    return {
        "environment": environment_out(environment),
        "leader": {
            "state": verdict.state,
            "instance_id": verdict.instance_id,
            "version_label": label if verdict.state in ("found", "lost") else None,
            "deployment_id": numbers.get(verdict.instance_id or ""),
            "command": chosen.command if chosen else None,
            "at": chosen.at if chosen else None,
            "reason": problem or verdict.reason,
            "evidence": [item.as_dict() for item in evidence],
        },
        "hooks": leader.hook_results(tails),
    }
