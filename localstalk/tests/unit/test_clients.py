# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as clients without AWS's SDKs send them, and waiters of those that have one."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import ListShape, Shape, StructureShape
from control_plane import SINGLE, STACK, Localstalk

MODEL = botocore.session.get_session().get_service_model("elasticbeanstalk")
DOCKER = "Docker running on 64bit Amazon Linux 2023"


def ask(
    localstalk: Localstalk, body: dict[str, str] | None = None, query: str = "", **headers: str
) -> tuple[int, str, str]:
    """Status, content type and text of one request: a POST of a form, or a GET where there is none."""
    data = urllib.parse.urlencode(body).encode() if body else None
    form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    signed = AWSRequest(
        "POST" if body else "GET", f"{localstalk.endpoint}/{query and f'?{query}'}", form | headers, data
    )
    key = Credentials(localstalk.key.access_key, localstalk.key.secret_key)
    SigV4Auth(key, "elasticbeanstalk", "us-east-1").add_auth(signed)
    request = urllib.request.Request(signed.url, data, dict(signed.headers))  # noqa: S310 - our own endpoint
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def github_action(localstalk: Localstalk, operation: str, **parameters: str) -> dict[str, Any]:
    """As einaregilsson/beanstalk-deploy asks: GET, ``Operation``, ``members``, ``Accept: application/json``."""
    query = urllib.parse.urlencode({"Operation": operation, "Version": "2010-12-01"} | parameters)
    status, kind, text = ask(localstalk, query=query, Accept="application/json")
    assert kind == "application/json"
    return json.loads(text) | {"status": status}


def boto2(localstalk: Localstalk, action: str, **parameters: str) -> dict[str, Any]:
    """As boto 2 asks: a POST with ``ContentType=JSON`` and ``member``."""
    form = {"Action": action, "Version": "2010-12-01", "ContentType": "JSON"} | parameters
    status, kind, text = ask(localstalk, form)
    assert kind == "application/json"
    return json.loads(text) | {"status": status}


def test_the_github_action_deploys_by_get_and_json(localstalk: Localstalk) -> None:
    localstalk.create("env-one", SINGLE)
    location = github_action(localstalk, "CreateStorageLocation")
    bucket = location["CreateStorageLocationResponse"]["CreateStorageLocationResult"]["S3Bucket"]
    assert bucket == localstalk.region.bucket
    source = {"SourceBundle.S3Bucket": bucket, "SourceBundle.S3Key": "app/v1.zip"}
    created = github_action(
        localstalk, "CreateApplicationVersion", ApplicationName="app", VersionLabel="v2", Description="a & b", **source
    )
    version = created["CreateApplicationVersionResponse"]["CreateApplicationVersionResult"]["ApplicationVersion"]
    assert (version["VersionLabel"], version["Description"]) == ("v2", "a & b")
    listed = github_action(
        localstalk, "DescribeApplicationVersions", ApplicationName="app", **{"VersionLabels.members.1": "v2"}
    )
    found = listed["DescribeApplicationVersionsResponse"]["DescribeApplicationVersionsResult"]
    assert [each["VersionLabel"] for each in found["ApplicationVersions"]] == ["v2"]
    began = localstalk.control.clock.now()
    github_action(localstalk, "UpdateEnvironment", ApplicationName="app", EnvironmentName="env-one", VersionLabel="v2")
    localstalk.advance(600)
    events = github_action(
        localstalk,
        "DescribeEvents",
        ApplicationName="app",
        EnvironmentName="env-one",
        Severity="TRACE",
        StartTime=f"{began:%Y%m%dT%H%M%SZ}",
    )["DescribeEventsResponse"]["DescribeEventsResult"]["Events"]
    assert events[-1]["Message"] == "Environment update is starting."
    assert datetime.fromtimestamp(events[-1]["EventDate"], UTC) >= began
    environments = github_action(
        localstalk, "DescribeEnvironments", ApplicationName="app", **{"EnvironmentNames.members.1": "env-one"}
    )["DescribeEnvironmentsResponse"]["DescribeEnvironmentsResult"]["Environments"]
    assert [(each["VersionLabel"], each["Status"], each["Health"]) for each in environments] == [
        ("v2", "Ready", "Green")
    ]


def test_an_error_is_json_for_those_who_ask_for_json(localstalk: Localstalk) -> None:
    answer = github_action(localstalk, "UpdateEnvironment", EnvironmentName="gone", VersionLabel="v1")
    assert answer["status"] == 400
    assert answer["Error"] == {
        "Code": "InvalidParameterValue",
        "Message": "No Environment found for EnvironmentName = 'gone'.",
        "Type": "Sender",
    }
    assert answer["RequestId"]
    assert boto2(localstalk, "FlyToTheMoon")["Error"]["Code"] == "InvalidAction"


def test_boto_2_finds_every_member_null_or_not(localstalk: Localstalk) -> None:
    localstalk.version("v1")
    made = boto2(
        localstalk, "CreateEnvironment", ApplicationName="app", EnvironmentName="env-one", VersionLabel="v1",
        SolutionStackName=STACK,
        **{
            "OptionSettings.member.1.Namespace": "aws:elasticbeanstalk:environment",
            "OptionSettings.member.1.OptionName": "EnvironmentType",
            "OptionSettings.member.1.Value": "SingleInstance",
        },
    )["CreateEnvironmentResponse"]["CreateEnvironmentResult"]  # fmt: skip
    assert made["Status"] == "Launching"
    assert (made["Resources"], made["TemplateName"]) == (None, None)
    assert isinstance(made["DateCreated"], float)
    assert made["AbortableOperationInProgress"] is False


def test_without_a_wish_the_answer_is_xml(localstalk: Localstalk) -> None:
    form = {"Action": "DescribeApplications", "Version": "2010-12-01"}
    for headers in ({}, {"Accept": "*/*"}):
        status, kind, text = ask(localstalk, form, **headers)
        assert (status, kind.partition(";")[0], text[:1]) == (200, "text/xml", "<")


@pytest.mark.parametrize("name", ["member", "members"])
def test_lists_are_read_in_their_order_whatever_their_numbers(localstalk: Localstalk, name: str) -> None:
    for label in ("v1", "v2", "v3"):
        localstalk.version(label)
    labels = {f"VersionLabels.{name}.{number}": label for number, label in ((2, "v3"), (10, "v1"))}
    answer = boto2(localstalk, "DescribeApplicationVersions", **labels)
    found = answer["DescribeApplicationVersionsResponse"]["DescribeApplicationVersionsResult"]["ApplicationVersions"]
    assert {each["VersionLabel"] for each in found} == {"v1", "v3"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("EnvironmentNames.1", "Top level element may not be treated as a list"),
        ("EnvironmentNames.entry.1", "Unexpected list element termination"),
        ("EnvironmentNames.member", "Unexpected list element termination"),
        ("ApplicationName.member.1", "Start of list found where not expected"),
        ("EnvironmentLabels.member.1", "DescribeEnvironments has no parameter EnvironmentLabels."),
        ("Colour", "DescribeEnvironments has no parameter Colour."),
    ],
)
def test_what_the_service_does_not_know_is_refused(localstalk: Localstalk, name: str, message: str) -> None:
    error = boto2(localstalk, "DescribeEnvironments", **{name: "x"})["Error"]
    assert (error["Code"], error["Message"]) == ("MalformedInput", message)


def test_an_unknown_member_of_a_list_is_refused(localstalk: Localstalk) -> None:
    name = "OptionSettings.member.1.Colour"
    error = boto2(localstalk, "UpdateEnvironment", EnvironmentName="env-one", **{name: "red"})["Error"]
    assert error["Code"] == "MalformedInput"
    assert error["Message"].startswith(f"{name} is not known: ")


def test_parameters_of_signature_version_2_are_not_unknown(localstalk: Localstalk) -> None:
    signature = {
        "AWSAccessKeyId": "test", "SignatureVersion": "2", "SignatureMethod": "HmacSHA256", "Signature": "x",
        "Timestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert boto2(localstalk, "DescribeApplications", **signature)["status"] == 200


@pytest.mark.parametrize("operation", ["CreateApplication", "UpdateTagsForResource"])
def test_a_tag_without_a_key_is_a_validation_error(localstalk: Localstalk, operation: str) -> None:
    localstalk.version("v1")
    name = "TagsToAdd" if operation == "UpdateTagsForResource" else "Tags"
    target = (
        {"ResourceArn": localstalk.region.arn("application", "app")}
        if name == "TagsToAdd"
        else {"ApplicationName": "b"}
    )
    error = boto2(localstalk, operation, **target, **{f"{name}.member.1.Value": "x"})["Error"]
    assert error["Code"] == "ValidationError"
    assert f"'{name[0].lower()}{name[1:]}.1.member.key'" in error["Message"]


def incomplete(shape: Shape, name: str) -> Iterator[dict[str, str]]:
    """Values with one scalar only, somewhere below ``shape``."""
    if isinstance(shape, StructureShape):
        for member, below in shape.members.items():
            yield from incomplete(below, f"{name}.{member}" if name else member)
    elif isinstance(shape, ListShape):
        yield from incomplete(shape.member, f"{name}.member.1")
    else:
        yield {
            name: {"integer": "1", "boolean": "true", "timestamp": "2026-01-01T00:00:00Z"}.get(shape.type_name, "x1")
        }


def requests() -> Iterator[tuple[str, dict[str, str]]]:
    for operation in MODEL.operation_names:
        shape = MODEL.operation_model(operation).input_shape
        if shape is None:
            continue
        whole = {name: "env-one" for name in shape.required_members if shape.members[name].type_name == "string"}
        for alone in incomplete(shape, ""):
            yield operation, whole | alone


def test_no_incomplete_request_is_an_error_of_ours(localstalk: Localstalk) -> None:
    localstalk.create("env-one", SINGLE)
    asked = list(requests())
    assert len(asked) > 200
    for operation, parameters in asked:
        if operation.startswith(("Delete", "Terminate")):
            continue
        answer = boto2(localstalk, operation, **parameters)
        assert answer["status"] < 500, (operation, parameters, answer)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:elasticbeanstalk:us-east-1::platform/{DOCKER}/4.8.0",
        f"arn:aws:elasticbeanstalk:us-east-1::platform/{DOCKER}",
        f"arn:aws:elasticbeanstalk:::platform/{DOCKER}/4.8.0",
        f"arn:aws:elasticbeanstalk:::platform/{DOCKER}",
    ],
)
def test_a_platform_arn_may_leave_out_version_and_region(localstalk: Localstalk, arn: str) -> None:
    found = localstalk.eb.describe_platform_version(PlatformArn=arn)["PlatformDescription"]
    assert found["PlatformArn"] == f"arn:aws:elasticbeanstalk:us-east-1::platform/{DOCKER}/4.8.0"


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:elasticbeanstalk:eu-west-1::platform/{DOCKER}/4.8.0",
        f"arn:aws:elasticbeanstalk:us-east-1:123456789012:platform/{DOCKER}/4.8.0",
        f"arn:aws:elasticbeanstalk:us-east-1::platform/{DOCKER}/9.9.9",
        f"{DOCKER}",
    ],
)
def test_other_platform_arns_are_refused(localstalk: Localstalk, arn: str) -> None:
    with pytest.raises(localstalk.eb.exceptions.ClientError, match="Platform ARN is invalid"):
        localstalk.eb.describe_platform_version(PlatformArn=arn)


def test_branch_order_grows_with_newer_branches(localstalk: Localstalk) -> None:
    branches = localstalk.eb.list_platform_branches()["PlatformBranchSummaryList"]
    order = {each["BranchName"]: each["BranchOrder"] for each in branches}
    newest_first = [
        DOCKER,
        "Docker running on 64bit Amazon Linux 2",
        "Docker running on 64bit Amazon Linux",
    ]
    assert all(order[newer] > order[older] for newer, older in itertools.pairwise(newest_first))
    pythons = [f"Python {version} running on 64bit Amazon Linux 2023" for version in ("3.13", "3.12", "3.11", "3.9")]
    assert all(order[newer] > order[older] for newer, older in itertools.pairwise(pythons))


@pytest.mark.parametrize("speed", [1.0, 20.0, 1000.0])
def test_a_waiter_sees_the_end_of_an_environment_at_any_speed(
    localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    waiter = localstalk.eb.get_waiter("environment_terminated")
    localstalk.create("env-one", SINGLE)
    monkeypatch.setattr(localstalk.control.clock, "speed", speed)
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        localstalk.advance(seconds * speed)

    monkeypatch.setattr("botocore.waiter.time.sleep", sleep)
    waiter.wait(EnvironmentNames=["env-one"])
    assert set(waited) == {20}


def test_a_terminated_environment_is_gone_after_an_hour_or_a_real_minute(localstalk: Localstalk) -> None:
    localstalk.create("env-one", SINGLE)
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(300)
    assert localstalk.eb.describe_environments(EnvironmentNames=["env-one"])["Environments"]
    localstalk.advance(3700)
    assert localstalk.eb.describe_environments(EnvironmentNames=["env-one"])["Environments"] == []
