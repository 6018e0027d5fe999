# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read-only questions: applications, versions, events, platforms, instances, logs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..core import api, tags
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError
from ..core.names import own_bucket
from ..core.shown import all_shown, shown
from ..core.transformations import (
    application_out,
    event_out,
    instance_out,
    plain,
    tags_out,
    version_out,
)
from ..core.waiters import Deadline
from ..platform import resolution
from .deployment_log import ON_INSTANCE, deployment_log
from .environments import find_one, select
from .logs import Sections, request_tails
from .verification import Instance

_AGO = re.compile(r"(\d+)\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def list_applications(client: Any, names: Sequence[str], with_tags: bool) -> list[dict[str, Any]]:
    """Applications by name; tags cost a call for each."""
    result = []
    for item in sorted(api.describe_applications(client, names), key=lambda found: str(found["ApplicationName"])):
        known = tags.user_tags(tags_out(api.list_tags(client, item["ApplicationArn"]))) if with_tags else None
        result.append(
            {**application_out(item, known), "configuration_templates": item.get("ConfigurationTemplates", [])}
        )
    return result


def list_versions(client: Any, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Versions of an application, newest first, with the environments that run them now."""
    found = api.describe_versions(client, params["application"], params["version_labels"] or ())
    users: dict[str, list[str]] = {}
    for environment in api.describe_environments(client, ApplicationName=params["application"]):
        users.setdefault(environment.get("VersionLabel") or "", []).append(environment["EnvironmentName"])
    found.sort(key=lambda item: (item.get("DateCreated") is not None, item.get("DateCreated")), reverse=True)
    return [{**version_out(item), "environments": sorted(users.get(item["VersionLabel"], []))} for item in found]


def parse_since(text: str | None) -> datetime | None:
    """A moment: ISO 8601, or so long ago ("90m", "2 h", "1d"). AnsibleBeanstalkRefusedError for anything else."""
    if not text:
        return None
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise AnsibleBeanstalkRefusedError(
            message=f"since is {text!r}; give a time such as 2026-03-03T12:00:00Z, or so long ago: 90m, 2h, 1d."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def list_events(client: Any, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Events of one environment, or of a whole application, oldest first."""
    filters: dict[str, Any] = {
        "Severity": params["severity"],
        "RequestId": params["request_id"],
        "VersionLabel": params["version_label"],
    }
    if params["cname_prefix"] or params["name"] or params["environment_id"]:
        filters["EnvironmentId"] = find_one(client, params)["EnvironmentId"]
    else:
        filters["ApplicationName"] = params["application"]
    found = api.describe_events(client, since=parse_since(params["since"]), **filters)
    return [event_out(event) for event in reversed(found[: params["limit"]])]


def list_platforms(client: Any, branch: str | None, contains: str | None) -> list[dict[str, Any]]:
    """Solution stacks with branch and version; the newest of each branch is marked."""
    stacks = api.solution_stacks(client)
    result = []
    for stack in stacks:
        found = resolution.branch_of_stack(stack)
        if contains and contains.lower() not in stack.lower():
            continue
        if branch and (found is None or not resolution.is_same_branch(found[0], branch)):
            continue
        result.append(
            {
                "solution_stack_name": stack,
                "platform_branch_name": found[0] if found else None,
                "platform_version": ".".join(map(str, found[1])) if found else None,
                "newest": bool(found) and resolution.newest_of_branch(found[0], stacks) == stack if found else False,
            }
        )
    return sorted(result, key=lambda item: (item["platform_branch_name"] or "", item["solution_stack_name"]))


def list_instances(client: Any, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Instances of the environments that the parameters name: one call for each environment."""
    result = []
    for environment in select(client, params):
        for item in api.describe_instances_health(client, environment["EnvironmentId"]) or []:
            deployment = item.get("Deployment") or {}
            result.append(
                {
                    **instance_out(item),
                    "deployed_at": plain(deployment.get("DeploymentTime")),
                    "launched_at": plain(item.get("LaunchedAt")),
                    "instance_type": item.get("InstanceType"),
                    "environment_name": environment["EnvironmentName"],
                    "environment_id": environment["EnvironmentId"],
                    "application_name": environment["ApplicationName"],
                    "current": Instance.of(item).runs(environment.get("VersionLabel") or ""),
                }
            )
    return result


def fetch_logs(client: Any, clients: Callable[[str], Any], params: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Logs of an environment, of the ``kind`` that is wanted; written to files when a folder is named.

    ``clients`` makes a client of a service.
    """
    environment = find_one(client, params)
    missing: list[str] = []
    if params["kind"] == "deployment":
        found = _deployment_log(client, clients("s3"), environment)
    else:
        found, missing = _requested_logs(client, environment, params)
    files = _write_logs(params["dest"], found) if params["dest"] else []
    return bool(files), {"logs": {} if params["dest"] else all_shown(found), "files": files, "missing": missing}


def _deployment_log(client: Any, s3: Any, environment: Mapping[str, Any]) -> dict[str, Sections]:
    bucket = own_bucket(str(environment.get("EnvironmentArn") or "")) or api.create_storage_location(client)
    log = deployment_log(s3, bucket, environment["EnvironmentId"])
    if log is None:
        raise AnsibleBeanstalkError(
            message=f"No deployment log of {environment['EnvironmentName']} can be read in the bucket {bucket}: its "
            "platform version is older than March 2026, its instance profile lacks s3:PutObject or you s3:GetObject "
            "and s3:ListBucket there, or EB_DEPLOYMENT_LOG_S3_DISABLED is set."
        )
    return {environment["EnvironmentId"]: {f"{ON_INSTANCE}/{log.name}": log.lines}}


def _requested_logs(
    client: Any, environment: Mapping[str, Any], params: Mapping[str, Any]
) -> tuple[dict[str, Sections], list[str]]:
    """What instances send when they are asked, and those that sent nothing; an analysis is made by one of them."""
    wanted = params["instance_ids"]
    if params["kind"] == "tail" and not wanted:
        health = api.describe_instances_health(client, environment["EnvironmentId"])
        wanted = [item["InstanceId"] for item in health or []]
    deadline = Deadline(params["wait_timeout"], params["poll_interval"])
    found = request_tails(client, environment["EnvironmentId"], wanted, deadline, params["kind"])
    if not found and (wanted or params["kind"] != "tail"):
        raise AnsibleBeanstalkError(
            message=f"No instance of {environment['EnvironmentName']} sent "
            f"{'an analysis' if params['kind'] == 'analyze' else 'logs'} within {deadline.timeout:.0f} seconds."
        )
    return found, sorted(set(wanted) - set(found))


def _write_logs(dest: str, tails: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    files = []
    for instance, sections in sorted(tails.items()):
        for name, lines in sorted(sections.items()):
            inside = os.path.normpath("/" + name).lstrip("/")
            path = os.path.join(dest, instance, inside)  # noqa: PTH118
            try:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
                # Logs may hold secrets.
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
            except (OSError, ValueError) as error:
                # An instance chooses the names of its logs, and no disk is endless.
                why = getattr(error, "strerror", None) or "its name cannot be used"
                raise AnsibleBeanstalkError(
                    message=f"The log {shown(name)} cannot be written below {dest}: {why}."
                ) from error
            files.append(path)
    return files
