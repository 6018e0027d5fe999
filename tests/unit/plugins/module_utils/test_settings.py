# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings: what the user writes against what the service answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk import settings
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.common import AnsibleBeanstalkRefusedError

LAUNCH = "aws:autoscaling:launchconfiguration"
ASG = "aws:autoscaling:asg"
PROPERTIES = settings.PROPERTIES


def described(namespace: str, **options: str | None) -> list[dict[str, Any]]:
    return [{"Namespace": namespace, "OptionName": name, "Value": value} for name, value in options.items()]


# Namespace, option, what a user writes, what the service answers for it.
EQUAL: list[tuple[str, str, Any, str | None]] = [
    (ASG, "MinSize", 2, "2"),
    (ASG, "MinSize", "2", "2"),
    (ASG, "MaxSize", 4.0, "4"),
    (ASG, "Cooldown", "360", "360"),
    (ASG, "Availability Zones", "Any", "Any"),
    (ASG, "Custom Availability Zones", ["us-east-1b", "us-east-1a"], "us-east-1a,us-east-1b"),
    (ASG, "Custom Availability Zones", "", None),
    (LAUNCH, "IamInstanceProfile", "arn:aws:iam::123456789012:instance-profile/eb-ec2", "eb-ec2"),
    (LAUNCH, "IamInstanceProfile", "arn:aws-cn:iam::123456789012:instance-profile/team/eb-ec2", "eb-ec2"),
    (LAUNCH, "IamInstanceProfile", "eb-ec2", "arn:aws:iam::123456789012:instance-profile/eb-ec2"),
    (LAUNCH, "SecurityGroups", ["sg-22222222", "sg-11111111"], "sg-11111111,sg-22222222"),
    (LAUNCH, "SecurityGroups", "mine", "mine,awseb-e-abcdefghij-stack-AWSEBSecurityGroup-1ABCDEFGHIJKL"),
    (LAUNCH, "SecurityGroups", "sg-11111111", "sg-0a1b2c3d4e5f67890,sg-11111111"),
    (LAUNCH, "MonitoringInterval", "5 Minutes", "5 minute"),
    (LAUNCH, "DisableIMDSv1", True, "true"),
    (LAUNCH, "InstanceType", "t3.small", "t3.small"),
    ("aws:ec2:vpc", "Subnets", "subnet-b, subnet-a", "subnet-a,subnet-b"),
    ("aws:ec2:vpc", "ELBSubnets", ["subnet-a", "subnet-b"], "subnet-b,subnet-a"),
    ("aws:ec2:vpc", "AssociatePublicIpAddress", False, "false"),
    ("aws:ec2:vpc", "AssociatePublicIpAddress", "False", "false"),
    ("aws:ec2:instances", "InstanceTypes", "t3.small, t3.medium", "t3.medium,t3.small"),
    ("aws:elasticbeanstalk:environment", "ServiceRole", "arn:aws:iam::1:role/service-role/eb", "eb"),
    ("aws:elasticbeanstalk:environment", "LoadBalancerType", "application", "application"),
    ("aws:elasticbeanstalk:command", "BatchSize", 30, "30"),
    ("aws:elasticbeanstalk:command", "IgnoreHealthCheck", "FALSE", "false"),
    ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath", "/health/", "/health/"),
    ("aws:elasticbeanstalk:application", "Application Healthcheck URL", "", None),
    ("aws:elb:policies", "ConnectionDrainingEnabled", True, "true"),
    ("aws:elbv2:listener:443", "SSLCertificateArns", ["arn:b", "arn:a"], "arn:a,arn:b"),
    (PROPERTIES, "DEBUG", False, "false"),
    (PROPERTIES, "EMPTY", "", ""),
    (PROPERTIES, "WORKERS", 3, "3"),
]

DIFFERENT: list[tuple[str, str, Any, str | None]] = [
    (ASG, "MinSize", 3, "2"),
    (LAUNCH, "IamInstanceProfile", "other", "eb-ec2"),
    (LAUNCH, "SecurityGroups", "mine,other", "mine"),
    (LAUNCH, "SecurityGroups", "mine", "mine,other"),
    (LAUNCH, "SecurityGroups", "mine", "mine,awseb-e-a,sg-11111111"),
    (PROPERTIES, "DEBUG", "True", "true"),
    (PROPERTIES, "HOSTS", "a,b", "b,a"),
    (PROPERTIES, "NUMBER", "1.0", "1"),
    (PROPERTIES, "NEW", "x", None),
    ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath", "/Health", "/health"),
]


@pytest.mark.parametrize(("namespace", "option", "wanted", "answered"), EQUAL)
def test_equal_values_change_nothing(namespace: str, option: str, wanted: Any, answered: str | None) -> None:
    user = settings.normalise({namespace: {option: wanted}})
    assert settings.compare(user, described(namespace, **{option: answered})) == []


@pytest.mark.parametrize(("namespace", "option", "wanted", "answered"), DIFFERENT)
def test_different_values_are_changes(namespace: str, option: str, wanted: Any, answered: str | None) -> None:
    user = settings.normalise({namespace: {option: wanted}})
    change = settings.compare(user, described(namespace, **{option: answered}))
    assert [(item.option, item.current) for item in change] == [(option, answered)]


def test_null_removes_a_property_and_leaves_other_options() -> None:
    user = settings.normalise({PROPERTIES: {"OLD": None, "GONE": None}, ASG: {"MinSize": None}})
    changes = settings.compare(user, described(PROPERTIES, OLD="x") + described(ASG, MinSize="1"))
    assert settings.to_api(changes) == ([], [{"Namespace": PROPERTIES, "OptionName": "OLD"}])


def test_purge_removes_properties_that_are_not_named() -> None:
    user = settings.normalise({PROPERTIES: {"KEEP": "1"}})
    changes = settings.purge_changes(user, described(PROPERTIES, KEEP="1", DROP="2", UNSET=None))
    assert [item.option for item in changes] == ["DROP"]


def test_values_of_properties_are_never_shown() -> None:
    change = settings.Change(PROPERTIES, "PASSWORD", "old", "new")
    assert settings.shown(change) == ("(hidden)", "(hidden) (new value)")
    assert settings.shown(settings.Change(ASG, "MinSize", "1", "2")) == ("1", "2")
    given = {PROPERTIES: {"DJANGO_SECRET_KEY": "long-enough", "PIN_KEY": "12", "HOST": "example.com"}}
    assert settings.secret_values(given) == {"long-enough"}
    assert settings.hide_values(given)[PROPERTIES] == dict.fromkeys(given[PROPERTIES], "(hidden)")


def test_a_password_is_never_shown_and_what_cannot_be_read_is_no_difference() -> None:
    space, option = settings.PASSWORD
    given = settings.normalise({space: {option: "not-a-secret", "DBUser": "shop"}})
    assert settings.secret_values(given) == {"not-a-secret"}
    assert settings.hide_values(given) == {space: {option: "(hidden)", "DBUser": "shop"}}
    user = described(space, DBUser="shop")
    (first,) = settings.compare(given, user)
    assert settings.shown(first) == (None, "(hidden) (new value)")
    for answered in ({"Value": "*****"}, {"Value": None}, {}):
        assert settings.compare(given, [*user, {"Namespace": space, "OptionName": option, **answered}]) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({ASG: "MinSize=2"}, "are not a dictionary"),
        ({ASG: {"MinSize": {"value": 2}}}, "is a dictionary, not a plain value"),
        ({PROPERTIES: {"LONG": "x" * 257}}, "property LONG is longer than"),
        ({PROPERTIES: {f"KEY_{number}": "x" * 250 for number in range(20)}}, "have 5130 bytes together"),
    ],
)
def test_refusals(given: Any, message: str) -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError, match=message):
        settings.normalise(given)
