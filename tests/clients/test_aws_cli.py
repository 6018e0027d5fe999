# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS CLI, as it is on an instance, with the credentials of the instance profile that ``eb create`` made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name

from . import reads
from .conftest import APPLICATION, ENVIRONMENT, Localstalk

YOUNGER = {"ApplicationVersions.Process"}
"""Members that the CLI's own model of the service does not have yet."""


def aws(localstalk: Localstalk, *words: str) -> Any:
    instance = next(iter(localstalk.instances()))
    said = localstalk.on_instance(instance, "aws", "elasticbeanstalk", *words, "--output", "json")
    return json.loads(said or "null")


def test_waiter(localstalk: Localstalk, created: str) -> None:
    assert aws(localstalk, "wait", "environment-exists", "--environment-names", ENVIRONMENT) is None
    (shown,) = aws(localstalk, "describe-environments", "--environment-names", ENVIRONMENT)["Environments"]
    assert shown["EnvironmentId"] == localstalk.environment()["EnvironmentId"]
    assert shown["Status"] == "Ready"


def test_pages(localstalk: Localstalk, created: str) -> None:
    which = ("describe-events", "--environment-name", ENVIRONMENT)
    whole, pages = aws(localstalk, *which)["Events"], aws(localstalk, *which, "--page-size", "2")["Events"]
    assert len(whole) > 2
    assert pages == whole
    first = aws(localstalk, *which, "--max-items", "2")
    assert first["Events"] == whole[:2]
    assert aws(localstalk, *which, "--starting-token", first["NextToken"])["Events"] == whole[2:]


@pytest.mark.parametrize("operation", reads.World().reads())
def test_what_it_reads_is_what_boto3_reads(localstalk: Localstalk, created: str, operation: str) -> None:
    arn = localstalk.environment()["EnvironmentArn"]
    given = reads.World(arn, APPLICATION, ENVIRONMENT, ENVIRONMENT).reads()[operation][0]
    said = aws(localstalk, xform_name(operation, "-"), "--cli-input-json", json.dumps(given))
    expected = getattr(localstalk.eb, xform_name(operation))(**given)
    ignored = {"NextToken"} | YOUNGER  # The CLI puts pages together by itself.
    assert set(reads.paths(said)) - ignored == set(reads.paths(expected)) - ignored
