# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters for what everybody sets, as option settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.keys import Key
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.shortcuts import option_settings

TRIGGER = "aws:autoscaling:trigger"


def nested(settings: Mapping[Key, str | None]) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for key, value in settings.items():
        assert not key.resource
        found.setdefault(key.namespace, {})[key.option] = value
    return found


def test_they_stand_for_option_settings() -> None:
    params = {
        "option_settings": {"aws:autoscaling:asg": {"Cooldown": 120, "MinSize": 2}},
        "min_size": 2,
        "max_size": 6,
        "instance_type": ["t3.small", "t3.medium"],
        "instance_profile": "eb-ec2",
        "service_role": "eb",
        "scale_out_cpu": 90.0,
        "health_check_path": "/health/",
        "deployment_policy": "Rolling",
        "batch_size": "30%",
        "load_balancer": "application",
    }
    assert nested(option_settings(params)) == {
        "aws:autoscaling:asg": {"Cooldown": "120", "MinSize": "2", "MaxSize": "6"},
        "aws:ec2:instances": {"InstanceTypes": "t3.small,t3.medium"},
        "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "eb-ec2"},
        "aws:elasticbeanstalk:environment": {
            "ServiceRole": "eb",
            "EnvironmentType": "LoadBalanced",
            "LoadBalancerType": "application",
        },
        "aws:elasticbeanstalk:environment:process:default": {"HealthCheckPath": "/health/"},
        "aws:elasticbeanstalk:command": {
            "DeploymentPolicy": "Rolling",
            "BatchSizeType": "Percentage",
            "BatchSize": "30",
        },
        TRIGGER: {
            "MeasureName": "CPUUtilization",
            "Statistic": "Average",
            "Unit": "Percent",
            "UpperThreshold": "90",
            "LowerThreshold": "30",
        },
    }


def test_nothing_said_is_nothing_set() -> None:
    assert option_settings({"option_settings": {}}) == {}


def test_a_single_instance_and_a_fixed_batch() -> None:
    assert nested(option_settings({"option_settings": {}, "load_balancer": "none", "batch_size": "2"})) == {
        "aws:elasticbeanstalk:environment": {"EnvironmentType": "SingleInstance"},
        "aws:elasticbeanstalk:command": {"BatchSizeType": "Fixed", "BatchSize": "2"},
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_size": 3, "max_size": 2}, "min_size is 3, which is more than max_size, 2."),
        ({"scale_in_cpu": 10.0}, "scale_in_cpu is of no use without scale_out_cpu."),
        (
            {"scale_out_cpu": 50.0, "scale_in_cpu": 60.0},
            "scale_in_cpu (60) has to be below scale_out_cpu (50), and both are percentages.",
        ),
        ({"scale_out_cpu": 120.0}, "scale_in_cpu (40) has to be below scale_out_cpu (120), and both are percentages."),
        (
            {"batch_size": "many"},
            "batch_size is 'many'; give a number of instances such as 2, or a share of them such as 30%.",
        ),
        (
            {"batch_size": "101%"},
            "batch_size is '101%'; give a number of instances such as 2, or a share of them such as 30%.",
        ),
        (
            {"min_size": 3, "option_settings": {"aws:autoscaling:asg": {"MinSize": 2}}},
            "The option MinSize in aws:autoscaling:asg is said twice: 2 in option_settings, and 3 by a parameter of "
            "its own.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError) as refused:
        option_settings({"option_settings": {}, **params})
    assert str(refused.value) == message


def test_against_localstalk(run: Callable[..., Any], eb: Any) -> None:
    """The second run changes nothing, and what the service has is what was meant."""
    run("application", name="shortcut")
    params = {
        "application": "shortcut",
        "name": "shortcut-one",
        "platform": "Docker running on 64bit Amazon Linux 2023",
        "instance_profile": "aws-elasticbeanstalk-ec2-role",
        "load_balancer": "application",
        "min_size": 1,
        "max_size": 2,
        "scale_out_cpu": 90,
        "health_check_path": "/health/",
        "deployment_policy": "Rolling",
        "batch_size": "50%",
        "poll_interval": 0.2,
        "wait_timeout": 120,
    }
    made = run("environment", **params)
    assert not made.get("failed"), made["msg"]
    found = eb.describe_configuration_settings(ApplicationName="shortcut", EnvironmentName="shortcut-one")
    have = {
        (item["Namespace"], item["OptionName"]): item.get("Value")
        for item in found["ConfigurationSettings"][0]["OptionSettings"]
    }
    assert have[(TRIGGER, "UpperThreshold")] == "90"
    assert have[("aws:elasticbeanstalk:command", "BatchSizeType")] == "Percentage"
    assert not run("environment", **params)["changed"]
    more = run("environment", check=True, **{**params, "max_size": 3})
    assert more["diff"]["after"] == {"aws:autoscaling:asg:MaxSize": "3"}
    assert run("environment", **params, state="absent")["changed"]
