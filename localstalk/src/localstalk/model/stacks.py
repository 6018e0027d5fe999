# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment's CloudFormation stack: what is in it, and its template. Logical ids are those of EB's own stacks."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from localstalk.model.state import Environment

_PREFIX = "AWSEB"


@dataclass(frozen=True)
class Part:
    """One resource of a stack."""

    logical_id: str
    kind: str
    physical_id: str


def parts(environment: Environment) -> list[Part]:
    """Everything the stack holds now, EB's own resources first."""
    return [each for each in (*_own(environment), *_users(environment)) if each.physical_id]


def _own(environment: Environment) -> Iterator[Part]:
    resources = environment.resources
    for logical_id, group in resources.security_groups.items():
        yield Part(logical_id, "AWS::EC2::SecurityGroup", group)
    classic = "" if resources.load_balancer_arn else resources.load_balancer_name
    for logical_id, kind, physical_id in (
        ("AWSEBAutoScalingLaunchConfiguration", "AWS::AutoScaling::LaunchConfiguration", resources.launch),
        ("AWSEBEC2LaunchTemplate", "AWS::EC2::LaunchTemplate", resources.launch_template),
        ("AWSEBAutoScalingGroup", "AWS::AutoScaling::AutoScalingGroup", resources.auto_scaling_group),
        ("AWSEBLoadBalancer", "AWS::ElasticLoadBalancing::LoadBalancer", classic),
        ("AWSEBV2LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", resources.load_balancer_arn),
        ("AWSEBV2LoadBalancerTargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup", resources.target_group_arn),
        ("AWSEBV2LoadBalancerListener", "AWS::ElasticLoadBalancingV2::Listener", resources.listener_arn),
        ("AWSEBEIP", "AWS::EC2::EIP", resources.elastic_ip),
        ("AWSEBWorkerQueue", "AWS::SQS::Queue", resources.queue_url),
        ("AWSEBWorkerDeadLetterQueue", "AWS::SQS::Queue", resources.dead_letter_queue_url),
        ("AWSEBRDSDatabase", "AWS::RDS::DBInstance", resources.database),
    ):
        yield Part(logical_id, kind, physical_id)
    yield from _named("AWS::AutoScaling::ScalingPolicy", resources.policies)
    yield from _named("AWS::CloudWatch::Alarm", resources.alarms)


def _named(kind: str, names: Iterable[str]) -> Iterator[Part]:
    """Resources whose names have their logical id as last but one part."""
    return (Part(name.rsplit("-", 2)[1], kind, name) for name in names)


def _users(environment: Environment) -> Iterator[Part]:
    stack = environment.resources.stack
    for logical_id, body in environment.bundle_resources.items():
        if not logical_id.startswith(_PREFIX):
            digest = hashlib.sha256(f"{stack.arn}/{logical_id}".encode()).digest()
            suffix = base64.b32encode(digest).decode()[:12]
            yield Part(logical_id, str(body["Type"]), f"{stack.name}-{logical_id}-{suffix}")


def problem(resources: dict[str, dict[str, Any]]) -> str | None:
    """Why CloudFormation would refuse the ``Resources`` of configuration files; those of EB itself need no type."""
    for logical_id, body in resources.items():
        if not isinstance(body.get("Type"), str) and not logical_id.startswith(_PREFIX):
            return (
                f"Service:AmazonCloudFormation, Message:Template format error: [/Resources/{logical_id}] Every "
                "Resources object must contain a Type member."
            )
    return None


def template(environment: Environment) -> str:
    """The template's text: types of EB's resources, and what configuration files say, word for word."""
    resources: dict[str, dict[str, Any]] = {part.logical_id: {"Type": part.kind} for part in parts(environment)}
    for logical_id, body in environment.bundle_resources.items():
        resources[logical_id] = resources.get(logical_id, {}) | body
    return json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": description(environment),
            "Resources": resources,
        },
        indent=2,
        default=str,
    )


def description(environment: Environment) -> str:
    """As EB describes its stacks."""
    return f"AWS Elastic Beanstalk environment (Name: '{environment.name}'  Id: '{environment.id}')"
