# SPDX-License-Identifier: GPL-3.0-or-later
"""The CreateEnvironment of a cycle over an environment as AWS described one, item by item."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import calls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.settings import CandidateSettings
from botocore.stub import Stubber

from ...captured import captured

EXPECTED = Path(__file__).resolve().parents[4] / "fixtures" / "captured-settings-copied.tsv"
ARN = "arn:aws:elasticbeanstalk:eu-central-1::platform/Python 3.11 running on 64bit Amazon Linux 2023/4.7.1"
LIVE = {
    "ApplicationName": "shop",
    "EnvironmentId": "e-live",
    "EnvironmentName": "shop-live",
    "PlatformArn": ARN,
    "SolutionStackName": "64bit Amazon Linux 2023 v4.7.1 running Python 3.11",
    "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"},
}
GENERATED = "<sg-… that Elastic Beanstalk generated>"


def item(namespace: str, option: str, value: str, resource: str = "") -> dict[str, str]:
    named = {"ResourceName": resource} if resource else {}
    return {"Namespace": namespace, "OptionName": option, **named, "Value": value}


def expected() -> list[dict[str, str]]:
    lines = [line for line in EXPECTED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [item(*line.split("\t")) for line in lines]


def request(described: list[dict[str, str]]) -> dict[str, Any]:
    """What is sent for a candidate like the live environment, as boto3 takes it."""
    eb = boto3.client("elasticbeanstalk", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    account: Any = SimpleNamespace(generated_groups=lambda _environment: frozenset({GENERATED, "<its name>"}))
    sent: list[dict[str, Any]] = []
    eb.meta.events.register("provide-client-params.*.CreateEnvironment", lambda params, **_: sent.append(params))
    with Stubber(eb) as stub:
        image = {"CustomAmiList": [{"VirtualizationType": "hvm", "ImageId": "<ami-…>"}]}
        stub.add_response("describe_platform_version", {"PlatformDescription": image}, {"PlatformArn": ARN})
        settings = CandidateSettings(eb, account).make(LIVE, described, None)
        stub.add_response("create_environment", {})
        calls.create(eb, LIVE, settings, name="shop-260801-020000", label="v7", tags={"jack:role": "x"}, platform={})
    return sent[0]


def test_every_item_is_what_somebody_may_have_set_and_nothing_of_awss_own() -> None:
    sent = request(captured())
    assert sent.pop("OptionSettings") == expected()
    assert sent == {
        "ApplicationName": "shop",
        "EnvironmentName": "shop-260801-020000",
        "VersionLabel": "v7",
        "Tier": {"Name": "WebServer", "Type": "Standard"},
        "Tags": [{"Key": "jack:role", "Value": "x"}],
        "PlatformArn": ARN,
    }


def test_what_the_user_named_goes_with_its_resource_name_and_without_generated_parts() -> None:
    """Scheduled actions have names, groups of one's own stay, an image of one's own too."""
    action = "aws:autoscaling:scheduledaction"
    launch = "aws:autoscaling:launchconfiguration"
    changed = {("SecurityGroups", launch): f"sg-mine,{GENERATED}", ("ImageId", launch): "ami-mine"}
    described = [
        {**one, "Value": changed.get((one["OptionName"], one["Namespace"]), one.get("Value"))}  # type: ignore[dict-item]
        for one in captured()
    ]
    described += [item(action, "MinSize", "4", "morning"), item(action, "MinSize", "1", "night")]
    more = [one for one in request(described)["OptionSettings"] if one not in expected()]
    assert more == [
        item(launch, "ImageId", "ami-mine"),
        item(launch, "SecurityGroups", "sg-mine"),
        item(action, "MinSize", "4", "morning"),
        item(action, "MinSize", "1", "night"),
    ]
