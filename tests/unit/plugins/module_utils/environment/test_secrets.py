# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets sorted by how they reach the application, and what is refused before anything is called."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.secrets import (
    SecretsError,
    sort_secrets,
)

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/db-a1B2c3"
PARAMETER = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/shop/key"
OPTIONS = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "shop"}}
DOCKER = "Docker running on 64bit Amazon Linux 2023"
HIDDEN = "v4lue-nobody-may-see"


def test_sorted() -> None:
    secrets = {
        "key": {"file": ".secrets/./key", "content": "abc"},
        "ignored": {"file": ".secrets/certificate.pem"},
        "PASSWORD": {"arn": SECRET + ":password"},
        "WHOLE": {"arn": SECRET},
        "PARAMETER": {"arn": PARAMETER},
        "SENTRY": {"value": 12},
        "FLAG": {"value": True},
        "GONE": None,
    }
    assert sort_secrets(secrets, {"A": "b"}, OPTIONS, DOCKER) == {
        "overlay": [
            {"path": ".secrets/key", "content": "abc", "mode": "0600"},
        ],
        "files": [".secrets/certificate.pem"],
        "references": {"PASSWORD": SECRET + ":password", "WHOLE": SECRET, "PARAMETER": PARAMETER, "GONE": None},
        "properties": {"SENTRY": "12", "FLAG": "true", "GONE": None},
    }


def test_nothing_at_all() -> None:
    assert sort_secrets({}, {}, {}, "") == {"overlay": [], "files": [], "references": {}, "properties": {}}


def test_limit_counts_bytes_of_all_properties() -> None:
    properties = {f"N{number:03}": "x" * 250 for number in range(16)}
    used = sum(len(f"{name}={value}") for name, value in properties.items())
    assert used <= 4096
    room = 4096 - used - len("S=")
    assert sort_secrets({"S": {"value": "y" * room}}, properties, {}, "")["properties"]
    with pytest.raises(SecretsError, match="have 4097 bytes together, secrets included"):
        sort_secrets({"S": {"value": "y" * (room - 1) + "ü"}}, properties, {}, "")


@pytest.mark.parametrize(
    ("secrets", "sentence"),
    [
        ({"A": HIDDEN}, "The secret A is none of"),
        ({"A": {"value": HIDDEN, "arn": SECRET}}, "The secret A is none of"),
        ({"A": {"file": "x", "content": HIDDEN, "mode": "0644"}}, "The secret A is none of"),
        ({"A": {"content": HIDDEN}}, "The secret A is none of"),
        ({"A": {"file": "../x", "content": HIDDEN}}, "names ../x, which is not a path inside the bundle"),
        ({"A": {"file": "/etc/x", "content": HIDDEN}}, "names /etc/x, which is not a path inside the bundle"),
        ({"A-B": {"value": HIDDEN}}, "The secret A-B cannot be an environment variable"),
        ({"N" * 129: {"value": HIDDEN}}, "cannot be an environment variable"),
        ({"A": {"value": {"b": HIDDEN}}}, "The value of the secret A is a dictionary, not a plain value."),
        ({"A": {"value": HIDDEN * 300}}, "bytes together, secrets included; Elastic Beanstalk takes 4096"),
        ({"GIVEN": {"value": HIDDEN}}, "GIVEN is also among the environment properties"),
        ({"A": {"arn": PARAMETER + ":key"}}, "names a key of an SSM parameter"),
        ({"A": {"arn": HIDDEN}}, "is not the ARN of a Secrets Manager secret"),
        ({"A": {"arn": SECRET + ":key:"}}, "is not the ARN of a Secrets Manager secret"),
        ({"A": {"arn": "arn:aws:iam::123456789012:role/x"}}, "is not the ARN of a Secrets Manager secret"),
    ],
)
def test_refusals_show_no_value(secrets: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SecretsError) as refused:
        sort_secrets(secrets, {"GIVEN": "1"}, OPTIONS, DOCKER)
    assert sentence in str(refused.value)
    assert HIDDEN not in str(refused.value)


def test_a_null_property_beside_a_secret_is_no_second_one() -> None:
    sorted_out = sort_secrets({"A": {"arn": SECRET}}, {"A": None}, OPTIONS, DOCKER)
    assert (sorted_out["references"], sorted_out["properties"]) == ({"A": SECRET}, {})


def test_options_are_read_in_both_forms() -> None:
    profile = {"namespace": "aws:autoscaling:launchconfiguration", "option_name": "IamInstanceProfile"}
    listed = [{**profile, "value": "shop"}]
    assert sort_secrets({"A": {"arn": SECRET}}, {}, listed, DOCKER)["references"] == {"A": SECRET}
    with pytest.raises(SecretsError, match=r"Entry 1 of the option settings .* has no value"):
        sort_secrets({"A": {"arn": SECRET}}, {}, [profile], DOCKER)


def test_references_need_a_profile_and_a_platform() -> None:
    secrets = {"A": {"arn": SECRET}}
    with pytest.raises(SecretsError, match="set IamInstanceProfile in aws:autoscaling:launchconfiguration"):
        sort_secrets(secrets, {}, {}, DOCKER)
    for platform in (
        "64bit Amazon Linux 2018.03 v2.17.9 running Docker 20.10.13-ce",
        "Docker running on 64bit Amazon Linux",
        "arn:aws:elasticbeanstalk:us-east-1::platform/Docker running on 64bit Amazon Linux/2.17.9",
    ):
        with pytest.raises(SecretsError, match="cannot fetch secrets by ARN"):
            sort_secrets(secrets, {}, OPTIONS, platform)
    for platform in (
        DOCKER,
        "64bit Amazon Linux 2 v4.1.0 running Docker",
        "64bit Amazon Linux 2023 v4.8.0 running Docker",
    ):
        assert sort_secrets(secrets, {}, OPTIONS, platform)["references"] == {"A": SECRET}
