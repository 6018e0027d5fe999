# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings: what the user writes against what the service answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings import comparison
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.comparison import Change
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import parse
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.keys import (
    PASSWORD,
    PROPERTIES,
    SECRETS,
    Key,
    own_properties,
)

LAUNCH = "aws:autoscaling:launchconfiguration"
ASG = "aws:autoscaling:asg"
HEALTH = "aws:elasticbeanstalk:healthreporting:system"
ACTION = "aws:autoscaling:scheduledaction"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop"
GENERATED = frozenset({"sg-0a1b2c3d4e5f67890", "awseb-e-abcdefghij-stack-AWSEBSecurityGroup-1ABCDEFGHIJKL"})


def described(namespace: str, resource: str | None = None, **options: str | None) -> list[dict[str, Any]]:
    named = {"ResourceName": resource} if resource else {}
    return [{"Namespace": namespace, "OptionName": name, "Value": value, **named} for name, value in options.items()]


# Namespace, option, what a user writes, what the service answers for it.
EQUAL: list[tuple[str, str, Any, str | None]] = [
    (ASG, "MinSize", 2, "2"),
    (ASG, "MinSize", "2", "2"),
    (ASG, "MaxSize", 4.0, "4"),
    (ASG, "Cooldown", "360", "360"),
    (ASG, "Availability Zones", "Any", "Any"),
    (ASG, "Custom Availability Zones", ["us-east-1b", "us-east-1a"], "us-east-1a,us-east-1b"),
    (ASG, "Custom Availability Zones", "", None),
    ("aws:autoscaling:trigger", "UpperThreshold", 33.5, "33.50"),
    (LAUNCH, "IamInstanceProfile", "arn:aws:iam::123456789012:instance-profile/eb-ec2", "eb-ec2"),
    (LAUNCH, "IamInstanceProfile", "arn:aws-cn:iam::123456789012:instance-profile/team/eb-ec2", "eb-ec2"),
    (LAUNCH, "IamInstanceProfile", "eb-ec2", "arn:aws:iam::123456789012:instance-profile/eb-ec2"),
    (LAUNCH, "SecurityGroups", ["sg-22222222", "sg-11111111"], "sg-11111111,sg-22222222"),
    (LAUNCH, "MonitoringInterval", "5 Minutes", "5 minute"),
    (LAUNCH, "DisableIMDSv1", True, "true"),
    (LAUNCH, "InstanceType", "t3.small", "t3.small"),
    (LAUNCH, "SSHSourceRestriction", "tcp, 22, 22, 10.0.0.0/8", "tcp,22,22,10.0.0.0/8"),
    ("aws:ec2:vpc", "Subnets", "subnet-b, subnet-a", "subnet-a,subnet-b"),
    ("aws:ec2:vpc", "ELBSubnets", ["subnet-a", "subnet-b"], "subnet-b,subnet-a"),
    ("aws:ec2:vpc", "AssociatePublicIpAddress", False, "false"),
    ("aws:ec2:vpc", "AssociatePublicIpAddress", "False", "false"),
    ("aws:ec2:instances", "InstanceTypes", "t3.small,t3.medium", "t3.small, t3.medium"),
    ("aws:elasticbeanstalk:environment", "ServiceRole", "arn:aws:iam::1:role/service-role/eb", "eb"),
    ("aws:elasticbeanstalk:environment", "LoadBalancerType", "application", "application"),
    ("aws:elasticbeanstalk:command", "BatchSize", 30, "30"),
    ("aws:elasticbeanstalk:command", "IgnoreHealthCheck", "FALSE", "false"),
    ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath", "/health/", "/health/"),
    ("aws:elasticbeanstalk:application", "Application Healthcheck URL", "", None),
    ("aws:elb:policies", "ConnectionDrainingEnabled", True, "true"),
    ("aws:elbv2:listener:443", "SSLCertificateArns", ["arn:b", "arn:a"], "arn:a,arn:b"),
    (HEALTH, "ConfigDocument", '{\n  "Version": 1,\n  "Rules": {}\n}', '{"Rules":{},"Version":1}'),
    (HEALTH, "ConfigDocument", {"Version": 1}, '{"Version":1}'),
    (PROPERTIES, "DEBUG", False, "false"),
    (PROPERTIES, "EMPTY", "", ""),
    (PROPERTIES, "WORKERS", 3, "3"),
]

DIFFERENT: list[tuple[str, str, Any, str | None]] = [
    (ASG, "MinSize", 3, "2"),
    (LAUNCH, "IamInstanceProfile", "other", "eb-ec2"),
    (LAUNCH, "SecurityGroups", "mine,other", "mine"),
    (LAUNCH, "SecurityGroups", "mine", "mine,other"),
    (LAUNCH, "SecurityGroups", "mine", "mine,awseb-looks-like-one"),
    (LAUNCH, "SecurityGroups", "sg-11111111", "sg-0a1b2c3d4e5f67890,sg-11111111"),
    ("aws:ec2:instances", "InstanceTypes", "t3.small,t3.medium", "t3.medium, t3.small"),
    (HEALTH, "ConfigDocument", {"Version": 1}, '{"Version":2}'),
    (PROPERTIES, "DEBUG", "True", "true"),
    (PROPERTIES, "HOSTS", "a,b", "b,a"),
    (PROPERTIES, "HOSTS", "a, b", "a,b"),
    (PROPERTIES, "NUMBER", "1.0", "1"),
    (PROPERTIES, "NEW", "x", None),
    (PROPERTIES, "EMPTY", "", None),
    ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath", "/Health", "/health"),
]


@pytest.mark.parametrize(("namespace", "option", "wanted", "answered"), EQUAL)
def test_equal_values_change_nothing(namespace: str, option: str, wanted: Any, answered: str | None) -> None:
    user = parse({namespace: {option: wanted}})
    assert comparison.compare(user, described(namespace, "AWSEBSomething", **{option: answered})) == []


@pytest.mark.parametrize(("namespace", "option", "wanted", "answered"), DIFFERENT)
def test_different_values_are_changes(namespace: str, option: str, wanted: Any, answered: str | None) -> None:
    user = parse({namespace: {option: wanted}})
    change = comparison.compare(user, described(namespace, **{option: answered}))
    assert [(item.key.option, item.current) for item in change] == [(option, answered)]


@pytest.mark.parametrize(
    ("wanted", "answered", "right"),
    [
        ("sg-1", "sg-0a1b2c3d4e5f67890,sg-1", True),
        ("mine", "mine,awseb-e-abcdefghij-stack-AWSEBSecurityGroup-1ABCDEFGHIJKL", True),
        ("sg-1", "sg-1,sg-2,sg-0a1b2c3d4e5f67890", False),
        ("sg-1,sg-3", "sg-1,sg-0a1b2c3d4e5f67890", False),
        ("sg-1,sg-0a1b2c3d4e5f67890", "sg-1", False),
    ],
)
def test_a_generated_group_is_tolerated_and_no_other(wanted: str, answered: str, right: bool) -> None:
    user = parse({LAUNCH: {"SecurityGroups": wanted}})
    assert (comparison.compare(user, described(LAUNCH, SecurityGroups=answered), GENERATED) == []) is right


def test_only_more_groups_are_worth_a_question() -> None:
    key = Key(LAUNCH, "SecurityGroups")
    assert Change(key, "a,b", "a").only_has_more_groups
    assert not Change(key, "b", "a").only_has_more_groups
    assert not Change(key, "a", None).only_has_more_groups


def test_null_removes_what_has_a_value() -> None:
    user = parse({PROPERTIES: {"OLD": None, "GONE": None, "BARE": None}, ASG: {"MinSize": None, "Cooldown": None}})
    there = described(PROPERTIES, OLD="x", BARE="")
    there += described(ASG, "AWSEBAutoScalingGroup", MinSize="1", Cooldown=None)
    changes = comparison.compare(user, there)
    assert comparison.to_api(changes) == (
        [],
        [
            {"Namespace": ASG, "OptionName": "MinSize"},
            {"Namespace": PROPERTIES, "OptionName": "BARE"},
            {"Namespace": PROPERTIES, "OptionName": "OLD"},
        ],
    )


def test_actions_are_told_apart_by_their_names() -> None:
    def entry(name: str, value: int | None) -> dict[str, Any]:
        return {"namespace": ACTION, "resource_name": name, "option_name": "MinSize", "value": value}

    user = parse([entry("Up", 3), entry("Down", 1), entry("Night", None)])
    there = [*described(ACTION, "Up", MinSize="3"), *described(ACTION, "Down", MinSize="2")]
    there += described(ACTION, "Night", MinSize="0")
    assert comparison.to_api(comparison.compare(user, there)) == (
        [{"Namespace": ACTION, "OptionName": "MinSize", "ResourceName": "Down", "Value": "1"}],
        [{"Namespace": ACTION, "OptionName": "MinSize", "ResourceName": "Night"}],
    )


@pytest.mark.parametrize(("now", "before"), [(SECRETS, PROPERTIES), (PROPERTIES, SECRETS)])
def test_what_moves_goes_from_where_it_was(now: str, before: str) -> None:
    user = parse({now: {"PASSWORD": SECRET}})
    to_set, to_remove = comparison.to_api(comparison.compare(user, described(before, PASSWORD="old", OTHER="x")))
    assert [one["Namespace"] for one in to_set] == [now]
    assert to_remove == [{"Namespace": before, "OptionName": "PASSWORD"}]


def test_null_beside_a_reference_is_the_same_move() -> None:
    user = parse({SECRETS: {"PASSWORD": SECRET}, PROPERTIES: {"PASSWORD": None}})
    changes = comparison.compare(user, described(PROPERTIES, PASSWORD="old"))
    assert [(change.key.namespace, change.wanted) for change in changes] == [(PROPERTIES, None), (SECRETS, SECRET)]


def test_purging_removes_what_is_ours_and_not_wanted() -> None:
    user = parse({PROPERTIES: {"KEEP": "1", "MOVED": "2"}})
    there = described(PROPERTIES, KEEP="1", DROP="2", THEIRS="3", UNSET=None, PYTHONPATH="/var/app/venv/x/bin")
    there += described(SECRETS, REFERENCE=SECRET, MOVED=SECRET) + described(ASG, MinSize="1")
    ours = {Key(PROPERTIES, "KEEP"), Key(PROPERTIES, "DROP"), Key(SECRETS, "REFERENCE"), Key(PROPERTIES, "GONE")}
    own = own_properties("64bit Amazon Linux 2023 v4.7.1 running Python 3.11")

    def purged(ours: set[Key] | None) -> list[str]:
        return [change.key.option for change in comparison.superfluous(user, there, ours, own)]

    assert purged(ours) == ["DROP", "REFERENCE"]
    assert purged(set()) == []
    assert purged(None) == ["DROP", "THEIRS", "REFERENCE"]


def test_values_of_properties_are_never_shown() -> None:
    change = Change(Key(PROPERTIES, "PASSWORD"), "old", "new")
    assert change.shown() == ("(hidden)", "(hidden) (new value)")
    assert Change(Key(ASG, "MinSize"), "1", "2").shown() == ("1", "2")
    all_of_them = Key("aws:cloudformation:template:parameter", "EnvironmentVariables")
    assert Change(all_of_them, "A=secret", None).shown() == ("(hidden)", None)


def test_a_password_that_cannot_be_read_is_no_difference() -> None:
    given = parse({PASSWORD.namespace: {PASSWORD.option: "not-a-secret", "DBUser": "shop"}})
    user = described(PASSWORD.namespace, DBUser="shop")
    (first,) = comparison.compare(given, user)
    assert first.shown() == (None, "(hidden) (new value)")
    for answered in ({"Value": "*****"}, {"Value": None}, {}):
        there = [*user, {"Namespace": PASSWORD.namespace, "OptionName": PASSWORD.option, **answered}]
        assert comparison.compare(given, there) == []
