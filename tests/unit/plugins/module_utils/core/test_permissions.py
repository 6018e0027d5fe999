# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies in docs/iam are those of the table, and cover every way that a playbook may go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import (
    PLAYBOOKS,
    denied,
    needed,
    policy,
    principal_of,
)
from botocore.stub import Stubber
from moto.iam.aws_managed_policies import aws_managed_policies_data

POLICIES = Path(__file__).resolve().parents[5] / "docs" / "iam"
PLACE = {"PARTITION": "aws-cn", "REGION": "cn-north-1", "ACCOUNT": "123456789012", "APPLICATION": "shop"}


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_shipped_policy_is_that_of_the_table(name: str) -> None:
    """``python scripts/policies.py`` writes them anew."""
    assert json.loads((POLICIES / f"{name}.json").read_text()) == policy(name)


def test_policy_for_elastic_beanstalk_in_ones_name_is_part_of_awss_own() -> None:
    """Against the text of AdministratorAccess-AWSElasticBeanstalk that moto carries; and it fits into one policy."""
    managed = json.loads(aws_managed_policies_data)["AdministratorAccess-AWSElasticBeanstalk"]["Document"]["Statement"]
    text = (POLICIES / "elastic_beanstalk.json").read_text()
    for name, value in {"PARTITION": "aws", "REGION": "*", "ACCOUNT": "*"}.items():
        text = text.replace(name, value)

    def listed(value: Any) -> list[str]:
        return [value] if isinstance(value, str) else value

    allowed = {
        (action, resource, json.dumps(list(one.get("Condition", {}))))
        for one in managed
        for action in listed(one["Action"])
        for resource in listed(one["Resource"])
    }
    wanted = {
        (action, resource, json.dumps(list(one.get("Condition", {}))))
        for one in json.loads(text)["Statement"]
        for action in one["Action"]
        for resource in one["Resource"]
    }
    # IAM writes the account of roles otherwise, and ours names the two that are passed on.
    odd = {(action, resource) for action, resource, _condition in wanted - allowed}
    assert odd == {
        ("iam:PassRole", "arn:aws:iam::*:role/aws-elasticbeanstalk-ec2-role"),
        ("iam:PassRole", "arn:aws:iam::*:role/aws-elasticbeanstalk-service-role"),
    }
    assert len("".join(text.replace("*:*", "ap-northeast-1:123456789012").split())) <= 6144
    assert not any(action.startswith("elasticbeanstalk:") for action, _resource, _condition in wanted)


@pytest.mark.parametrize(
    ("name", "action", "resource"),
    [
        # A recreate that drained the old environment sets MinSize, and one with name_prefix removes templates.
        ("recreate_and_swap", "elasticbeanstalk:UpdateEnvironment", "environment/shop/*"),
        ("recreate_and_swap", "elasticbeanstalk:DeleteConfigurationTemplate", "configurationtemplate/shop/*"),
        ("recreate_and_swap", "s3:PutObject", "jack.beanstalk/records/shop/*"),
        ("recreate_and_swap", "elasticbeanstalk:DescribePlatformVersion", "*"),
        # Without an environment that is still kept.
        ("rollback", "elasticbeanstalk:CreateEnvironment", "environment/shop/*"),
        ("rollback", "elasticbeanstalk:DescribeEnvironmentResources", "*"),
        ("deploy", "s3:GetObject", "elasticbeanstalk-cn-north-1-123456789012/shop/*"),
        ("deploy", "elasticbeanstalk:DescribePlatformVersion", "*"),
        ("deploy", "autoscaling:DescribeAutoScalingGroups", "*"),
    ],
)
def test_ways_off_the_smooth_one_are_covered(name: str, action: str, resource: str) -> None:
    assert any(one.endswith(resource) for one in needed([name], PLACE)[action])


def test_resources_are_of_the_callers_partition() -> None:
    arns = {one for resources in needed(PLAYBOOKS, PLACE).values() for one in resources} - {"*"}
    assert arns
    assert all(one.startswith("arn:aws-cn:") for one in arns)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::123456789012:user/ops", "arn:aws:iam::123456789012:user/ops"),
        ("arn:aws-us-gov:sts::123456789012:assumed-role/ci/run-1", "arn:aws-us-gov:iam::123456789012:role/ci"),
        ("arn:aws:iam::123456789012:root", ""),
    ],
)
def test_policies_of_a_session_are_those_of_its_role(arn: str, principal: str) -> None:
    assert principal_of(arn) == principal


def test_denied_is_what_no_missing_context_explains() -> None:
    iam = boto3.client("iam", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

    def result(action: str, decision: str, *missing: str) -> dict[str, Any]:
        return {
            "EvalActionName": action,
            "EvalDecision": decision,
            "EvalResourceName": "*",
            "MissingContextValues": list(missing),
        }

    with Stubber(iam) as stub:
        stub.add_response(
            "simulate_principal_policy",
            {
                "EvaluationResults": [
                    result("s3:GetObject", "allowed"),
                    result("s3:PutObject", "implicitDeny"),
                    result("s3:ListBucket", "implicitDeny", "aws:RequestTag/team"),
                ],
                "IsTruncated": False,
            },
            {
                "PolicySourceArn": "arn:aws:iam::123456789012:user/ops",
                "ActionNames": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
                "ResourceArns": ["*"],
            },
        )
        wanted = dict.fromkeys(("s3:GetObject", "s3:PutObject", "s3:ListBucket"), ("*",))
        assert denied(iam, "arn:aws:iam::123456789012:user/ops", wanted) == ["s3:PutObject"]
