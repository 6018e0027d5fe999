# SPDX-License-Identifier: GPL-3.0-or-later
"""The official eb CLI, unmodified, through the life of one environment; the tests go on from one another."""

from __future__ import annotations

from .conftest import APPLICATION, ENVIRONMENT, PREFIX, Shop, Stalk, last_label


def test_create(shop: Shop, stalk: Stalk, created: str) -> None:
    assert f"Successfully launched environment: {ENVIRONMENT}" in created
    environment = stalk.environment()
    assert (environment["Status"], environment["Health"]) == ("Ready", "Green")
    assert environment["VersionLabel"] == last_label(created)
    assert set(stalk.instances().values()) == {last_label(created)}
    assert stalk.page() == "one world"


def test_status_and_events(shop: Shop, created: str) -> None:
    said = shop.eb("status")
    for line in (
        f"Application name: {APPLICATION}",
        f"CNAME: {PREFIX}.us-east-1.elasticbeanstalk.com",
        "Health: Green",
    ):
        assert line in said
    assert f"INFO    Successfully launched environment: {ENVIRONMENT}" in shop.eb("events")


def test_deploy_takes_the_commit(shop: Shop, stalk: Stalk, created: str) -> None:
    shop.commit_page("two")
    shop.write_page("not committed")
    said = shop.eb("deploy", "--timeout", "5")
    assert "Environment update completed successfully." in said
    assert stalk.environment()["VersionLabel"] == last_label(said)
    assert set(stalk.instances().values()) == {last_label(said)}
    assert stalk.page() == "two world"


def test_terminate(shop: Shop, stalk: Stalk, created: str) -> None:
    said = shop.eb("terminate", ENVIRONMENT, "--force", "--timeout", "5")
    assert "terminateEnvironment completed successfully." in said
    answer = stalk.eb.describe_environments(EnvironmentNames=[ENVIRONMENT], IncludeDeleted=True)
    assert {item["Status"] for item in answer["Environments"]} == {"Terminated"}
    ec2 = stalk.client("ec2").describe_instances(
        Filters=[{"Name": "tag:elasticbeanstalk:environment-name", "Values": [ENVIRONMENT]}]
    )
    states = {item["State"]["Name"] for group in ec2["Reservations"] for item in group["Instances"]}
    assert states <= {"terminated", "shutting-down"}
