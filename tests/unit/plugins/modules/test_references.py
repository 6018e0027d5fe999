# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets by reference: refused where the platform version is older than they are, whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment import secret_references
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import parse
from botocore.stub import Stubber

Run = Callable[..., dict[str, Any]]
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
PROFILE = {
    "aws:autoscaling:launchconfiguration": {
        "IamInstanceProfile": "aws-elasticbeanstalk-ec2-role",
        # Without it, an old platform wants a launch configuration, which new accounts cannot have.
        "RootVolumeType": "gp3",
    }
}
ARN = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/key"
REFERENCES = {**PROFILE, SECRETS: {"KEY": ARN}}
OLD = "64bit Amazon Linux 2018.03 v2.17.10 running Docker 20.10.13-ce"
NEW = "64bit Amazon Linux 2023 v4.8.0 running Docker"
NEW_ARN = "arn:aws:elasticbeanstalk:eu-west-1::platform/Docker running on 64bit Amazon Linux 2023/4.8.0"


def given(**more: Any) -> dict[str, Any]:
    quick = {"poll_interval": 0.2, "wait_timeout": 120}
    return {"application": "references", "name": "references", "option_settings": REFERENCES, **quick, **more}


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_new_environment(run: Run, check_mode: bool) -> None:
    run("application", name="references")
    refused = run("environment", check=check_mode, **given(platform=OLD))
    assert f"The platform {OLD} cannot fetch secrets by ARN ({SECRETS})" in refused["msg"]
    assert run("environment_info", application="references", names=["references"])["environments"] == []


def test_an_environment_that_is_there(run: Run) -> None:
    run("application", name="references")
    made = run("environment", **given(platform=OLD, option_settings=PROFILE))
    assert not made.get("failed"), made["msg"]
    try:
        refused = run("environment", **given())
        assert f"The platform {OLD} cannot fetch secrets by ARN" in refused["msg"]
        # A platform that can do it is of another generation, and needs another environment.
        assert "of another family, generation or architecture" in run("environment", **given(platform=NEW))["msg"]
    finally:
        assert run("environment", **given(state="absent", option_settings={}))["changed"]


@pytest.mark.parametrize("platform", [{"SolutionStackName": NEW}, {"PlatformArn": NEW_ARN, "SolutionStackName": NEW}])
def test_the_day_since_which_it_works(platform: dict[str, str]) -> None:
    """No version of localstalk is as old as that but those of the Amazon Linux AMI."""
    client = boto3.client("elasticbeanstalk", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        for released in (secret_references.SINCE, secret_references.SINCE - timedelta(seconds=1)):
            answer = {"PlatformDescription": {"DateCreated": released}}
            stub.add_response("describe_platform_version", answer, {"PlatformArn": NEW_ARN})
        secret_references.check_platform(client, parse(REFERENCES), platform)
        with pytest.raises(AnsibleBeanstalkRefusedError, match=f"The platform {NEW} cannot fetch .* of 2025-03-26"):
            secret_references.check_platform(client, parse(REFERENCES), platform)
        # Without references, for a platform of one's own, and without the right to ask, nothing is refused.
        secret_references.check_platform(client, parse(PROFILE), platform)
        secret_references.check_platform(
            client, parse(REFERENCES), {"PlatformArn": NEW_ARN.replace("::", ":123456789012:")}
        )
        stub.add_client_error("describe_platform_version", "AccessDenied", http_status_code=403)
        secret_references.check_platform(client, parse(REFERENCES), platform)
        stub.assert_no_pending_responses()
