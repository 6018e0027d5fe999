# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled actions: named by users, kept wherever settings are, and carried out on the group by the clock.

Sources: Developer Guide, "Scheduled Auto Scaling actions"; hashicorp/terraform#7867 for the refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from control_plane import SINGLE, Localstalk, option
from test_groups import group, listed

from localstalk.model.schedule import Action

ACTION = "aws:autoscaling:scheduledaction"
HOUR = 3600


def action(name: str, **options: str) -> list[dict[str, str]]:
    return [option(ACTION, each, value) | {"ResourceName": name} for each, value in options.items()]


UP = action("Up", MinSize="2", MaxSize="3", DesiredCapacity="2", Recurrence="0 7 * * *")
DOWN = action("Down", MinSize="1", MaxSize="1", Recurrence="0 19 * * *")


def actions(settings: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return [each for each in settings if each["Namespace"] == ACTION]


def described(localstalk: Localstalk, **which: str) -> list[dict[str, str]]:
    found = localstalk.eb.describe_configuration_settings(ApplicationName="app", **which)["ConfigurationSettings"][0]
    return actions(found["OptionSettings"])


def effective(localstalk: Localstalk, name: str) -> dict[tuple[str, str], str]:
    found = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName=name)
    settings = found["ConfigurationSettings"][0]["OptionSettings"]
    return {(each["Namespace"], each["OptionName"]): each.get("Value", "") for each in settings}


def by_name(settings: list[dict[str, str]]) -> set[tuple[str, str, str]]:
    return {(each["ResourceName"], each["OptionName"], each["Value"]) for each in settings}


def scheduled(localstalk: Localstalk) -> dict[str, dict[str, Any]]:
    found = localstalk.client("autoscaling").describe_scheduled_actions()["ScheduledUpdateGroupActions"]
    return {each["ScheduledActionName"].rpartition("-")[2]: each for each in found}


def limits(localstalk: Localstalk) -> tuple[int, int, int]:
    found = group(localstalk)
    return found["MinSize"], found["MaxSize"], len(listed(localstalk))


def test_two_actions_are_two_and_follow_the_clock(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *UP, *DOWN)  # The clock of tests starts at midnight, UTC.
    assert limits(localstalk) == (1, 4, 1)
    assert {name: each["Recurrence"] for name, each in scheduled(localstalk).items()} == {
        "Up": "0 7 * * *",
        "Down": "0 19 * * *",
    }
    localstalk.advance(6.5 * HOUR)
    assert limits(localstalk) == (1, 4, 1)
    localstalk.advance(HOUR)
    assert limits(localstalk) == (2, 3, 2)
    localstalk.advance(12 * HOUR)
    assert limits(localstalk) == (1, 1, 1)
    localstalk.advance(12 * HOUR)
    assert limits(localstalk) == (2, 3, 2)
    assert localstalk.environment()["Status"] == "Ready"


def test_names_stay_through_update_and_removal(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *UP, *DOWN)
    localstalk.update(OptionSettings=action("Up", MinSize="3"))
    up = {each["OptionName"]: each["Value"] for each in UP} | {"MinSize": "3"}
    assert by_name(described(localstalk, EnvironmentName="env-one")) == by_name(action("Up", **up) + DOWN)
    gone = [{"Namespace": ACTION, "OptionName": each["OptionName"], "ResourceName": "Down"} for each in DOWN]
    localstalk.update(OptionsToRemove=gone)
    assert by_name(described(localstalk, EnvironmentName="env-one")) == by_name(action("Up", **up))
    assert scheduled(localstalk).keys() == {"Up"}
    localstalk.update(OptionSettings=action("Up", Suspend="true"))
    assert not scheduled(localstalk)


def test_names_stay_in_saved_configurations_and_copies(localstalk: Localstalk) -> None:
    made = localstalk.create("env-one", *UP, *DOWN)
    localstalk.eb.create_configuration_template(ApplicationName="app", TemplateName="t1", EnvironmentId=made)
    key = "resources/templates/app/t1"
    file = yaml.safe_load(localstalk.client("s3").get_object(Bucket=localstalk.region.bucket, Key=key)["Body"].read())
    assert file["OptionSettings"][f"Up.{ACTION}"]["Recurrence"] == "0 7 * * *"
    # As `eb config put` does: a file that names resources, EB's own among them.
    file["OptionSettings"]["AWSEBCloudwatchAlarmLow.aws:autoscaling:trigger"] = {"LowerThreshold": "3"}
    localstalk.client("s3").put_object(Bucket=localstalk.region.bucket, Key=key, Body=yaml.safe_dump(file).encode())
    assert by_name(described(localstalk, TemplateName="t1")) == by_name(UP + DOWN)
    localstalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-two", TemplateName="t1", VersionLabel="v1"
    )
    localstalk.advance(600)
    assert by_name(described(localstalk, EnvironmentName="env-two")) == by_name(UP + DOWN)
    assert effective(localstalk, "env-two")["aws:autoscaling:trigger", "LowerThreshold"] == "3"


def test_names_in_configuration_files(localstalk: Localstalk) -> None:
    values = {"MinSize": "2", "StartTime": "2026-01-02T00:00:00Z"}
    up = [
        {"namespace": ACTION, "resource_name": "Up", "option_name": name, "value": value}
        for name, value in values.items()
    ]
    low = "option_settings:\n  AWSEBCloudwatchAlarmLow.aws:autoscaling:trigger: {LowerThreshold: 7}\n"
    files = {"up": yaml.safe_dump({"option_settings": up}), "low": low}
    localstalk.version("v1", **{f".ebextensions/{name}.config": text for name, text in files.items()})
    localstalk.create()
    assert effective(localstalk, "env-one")["aws:autoscaling:trigger", "LowerThreshold"] == "7"
    assert by_name(described(localstalk, EnvironmentName="env-one")) == by_name(action("Up", **values))
    # awsdocs/aws-elastic-beanstalk-developer-guide#89: the guide has this form, the service does not.
    localstalk.version("v2", **{".ebextensions/up.config": f"option_settings:\n  Up.{ACTION}:\n    MinSize: 2\n"})
    localstalk.update(VersionLabel="v2")
    refused = f"(Namespace: 'Up.{ACTION}', OptionName: 'MinSize'): Unknown configuration setting."
    assert f"ERROR Invalid option specification {refused}" in localstalk.lines(EnvironmentName="env-one")


@pytest.mark.parametrize(
    ("setting", "code", "message"),
    [
        (option(ACTION, "MinSize", "1"), "InvalidParameterValue", "The scheduled action name cannot be blank."),
        (
            action("Up", Recurrence="at seven")[0],
            "ConfigurationValidationException",
            f"'at seven' (Namespace: '{ACTION}', OptionName: 'Recurrence'): Value is not a cron expression",
        ),
        (
            action("Up", StartTime="tomorrow")[0],
            "ConfigurationValidationException",
            f"'tomorrow' (Namespace: '{ACTION}', OptionName: 'StartTime'): Value is not a time in ISO 8601 format",
        ),
        (
            option("aws:autoscaling:asg", "MinSize", "1") | {"ResourceName": "Mine"},
            "ConfigurationValidationException",
            "(Namespace: 'Mine.aws:autoscaling:asg', OptionName: 'MinSize'): Unknown configuration setting.",
        ),
    ],
)
def test_what_is_no_action_is_refused(localstalk: Localstalk, setting: dict[str, str], code: str, message: str) -> None:
    localstalk.create()
    with pytest.raises(ClientError) as caught:
        localstalk.eb.update_environment(EnvironmentName="env-one", OptionSettings=[setting])
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"].endswith(message)


def test_a_single_instance_has_no_actions(localstalk: Localstalk) -> None:
    localstalk.create("env-one", SINGLE, *UP)
    localstalk.advance(24 * HOUR)
    assert limits(localstalk) == (1, 1, 1)


def test_actions_of_others_count_and_suspended_processes_do_not_act(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *UP)
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.put_scheduled_update_group_action(
        AutoScalingGroupName=name, ScheduledActionName="theirs", Recurrence="0 9 * * *", MinSize=0, MaxSize=0
    )
    localstalk.update(OptionSettings=[option("aws:autoscaling:asg", "Cooldown", "60")])
    assert "theirs" in scheduled(localstalk)
    localstalk.advance(9 * HOUR)
    assert limits(localstalk) == (0, 0, 0)
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ScheduledActions"])
    localstalk.advance(24 * HOUR)
    assert limits(localstalk) == (0, 0, 0)
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    assert not scheduled(localstalk)


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "end", "recurrence", "zone", "due"),
    [
        (NOON, None, "", "UTC", NOON),
        (NOON - DAY, None, "", "UTC", None),
        (NOON + DAY, None, "0 11 * * *", "UTC", None),
        (NOON, None, "0 11 * * *", "UTC", NOON),
        (None, None, "30 11,12 * * *", "UTC", NOON + timedelta(minutes=30)),
        (None, NOON, "30 11,12 * * *", "UTC", NOON - timedelta(minutes=30)),
        (None, None, "0 13 * * *", "Europe/Berlin", NOON),
        (None, None, "0 0 * * *", "UTC", None),
    ],
)
def test_when_an_action_is_due(
    start: datetime | None, end: datetime | None, recurrence: str, zone: str, due: datetime | None
) -> None:
    made = Action(1, 2, None, start, end, recurrence, zone)
    assert made.due(NOON - timedelta(hours=2), NOON + timedelta(hours=1)) == due
