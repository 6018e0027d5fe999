# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS CLI, as it is on an instance, with the credentials of the instance profile that ``eb create`` made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name

from . import reads
from .conftest import APPLICATION, ENVIRONMENT, Stalk

YOUNGER = {"ApplicationVersions.Process"}
"""Members that the CLI's own model of the service does not have yet."""


def aws(stalk: Stalk, *words: str) -> Any:
    instance = next(iter(stalk.instances()))
    said = stalk.on_instance(instance, "aws", "elasticbeanstalk", *words, "--output", "json")
    return json.loads(said or "null")


def test_waiter(stalk: Stalk, created: str) -> None:
    assert aws(stalk, "wait", "environment-exists", "--environment-names", ENVIRONMENT) is None
    (shown,) = aws(stalk, "describe-environments", "--environment-names", ENVIRONMENT)["Environments"]
    assert shown["EnvironmentId"] == stalk.environment()["EnvironmentId"]
    assert shown["Status"] == "Ready"


def test_pages(stalk: Stalk, created: str) -> None:
    which = ("describe-events", "--environment-name", ENVIRONMENT)
    whole, pages = aws(stalk, *which)["Events"], aws(stalk, *which, "--page-size", "2")["Events"]
    assert len(whole) > 2
    assert pages == whole
    first = aws(stalk, *which, "--max-items", "2")
    assert first["Events"] == whole[:2]
    assert aws(stalk, *which, "--starting-token", first["NextToken"])["Events"] == whole[2:]


@pytest.mark.parametrize("operation", reads.World().reads())
def test_what_it_reads_is_what_boto3_reads(stalk: Stalk, created: str, operation: str) -> None:
    arn = stalk.environment()["EnvironmentArn"]
    given = reads.World(arn, APPLICATION, ENVIRONMENT, ENVIRONMENT).reads()[operation][0]
    said = aws(stalk, xform_name(operation, "-"), "--cli-input-json", json.dumps(given))
    expected = getattr(stalk.eb, xform_name(operation))(**given)
    ignored = {"NextToken"} | YOUNGER  # The CLI puts pages together by itself.
    assert set(reads.paths(said)) - ignored == set(reads.paths(expected)) - ignored
