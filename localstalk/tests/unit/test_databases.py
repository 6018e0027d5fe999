# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that are coupled to an environment, and what becomes of them with it."""

from __future__ import annotations

from typing import Any

import pytest
from stalk import SINGLE, Stalk, option

RDS = "aws:rds:dbinstance"
PASSWORD = "not-a-secret-here"
DATABASE = [option(RDS, "DBEngine", "postgres"), option(RDS, "DBPassword", PASSWORD)]


@pytest.fixture
def rds(stalk: Stalk) -> Any:
    return stalk.client("rds")


def databases(rds: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rds.describe_db_instances()["DBInstances"]
    return found


def snapshots(rds: Any) -> list[str]:
    found = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return [each["DBInstanceIdentifier"] for each in found]


def terminate(stalk: Stalk) -> list[str]:
    answer = stalk.eb.terminate_environment(EnvironmentName="env-one")
    stalk.advance(1200)
    assert stalk.environment()["Status"] == "Terminated"
    return stalk.lines(answer["ResponseMetadata"]["RequestId"])


def test_a_coupled_database(stalk: Stalk, rds: Any) -> None:
    environment_id = stalk.create("env-one", SINGLE, *DATABASE)
    stalk.advance(600)
    (database,) = databases(rds)
    name = database["DBInstanceIdentifier"]
    assert (database["Engine"], database["MasterUsername"], database["DBName"]) == ("postgres", "ebroot", "ebdb")
    assert name.startswith(f"awseb-{environment_id}-stack-awsebrdsdatabase-")
    lines = stalk.lines(EnvironmentName="env-one")
    shown = "awseb-e-x" + name.removeprefix(f"awseb-{environment_id}")
    start = lines.index("Created security group named: awseb-e-x-stack-AWSEBRDSDBSecurityGroup-RND")
    assert lines[start + 1 : start + 3] == [
        f"Creating RDS database named: {shown}. This may take a few minutes.",
        f"Created RDS database named: {shown}",
    ]
    resources = stalk.client("cloudformation").describe_stack_resources(StackName=f"awseb-{environment_id}-stack")
    (part,) = [each for each in resources["StackResources"] if each["LogicalResourceId"] == "AWSEBRDSDatabase"]
    assert (part["PhysicalResourceId"], part["ResourceType"]) == (name, "AWS::RDS::DBInstance")


def test_instances_learn_how_to_reach_it(stalk: Stalk, rds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    properties: list[dict[str, str]] = []
    run = stalk.driver.run

    def noted(instance_id: str, command: Any) -> Any:
        properties.append(command.properties)
        return run(instance_id, command)

    monkeypatch.setattr(stalk.driver, "run", noted)
    stalk.create("env-one", SINGLE, *DATABASE)
    stalk.advance(600)
    (database,) = databases(rds)
    assert properties[0] == {
        "RDS_HOSTNAME": database["Endpoint"]["Address"],
        "RDS_PORT": "5432",
        "RDS_DB_NAME": "ebdb",
        "RDS_USERNAME": "ebroot",
        "RDS_PASSWORD": PASSWORD,
    }


def test_the_password_is_not_shown(stalk: Stalk) -> None:
    environment_id = stalk.create("env-one", SINGLE, *DATABASE)
    stalk.advance(600)
    described = stalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    settings = {
        each["OptionName"]: each.get("Value") for each in described["ConfigurationSettings"][0]["OptionSettings"]
    }
    assert settings["DBEngine"] == "postgres"
    assert settings["DBPassword"] is None
    stalk.eb.create_configuration_template(ApplicationName="app", TemplateName="saved", EnvironmentId=environment_id)
    saved = stalk.client("s3").get_object(Bucket=stalk.region.bucket, Key="resources/templates/app/saved")
    assert PASSWORD.encode() not in saved["Body"].read()


@pytest.mark.parametrize(
    ("policy", "left", "kept"), [("Delete", False, False), ("Snapshot", False, True), ("Retain", True, False)]
)
def test_termination_honours_the_policy(stalk: Stalk, rds: Any, policy: str, left: bool, kept: bool) -> None:
    stalk.create("env-one", SINGLE, *DATABASE, option(RDS, "DBDeletionPolicy", policy))
    stalk.advance(600)
    (database,) = databases(rds)
    name = database["DBInstanceIdentifier"]
    said = [line for line in terminate(stalk) if line.startswith("Deleted RDS database named: ")]
    assert len(said) == (0 if left else 1)
    assert [each["DBInstanceIdentifier"] for each in databases(rds)] == ([name] if left else [])
    assert snapshots(rds) == ([name] if kept else [])


def test_the_policy_alone_makes_no_database(stalk: Stalk, rds: Any) -> None:
    stalk.create("env-one", SINGLE, option(RDS, "DBDeletionPolicy", "Retain"))
    assert databases(rds) == []


def test_coupling_and_decoupling_later(stalk: Stalk, rds: Any) -> None:
    stalk.create("env-one", SINGLE)
    coupled = option(RDS, "HasCoupledDatabase", "true")
    stalk.update(OptionSettings=[coupled, *DATABASE, option(RDS, "DBDeletionPolicy", "Retain")])
    (database,) = databases(rds)
    stalk.update(OptionSettings=[option(RDS, "DBInstanceClass", "db.t3.small")])
    assert databases(rds)[0]["DBInstanceClass"] == "db.t3.small"
    stalk.update(OptionSettings=[option(RDS, "HasCoupledDatabase", "false")])
    assert stalk.region.by_name("env-one").resources.database == ""  # type: ignore[union-attr]
    assert [each["DBInstanceIdentifier"] for each in databases(rds)] == [database["DBInstanceIdentifier"]]


def test_a_database_from_a_snapshot(stalk: Stalk, rds: Any) -> None:
    stalk.create("env-one", SINGLE, *DATABASE, option(RDS, "DBDeletionPolicy", "Snapshot"))
    stalk.advance(600)
    terminate(stalk)
    (snapshot,) = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    stalk.create("env-two", SINGLE, option(RDS, "DBSnapshotIdentifier", snapshot["DBSnapshotIdentifier"]))
    stalk.advance(600)
    (database,) = databases(rds)
    assert database["Engine"] == "postgres"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            [option(RDS, "DBEngine", "postgres")],
            "The parameter MasterUserPassword must be provided and must not be blank.",
        ),
        ([option(RDS, "DBSnapshotIdentifier", "nowhere")], "DBSnapshot nowhere not found."),
    ],
)
def test_a_database_that_cannot_be_made(stalk: Stalk, rds: Any, settings: list[dict[str, str]], reason: str) -> None:
    stalk.create("env-one", SINGLE, *settings)
    lines = stalk.lines(EnvironmentName="env-one")
    (failed,) = [line for line in lines if line.startswith("ERROR Creating RDS database named: ")]
    assert failed.endswith(f" failed Reason: {reason}")
    assert any("failed to create: [AWSEBRDSDatabase]" in line for line in lines)
    assert stalk.environment()["Status"] == "Ready"
    assert databases(rds) == []
