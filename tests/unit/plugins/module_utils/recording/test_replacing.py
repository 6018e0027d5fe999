# SPDX-License-Identifier: GPL-3.0-or-later
"""No account, address or secret is left in a recording, and what is compared stays."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.recording.replacing import replaced

# The numbers, keys and links of AWS's own documents (IAM user guide, EC2 user guide, S3 API reference).
LINK = (
    "https://elasticbeanstalk-us-west-2-111122223333.s3.amazonaws.com/tail?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE"
    "&Expires=1141889120&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"
)
SIGNED = "https://example.com/?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524&X-Amz-Signature=aeeed9bbccd4d02e"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("arn:aws:iam::111122223333:role/aws-elasticbeanstalk-ec2-role", "arn:aws:iam::<account>:role/"),
        ("arn:aws:sts::111122223333:assumed-role/ci/alice", "arn:aws:sts::<account>:assumed-role/<principal>"),
        ("arn:aws:iam::111122223333:user/alice", "arn:aws:iam::<account>:user/<principal>"),
        ("User AIDACKCEVSQ6C2EXAMPLE", "User <principal>"),
        ("203.0.113.25", "<address>"),
        ("server 172.31.16.139:8000;", "server <address>:8000;"),
        ("2001:db8:1234:1a00:3304:8879:34cf:4071", "<address>"),
        ("fe80::1:2:3:4", "<address>"),
        ("02:29:96:8f:6a:2d", "<address>"),
        ("ip-10-24-34-0.us-west-2.compute.internal", "<host>"),
        ("ec2-203-0-113-25.compute-1.amazonaws.com", "<host>"),
        ("alice@example.com", "<e-mail>"),
        ("A=1\nDJANGO_SUPERUSER_PASSWORD=hunter2\nB=2", "A=1\nDJANGO_SUPERUSER_PASSWORD=<secret>\nB=2"),
        (LINK, "https://elasticbeanstalk-us-west-2-<account>.s3.amazonaws.com/tail?AWSAccessKeyId=<secret>&Expires="),
        (SIGNED, "https://example.com/?X-Amz-Credential=<secret>&X-Amz-Signature=<secret>"),
    ],
)
def test_what_is_nobodys_business_is_replaced(text: str, left: str) -> None:
    assert replaced(text).startswith(left)
    for secret in ("111122223333", "alice", "203.0.113", "hunter2", "AKIA", "AIDA", "vjbyPx", "aeeed9"):
        assert secret not in replaced(text)


@pytest.mark.parametrize(
    "text",
    [
        "64bit Amazon Linux 2023 v4.8.0 running Docker",
        "2026-08-12T18:25:01.123000+00:00",
        "tcp,22,22,0.0.0.0/0",
        "http://169.254.169.254/latest/",
        "127.0.0.1",
        "Added instance [i-0123456789abcdef0] to your environment.",
        "aws-cli/2.15.30 Python/3.9.16 Linux/6.1.79-99.164.amzn2023.x86_64",
    ],
)
def test_what_is_compared_stays(text: str) -> None:
    assert replaced(text) == text


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (
            {"Credentials": {"SecretAccessKey": "wJalrXUtnFEMI", "SessionToken": "FwoGZ", "Expiration": "soon"}},
            {"Credentials": {"SecretAccessKey": "<secret>", "SessionToken": "<secret>", "Expiration": "soon"}},
        ),
        ({"MetadataOptions": {"HttpTokens": "required"}}, {"MetadataOptions": {"HttpTokens": "required"}}),
        ({"NextToken": "page two"}, {"NextToken": "page two"}),
        ({"Cpu": 1.5, "Ok": True, "None": None}, {"Cpu": 1.5, "Ok": True, "None": None}),
    ],
)
def test_members_are_judged_by_their_names(answer: dict[str, Any], left: dict[str, Any]) -> None:
    assert replaced(answer) == left


@pytest.mark.parametrize(
    ("namespace", "option", "kept"),
    [
        ("aws:elasticbeanstalk:application:environment", "DATABASE_URL", False),
        ("aws:elasticbeanstalk:application:environmentsecrets", "SENTRY", False),
        ("aws:cloudformation:template:parameter", "EnvironmentVariables", False),
        ("aws:rds:dbinstance", "DBPassword", False),
        ("aws:autoscaling:asg", "MinSize", True),
        ("aws:autoscaling:launchconfiguration", "EC2KeyName", True),
    ],
)
def test_properties_and_secret_options_lose_their_values(namespace: str, option: str, kept: bool) -> None:
    setting = {"Namespace": namespace, "OptionName": option, "Value": "something"}
    assert replaced([setting]) == [setting if kept else {**setting, "Value": "<secret>"}]


def test_known_secrets_are_replaced_the_longest_first() -> None:
    assert replaced({"lines": ["it is correct horse battery"]}, ["correct", "correct horse battery", ""]) == {
        "lines": ["it is <secret>"]
    }
