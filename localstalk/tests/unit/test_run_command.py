# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager's Run Command reaches the driver, and answers as AWS does."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from control_plane import Localstalk

from localstalk import run_command
from localstalk.driver import DriverError, ShellResult

SCRIPTS: list[tuple[str, str, float]] = []


def shell(instance_id: str, script: str, timeout: float) -> ShellResult:
    SCRIPTS.append((instance_id, script, timeout))
    if "late" in script:
        time.sleep(timeout)
        return ShellResult(124, "", "timed out")
    if "gone" in script:
        raise DriverError("the instance does not answer")
    return ShellResult(3 if "fail" in script else 0, "o" * 30_000 if "long" in script else "out", "err")


@pytest.fixture
def ssm(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(localstalk.control.driver, "shell", shell)
    SCRIPTS.clear()
    return localstalk.client("ssm")


@pytest.fixture
def instance(localstalk: Localstalk) -> str:
    made = localstalk.client("ec2").run_instances(ImageId="ami-00000000000000000", MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def run(ssm: Any, instance: str, *lines: str, **parameters: list[str]) -> dict[str, Any]:
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": list(lines), **parameters}
    )["Command"]
    while True:
        answer: dict[str, Any] = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=instance)
        if answer["Status"] not in ("Pending", "InProgress"):
            listed = ssm.list_commands(CommandId=sent["CommandId"])["Commands"][0]
            deadline = time.monotonic() + 5
            while listed["Status"] == "InProgress" and time.monotonic() < deadline:
                listed = ssm.list_commands(CommandId=sent["CommandId"])["Commands"][0]
            assert listed["Status"] == answer["Status"]
            return answer
        time.sleep(0.01)


def test_a_script_runs(ssm: Any, instance: str) -> None:
    answer = run(ssm, instance, "first", "second", workingDirectory=["/it's"], executionTimeout=["7"])
    assert [(instance, "cd '/it'\\''s' || exit 1\nfirst\nsecond\n", 7.0)] == SCRIPTS
    assert (answer["Status"], answer["ResponseCode"]) == ("Success", 0)
    assert (answer["StandardOutputContent"], answer["StandardErrorContent"]) == ("out", "err")


@pytest.mark.parametrize(
    ("script", "state", "code"), [("fail", "Failed", 3), ("gone", "Failed", 1), ("late", "TimedOut", 124)]
)
def test_what_goes_wrong(ssm: Any, instance: str, script: str, state: str, code: int) -> None:
    answer = run(ssm, instance, script, executionTimeout=["0.1"])
    assert (answer["Status"], answer["ResponseCode"]) == (state, code)


def test_output_is_cut_as_aws_cuts_it(ssm: Any, instance: str) -> None:
    assert len(run(ssm, instance, "long")["StandardOutputContent"]) == run_command.MAX_OUTPUT


def test_refusals(ssm: Any, instance: str) -> None:
    for wanted, code in (
        ({"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": [instance]}, "InvalidDocument"),
        ({"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-00000000000000000"]}, "InvalidInstanceId"),
        ({"DocumentName": "AWS-RunShellScript"}, "InvalidInstanceId"),
    ):
        with pytest.raises(ClientError) as refused:
            ssm.send_command(**wanted, Parameters={"commands": ["x"]})
        assert refused.value.response["Error"]["Code"] == code
    assert SCRIPTS == []


def tagged(localstalk: Localstalk, count: int) -> list[str]:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "environment", "Value": "e-1"}]}]
    made = localstalk.client("ec2").run_instances(
        ImageId="ami-00000000000000000", MinCount=count, MaxCount=count, TagSpecifications=tags
    )
    return sorted(each["InstanceId"] for each in made["Instances"])


def finished(ssm: Any, **wanted: Any) -> dict[str, Any]:
    sent = ssm.send_command(DocumentName="AWS-RunShellScript", Parameters={"commands": ["x"]}, **wanted)["Command"]
    deadline = time.monotonic() + 5
    while sent["Status"] == "InProgress" and time.monotonic() < deadline:
        sent = ssm.list_commands(CommandId=sent["CommandId"])["Commands"][0]
    return dict(sent)


def test_targets_by_tag_are_listed_in_pages(ssm: Any, localstalk: Localstalk) -> None:
    made = tagged(localstalk, 52)
    localstalk.client("ec2").terminate_instances(InstanceIds=[made.pop()])
    done = finished(ssm, Targets=[{"Key": "tag:environment", "Values": ["e-0", "e-1"]}])
    assert done["Status"] == "Success"
    first = ssm.list_command_invocations(CommandId=done["CommandId"], Details=True)
    second = ssm.list_command_invocations(CommandId=done["CommandId"], NextToken=first["NextToken"])
    listed = [*first["CommandInvocations"], *second["CommandInvocations"]]
    assert [each["InstanceId"] for each in listed] == made
    assert "NextToken" not in second
    assert [each["CommandPlugins"] for each in second["CommandInvocations"]] == [[]]
    (plugin,) = listed[0]["CommandPlugins"]
    assert (plugin["Status"], plugin["ResponseCode"]) == ("Success", 0)
    assert plugin["Output"] == "out\n----------ERROR-------\nerr"
    (one,) = ssm.list_command_invocations(CommandId=done["CommandId"], InstanceId=made[1])["CommandInvocations"]
    assert one["InstanceId"] == made[1]


def test_no_instance_has_the_tag(ssm: Any) -> None:
    done = finished(ssm, Targets=[{"Key": "tag:environment", "Values": ["e-0"]}])
    assert (done["Status"], done["StatusDetails"]) == ("Failed", "NoInstancesInTag")
    assert ssm.list_command_invocations(CommandId=done["CommandId"])["CommandInvocations"] == []
