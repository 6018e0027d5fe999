# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that are coupled to an environment, and what becomes of them with it."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import SINGLE, Localstalk, option

RDS = "aws:rds:dbinstance"
PASSWORD = "not-a-secret-here"
DATABASE = [option(RDS, "DBEngine", "postgres"), option(RDS, "DBPassword", PASSWORD)]


@pytest.fixture
def rds(localstalk: Localstalk) -> Any:
    return localstalk.client("rds")


def databases(rds: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rds.describe_db_instances()["DBInstances"]
    return found


def snapshots(rds: Any) -> list[str]:
    found = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return [each["DBInstanceIdentifier"] for each in found]


def terminate(localstalk: Localstalk) -> list[str]:
    answer = localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(1200)
    assert localstalk.environment()["Status"] == "Terminated"
    return localstalk.lines(answer["ResponseMetadata"]["RequestId"])


def test_a_coupled_database(localstalk: Localstalk, rds: Any) -> None:
    environment_id = localstalk.create("env-one", SINGLE, *DATABASE)
    localstalk.advance(600)
    (database,) = databases(rds)
    name = database["DBInstanceIdentifier"]
    assert (database["Engine"], database["MasterUsername"], database["DBName"]) == ("postgres", "ebroot", "ebdb")
    assert name.startswith(f"awseb-{environment_id}-stack-awsebrdsdatabase-")
    lines = localstalk.lines(EnvironmentName="env-one")
    shown = "awseb-e-x" + name.removeprefix(f"awseb-{environment_id}")
    start = lines.index("Created security group named: awseb-e-x-stack-AWSEBRDSDBSecurityGroup-RND")
    assert lines[start + 1 : start + 3] == [
        f"Creating RDS database named: {shown}. This may take a few minutes.",
        f"Created RDS database named: {shown}",
    ]
    resources = localstalk.client("cloudformation").describe_stack_resources(StackName=f"awseb-{environment_id}-stack")
    (part,) = [each for each in resources["StackResources"] if each["LogicalResourceId"] == "AWSEBRDSDatabase"]
    assert (part["PhysicalResourceId"], part["ResourceType"]) == (name, "AWS::RDS::DBInstance")


def test_instances_learn_how_to_reach_it(localstalk: Localstalk, rds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    properties: list[dict[str, str]] = []
    run = localstalk.driver.run

    def noted(instance_id: str, command: Any) -> Any:
        properties.append(command.properties)
        return run(instance_id, command)

    monkeypatch.setattr(localstalk.driver, "run", noted)
    localstalk.create("env-one", SINGLE, *DATABASE)
    localstalk.advance(600)
    (database,) = databases(rds)
    assert properties[0] == {
        "RDS_HOSTNAME": database["Endpoint"]["Address"],
        "RDS_PORT": "5432",
        "RDS_DB_NAME": "ebdb",
        "RDS_USERNAME": "ebroot",
        "RDS_PASSWORD": PASSWORD,
    }


def test_the_password_is_not_shown(localstalk: Localstalk) -> None:
    environment_id = localstalk.create("env-one", SINGLE, *DATABASE)
    localstalk.advance(600)
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    settings = {
        each["OptionName"]: each.get("Value") for each in described["ConfigurationSettings"][0]["OptionSettings"]
    }
    assert settings["DBEngine"] == "postgres"
    assert settings["DBPassword"] is None
    localstalk.eb.create_configuration_template(
        ApplicationName="app", TemplateName="saved", EnvironmentId=environment_id
    )
    saved = localstalk.client("s3").get_object(Bucket=localstalk.region.bucket, Key="resources/templates/app/saved")
    assert PASSWORD.encode() not in saved["Body"].read()


@pytest.mark.parametrize(
    ("policy", "left", "kept"), [("Delete", False, False), ("Snapshot", False, True), ("Retain", True, False)]
)
def test_termination_honours_the_policy(localstalk: Localstalk, rds: Any, policy: str, left: bool, kept: bool) -> None:
    localstalk.create("env-one", SINGLE, *DATABASE, option(RDS, "DBDeletionPolicy", policy))
    localstalk.advance(600)
    (database,) = databases(rds)
    name = database["DBInstanceIdentifier"]
    said = [line for line in terminate(localstalk) if line.startswith("Deleted RDS database named: ")]
    assert len(said) == (0 if left else 1)
    assert [each["DBInstanceIdentifier"] for each in databases(rds)] == ([name] if left else [])
    assert snapshots(rds) == ([name] if kept else [])


def test_the_policy_alone_makes_no_database(localstalk: Localstalk, rds: Any) -> None:
    localstalk.create("env-one", SINGLE, option(RDS, "DBDeletionPolicy", "Retain"))
    assert databases(rds) == []


def test_coupling_and_decoupling_later(localstalk: Localstalk, rds: Any) -> None:
    localstalk.create("env-one", SINGLE)
    coupled = option(RDS, "HasCoupledDatabase", "true")
    localstalk.update(OptionSettings=[coupled, *DATABASE, option(RDS, "DBDeletionPolicy", "Retain")])
    (database,) = databases(rds)
    localstalk.update(OptionSettings=[option(RDS, "DBInstanceClass", "db.t3.small")])
    assert databases(rds)[0]["DBInstanceClass"] == "db.t3.small"
    localstalk.update(OptionSettings=[option(RDS, "HasCoupledDatabase", "false")])
    assert localstalk.region.by_name("env-one").resources.database == ""  # type: ignore[union-attr]
    assert [each["DBInstanceIdentifier"] for each in databases(rds)] == [database["DBInstanceIdentifier"]]


def test_a_database_from_a_snapshot(localstalk: Localstalk, rds: Any) -> None:
    localstalk.create("env-one", SINGLE, *DATABASE, option(RDS, "DBDeletionPolicy", "Snapshot"))
    localstalk.advance(600)
    terminate(localstalk)
    (snapshot,) = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    localstalk.create("env-two", SINGLE, option(RDS, "DBSnapshotIdentifier", snapshot["DBSnapshotIdentifier"]))
    localstalk.advance(600)
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
def test_a_database_that_cannot_be_made(
    localstalk: Localstalk, rds: Any, settings: list[dict[str, str]], reason: str
) -> None:
    localstalk.create("env-one", SINGLE, *settings)
    lines = localstalk.lines(EnvironmentName="env-one")
    (failed,) = [line for line in lines if line.startswith("ERROR Creating RDS database named: ")]
    assert failed.endswith(f" failed Reason: {reason}")
    assert any("failed to create: [AWSEBRDSDatabase]" in line for line in lines)
    assert localstalk.environment()["Status"] == "Ready"
    assert databases(rds) == []
