# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the caller may do, by trying it, where policies cannot be simulated. Nothing is changed.

Elastic Beanstalk has no dry runs, so that of its actions only reads can be tried; EC2 has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..core.errors import AnsibleBeanstalkError, denied_action, error_code, translate_errors

_APPLICATION = {"ApplicationName": "APPLICATION"}
_ENVIRONMENT = {"EnvironmentName": "ENVIRONMENT"}
_DRY = {"DryRun": True}


class _Attempt(NamedTuple):
    """A call by which the lack of an action is seen; ``APPLICATION`` and so on in its parameters are filled in."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = {}


_ATTEMPTS: Mapping[str, _Attempt] = {
    "autoscaling:DescribeAccountLimits": _Attempt("autoscaling", "describe_account_limits"),
    "autoscaling:DescribeAutoScalingGroups": _Attempt("autoscaling", "describe_auto_scaling_groups", {"MaxRecords": 1}),
    "ec2:DescribeAccountAttributes": _Attempt("ec2", "describe_account_attributes", _DRY),
    "ec2:DescribeAddresses": _Attempt("ec2", "describe_addresses", _DRY),
    "ec2:DescribeInstances": _Attempt("ec2", "describe_instances", _DRY),
    "ec2:DescribeSecurityGroups": _Attempt("ec2", "describe_security_groups", _DRY),
    **{
        f"elasticbeanstalk:{action}": _Attempt("elasticbeanstalk", operation, parameters)
        for action, operation, parameters in (
            ("DescribeAccountAttributes", "describe_account_attributes", {}),
            ("DescribeApplications", "describe_applications", {"ApplicationNames": ["APPLICATION"]}),
            ("DescribeApplicationVersions", "describe_application_versions", {**_APPLICATION, "MaxRecords": 1}),
            ("DescribeConfigurationOptions", "describe_configuration_options", _ENVIRONMENT | _APPLICATION),
            ("DescribeConfigurationSettings", "describe_configuration_settings", _ENVIRONMENT | _APPLICATION),
            (
                "DescribeEnvironmentHealth",
                "describe_environment_health",
                {**_ENVIRONMENT, "AttributeNames": ["Status"]},
            ),
            ("DescribeEnvironmentResources", "describe_environment_resources", _ENVIRONMENT),
            ("DescribeEnvironments", "describe_environments", {**_APPLICATION, "MaxRecords": 1}),
            ("DescribeEvents", "describe_events", {**_APPLICATION, "MaxRecords": 1}),
            ("DescribeInstancesHealth", "describe_instances_health", _ENVIRONMENT),
            ("DescribePlatformVersion", "describe_platform_version", {"PlatformArn": "PLATFORM"}),
            ("ListAvailableSolutionStacks", "list_available_solution_stacks", {}),
            ("ListTagsForResource", "list_tags_for_resource", {"ResourceArn": "ARN"}),
            ("RetrieveEnvironmentInfo", "retrieve_environment_info", {**_ENVIRONMENT, "InfoType": "tail"}),
        )
    },
}


def tried(
    client: Callable[[str], Any], actions: Iterable[str], application: str, live: Mapping[str, Any] | None
) -> dict[str, bool]:
    """Whether an action is allowed, by action; without those of which nothing can be told.

    Of an environment only ``live`` is asked for. An answer other than a refusal counts only when it is a result: what
    AWS looks at first, the rights or the parameters, it does not say.
    """
    place = {"APPLICATION": application}
    if live is not None:
        there = {
            "ENVIRONMENT": live.get("EnvironmentName"),
            "PLATFORM": live.get("PlatformArn"),
            "ARN": live.get("EnvironmentArn"),
        }
        place |= {name: value for name, value in there.items() if value}
    found = {}
    for action in actions:
        attempt = _ATTEMPTS.get(action)
        parameters = _filled(attempt.parameters, place) if attempt else None
        if attempt and parameters is not None:
            allowed = _is_allowed(client(attempt.service), attempt.operation, parameters)
            if allowed is not None:
                found[action] = allowed
    return found


def _filled(parameters: Mapping[str, Any], place: Mapping[str, str]) -> dict[str, Any] | None:
    """The parameters; None when there is nothing yet to ask for."""
    words = ("APPLICATION", "ENVIRONMENT", "PLATFORM", "ARN")
    filled = {}
    for name, value in parameters.items():
        word = value[0] if isinstance(value, list) else value
        if word in words:
            if word not in place:
                return None
            value = [place[word]] if isinstance(value, list) else place[word]
        filled[name] = value
    return filled


def _is_allowed(client: Any, operation: str, parameters: Mapping[str, Any]) -> bool | None:
    try:
        _call(client, operation, parameters)
    except AnsibleBeanstalkError as error:
        if error_code(error) == "DryRunOperation":  # it would have succeeded
            return True
        return False if denied_action(error) else None
    return True


@translate_errors("try what the credentials may do")
def _call(client: Any, operation: str, parameters: Mapping[str, Any]) -> None:
    getattr(client, operation)(**parameters)
