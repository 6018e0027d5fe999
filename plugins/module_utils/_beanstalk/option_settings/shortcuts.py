# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters for what everybody sets, as the option settings that they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from .given import parse
from .keys import LAUNCH, Key, Settings
from .values import equal, text_value

_ASG = "aws:autoscaling:asg"
_COMMAND = "aws:elasticbeanstalk:command"
_ENVIRONMENT = "aws:elasticbeanstalk:environment"
_TRIGGER = "aws:autoscaling:trigger"

POLICIES = ["AllAtOnce", "Rolling", "RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"]
BALANCERS = ["application", "network", "classic", "none"]

# The module's arguments; their documentation is the fragment "capacity".
ARGUMENTS: dict[str, dict[str, Any]] = {
    "batch_size": {"type": "str"},
    "deployment_policy": {"choices": POLICIES, "type": "str"},
    "health_check_path": {"type": "str"},
    "instance_profile": {"type": "str"},
    "instance_type": {"elements": "str", "type": "list"},
    "load_balancer": {"choices": BALANCERS, "type": "str"},
    "max_size": {"type": "int"},
    "min_size": {"type": "int"},
    "scale_in_cpu": {"type": "float"},
    "scale_out_cpu": {"type": "float"},
    "service_role": {"type": "str"},
}

_PLAIN = {
    "min_size": (_ASG, "MinSize"),
    "max_size": (_ASG, "MaxSize"),
    "instance_type": ("aws:ec2:instances", "InstanceTypes"),
    "instance_profile": (LAUNCH, "IamInstanceProfile"),
    "service_role": (_ENVIRONMENT, "ServiceRole"),
    "health_check_path": ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath"),
    "deployment_policy": (_COMMAND, "DeploymentPolicy"),
}


def option_settings(params: Mapping[str, Any]) -> Settings:
    """All option settings that a module's parameters stand for, those of `option_settings` included.

    Raises AnsibleBeanstalkRefusedError for values that make no sense, and for an option that is said twice.
    """
    given = parse(params["option_settings"])
    meant: Settings = {}
    for name, (namespace, option) in _PLAIN.items():
        if params.get(name) is not None:
            meant[Key(namespace, option)] = text_value(params[name])
    _check_sizes(params)
    for namespace, options in (*_scaling(params), *_batches(params), *_balancer(params)):
        meant |= {Key(namespace, option): value for option, value in options.items()}
    for key, value in meant.items():
        said = given.get(key)
        if said is not None and value is not None and not equal(key, said, value):
            raise AnsibleBeanstalkRefusedError(
                message=f"The option {key.option} in {key.namespace} is said twice: {said} in option_settings, and "
                f"{value} by a parameter of its own."
            )
    return given | meant


def _check_sizes(params: Mapping[str, Any]) -> None:
    least, most = params.get("min_size"), params.get("max_size")
    if least is not None and most is not None and least > most:
        raise AnsibleBeanstalkRefusedError(message=f"min_size is {least}, which is more than max_size, {most}.")


def _scaling(params: Mapping[str, Any]) -> list[tuple[str, dict[str, str | None]]]:
    out, into = params.get("scale_out_cpu"), params.get("scale_in_cpu")
    if out is None:
        if into is not None:
            raise AnsibleBeanstalkRefusedError(message="scale_in_cpu is of no use without scale_out_cpu.")
        return []
    # The default lower threshold is in bytes of network traffic: no CPU ever reaches it, so it must be said too.
    into = round(out / 3, 2) if into is None else into
    if not 0 <= into < out <= 100:
        raise AnsibleBeanstalkRefusedError(
            message=f"scale_in_cpu ({into:g}) has to be below scale_out_cpu ({out:g}), and both are percentages."
        )
    options: dict[str, str | None] = {
        "MeasureName": "CPUUtilization",
        "Statistic": "Average",
        "Unit": "Percent",
        "UpperThreshold": f"{out:g}",
        "LowerThreshold": f"{into:g}",
    }
    return [(_TRIGGER, options)]


def _batches(params: Mapping[str, Any]) -> list[tuple[str, dict[str, str | None]]]:
    size = params.get("batch_size")
    if size is None:
        return []
    found = re.fullmatch(r"\s*(\d+)\s*(%?)\s*", size)
    if not found or not 1 <= int(found.group(1)) <= (100 if found.group(2) else 10000):
        raise AnsibleBeanstalkRefusedError(
            message=f"batch_size is {size!r}; give a number of instances such as 2, or a share of them such as 30%."
        )
    return [(_COMMAND, {"BatchSizeType": "Percentage" if found.group(2) else "Fixed", "BatchSize": found.group(1)})]


def _balancer(params: Mapping[str, Any]) -> list[tuple[str, dict[str, str | None]]]:
    kind = params.get("load_balancer")
    if kind is None:
        return []
    if kind == "none":
        return [(_ENVIRONMENT, {"EnvironmentType": "SingleInstance"})]
    return [(_ENVIRONMENT, {"EnvironmentType": "LoadBalanced", "LoadBalancerType": kind})]
