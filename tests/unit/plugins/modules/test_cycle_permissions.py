# SPDX-License-Identifier: GPL-3.0-or-later
"""A cycle refuses before it starts when an action is denied that it may need later, and leaves no lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import needed, policy

from localstalk.testing import Localstalk

Run = Callable[..., dict[str, Any]]
PLACE = {"PARTITION": "aws", "REGION": "us-east-1", "ACCOUNT": "123456789012", "APPLICATION": "shop"}
BUCKET = "elasticbeanstalk-us-east-1-123456789012"
LOCK = "jack.beanstalk/locks/shop.json"
STACK = "64bit Amazon Linux 2023 v4.8.0 running Docker"
PROFILE = {
    "Namespace": "aws:autoscaling:launchconfiguration",
    "OptionName": "IamInstanceProfile",
    "Value": "aws-elasticbeanstalk-ec2-role",
}
CYCLE = {"application": "shop", "cname_prefix": "shop", "force": True, "poll_interval": 0.2}


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    """A localstalk that enforces policies, with an environment."""
    running = Localstalk(tmp_path_factory.mktemp("iam"), "--driver", "sim", "--speed", "500", "--iam")
    eb = running.client("elasticbeanstalk")
    eb.create_application(ApplicationName="shop")
    eb.create_environment(
        ApplicationName="shop",
        EnvironmentName="shop",
        CNAMEPrefix="shop",
        SolutionStackName=STACK,
        OptionSettings=[PROFILE],
    )
    eb.get_waiter("environment_exists").wait(EnvironmentNames=["shop"], WaiterConfig={"Delay": 1})
    running.client("iam").create_user(UserName="night")
    yield running
    running.close()


@pytest.fixture(scope="module")
def keys(enforcing: Localstalk) -> dict[str, str]:
    """What the module needs to be the user of the nightly run."""
    made = enforcing.client("iam").create_access_key(UserName="night")["AccessKey"]
    return {
        "endpoint_url": enforcing.url,
        "region": "us-east-1",
        "access_key": made["AccessKeyId"],
        "secret_key": made["SecretAccessKey"],
    }


def allow(localstalk: Localstalk, missing: str = "") -> None:
    """Give the user the policy of docs/iam, without one action."""
    text = json.dumps(policy("recreate_and_swap"))
    for name, value in PLACE.items():
        text = text.replace(name, value)
    statements = [
        {**one, "Action": [name for name in one["Action"] if name != missing]} for one in json.loads(text)["Statement"]
    ]
    document = {"Version": "2012-10-17", "Statement": [one for one in statements if one["Action"]]}
    localstalk.client("iam").put_user_policy(UserName="night", PolicyName="least", PolicyDocument=json.dumps(document))


def test_the_policy_is_enough_to_begin(run: Run, enforcing: Localstalk, keys: dict[str, str]) -> None:
    allow(enforcing)
    planned = run("cycle", check=True, **CYCLE, **keys)
    assert planned["result"] == "", planned
    assert planned["plan"]


@pytest.mark.parametrize("action", needed(["recreate_and_swap"], PLACE, reports=False))
def test_one_action_less_is_named_before_anything_changed(
    run: Run, enforcing: Localstalk, keys: dict[str, str], action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this controller remembered would spare it a call.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    allow(enforcing, missing=action)
    told = run("cycle", **CYCLE, **keys, request_settle_time=15, max_decision_age=10)
    said = f"{told.get('msg', '')}{told.get('sentence', '')}"
    assert told.get("failed") or told["result"] == "refused", told
    assert action in said
    assert "see docs/iam of jack.beanstalk" in said
    eb = enforcing.client("elasticbeanstalk")
    (one,) = eb.describe_environments(ApplicationName="shop")["Environments"]
    assert (one["EnvironmentName"], one["Status"]) == ("shop", "Ready")
    listed = enforcing.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=LOCK) if _has_bucket(enforcing) else {}
    assert listed.get("KeyCount", 0) == 0


def _has_bucket(localstalk: Localstalk) -> bool:
    return BUCKET in [one["Name"] for one in localstalk.client("s3").list_buckets()["Buckets"]]
