# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiters and paginators of boto3, which the AWS CLI uses as well."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import APPLICATION, ENVIRONMENT, Localstalk

NAME = "shop-waits"
QUICK = {"Delay": 1, "MaxAttempts": 120}
SETTINGS = {
    ("aws:elasticbeanstalk:environment", "EnvironmentType"): "SingleInstance",
    ("aws:autoscaling:launchconfiguration", "IamInstanceProfile"): "aws-elasticbeanstalk-ec2-role",
    ("aws:elasticbeanstalk:application:environment", "GREETING"): "waiter",
}


def option_settings(settings: dict[tuple[str, str], str]) -> list[dict[str, str]]:
    return [
        {"Namespace": namespace, "OptionName": name, "Value": value} for (namespace, name), value in settings.items()
    ]


def test_waiters(localstalk: Localstalk, created: str) -> None:
    eb = localstalk.eb
    base = localstalk.environment()
    made = eb.create_environment(
        ApplicationName=APPLICATION,
        EnvironmentName=NAME,
        CNAMEPrefix=NAME,
        VersionLabel=base["VersionLabel"],
        PlatformArn=base["PlatformArn"],
        OptionSettings=option_settings(SETTINGS),
    )
    which = {"EnvironmentIds": [made["EnvironmentId"]]}
    eb.get_waiter("environment_exists").wait(**which, WaiterConfig=QUICK)
    assert localstalk.environment(NAME)["Status"] == "Ready"
    assert localstalk.page(NAME).endswith(" waiter")

    settings = {("aws:elasticbeanstalk:application:environment", "GREETING"): "again"}
    eb.update_environment(EnvironmentName=NAME, OptionSettings=option_settings(settings))
    assert localstalk.environment(NAME)["Status"] == "Updating"
    eb.get_waiter("environment_updated").wait(**which, WaiterConfig=QUICK)
    assert localstalk.page(NAME).endswith(" again")

    eb.terminate_environment(EnvironmentName=NAME)
    eb.get_waiter("environment_terminated").wait(**which, IncludeDeleted=True, WaiterConfig=QUICK)
    assert eb.describe_environments(**which, IncludeDeleted=False)["Environments"] == []


@pytest.mark.parametrize(
    ("operation", "key", "params"),
    [
        ("describe_events", "Events", {"EnvironmentName": ENVIRONMENT, "Severity": "INFO"}),
        ("describe_environments", "Environments", {"ApplicationName": APPLICATION}),
        ("describe_application_versions", "ApplicationVersions", {"ApplicationName": APPLICATION}),
        ("list_platform_versions", "PlatformSummaryList", {}),
    ],
)
def test_paginators(localstalk: Localstalk, created: str, operation: str, key: str, params: dict[str, Any]) -> None:
    def everything(size: int) -> tuple[int, list[Any]]:
        pages = localstalk.eb.get_paginator(operation).paginate(**params, PaginationConfig={"PageSize": size})
        lists = [page[key] for page in pages]
        assert all(len(each) <= size for each in lists)
        return len(lists), [item for each in lists for item in each]

    (_, whole), (count, pieces) = everything(1000), everything(2)
    assert pieces == whole
    assert count == max(1, (len(whole) + 1) // 2)
