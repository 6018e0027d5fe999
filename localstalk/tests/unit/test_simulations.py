# SPDX-License-Identifier: GPL-3.0-or-later
"""SimulatePrincipalPolicy: answered from the policies themselves, with and without enforcement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk


def statement(effect: str, action: str, resource: str = "*") -> dict[str, str]:
    return {"Effect": effect, "Action": action, "Resource": resource}


@pytest.fixture
def iam(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    running = Localstalk(tmp_path / "localstalk", "--driver", "sim", *request.param)
    yield running.client("iam")
    running.close()


def decisions(iam: Any, arn: str, *actions: str, resources: tuple[str, ...] = ("*",)) -> list[str]:
    found = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=list(actions), ResourceArns=list(resources))
    return [one["EvalDecision"] for one in found["EvaluationResults"]]


@pytest.mark.parametrize("iam", [("--iam",)], indirect=True)
def test_user_may_do_what_its_policies_say(iam: Any) -> None:
    arn = iam.create_user(UserName="ops")["User"]["Arn"]
    policy = [statement("Allow", "s3:*", "arn:aws:s3:::mine/*"), statement("Deny", "s3:DeleteObject")]
    iam.put_user_policy(
        UserName="ops", PolicyName="x", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": policy})
    )
    mine = ("arn:aws:s3:::mine/a", "arn:aws:s3:::other/a")
    assert decisions(iam, arn, "s3:GetObject", resources=mine) == ["allowed", "implicitDeny"]
    assert decisions(iam, arn, "s3:DeleteObject", resources=mine[:1]) == ["explicitDeny"]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        decisions(iam, arn.replace("ops", "nobody"), "s3:GetObject")


@pytest.mark.parametrize("iam", [()], indirect=True)
def test_where_nothing_is_enforced_users_may_do_everything_and_roles_what_they_may(iam: Any) -> None:
    assert decisions(iam, "arn:aws:iam::123456789012:user/moto", "s3:GetObject") == ["allowed"]
    role = "arn:aws:iam::123456789012:role/aws-elasticbeanstalk-ec2-role"
    assert decisions(iam, role, "xray:PutTraceSegments", "secretsmanager:GetSecretValue") == ["allowed", "implicitDeny"]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        decisions(iam, role + "-lost", "s3:GetObject")
