# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new environment takes over from another one, and what it must not."""

from __future__ import annotations

from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.comparison import (
    current_settings,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.copying import (
    copied_settings,
    image,
    replaced,
    security_groups,
    to_call,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import parse

from ...captured import captured

LAUNCH = "aws:autoscaling:launchconfiguration"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
ACTION = "aws:autoscaling:scheduledaction"
TOPICS = "aws:elasticbeanstalk:sns:topics"
TYPES = "aws:ec2:instances"


def setting(namespace: str, option: str, value: str | None, resource: str = "") -> dict[str, Any]:
    named = {"ResourceName": resource} if resource else {}
    return {"Namespace": namespace, "OptionName": option, "Value": value, **named}


def test_a_copy_has_nothing_that_belongs_to_the_original() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:ElasticBeanstalkNotifications-Environment-blog"
    described = [
        setting("aws:rds:dbinstance", "DBEngine", "postgres"),
        setting("aws:cloudformation:template:parameter", "EnvironmentVariables", "PASSWORD=open"),
        setting(LAUNCH, "SecurityGroups", "sg-mine,awseb-e-1-stack-AWSEBSecurityGroup-X"),
        setting("aws:elb:loadbalancer", "SecurityGroups", "sg-made"),
        setting(TOPICS, "Notification Endpoint", "ops@example.com"),
        setting(TOPICS, "Notification Topic ARN", topic),
        setting(LAUNCH, "ImageId", "ami-made", "AWSEBEC2LaunchTemplate"),
        setting(LAUNCH, "InstanceType", "t3.micro"),
        setting(TYPES, "InstanceTypes", "t3.micro, t3.small"),
        setting("aws:elasticbeanstalk:environment", "ServiceRole", "AWSServiceRoleForElasticBeanstalk"),
        setting(PROPERTIES, "SecurityGroups", "awseb-is-my-own-value"),
        setting(PROPERTIES, "PYTHONPATH", "/var/app/venv/staging/bin"),
        setting(PROPERTIES, "EMPTY", ""),
        setting("aws:elasticbeanstalk:application", "Application Healthcheck URL", ""),
        setting("aws:autoscaling:asg", "MinSize", "2", "AWSEBAutoScalingGroup"),
        setting(ACTION, "MinSize", "3", "Up"),
        setting(ACTION, "MinSize", "1", "Down"),
    ]
    generated = {"sg-made", "awseb-e-1-stack-AWSEBSecurityGroup-X", "ami-made"}
    assert to_call(copied_settings(described, generated, {"PYTHONPATH"})) == [
        setting("aws:autoscaling:asg", "MinSize", "2"),
        setting(LAUNCH, "SecurityGroups", "sg-mine"),
        setting(ACTION, "MinSize", "1", "Down"),
        setting(ACTION, "MinSize", "3", "Up"),
        setting(TYPES, "InstanceTypes", "t3.micro, t3.small"),
        setting(PROPERTIES, "EMPTY", ""),
        setting(PROPERTIES, "SecurityGroups", "awseb-is-my-own-value"),
        setting(TOPICS, "Notification Endpoint", "ops@example.com"),
    ]


def test_a_group_or_an_image_of_the_users_is_copied() -> None:
    described = [setting(LAUNCH, "ImageId", "ami-mine"), setting(LAUNCH, "SecurityGroups", "awseb-looks-like-one")]
    assert image(described) == "ami-mine"
    assert security_groups(described) == {"awseb-looks-like-one"}
    assert to_call(copied_settings(described)) == described


def test_a_whole_answer_of_aws_is_copied_without_its_own_parts() -> None:
    groups = security_groups(captured())
    sent = to_call(copied_settings(captured(), {*groups, image(captured())}, {"PYTHONPATH"}))
    # 118, less 21 without a value, 3 empty ones, 5 of the stack, 1 of the database, and 6 that nobody chose.
    assert len(sent) == 82
    assert not any("ResourceName" in one or one["Namespace"].startswith("aws:cloudformation") for one in sent)
    own = {"ImageId", "SecurityGroups", "InstanceType", "PYTHONPATH", "ServiceRole", "EnvironmentVariables"}
    assert own.isdisjoint(one["OptionName"] for one in sent)


def test_what_is_wanted_takes_the_place_of_what_says_the_same() -> None:
    described = [
        setting(TYPES, "InstanceTypes", "t3.micro, t3.small"),
        setting(PROPERTIES, "PASSWORD", "open"),
        setting(PROPERTIES, "OLD", "x"),
        setting(SECRETS, "TOKEN", "arn:old"),
        setting(ACTION, "MinSize", "3", "Up"),
    ]
    wanted = parse(
        {
            LAUNCH: {"InstanceType": "t3.large"},
            SECRETS: {"PASSWORD": "arn:new"},
            PROPERTIES: {"TOKEN": "open now", "OLD": None},
        }
    )
    assert to_call(replaced(current_settings(described), wanted)) == [
        setting(LAUNCH, "InstanceType", "t3.large"),
        setting(ACTION, "MinSize", "3", "Up"),
        setting(PROPERTIES, "TOKEN", "open now"),
        setting(SECRETS, "PASSWORD", "arn:new"),
    ]
