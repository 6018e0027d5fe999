# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core import api, tags
from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.shown import all_shown
from ..core.transformations import environment_out, instance_out, tags_out
from .lookup import live_or_refused
from .verification import judge
from .verifier import read_facts

Environment = dict[str, Any]


def select(client: Any, params: Mapping[str, Any]) -> list[Environment]:
    """Environments that the parameters name; all of the application (or region) when they name none.

    AnsibleBeanstalkRefusedError when a CNAME prefix leaves open which one is meant.
    """
    filters = {
        "ApplicationName": params.get("application"),
        "EnvironmentIds": params.get("ids"),
        "EnvironmentNames": params.get("names"),
    }
    found = api.describe_environments(client, **filters)
    prefix = params.get("cname_prefix")
    if prefix:
        live = live_or_refused(found, prefix, api.region_of(client), params.get("application"))
        found = [live] if live else []
    return sorted(found, key=lambda item: (item["ApplicationName"], item["EnvironmentName"]))


def describe_all(client: Callable[[str], Any], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The environments that the parameters name, with what they ask for. ``client`` makes one for a service."""
    eb = client("elasticbeanstalk")
    return [describe(eb, one, params["gather"], lambda: client("autoscaling")) for one in select(eb, params)]


def describe(
    client: Any, environment: Environment, gather: Sequence[str], scaling: Callable[[], Any] | None = None
) -> dict[str, Any]:
    """One environment with what was asked for: health, instances, tags (one call each).

    With instances comes the verdict on them; ``scaling`` makes a client of Auto Scaling, needed where there are none.
    """
    result = environment_out(environment, api.region_of(client))
    environment_id = environment["EnvironmentId"]
    if "health" in gather:
        health = api.describe_environment_health(client, environment_id)
        result["causes"] = all_shown(health.get("Causes") or [])
    if "instances" in gather:
        facts, instances = read_facts(client, environment, scaling)
        result["instances"] = [instance_out(item) for item in instances or []]
        result["verification"] = judge(replace(facts, causes=tuple(result.get("causes", ())))).as_dict()
    if "tags" in gather:
        arn = environment.get("EnvironmentArn") or ""
        result["tags"] = tags.user_tags(tags_out(api.list_tags(client, arn)))
    return result


def find_one(client: Any, params: Mapping[str, Any]) -> Environment:
    """The one environment that the parameters name; AnsibleBeanstalkRefusedError when there is none, or two."""
    wanted = params.get("environment_id") or params.get("cname_prefix") or params.get("name")
    if params.get("environment_id"):
        found = api.describe_environments(client, EnvironmentIds=[params["environment_id"]])
        match = found[0] if found else None
    else:
        found = api.describe_environments(client, ApplicationName=params["application"])
        if params.get("cname_prefix"):
            match = live_or_refused(found, params["cname_prefix"], api.region_of(client), params["application"])
        else:
            match = next((item for item in found if item["EnvironmentName"] == params["name"]), None)
    if match is None:
        raise AnsibleBeanstalkRefusedError(
            message=f"The application {params['application']} has no environment {wanted}."
        )
    return match
