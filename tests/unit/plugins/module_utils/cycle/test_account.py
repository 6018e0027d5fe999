# SPDX-License-Identifier: GPL-3.0-or-later
"""Room and capacity of an account, from answers that localstalk cannot give: quotas, ids of groups, refusals."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.clock import SystemClock
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.account import Account
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.guards import start_size
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import Capacity
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.keys import Key, Settings
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.single_flight import SingleFlight
from botocore.stub import Stubber

ASG = "aws:autoscaling:asg"
BALANCED: Settings = {Key(ASG, "MinSize"): "2", Key(ASG, "MaxSize"): "6"}
SINGLE: Settings = {Key("aws:elasticbeanstalk:environment", "EnvironmentType"): "SingleInstance"}
DENIED = "AccessDenied"


def account(**answers: list[tuple[str, dict[str, Any] | str]]) -> Account:
    """Clients that give these answers in this order, per service; a text is an error's code."""

    def client(service: str) -> Any:
        made = boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
        stubber = Stubber(made)
        for operation, answer in answers.get(service, []):
            if isinstance(answer, str):
                stubber.add_client_error(operation, answer)
            else:
                stubber.add_response(operation, answer)
        stubber.activate()
        return made

    clients = {name: client(name) for name in ("elasticbeanstalk", "autoscaling", "ec2")}
    return Account(clients.__getitem__, SingleFlight(SystemClock()))


def resources(instances: int) -> tuple[str, dict[str, Any]]:
    found = {
        "AutoScalingGroups": [{"Name": "awseb-e-1-stack-AWSEBAutoScalingGroup-X"}],
        "Instances": [{"Id": f"i-{number}"} for number in range(instances)],
    }
    return "describe_environment_resources", {"EnvironmentResources": found}


def group(desired: int) -> tuple[str, dict[str, Any]]:
    one = {
        "AutoScalingGroupName": "g",
        "MinSize": 2,
        "MaxSize": 6,
        "DesiredCapacity": desired,
        "DefaultCooldown": 1,
        "AvailabilityZones": ["a"],
        "HealthCheckType": "EC2",
        "CreatedTime": 0,
    }
    return "describe_auto_scaling_groups", {"AutoScalingGroups": [one]}


def quota(most: int, used: int) -> list[tuple[str, dict[str, Any] | str]]:
    there = [{"EnvironmentId": f"e-{number}", "Status": "Ready"} for number in range(used)]
    gone = [{"EnvironmentId": "e-gone", "Status": "Terminated"}]
    return [
        ("describe_account_attributes", {"ResourceQuotas": {"EnvironmentQuota": {"Maximum": most}}}),
        ("describe_environments", {"Environments": there + gone}),
    ]


def limits(most: int, used: int) -> tuple[str, dict[str, Any]]:
    return "describe_account_limits", {"MaxNumberOfAutoScalingGroups": most, "NumberOfAutoScalingGroups": used}


def addresses(most: int, used: int) -> list[tuple[str, dict[str, Any] | str]]:
    attribute = {"AttributeName": "vpc-max-elastic-ips", "AttributeValues": [{"AttributeValue": str(most)}]}
    return [
        ("describe_account_attributes", {"AccountAttributes": [attribute]}),
        ("describe_addresses", {"Addresses": [{"PublicIp": f"192.0.2.{number}"} for number in range(used)]}),
    ]


def test_capacity_is_what_the_group_wants_now() -> None:
    known = account(elasticbeanstalk=[resources(3)], autoscaling=[group(4)])
    assert known.capacity("e-1", BALANCED) == Capacity(2, 6, 4)


def test_without_permission_instances_are_counted() -> None:
    known = account(elasticbeanstalk=[resources(3)], autoscaling=[("describe_auto_scaling_groups", DENIED)])
    assert known.capacity("e-1", BALANCED) == Capacity(2, 6, 3)
    assert account().capacity("e-1", SINGLE) is None, "a single instance is always one"


@pytest.mark.parametrize(
    ("capacity", "size"),
    [
        (None, None),
        (Capacity(2, 6, 2), None),
        (Capacity(2, 6, 1), None),
        (Capacity(2, 6, 5), 5),
        (Capacity(2, 6, 9), 6),
        (Capacity(0, 4, 0), 1),
        (Capacity(0, 0, 0), 1),
    ],
)
def test_a_candidate_starts_as_large_as_the_live_environment_is(capacity: Capacity | None, size: int | None) -> None:
    assert start_size(capacity) == size


@pytest.mark.parametrize(
    ("values", "answers", "sentence"),
    [
        (BALANCED, {"elasticbeanstalk": quota(2, 2)}, "the region's quota of 2 environments is used up"),
        (
            BALANCED,
            {"elasticbeanstalk": quota(3, 2), "autoscaling": [limits(5, 5)]},
            "the region's quota of 5 Auto Scaling groups is used up",
        ),
        (
            SINGLE,
            {"elasticbeanstalk": quota(3, 2), "autoscaling": [limits(6, 5)], "ec2": addresses(5, 5)},
            "the region's quota of 5 Elastic IP addresses is used up",
        ),
        (SINGLE, {"elasticbeanstalk": quota(3, 2), "autoscaling": [limits(6, 5)], "ec2": addresses(5, 4)}, ""),
        (
            SINGLE,
            {
                "elasticbeanstalk": [("describe_account_attributes", DENIED)],
                "autoscaling": [("describe_account_limits", DENIED)],
                "ec2": [("describe_account_attributes", DENIED)],
            },
            "",
        ),
    ],
)
def test_a_shortage_is_told_where_it_can_be_known(values: Any, answers: Any, sentence: str) -> None:
    known = account(**answers)
    assert known.shortage(values) == sentence
    assert known.shortage(values) == sentence, "asked once: the stubs have no second answer"


def test_a_group_is_generated_when_its_tags_say_so_and_not_by_its_looks() -> None:
    stack = {"Key": "aws:cloudformation:stack-name", "Value": "awseb-e-1-stack"}
    found = [
        {"GroupId": "sg-2", "GroupName": "awseb-e-1-stack-AWSEBSecurityGroup-X", "Tags": [stack]},
        {
            "GroupId": "sg-3",
            "GroupName": "shop-caches",
            "Tags": [stack, {"Key": "aws:cloudformation:logical-id", "Value": "CacheSecurityGroup"}],
        },
    ]
    asked = {"Filters": [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["awseb-e-1-stack"]}]}
    client = boto3.client("ec2", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_response("describe_security_groups", {"SecurityGroups": found}, asked)
        known = Account({"ec2": client}.__getitem__, SingleFlight(SystemClock())).generated_groups("e-1")
    assert known == {"sg-2", "awseb-e-1-stack-AWSEBSecurityGroup-X"}, "one of .ebextensions is the user's"


def test_groups_that_cannot_be_asked_about_stop_the_cycle() -> None:
    denied = account(ec2=[("describe_security_groups", DENIED)])
    with pytest.raises(AnsibleBeanstalkError, match="which security groups are Elastic Beanstalk's"):
        denied.generated_groups("e-1")
