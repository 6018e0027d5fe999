# SPDX-License-Identifier: GPL-3.0-or-later
"""Unchanged and done mean verified: what an identical second run makes of what the first one left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import reading

Run = Callable[..., dict[str, Any]]
Deploy = Callable[..., dict[str, Any]]
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
BASIC = {**PROFILE, "aws:elasticbeanstalk:healthreporting:system": {"SystemType": "basic"}}


@pytest.fixture
def deploy(run: Run, bundle: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploy a version to an environment of its own name as deploy.yml does."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def call(name: str, label: str = "v1", **more: Any) -> dict[str, Any]:
        wanted = {
            "application": "verified",
            "name": name,
            "cname_prefix": name,
            "platform": "Docker running on 64bit Amazon Linux 2023",
            "version_label": label,
            "src": bundle(label),
            "option_settings": PROFILE,
            "lock": {},
            "poll_interval": 0.2,
            "wait_timeout": 120,
        }
        return run("environment", **{**wanted, **more})

    return call


@pytest.fixture
def instances(eb: Any) -> Callable[[str], list[tuple[str, str]]]:
    """Label and status of each instance's own deployment."""

    def look(name: str) -> list[tuple[str, str]]:
        found = eb.describe_instances_health(EnvironmentName=name, AttributeNames=["All"])["InstanceHealthList"]
        return [(one["Deployment"]["VersionLabel"], one["Deployment"]["Status"]) for one in found]

    return look


def warned(result: dict[str, Any], text: str) -> bool:
    """Whether a module warned so. How a warning is written down differs between versions of ansible-core."""
    return text in str(result.get("warnings"))


@pytest.fixture
def turn(faults: Any, eb: Any) -> Callable[[str, str, str], None]:
    """Give an environment a health status, and wait until its colour shows it: health is refreshed now and then."""

    def call(name: str, status: str, colour: str) -> None:
        faults.add(kind="health", environment=name, health=status)
        deadline = time.monotonic() + 30
        while eb.describe_environments(EnvironmentNames=[name])["Environments"][0]["Health"] != colour:
            assert time.monotonic() < deadline, f"{name} is not {colour}"
            time.sleep(0.1)

    return call


def updates(eb: Any, name: str) -> int:
    """How many updates of an environment have begun."""
    found = eb.describe_events(EnvironmentName=name)["Events"]
    return sum(event["Message"] == "Environment update is starting." for event in found)


def test_failed_creation_is_deployed_again(deploy: Deploy, faults: Any, instances: Any) -> None:
    faults.add(kind="command", command="app-deploy", environment="created", times=1)
    first = deploy("created")
    assert first["failed"]
    assert first["changed"], "there is an environment now"
    assert first["msg"].startswith("Deploying version v1 to the environment created failed: ")
    assert instances("created") == [("v1", "Failed")]
    check = deploy("created", check=True)
    assert (check["changed"], check["actions"]) == (True, ["redeploy"])
    second = deploy("created")
    assert second["actions"] == ["redeploy"]
    assert second["changed"]
    assert instances("created") == [("v1", "Deployed")]
    third = deploy("created")
    assert (third["changed"], third["actions"]) == (False, [])


def test_whoever_only_looks_judges_alike(deploy: Deploy, faults: Any, run: Run) -> None:
    faults.add(kind="command", command="app-deploy", environment="looked-at", times=1)
    assert deploy("looked-at")["failed"]

    def verdicts() -> dict[str, Any]:
        named = {"application": "verified", "names": ["looked-at"]}
        (environment,) = run("environment_info", **named)["environments"]
        told = run("leader_info", poll_interval=0.2, **named)
        (instance,) = run("instance_info", **named)["instances"]
        return {
            "info": environment["verification"],
            "leader": told["verification"],
            "current": instance["current"],
        }

    bad = verdicts()
    assert (bad["info"]["state"], bad["leader"]["state"], bad["current"]) == ("redeploy", "redeploy", False)
    assert bad["info"]["reasons"][0].startswith("not every instance runs version v1: i-")
    assert any("Engine execution has encountered an error" in cause for cause in bad["info"]["causes"])
    assert bad["leader"]["reasons"] == [
        "its last deployment failed (Create environment operation is complete, but with errors. For more information, "
        "see troubleshooting documentation)"
    ]
    assert deploy("looked-at")["actions"] == ["redeploy"]
    good = verdicts()
    assert (good["info"]["state"], good["leader"]["state"], good["current"]) == ("verified", "verified", True)


def test_live_name_goes_only_to_a_verified_environment(deploy: Deploy, faults: Any, run: Run) -> None:
    assert deploy("swap-live")["changed"]
    faults.add(kind="command", command="app-deploy", environment="swap-next", times=1)
    assert deploy("swap-next")["failed"]
    wanted = {"application": "verified", "cname_prefix": "swap-live", "name": "swap-next", "poll_interval": 0.2}
    for check in (True, False):
        refused = run("environment_swap", check=check, **wanted)
        assert not refused.get("changed")
        assert refused["msg"].startswith(
            "The environment swap-next is not fit to serve (not every instance runs version v1: i-"
        )
        assert refused["msg"].endswith("), so it does not get the CNAME prefix swap-live.")
    assert deploy("swap-next")["actions"] == ["redeploy"]
    assert run("environment_swap", **wanted)["changed"]


def test_creation_that_still_fails_fails_again(deploy: Deploy, faults: Any, eb: Any) -> None:
    faults.add(kind="command", command="app-deploy", environment="stuck-one")
    assert deploy("stuck-one")["failed"]
    again = deploy("stuck-one")
    assert again["failed"]
    assert again["changed"]
    assert again["actions"] == ["redeploy"]
    assert again["msg"].startswith("Deploying version v1 to the environment stuck-one failed: ")
    assert "Failed to deploy application." in [event["message"] for event in again["events"]]
    assert updates(eb, "stuck-one") == 1, "once a run, not more"


def test_failed_update_is_deployed_again(deploy: Deploy, faults: Any, instances: Any) -> None:
    assert deploy("updated")["changed"]
    faults.add(kind="command", command="app-deploy", environment="updated", version="v2", times=1)
    first = deploy("updated", "v2")
    assert first["failed"]
    assert first["changed"]
    assert instances("updated") == [("v2", "Failed")]
    assert deploy("updated", "v1", check=True)["actions"] == ["redeploy"], "EB's own label is v1, the instance runs v2"
    assert deploy("updated", "v2")["actions"] == ["update_version"]
    assert instances("updated") == [("v2", "Deployed")]


def test_bad_health_alone_deploys_nothing(deploy: Deploy, turn: Any, eb: Any) -> None:
    assert deploy("crimson")["changed"]
    turn("crimson", "Severe", "Red")
    for check in (True, False):
        failed = deploy("crimson", check=check)
        assert failed["failed"]
        assert not failed["changed"]
        assert failed["msg"].startswith("The environment crimson needs no change, but its health is Red.")
    assert failed["causes"] == ["Environment health was set by a fault."]
    assert "Environment health was set by a fault." in failed["msg"]
    assert updates(eb, "crimson") == 0


def test_warning_is_told_and_accepted(deploy: Deploy, turn: Any) -> None:
    assert deploy("yellow")["changed"]
    turn("yellow", "Warning", "Yellow")
    again = deploy("yellow")
    assert not again["changed"]
    assert warned(again, "The environment yellow: its health is Yellow.")


def test_version_that_nobody_named_is_not_deployed_again(deploy: Deploy, faults: Any, eb: Any) -> None:
    faults.add(kind="command", command="app-deploy", environment="unnamed", times=1)
    assert deploy("unnamed")["failed"]
    failed = deploy("unnamed", version_label=None, src=None)
    assert failed["msg"].startswith("The environment unnamed needs no change, but not every instance runs version v1: ")
    assert "; name the version_label that it shall run, to have it deployed again." in failed["msg"]
    assert not failed["changed"]
    assert updates(eb, "unnamed") == 0


def test_unproven_where_no_proof_is_wanted_warns(deploy: Deploy, turn: Any) -> None:
    assert deploy("unproven")["changed"]
    turn("unproven", "Severe", "Red")
    again = deploy("unproven", wait=False)
    assert not again.get("failed")
    assert warned(again, "The environment unproven needs no change, but its health is Red.")


def test_no_instances_where_some_are_wanted_fail(deploy: Deploy, faults: Any) -> None:
    assert deploy("vanished")["changed"]
    faults.add(kind="instance", state="missing", environment="vanished")
    failed = deploy("vanished")
    assert failed["msg"].startswith(
        "The environment vanished needs no change, but it has no instance, and 1 are wanted."
    )
    assert not failed["changed"]


def test_group_scaled_to_zero_is_unchanged_with_a_warning(deploy: Deploy, eb: Any) -> None:
    asleep = {**PROFILE, "aws:autoscaling:asg": {"MinSize": "0", "MaxSize": "0"}}
    assert deploy("asleep")["changed"]
    slept = deploy("asleep", option_settings=asleep)
    assert slept["actions"] == ["update_settings"]
    warning = (
        "The environment asleep: it has no instances, as its desired size is 0: nothing shows that version v1 runs."
    )
    assert warned(slept, warning)
    again = deploy("asleep", option_settings=asleep)
    assert not again["changed"]
    assert warned(again, warning)
    # Health follows some seconds of the clock later.
    deadline = time.monotonic() + 30
    while eb.describe_environments(EnvironmentNames=["asleep"])["Environments"][0]["Health"] != "Grey":
        assert time.monotonic() < deadline


def test_basic_health_judges_by_events(deploy: Deploy, faults: Any, turn: Any, eb: Any) -> None:
    faults.add(kind="command", command="app-deploy", environment="basic", times=1)
    first = deploy("basic", option_settings=BASIC)
    assert first["failed"]
    with pytest.raises(eb.exceptions.ClientError):
        eb.describe_instances_health(EnvironmentName="basic", AttributeNames=["All"])
    second = deploy("basic", option_settings=BASIC)
    assert second["actions"] == ["redeploy"]
    assert not deploy("basic", option_settings=BASIC)["changed"]
    turn("basic", "Severe", "Red")
    failed = deploy("basic", option_settings=BASIC)
    assert failed["msg"].startswith("The environment basic needs no change, but its health is Red.")
    assert updates(eb, "basic") == 1


def test_lost_log_after_a_verified_deployment_warns(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(*_args: Any, **_more: Any) -> Any:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(reading, "open_url", reset)
    done = deploy("reset", gather_leader=True)
    assert not done.get("failed"), done
    assert done["changed"]
    assert done["leader"]["state"] == "unknown"
    assert "cannot be read: Failed to download: ConnectionResetError" in done["leader"]["reason"]


def test_refused_report_after_a_verified_deployment_warns(deploy: Deploy, faults: Any) -> None:
    faults.add(kind="error", code="AccessDenied", operations=["RequestEnvironmentInfo"])
    done = deploy("refused", gather_leader=True)
    assert not done.get("failed"), done
    assert done["changed"]
    assert done["leader"]["state"] == "unknown"
    assert done["hooks"] == []
    assert warned(done, "The leader could not be asked for: Failed to request logs of the environment")


@pytest.fixture
def s3(aws: dict[str, str]) -> Any:
    """A plain client, to do what a lifecycle rule does."""
    return boto3.client(
        "s3",
        endpoint_url=aws["endpoint_url"],
        region_name=aws["region"],
        aws_access_key_id=aws["access_key"],
        aws_secret_access_key=aws["secret_key"],
    )


def test_bundle_that_left_s3_is_uploaded_again(deploy: Deploy, eb: Any, s3: Any, instances: Any) -> None:
    assert deploy("lifecycle")["changed"]
    assert deploy("lifecycle", "v2")["changed"]
    (version,) = eb.describe_application_versions(ApplicationName="verified", VersionLabels=["v1"])[
        "ApplicationVersions"
    ]
    place = {"Bucket": version["SourceBundle"]["S3Bucket"], "Key": version["SourceBundle"]["S3Key"]}
    s3.delete_object(**place)
    lost = deploy("lifecycle", "v1", src=None)
    assert lost["failed"]
    assert "Unable to download from S3 location" in lost["msg"]
    back = deploy("lifecycle", "v1")
    assert not back.get("failed"), back
    assert back["actions"] == ["update_version", "upload_bundle", "update_version"]
    assert instances("lifecycle") == [("v1", "Deployed")]
    assert s3.head_object(**place)["ContentLength"] > 0
    # A new environment needs it as well.
    s3.delete_object(**place)
    made = deploy("lifecycle-two", "v1")
    assert not made.get("failed"), made
    assert "upload_bundle" in made["actions"]
    assert instances("lifecycle-two") == [("v1", "Deployed")]


def test_version_of_a_deleted_application_is_made_again(deploy: Deploy, run: Run) -> None:
    """This controller saw it a moment ago, so it does not ask whether it is there."""
    given = {"application": "forgotten"}
    assert deploy("forgotten", **given)["changed"]
    assert run("environment", name="forgotten", state="absent", poll_interval=0.2, **given)["changed"]
    assert run("application", name="forgotten", state="absent")["changed"]
    again = deploy("forgotten", **given)
    assert not again.get("failed"), again["msg"]
    assert again["actions"][:2] == ["create_version", "create"]
