# SPDX-License-Identifier: GPL-3.0-or-later
"""The official eb CLI, unmodified, through the life of one environment, in the order of this file."""

from __future__ import annotations

import json
import re
import signal
import zipfile

import pytest
import yaml

from .conftest import APPLICATION, ENVIRONMENT, PREFIX, Localstalk, Shop, last_label, wait_for

CLONE, CLONE_PREFIX = "shop-two", "shop-clients-two"
SUFFIX = ".us-east-1.elasticbeanstalk.com"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
NOT_READY = 3
FAILED = 4
INTERRUPTED = 5


def properties(localstalk: Localstalk, name: str = ENVIRONMENT) -> dict[str, str]:
    described = localstalk.eb.describe_configuration_settings(ApplicationName=APPLICATION, EnvironmentName=name)
    options = described["ConfigurationSettings"][0]["OptionSettings"]
    return {item["OptionName"]: item["Value"] for item in options if item["Namespace"] == PROPERTIES}


def deployment_log(localstalk: Localstalk, request_id: str) -> list[str]:
    """The lines of a deployment log as it is in S3; none before it is there."""
    s3, bucket = localstalk.client("s3"), localstalk.eb.create_storage_location()["S3Bucket"]
    folder = f"resources/environments/logs/deployments/{localstalk.environment()['EnvironmentId']}"
    try:
        found = s3.get_object(Bucket=bucket, Key=f"{folder}/eb-deployment-{request_id}.log")
    except s3.exceptions.NoSuchKey:
        return []
    text: str = found["Body"].read().decode()
    return text.splitlines()


def saved_files(shop: Shop, *parts: str) -> list[str]:
    folder = shop.root.joinpath(".elasticbeanstalk", *parts)
    return sorted(path.name for path in folder.iterdir())


def test_create(shop: Shop, localstalk: Localstalk, created: str) -> None:
    assert f"Successfully launched environment: {ENVIRONMENT}" in created
    environment = localstalk.environment()
    assert (environment["Status"], environment["Health"]) == ("Ready", "Green")
    assert environment["VersionLabel"] == last_label(created)
    assert set(localstalk.instances().values()) == {last_label(created)}
    assert localstalk.page() == "one world"


def test_status_and_events(shop: Shop, created: str) -> None:
    said = shop.eb("status")
    for line in (f"Application name: {APPLICATION}", f"CNAME: {PREFIX}{SUFFIX}", "Status: Ready", "Health: Green"):
        assert line in said
    assert f"INFO    Successfully launched environment: {ENVIRONMENT}" in shop.eb("events")
    assert f"* {ENVIRONMENT}" in shop.eb("list")


def test_health(shop: Shop, localstalk: Localstalk, created: str) -> None:
    said = shop.eb("health")
    (instance, label), *_ = localstalk.instances().items()
    lines = [line.split() for line in said.splitlines()]
    assert [ENVIRONMENT, "Ok"] in [line[:2] for line in lines]
    assert [instance, "Ok"] in [line[:2] for line in lines]
    assert [instance, "Deployed", "1", label] in [line[:4] for line in lines]


@pytest.mark.parametrize(("view", "shown"), [("status", ""), ("request", ""), ("cpu", "user %")])
def test_views_of_health(shop: Shop, created: str, view: str, shown: str) -> None:
    said = shop.eb("health", "--view", view)
    # Without a terminal, the CLI itself leaves the tables of the first two out.
    assert [ENVIRONMENT, "Ok"] in [line.split()[:2] for line in said.splitlines()]
    assert shown in said


def test_deploy_takes_the_commit(shop: Shop, localstalk: Localstalk, created: str) -> None:
    shop.commit_page("two")
    shop.write_page("not committed")
    said = shop.eb("deploy", "--timeout", "5")
    assert "Environment update completed successfully." in said
    assert localstalk.environment()["VersionLabel"] == last_label(said)
    assert set(localstalk.instances().values()) == {last_label(said)}
    assert localstalk.page().startswith("two ")


def test_deploy_staged_takes_the_index(shop: Shop, localstalk: Localstalk, created: str) -> None:
    shop.write_page("three")
    shop.git("add", "page")
    shop.write_page("not staged")
    said = shop.eb("deploy", "--staged", "--label", "three", "--message", "From the index", "--timeout", "5")
    environment = localstalk.environment()
    assert environment["VersionLabel"] == "three"
    assert "Environment update completed successfully." in said
    (version,) = localstalk.eb.describe_application_versions(ApplicationName=APPLICATION, VersionLabels=["three"])[
        "ApplicationVersions"
    ]
    assert version["Description"] == "From the index"
    assert localstalk.page().startswith("three ")


def test_a_deployment_that_fails(shop: Shop, localstalk: Localstalk, created: str) -> None:
    dockerfile = shop.root / "Dockerfile"
    good = dockerfile.read_text()
    dockerfile.write_text(good + "RUN exit 7\n")
    shop.commit("Do not build")
    before, page = localstalk.environment()["VersionLabel"], localstalk.page()
    said = shop.eb("deploy", "--label", "broken", "--timeout", "5", rc=FAILED)
    assert "Failed to deploy application." in said
    assert localstalk.environment()["VersionLabel"] == before
    assert localstalk.page() == page
    assert "failed to build docker image" in shop.eb("logs")
    dockerfile.write_text(good)
    shop.commit("Build again")
    shop.eb("deploy", "--version", before, "--timeout", "5")
    assert set(localstalk.instances().values()) == {before}


def test_logs(shop: Shop, localstalk: Localstalk, created: str) -> None:
    (instance,) = localstalk.instances()
    said = shop.eb("logs", "--instance", instance)
    assert f"= {instance} =" in said
    assert "Platform Engine finished execution on command: app-deploy" in said
    assert "Logs were saved to" in shop.eb("logs", "--all")
    engine = shop.root / ".elasticbeanstalk" / "logs" / "latest" / instance / "var" / "log" / "eb-engine.log"
    assert "Engine command: (app-deploy)" in engine.read_text()
    said = shop.eb("logs", "--zip")
    (path,) = re.findall(r"Logs were saved to (.+\.zip)", said)
    with zipfile.ZipFile(path) as outer:
        (name,) = [each for each in outer.namelist() if each.endswith("eb-engine.log")]
        assert instance in name
        assert "Engine command: (app-deploy)" in outer.read(name).decode()


def test_analysis(shop: Shop, localstalk: Localstalk, created: str) -> None:
    said = shop.eb("logs", "--analyze")
    assert "Analyzing environment..." in said
    assert f"Environment {ENVIRONMENT} (" in said
    assert "Platform Engine finished execution on command: app-deploy" in said


def test_setenv_while_following_events(shop: Shop, localstalk: Localstalk, created: str) -> None:
    with shop.background("events", "--follow") as (follower, output):
        wait_for(lambda: f"Successfully launched environment: {ENVIRONMENT}" in output.read_text())
        before = output.read_text().count("Successfully deployed new configuration to environment.")
        assert "Successfully deployed new configuration to environment." in shop.eb("setenv", "GREETING=moon", "A=b")
        wait_for(
            lambda: output.read_text().count("Successfully deployed new configuration to environment.") == before + 1
        )
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=30) == INTERRUPTED, output.read_text()
    said = shop.eb("printenv")
    assert "GREETING = moon" in said
    assert "A = b" in said
    assert properties(localstalk) == {"GREETING": "moon", "A": "b"}
    assert localstalk.page().endswith(" moon")
    shop.eb("setenv", "A=")
    assert properties(localstalk) == {"GREETING": "moon"}


def test_saved_configurations(shop: Shop, localstalk: Localstalk, created: str) -> None:
    assert "Configuration saved at:" in shop.eb("config", "save", "--cfg", "base", "--tags", "team=shop")
    path = shop.root / ".elasticbeanstalk" / "saved_configs" / "base.cfg.yml"
    content = yaml.safe_load(path.read_text())
    before = properties(localstalk)
    assert content["OptionSettings"][PROPERTIES] == before
    assert content["Tags"] == {"team": "shop"}
    content["OptionSettings"][PROPERTIES]["COLOUR"] = "blue"
    path.write_text(yaml.safe_dump(content))
    assert "ERROR" not in shop.eb("config", "put", "base")
    path.unlink()
    shop.eb("config", "get", "base")
    assert yaml.safe_load(path.read_text())["OptionSettings"][PROPERTIES]["COLOUR"] == "blue"
    assert shop.eb("config", "list").split() == ["base"]
    assert "Successfully deployed new configuration" in shop.eb("config", ENVIRONMENT, "--cfg", "base")
    assert properties(localstalk) == before | {"COLOUR": "blue"}
    shop.eb("config", "delete", "base")
    assert shop.eb("config", "list").split() == []
    assert saved_files(shop, "saved_configs") == []


def test_config_without_a_saved_one(shop: Shop, localstalk: Localstalk, created: str) -> None:
    shop.eb("config", ENVIRONMENT, typed=f"OptionSettings:\n  {PROPERTIES}:\n    GREETING: sun\n")
    assert localstalk.page().endswith(" sun")
    shown = json.loads(shop.eb("config", ENVIRONMENT, "--display", "--format", "json"))
    assert shown["settings"]["aws:elasticbeanstalk:command"]["Timeout"] == "3600"


def test_tags(shop: Shop, localstalk: Localstalk, created: str) -> None:
    shop.eb("tags", "--add", "team=shop,stage=test")
    shop.eb("tags", "--update", "team=store", "--delete", "stage")
    lines = [line.split() for line in shop.eb("tags", "--list").splitlines()]
    assert ["team", "store"] in lines
    assert ["elasticbeanstalk:environment-name", ENVIRONMENT] in lines
    arn = localstalk.environment()["EnvironmentArn"]
    tags = {tag["Key"]: tag["Value"] for tag in localstalk.eb.list_tags_for_resource(ResourceArn=arn)["ResourceTags"]}
    assert tags["team"] == "store"
    assert "stage" not in tags


def test_abort(shop: Shop, localstalk: Localstalk, created: str) -> None:
    assert "There are no environments currently being updated." in shop.eb("abort", rc=FAILED)
    hook = shop.root / ".platform" / "hooks" / "prebuild" / "slow.sh"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nuntil [ -e /tmp/go ]; do sleep 0.1; done\n")
    hook.chmod(0o755)
    shop.commit("Be slow")
    before = localstalk.environment()["VersionLabel"]
    began = localstalk.eb.describe_events(MaxRecords=1)["Events"][0]["EventDate"]
    shop.eb("deploy", "--label", "slow", "--nohang")
    assert localstalk.environment()["AbortableOperationInProgress"] is True
    # While the hook waits for us, the log of the deployment is in S3.
    events = localstalk.eb.describe_events(EnvironmentName=ENVIRONMENT, StartTime=began)["Events"]
    (request_id,) = {each["RequestId"] for each in events if each["Message"] == "Environment update is starting."}
    (line,) = wait_for(lambda: deployment_log(localstalk, request_id))
    assert line.endswith("[INFO] Starting Application deployment")
    assert "ERROR" in shop.eb("setenv", "A=b", rc=NOT_READY)
    assert f'Aborting update to environment "{ENVIRONMENT}".' in shop.eb("abort")
    for instance in localstalk.instances():
        localstalk.on_instance(instance, "touch", "/tmp/go")
    wait_for(lambda: localstalk.environment()["Status"] == "Ready", 60)
    assert localstalk.environment()["VersionLabel"] == before
    hook_line = "[INFO] Running platform hook: .platform/hooks/prebuild/slow.sh"
    assert any(line.endswith(hook_line) for line in deployment_log(localstalk, request_id))
    # EB only stops: what the aborted deployment left is put right by the next one.
    hook.unlink()
    shop.commit_page("four")
    said = shop.eb("deploy", "--timeout", "5")
    assert set(localstalk.instances().values()) == {last_label(said)}
    assert localstalk.page().startswith("four ")


def test_scale(shop: Shop, localstalk: Localstalk, created: str) -> None:
    assert "Successfully deployed new configuration to environment." in shop.eb("scale", "2")
    wait_for(lambda: len(localstalk.instances()) == 2)
    assert len(set(localstalk.instances().values())) == 1


def test_clone_and_swap(shop: Shop, localstalk: Localstalk, created: str) -> None:
    said = shop.eb(
        *("clone", ENVIRONMENT, "--clone_name", CLONE, "--cname", CLONE_PREFIX, "--scale", "1", "--exact"),
        *("--envvars", "GREETING=clone", "--timeout", "5"),
    )
    assert f"Successfully launched environment: {CLONE}" in said
    assert localstalk.environment(CLONE)["VersionLabel"] == localstalk.environment()["VersionLabel"]
    assert len(localstalk.instances(CLONE)) == 1
    ours, theirs = localstalk.page(), localstalk.page(CLONE_PREFIX)
    assert theirs.endswith(" clone")
    assert ours != theirs
    said = shop.eb("swap", ENVIRONMENT, "--destination_name", CLONE)
    assert f"Completed swapping CNAMEs for environments '{ENVIRONMENT}' and '{CLONE}'." in said
    assert localstalk.environment(CLONE)["CNAME"] == f"{PREFIX}{SUFFIX}"
    assert (localstalk.page(), localstalk.page(CLONE_PREFIX)) == (theirs, ours)
    shop.eb("swap", CLONE, "--destination_name", ENVIRONMENT)
    assert (localstalk.page(), localstalk.page(CLONE_PREFIX)) == (ours, theirs)
    shop.eb("terminate", CLONE, "--force", "--nohang")


def test_terminate_and_restore(shop: Shop, localstalk: Localstalk, created: str) -> None:
    environment, page = localstalk.environment(), localstalk.page()
    said = shop.eb("terminate", ENVIRONMENT, "--force", "--timeout", "5")
    assert "terminateEnvironment completed successfully." in said
    answer = localstalk.eb.describe_environments(EnvironmentNames=[ENVIRONMENT], IncludeDeleted=True)
    assert {item["Status"] for item in answer["Environments"]} == {"Terminated"}
    ec2 = localstalk.client("ec2").describe_instances(
        Filters=[{"Name": "tag:elasticbeanstalk:environment-name", "Values": [ENVIRONMENT]}]
    )
    states = {item["State"]["Name"] for group in ec2["Reservations"] for item in group["Instances"]}
    assert states <= {"terminated", "shutting-down"}

    assert "restoreEnvironment is starting." in shop.eb("restore", environment["EnvironmentId"], "--timeout", "5")
    restored = localstalk.environment()
    for key in ("EnvironmentId", "CNAME", "VersionLabel"):
        assert restored[key] == environment[key]
    assert localstalk.page() == page


def test_terminate_everything(shop: Shop, localstalk: Localstalk, created: str) -> None:
    said = shop.eb("terminate", "--all", "--force", "--timeout", "5")
    assert [line.partition("INFO")[2].strip() for line in said.splitlines() if "INFO" in line] == [
        "deleteApplication is starting.",
        "Invoking Environment Termination workflows.",
        "The environment termination step is done.",
        "The application has been deleted successfully.",
    ]
    assert localstalk.eb.describe_applications(ApplicationNames=[APPLICATION])["Applications"] == []
    assert localstalk.eb.describe_environments(ApplicationName=APPLICATION, IncludeDeleted=False)["Environments"] == []
