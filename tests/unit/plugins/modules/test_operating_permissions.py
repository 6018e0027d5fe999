# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight, logs, history, unlock, scale and abort with their policies of docs/iam, and with one action less."""

from __future__ import annotations

import fnmatch
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import needed, policy

from localstalk.testing import Localstalk

pytestmark = pytest.mark.slow

Run = Callable[..., dict[str, Any]]
PLACE = {"PARTITION": "aws", "REGION": "us-east-1", "ACCOUNT": "123456789012", "APPLICATION": "shop"}
BUCKET = "elasticbeanstalk-us-east-1-123456789012"
LOCK = {"Bucket": BUCKET, "Key": "jack.beanstalk/locks/shop.json"}
STACK = "64bit Amazon Linux 2023 v4.8.0 running Docker"
WHERE = {"application": "shop", "cname_prefix": "shop"}
NAMES = ("preflight", "logs", "history", "unlock", "scale", "abort")
OTHER = "deploy@build-3 5f2c"
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}


SPARED = {
    "history": {"s3:ListBucket"},
    "unlock": {"s3:ListBucket"},
    "scale": {"elasticbeanstalk:CreateStorageLocation", "elasticbeanstalk:ListTagsForResource", "s3:ListBucket"},
}
"""What is asked only where there is no lock object yet, the bucket is not known, or tags are to be set."""


@dataclass
class World:
    """A localstalk that enforces policies, an environment, and an operator."""

    localstalk: Localstalk
    keys: dict[str, str]
    size: int = 1

    def allow(self, name: str, missing: str = "") -> None:
        """Give the operator the policy of a playbook, without one action."""
        text = json.dumps(policy(name))
        for word, value in PLACE.items():
            text = text.replace(word, value)
        kept = [
            {**one, "Action": [action for action in one["Action"] if action != missing]}
            for one in json.loads(text)["Statement"]
        ]
        document = {"Version": "2012-10-17", "Statement": [one for one in kept if one["Action"]]}
        iam = self.localstalk.client("iam")
        iam.put_user_policy(UserName="operator", PolicyName="least", PolicyDocument=json.dumps(document))

    def asked(self) -> dict[str, list[str]]:
        """ARNs by action that the operator has needed so far."""
        told = json.loads(self.localstalk.ask("permissions"))
        return dict(told.get("arn:aws:iam::123456789012:user/operator", {}))

    def lease(self) -> dict[str, Any]:
        """The lock of the environment."""
        body = self.localstalk.client("s3").get_object(**LOCK)["Body"].read()
        return dict(json.loads(body)["leases"]["shop"])

    def hold(self, owner: str) -> None:
        """As if a run held the lock."""
        s3 = self.localstalk.client("s3")
        document = json.loads(s3.get_object(**LOCK)["Body"].read())
        document["leases"]["shop"] |= {
            "owner": owner,
            "reason": "deploy",
            "expires": 4e9 if owner else 0,
            "process": None,
        }
        s3.put_object(**LOCK, Body=json.dumps(document).encode())

    def environment(self) -> dict[str, Any]:
        """As Elastic Beanstalk describes it."""
        (one,) = self.localstalk.client("elasticbeanstalk").describe_environments(ApplicationName="shop")[
            "Environments"
        ]
        return dict(one)

    def call(self, name: str, run: Run) -> dict[str, Any]:
        """What the playbook calls, as the operator."""
        more = {**WHERE, **self.keys}
        if name == "preflight":
            return run("preflight_info", platform=STACK, option_settings=PROFILE, **more)
        if name == "logs":
            return run("environment_logs", poll_interval=0.2, **more)
        if name == "history":
            return run("history_info", **more)
        if name == "unlock":
            self.hold(OTHER)
            seen = run("lock_info", **more)
            return seen if seen.get("failed") else run("lock", owner=OTHER, state="absent", **more)
        if name == "scale":
            self.size += 1
            return run("environment", min_size=self.size, max_size=99, poll_interval=0.2, lock={}, **more)
        self.localstalk.fault("stuck", environment="shop")
        eb = self.localstalk.client("elasticbeanstalk")
        self.size += 1
        eb.update_environment(EnvironmentName="shop", OptionSettings=_property(self.size))
        ended = threading.Event()
        # The update stays until it is being aborted, and the abortion ends.
        clearing = threading.Thread(target=self.clear_when_aborting, args=(ended,))
        clearing.start()
        try:
            return run("environment_abort", poll_interval=0.2, wait_timeout=120, **more)
        finally:
            ended.set()
            clearing.join()
            eb.get_waiter("environment_updated").wait(EnvironmentNames=["shop"], WaiterConfig={"Delay": 1})

    def clear_when_aborting(self, ended: threading.Event) -> None:
        """Let the operation go on, which is stuck."""
        while self.environment()["Status"] == "Updating" and not ended.wait(0.1):
            pass
        self.localstalk.clear_faults()


def _property(number: int) -> list[dict[str, str]]:
    place = "aws:elasticbeanstalk:application:environment"
    return [{"Namespace": place, "OptionName": "NUMBER", "Value": str(number)}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    running = Localstalk(tmp_path_factory.mktemp("iam"), "--driver", "sim", "--speed", "200", "--iam")
    iam = running.client("iam")
    iam.create_user(UserName="operator")
    made = iam.create_access_key(UserName="operator")["AccessKey"]
    keys = {
        "endpoint_url": running.url,
        "region": "us-east-1",
        "access_key": made["AccessKeyId"],
        "secret_key": made["SecretAccessKey"],
    }
    yield World(running, keys)
    running.close()


@pytest.fixture
def deployed(
    world: World, run: Run, bundle: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """With an environment; and without what this controller remembered, which would spare calls."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if not world.localstalk.client("elasticbeanstalk").describe_environments()["Environments"]:
        admin = world.localstalk.environ
        made = run(
            "environment",
            **WHERE,
            name="shop",
            platform=STACK,
            option_settings=PROFILE,
            version_label="v1",
            src=bundle("v1"),
            poll_interval=0.2,
            lock={},
            **{**world.keys, "access_key": admin["AWS_ACCESS_KEY_ID"], "secret_key": admin["AWS_SECRET_ACCESS_KEY"]},
        )
        assert made.get("changed"), made
    return world


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_works_with_its_policy_and_asks_for_no_more(deployed: World, run: Run, name: str) -> None:
    before = deployed.asked()
    deployed.allow(name)
    done = deployed.call(name, run)
    assert not done.get("failed"), done["msg"]
    assert [one for one in done.get("findings", []) if "Nothing is known of" in one["what"]] == []
    given = needed([name], PLACE)
    new = [
        (action, arn) for action, arns in deployed.asked().items() for arn in arns if arn not in before.get(action, [])
    ]
    assert new or before
    lacks = [
        (action, arn)
        for action, arn in new
        if action != "sts:GetCallerIdentity" and not any(fnmatch.fnmatchcase(arn, one) for one in given.get(action, ()))
    ]
    assert lacks == []


@pytest.mark.parametrize(
    ("name", "action"), [(name, action) for name in NAMES for action in needed([name], PLACE, reports=False)]
)
def test_one_action_less_is_named_and_nothing_is_left(deployed: World, run: Run, name: str, action: str) -> None:
    deployed.hold("")
    deployed.allow(name, missing=action)
    before = deployed.environment()
    done = deployed.call(name, run)
    if done.get("failed"):
        assert re.search(rf"the credentials may not do this: allow .*{action}\b.* see docs/iam", done["msg"])
        after = deployed.environment()
        assert (after["Status"], after["VersionLabel"]) == ("Ready", before["VersionLabel"])
    else:
        assert action in SPARED.get(name, ())
    assert deployed.lease()["owner"] == (OTHER if name == "unlock" and done.get("failed") else "")
