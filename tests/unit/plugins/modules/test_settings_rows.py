# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module is told is what the service has: the first run does it, the second changes nothing.

localstalk describes settings as AWS does, not as they were sent. The second run is another controller's: it knows
nothing but what the service and the record object say.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

Run = Callable[..., dict[str, Any]]
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
LAUNCH = "aws:autoscaling:launchconfiguration"
ASG = "aws:autoscaling:asg"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
ACTION = "aws:autoscaling:scheduledaction"
HEALTH = "aws:elasticbeanstalk:healthreporting:system"
RECORD = "jack.beanstalk/records/rows/{}.json"
BASE = {
    LAUNCH: {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
    "aws:elasticbeanstalk:environment": {"LoadBalancerType": "application"},
}


class Shop:
    """An environment, and runs of the module by controllers that know nothing of each other."""

    def __init__(self, run: Run, aws: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.run, self.name, self._monkeypatch, self._folder = run, name, monkeypatch, folder
        self._runs = 0
        keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
        self.client = lambda service: boto3.client(
            service, endpoint_url=aws["endpoint_url"], region_name=aws["region"], **keys
        )
        self.bucket = str(self.client("elasticbeanstalk").create_storage_location()["S3Bucket"])

    def have(self, settings: Any, *, platform: str = PLATFORM, same: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module once more; ``same``: on the same controller as before."""
        if not same:
            self._runs += 1
            folder = self._folder / str(self._runs)
            folder.mkdir()
            self._monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        given = [*_listed(BASE), *settings] if isinstance(settings, list) else _together(BASE, settings)
        return self.run(
            "environment",
            application="rows",
            name=self.name,
            cname_prefix=self.name,
            platform=platform,
            option_settings=given,
            poll_interval=0.2,
            wait_timeout=120,
            **more,
        )

    def settle(self, settings: Any, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A run that changes something, and one that does not."""
        first = self.have(settings, **more)
        assert not first.get("failed"), first["msg"]
        assert first["changed"], first
        again = self.have(settings, **more)
        assert not again.get("failed"), again["msg"]
        assert not again["changed"], again["diff"]
        return first, again

    @property
    def settings(self) -> dict[tuple[str, str], str]:
        """What localstalk has."""
        found = self.client("elasticbeanstalk").describe_configuration_settings(
            ApplicationName="rows", EnvironmentName=self.name
        )["ConfigurationSettings"][0]["OptionSettings"]
        return {(one["Namespace"], one["OptionName"]): one.get("Value", "") for one in found}

    def group(self) -> str:
        """The id of a new security group of the user's own."""
        made = self.client("ec2").create_security_group(GroupName=uuid.uuid4().hex, Description="ours")
        return str(made["GroupId"])

    @property
    def record(self) -> dict[str, Any]:
        """The record object."""
        body = self.client("s3").get_object(Bucket=self.bucket, Key=RECORD.format(self.name))["Body"].read()
        return dict(json.loads(body))


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {space: {**one.get(space, {}), **other.get(space, {})} for space in [*one, *other]}


def _listed(given: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"namespace": space, "option_name": option, "value": value}
        for space, options in given.items()
        for option, value in options.items()
    ]


@pytest.fixture
def shop(run: Run, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shop:
    """An environment that has the base settings and nothing else of its own."""
    run("application", name="rows")
    shop = Shop(run, aws, "rows-shop", monkeypatch, tmp_path)
    made = shop.have({}, purge_properties="all")
    assert not made.get("failed"), made["msg"]
    return shop


def warned(result: dict[str, Any], text: str) -> bool:
    return any(text in one for one in result.get("warnings", []))


def test_the_first_environment_and_its_second_run(shop: Shop) -> None:
    assert not shop.have({})["changed"]


def test_a_security_group_that_left_is_removed(shop: Shop) -> None:
    stays, leaves = shop.group(), shop.group()
    shop.settle({LAUNCH: {"SecurityGroups": [stays, leaves]}})
    first, _again = shop.settle({LAUNCH: {"SecurityGroups": stays}})
    assert first["actions"] == ["update_settings"]
    named, generated = shop.settings[LAUNCH, "SecurityGroups"].split(",")
    assert named == stays
    assert generated not in (stays, leaves)


def test_the_order_of_instance_types_counts(shop: Shop) -> None:
    shop.settle({"aws:ec2:instances": {"InstanceTypes": ["t3.small", "t3.medium"]}})
    shop.settle({"aws:ec2:instances": {"InstanceTypes": ["t3.medium", "t3.small"]}})
    assert shop.settings["aws:ec2:instances", "InstanceTypes"] == "t3.medium, t3.small"


def test_null_takes_an_option_back_to_its_default(shop: Shop) -> None:
    shop.settle({ASG: {"Cooldown": 120}})
    first, again = shop.settle({ASG: {"Cooldown": None}})
    assert first["diff"]["after"] == {f"{ASG}:Cooldown": None}
    assert shop.settings[ASG, "Cooldown"] == "360"
    assert not again.get("warnings")


def test_null_for_what_is_default_changes_nothing(shop: Shop) -> None:
    assert not shop.have({ASG: {"MaxSize": None}, PROPERTIES: {"NEVER_SET": None}})["changed"]


def test_a_secret_that_moves_leaves_its_plain_text(shop: Shop) -> None:
    name = f"/{shop.name}/key"
    shop.client("ssm").put_parameter(Name=name, Value="stored", Type="String", Overwrite=True)
    arn = f"arn:aws:ssm:us-east-1:123456789012:parameter{name}"
    shop.settle({PROPERTIES: {"SIGNING": "plain-text-of-a-key"}})
    first, _again = shop.settle({SECRETS: {"SIGNING": arn}, PROPERTIES: {"SIGNING": None}})
    assert first["diff"]["after"] == {f"{PROPERTIES}:SIGNING": None, f"{SECRETS}:SIGNING": arn}
    assert (PROPERTIES, "SIGNING") not in shop.settings
    shop.settle({PROPERTIES: {"SIGNING": "plain-text-of-a-key"}})
    assert (SECRETS, "SIGNING") not in shop.settings
    shop.settle({SECRETS: {"SIGNING": arn}})
    assert (PROPERTIES, "SIGNING") not in shop.settings


def test_properties_that_left_are_purged_if_they_were_ours(shop: Shop) -> None:
    shop.settle({PROPERTIES: {"KEEP": "1", "DROP": "2"}})
    eb = shop.client("elasticbeanstalk")
    theirs = {"Namespace": PROPERTIES, "OptionName": "THEIRS", "Value": "3"}
    eb.update_environment(EnvironmentName=shop.name, OptionSettings=[theirs])
    first, _again = shop.settle({PROPERTIES: {"KEEP": "1"}}, purge_properties=True)
    assert first["diff"]["after"] == {f"{PROPERTIES}:DROP": None}
    assert {name for space, name in shop.settings if space == PROPERTIES} == {"KEEP", "THEIRS"}
    assert shop.record["properties"] == ["KEEP"]
    shop.settle({PROPERTIES: {"KEEP": "1"}}, purge_properties="all")
    assert {name for space, name in shop.settings if space == PROPERTIES} == {"KEEP"}


@pytest.mark.parametrize("content", [None, b"not a record", b'{"format": 2}'])
def test_without_a_usable_record_nothing_is_purged(shop: Shop, content: bytes | None) -> None:
    shop.settle({PROPERTIES: {"OLD": "1"}})
    s3, key = shop.client("s3"), RECORD.format(shop.name)
    if content is None:
        s3.delete_object(Bucket=shop.bucket, Key=key)
    else:
        s3.put_object(Bucket=shop.bucket, Key=key, Body=content)
    kept = shop.have({}, purge_properties=True)
    assert not kept["changed"]
    assert warned(kept, "It is not known which environment properties this collection has set here: none was removed.")
    assert warned(kept, "remove it to begin anew") is (content == b"not a record")
    assert warned(kept, "this collection knows format 1: update the collection") is (content == b'{"format": 2}')
    assert shop.settings[PROPERTIES, "OLD"] == "1"
    if content:
        assert s3.get_object(Bucket=shop.bucket, Key=key)["Body"].read() == content, "it is left alone"
        s3.delete_object(Bucket=shop.bucket, Key=key)
    else:
        assert shop.record["properties"] == [], "it begins anew"


def test_a_record_holds_names_and_no_values(shop: Shop) -> None:
    shop.settle({PROPERTIES: {"DJANGO_SECRET_KEY": "a-secret-of-the-shop"}, ASG: {"MaxSize": 3}})
    record = shop.record
    assert record["format"] == 1
    assert record["properties"] == ["DJANGO_SECRET_KEY"]
    assert f"{ASG}:MaxSize" in record["options"]
    assert "a-secret-of-the-shop" not in json.dumps(record)


def test_a_source_restriction_is_equal_without_blanks(shop: Shop) -> None:
    shop.settle({LAUNCH: {"SSHSourceRestriction": "tcp, 22, 22, 10.0.0.0/8"}})


def test_a_document_is_compared_as_json(shop: Shop) -> None:
    document = {"Version": 1, "CloudWatchMetrics": {"Environment": {}, "Instance": {}}, "Rules": {"Environment": {}}}
    first, _again = shop.settle({HEALTH: {"ConfigDocument": json.dumps(document, indent=4)}})
    assert first["actions"] == ["update_settings"]
    assert not shop.have({HEALTH: {"ConfigDocument": json.dumps(document)}})["changed"]
    shop.settle({HEALTH: {"ConfigDocument": {**document, "Rules": {}}}})


def test_what_is_not_described_back_is_sent_once(shop: Shop) -> None:
    custom = "aws:elasticbeanstalk:customoption"
    wanted = {custom: {"Cache": "small"}, "aws:elb:policies": {"ConnectionDrainingEnabled": True}}
    first, again = shop.settle(wanted)
    sentence = f"took the option {custom}:Cache and does not describe it back"
    assert warned(first, sentence)
    assert warned(again, sentence)
    remembered = shop.have(wanted, same=True)
    assert (remembered["changed"], warned(remembered, sentence)) == (False, True)
    more, _again = shop.settle({custom: {"Cache": "large"}})
    assert more["diff"]["after"] == {f"{custom}:Cache": "large"}


def test_scheduled_actions_are_told_apart_by_name(shop: Shop) -> None:
    def actions(**sizes: int | None) -> list[dict[str, Any]]:
        times = {"Up": "0 7 * * *", "Down": "0 19 * * *"}
        named = [{"namespace": ACTION, "resource_name": name} for name in sizes]
        return [
            {**one, "option_name": option, "value": value}
            for one in named
            for size in [sizes[one["resource_name"]]]
            for option, value in (("MinSize", size), ("Recurrence", size and times[one["resource_name"]]))
        ]

    shop.settle(actions(Up=2, Down=1))
    first, _again = shop.settle(actions(Up=3, Down=1))
    assert first["diff"]["after"] == {f"{ACTION}:Up:MinSize": "3"}
    shop.settle(actions(Up=3, Down=None))


def test_a_nameless_action_is_refused(shop: Shop) -> None:
    refused = shop.have({ACTION: {"MinSize": 1}})
    assert refused["msg"].startswith(f"The option MinSize in {ACTION} is of no action: give option settings as a list")


@pytest.mark.parametrize(
    "platform",
    [
        f"arn:aws:elasticbeanstalk:us-east-1::platform/{PLATFORM}",
        f"arn:aws:elasticbeanstalk:::platform/{PLATFORM}",
        f"arn:aws:elasticbeanstalk:::platform/{PLATFORM}/",
    ],
)
def test_an_arn_without_a_version_is_any_of_the_branch(shop: Shop, platform: str) -> None:
    assert not shop.have({}, platform=platform)["changed"]


@pytest.mark.parametrize(
    "platform",
    [
        "64bit Amazon Linux 2023 v4.8.0 running Python 3.11",
        "Docker running on 64bit Amazon Linux 2",
        "ECS running on 64bit Amazon Linux 2023",
    ],
)
def test_a_platform_of_another_kind_is_refused(shop: Shop, platform: str) -> None:
    refused = shop.have({}, platform=platform)
    assert refused["failed"]
    assert (
        "is of another family, generation or architecture: a platform like that needs a new environment"
        in (refused["msg"])
    )
    assert "eb_deploy_strategy: swap" in refused["msg"]


def test_a_long_property_is_a_warning(shop: Shop) -> None:
    first, again = shop.settle({PROPERTIES: {"LONG": "x" * 300}})
    for result in (first, again):
        assert warned(result, "The environment property LONG is longer than Elastic Beanstalk's console takes")
    too_many = shop.have({PROPERTIES: {"LONG": "x" * 4096}})
    assert too_many["msg"].startswith("The environment properties have 4101 bytes together")


def test_booleans_are_texts_as_the_service_has_them(shop: Shop) -> None:
    shop.settle({PROPERTIES: {"FLAG": True}})
    assert shop.settings[PROPERTIES, "FLAG"] == "true"


def test_groups_that_cannot_be_asked_about_are_said(shop: Shop, faults: Any) -> None:
    wanted = {LAUNCH: {"SecurityGroups": shop.group()}}
    shop.settle(wanted)
    denied = {"code": "UnauthorizedOperation", "http_status": 403}
    faults.add(kind="error", service="ec2", operations=["DescribeSecurityGroups"], **denied)
    stricter, again = shop.settle(wanted)
    assert stricter["actions"] == ["update_settings"]
    for result in (stricter, again):
        assert warned(result, "counts as one to remove: allow ec2:DescribeSecurityGroups.") is (result is stricter) or (
            warned(result, f"keeps {LAUNCH}:SecurityGroups as")
        )


def test_a_newer_platform_is_kept_unless_that_is_allowed(shop: Shop) -> None:
    stacks = shop.client("elasticbeanstalk").list_available_solution_stacks()["SolutionStacks"]
    newest, *older = [one for one in stacks if one.endswith(" running Docker") and "Linux 2023" in one]
    kept = shop.have({}, platform=older[0])
    assert not kept["changed"]
    assert warned(kept, f"runs {newest}, which is newer than the wanted {older[0]}, and keeps it")
    back, again = shop.settle({}, platform=older[0], platform_downgrade=True)
    assert back["actions"] == ["update_platform"]
    assert again["environment"]["platform"] == older[0]
    shop.settle({}, platform=newest)
