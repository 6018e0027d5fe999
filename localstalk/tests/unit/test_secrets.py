# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that environments refer to: found in moto's stores, with the rights of the instance profile."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localstalk.model.secrets import SecretError, environment_properties
from localstalk.model.settings import effective_settings
from localstalk.model.state import Environment

from .control_plane import Localstalk, option

SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
ROLE = "aws-elasticbeanstalk-ec2-role"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def readable(localstalk: Localstalk) -> None:
    """The instances' role may read secrets, which the managed policies do not allow it."""
    actions = ["secretsmanager:GetSecretValue", "ssm:GetParameter*"]
    permit(localstalk, {"Effect": "Allow", "Action": actions, "Resource": "*"})


@pytest.fixture
def arns(localstalk: Localstalk) -> dict[str, str]:
    """One secret and one parameter."""
    secret = localstalk.client("secretsmanager").create_secret(Name="db", SecretString='{"password": "s3cret"}')["ARN"]
    localstalk.client("ssm").put_parameter(Name="/app/key", Value="k3y", Type="SecureString")
    return {"secret": secret, "parameter": f"arn:aws:ssm:us-east-1:{localstalk.account}:parameter/app/key"}


def environment(localstalk: Localstalk) -> Environment:
    found = localstalk.region.by_name("env-one")
    assert found is not None
    return found


def properties(localstalk: Localstalk) -> dict[str, str]:
    return environment_properties(localstalk.account, "us-east-1", effective_settings(environment(localstalk)))


def messages(localstalk: Localstalk) -> list[str]:
    return [event["Message"] for event in localstalk.eb.describe_events(EnvironmentName="env-one")["Events"]]


def permit(localstalk: Localstalk, *statements: dict[str, Any]) -> None:
    iam = localstalk.client("iam")
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=json.dumps(policy))


@pytest.mark.usefixtures("readable")
def test_secrets_reach_the_properties(localstalk: Localstalk, arns: dict[str, str]) -> None:
    localstalk.create(
        "env-one",
        option(SECRETS, "PASSWORD", f"{arns['secret']}:password"),
        option(SECRETS, "WHOLE", arns["secret"]),
        option(SECRETS, "KEY", arns["parameter"]),
        option(PROPERTIES, "OLD", "x-{{resolve:ssm:/app/key:1}}"),
    )
    assert properties(localstalk) == {
        "PASSWORD": "s3cret", "WHOLE": '{"password": "s3cret"}', "KEY": "k3y", "OLD": "x-k3y",
    }  # fmt: skip
    shown = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    assert "s3cret" not in str(shown)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{secret}-gone", "ResourceNotFoundException: cannot get the secret"),
        ("{secret}:nothing", "has no key nothing"),
        ("{parameter}/gone", "ParameterNotFound: cannot get the parameter /app/key/gone"),
    ],
)
@pytest.mark.usefixtures("readable")
def test_what_is_missing_fails_the_update(
    localstalk: Localstalk, arns: dict[str, str], value: str, reason: str
) -> None:
    localstalk.create("env-one", option(SECRETS, "PASSWORD", f"{arns['secret']}:password"))
    wanted = value.format(**arns)
    localstalk.update(OptionSettings=[option(SECRETS, "PASSWORD", wanted)])
    told = messages(localstalk)
    assert any(reason in message for message in told)
    assert "Failed to deploy configuration." in told
    assert "The environment was reverted to the previous configuration setting." in told
    assert environment(localstalk).status == "Ready"
    assert properties(localstalk) == {"PASSWORD": "s3cret"}


def test_a_profile_without_the_right_fails_the_update(localstalk: Localstalk, arns: dict[str, str]) -> None:
    permit(localstalk, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    localstalk.create("env-one")
    localstalk.update(OptionSettings=[option(SECRETS, "A", arns["secret"])])
    said = " ".join(messages(localstalk))
    assert f"AccessDeniedException: {ROLE} is not authorized to perform secretsmanager:GetSecretValue" in said
    assert properties(localstalk) == {}


def test_a_profile_with_the_right(localstalk: Localstalk, arns: dict[str, str]) -> None:
    permit(
        localstalk,
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arns["secret"]},
        {"Effect": "Allow", "Action": "ssm:GetParameter*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "arn:aws:secretsmanager:*:*:secret:other*"},
    )
    localstalk.create("env-one", option(SECRETS, "A", arns["secret"]), option(SECRETS, "B", arns["parameter"]))
    assert properties(localstalk)["B"] == "k3y"
    denied = arns["secret"].replace("secret:db", "secret:other")
    localstalk.update(OptionSettings=[option(SECRETS, "A", denied)])
    assert "AccessDeniedException" in " ".join(messages(localstalk))


@pytest.mark.usefixtures("readable")
def test_logs_can_be_had_without_the_secret(localstalk: Localstalk, arns: dict[str, str]) -> None:
    localstalk.create("env-one", option(SECRETS, "KEY", arns["parameter"]))
    localstalk.client("ssm").delete_parameter(Name="/app/key")
    with pytest.raises(SecretError):
        properties(localstalk)
    localstalk.eb.request_environment_info(EnvironmentName="env-one", InfoType="tail")
    localstalk.advance(60)
    assert localstalk.eb.retrieve_environment_info(EnvironmentName="env-one", InfoType="tail")["EnvironmentInfo"]
