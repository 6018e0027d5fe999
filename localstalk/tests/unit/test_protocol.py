# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire: errors, throttling's shape aside, validation, paging."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from control_plane import PROFILE, STACK, Localstalk, option

NAMESPACE = "{http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/}"


def post(localstalk: Localstalk, body: bytes, **headers: str) -> tuple[int, str]:
    sent = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    signed = AWSRequest("POST", f"{localstalk.endpoint}/", sent, body)
    key = Credentials(localstalk.key.access_key, localstalk.key.secret_key)
    SigV4Auth(key, "elasticbeanstalk", "us-east-1").add_auth(signed)
    request = urllib.request.Request(localstalk.endpoint, body, dict(signed.headers))  # noqa: S310 - our own endpoint
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def error_of(localstalk: Localstalk, **form: str) -> tuple[int, str, str]:
    status, text = post(localstalk, urllib.parse.urlencode({"Version": "2010-12-01"} | form).encode())
    root = ElementTree.fromstring(text)  # noqa: S314 - our own answer
    assert root.tag == f"{NAMESPACE}ErrorResponse"
    error = root.find(f"{NAMESPACE}Error")
    assert error is not None
    assert root.findtext(f"{NAMESPACE}RequestId")
    return status, str(error.findtext(f"{NAMESPACE}Code")), str(error.findtext(f"{NAMESPACE}Message"))


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_an_unknown_action_is_an_aws_error(localstalk: Localstalk) -> None:
    assert error_of(localstalk, Action="FlyToTheMoon") == (
        400,
        "InvalidAction",
        "Could not find operation FlyToTheMoon for version 2010-12-01",
    )
    assert error_of(localstalk)[:2] == (400, "MissingAction")


def test_a_defect_of_ours_is_an_aws_error(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setitem(localstalk.backend.operations, "DescribeEvents", broken)
    status, code, message = error_of(localstalk, Action="DescribeEvents")
    assert (status, code) == (500, "InternalFailure")
    assert "secret" not in message


def test_garbage_is_an_aws_error(localstalk: Localstalk) -> None:
    assert error_of(localstalk, Action="DescribeEvents", MaxRecords="many")[1] == "MalformedInput"
    status, text = post(localstalk, b"\xff\xfe\x00")
    assert status in (400, 500)
    assert "<ErrorResponse" in text


def test_a_missing_member_is_a_validation_error(localstalk: Localstalk) -> None:
    assert error_of(localstalk, Action="CreateApplication") == (
        400,
        "ValidationError",
        "1 validation error detected: Value null at 'applicationName' failed to satisfy constraint: "
        "Member must not be null",
    )


def test_operation_is_an_old_name_of_action(localstalk: Localstalk) -> None:
    status, text = post(localstalk, b"Operation=DescribeEnvironments&Version=2010-12-01")
    assert status == 200
    assert "<DescribeEnvironmentsResult>" in text


def test_every_operation_of_the_model_is_there(localstalk: Localstalk) -> None:
    model = botocore.session.get_session().get_service_model("elasticbeanstalk")
    assert len(model.operation_names) == 47
    assert localstalk.backend.operations.keys() == set(model.operation_names)


@pytest.mark.parametrize("name", ["-front", "back-", "under_score", "dot.dot"])
def test_environment_names_have_letters_digits_and_dashes(localstalk: Localstalk, name: str) -> None:
    localstalk.version("v1")
    code, message = refusal(
        localstalk.eb.create_environment, ApplicationName="app", EnvironmentName=name, SolutionStackName=STACK
    )
    assert code == "InvalidParameterValue"
    assert message == (
        f"Value {name} at 'EnvironmentName' failed to satisfy constraint: Member must contain only letters, digits, "
        "and the dash character and may not start or end with a dash"
    )


@pytest.mark.parametrize(
    ("parameters", "constraint"),
    [
        ({"EnvironmentName": "e" * 41}, "Member must have length less than or equal to 40"),
        ({"ApplicationName": "a" * 101}, "Member must have length less than or equal to 100"),
        ({"CNAMEPrefix": "c" * 64}, "Member must have length less than or equal to 63"),
        ({"Description": "d" * 201}, "Member must have length less than or equal to 200"),
    ],
)
def test_lengths(localstalk: Localstalk, parameters: dict[str, str], constraint: str) -> None:
    given = {"ApplicationName": "app", "EnvironmentName": "env-one", "SolutionStackName": STACK} | parameters
    code, message = refusal(localstalk.eb.create_environment, **given)
    assert code == "ValidationError"
    assert message.endswith(constraint)


def test_unknown_options_and_bad_values(localstalk: Localstalk) -> None:
    localstalk.create()
    assert refusal(
        localstalk.eb.update_environment, EnvironmentName="env-one", OptionSettings=[option("N", "O", "V")]
    ) == (
        "ConfigurationValidationException",
        "Configuration validation exception: Invalid option specification (Namespace: 'N', OptionName: 'O'): "
        "Unknown configuration setting.",
    )
    rolling = "aws:autoscaling:updatepolicy:rollingupdate"
    bad = [option(rolling, "MaxBatchSize", "0")]
    assert refusal(localstalk.eb.update_environment, EnvironmentName="env-one", OptionSettings=bad) == (
        "ConfigurationValidationException",
        f"Configuration validation exception: Invalid option value: '0' (Namespace: '{rolling}', OptionName: "
        "'MaxBatchSize'): Value is less than minimum allowed value: 1",
    )
    assert localstalk.environment()["Status"] == "Ready"


def test_events_page_newest_first_and_filter(localstalk: Localstalk) -> None:
    localstalk.create()
    everything = localstalk.eb.describe_events()["Events"]
    dates = [each["EventDate"] for each in everything]
    assert dates == sorted(set(dates), reverse=True)
    paged = [
        event
        for page in localstalk.eb.get_paginator("describe_events").paginate(PaginationConfig={"PageSize": 7})
        for event in page["Events"]
    ]
    assert paged == everything
    middle = everything[5]["EventDate"]
    assert localstalk.eb.describe_events(StartTime=middle)["Events"] == everything[:6]
    assert localstalk.eb.describe_events(EndTime=middle)["Events"] == everything[6:]
    assert localstalk.eb.describe_events(Severity="WARN")["Events"] == []
    assert refusal(localstalk.eb.describe_events, NextToken="nonsense")[0] == "InvalidParameterValue"


def test_control_characters_cannot_break_the_answer(localstalk: Localstalk) -> None:
    localstalk.create()
    localstalk.region.events.record("a\x00b\x1b<&>", environment=localstalk.region.by_name("env-one"))
    assert localstalk.eb.describe_events()["Events"][0]["Message"] == "a?b?<&>"


def test_waiters_of_botocore_end(localstalk: Localstalk) -> None:
    localstalk.create()
    config = {"Delay": 0, "MaxAttempts": 2}
    localstalk.eb.get_waiter("environment_exists").wait(EnvironmentNames=["env-one"], WaiterConfig=config)
    localstalk.eb.get_waiter("environment_updated").wait(EnvironmentNames=["env-one"], WaiterConfig=config)
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    localstalk.eb.get_waiter("environment_terminated").wait(EnvironmentNames=["env-one"], WaiterConfig=config)


def test_quotas_answer_too_many(localstalk: Localstalk) -> None:
    localstalk.control.quotas["Environment"] = 1
    localstalk.create()
    code, _ = refusal(
        localstalk.eb.create_environment,
        ApplicationName="app",
        EnvironmentName="env-two",
        SolutionStackName=STACK,
        OptionSettings=[PROFILE],
    )
    assert code == "TooManyEnvironmentsException"
    localstalk.control.quotas["ApplicationVersion"] = 1
    assert refusal(localstalk.eb.create_application_version, ApplicationName="app", VersionLabel="v9")[0] == (
        "TooManyApplicationVersionsException"
    )
