# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved configurations are files in S3, and the eb CLI works on them there."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from botocore.exceptions import ClientError
from control_plane import STACK, Localstalk, option
from test_protocol import post

from localstalk.model import saved_configurations

PROPERTIES = "aws:elasticbeanstalk:application:environment"
KEY = "resources/templates/app/t1"


def call(localstalk: Localstalk, action: str, **params: str) -> int:
    """A call with parameters that the public model does not have."""
    form = {"Action": action, "Version": "2010-12-01", "ApplicationName": "app"} | params
    return post(localstalk, urlencode(form).encode())[0]


def settings(localstalk: Localstalk, **which: str) -> list[dict[str, str]]:
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", **which)
    found: list[dict[str, str]] = described["ConfigurationSettings"][0]["OptionSettings"]
    return found


def stored(localstalk: Localstalk, bucket: str) -> Any:
    return yaml.safe_load(localstalk.client("s3").get_object(Bucket=bucket, Key=KEY)["Body"].read())


def test_save_change_upload_and_use(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option(PROPERTIES, "COLOUR", "blue"))
    bucket = localstalk.eb.create_storage_location()["S3Bucket"]
    source = "TemplateSpecification.TemplateSource.EnvironmentName"
    assert call(localstalk, "CreateConfigurationTemplate", TemplateName="t1", **{source: "env-one"}) == 200
    file = stored(localstalk, bucket)
    assert file["OptionSettings"][PROPERTIES] == {"COLOUR": "blue"}
    assert file["EnvironmentTier"] == {"Type": "Standard", "Name": "WebServer"}
    assert "Docker running on 64bit Amazon Linux 2023" in file["Platform"]["PlatformArn"]

    file["OptionSettings"][PROPERTIES]["COLOUR"] = "green"
    localstalk.client("s3").put_object(Bucket=bucket, Key=KEY, Body=yaml.safe_dump(file).encode())
    assert option(PROPERTIES, "COLOUR", "green") in settings(localstalk, TemplateName="t1")
    localstalk.eb.update_configuration_template(
        ApplicationName="app", TemplateName="t1", OptionSettings=[option(PROPERTIES, "SHAPE", "round")]
    )
    assert stored(localstalk, bucket)["OptionSettings"][PROPERTIES] == {"COLOUR": "green", "SHAPE": "round"}

    localstalk.eb.delete_configuration_template(ApplicationName="app", TemplateName="t1")
    with pytest.raises(ClientError, match="NoSuchKey"):
        stored(localstalk, bucket)


def test_an_uploaded_file_is_a_saved_configuration(localstalk: Localstalk) -> None:
    localstalk.create()
    bucket = localstalk.eb.create_storage_location()["S3Bucket"]
    s3, check = localstalk.client("s3"), localstalk.eb.validate_configuration_settings
    for body, says in (
        (b"- a list", "cannot be read: the file is not a mapping."),
        (b"a: [", "cannot be read: it is not YAML."),
        (b"OptionSettings: {}", "Unable to determine base for template pack (no solution stack)"),
    ):
        s3.put_object(Bucket=bucket, Key=KEY, Body=body)
        with pytest.raises(ClientError) as caught:
            check(ApplicationName="app", TemplateName="t1", OptionSettings=[])
        assert says in caught.value.response["Error"]["Message"]
    wrong = {"SolutionStack": STACK, "OptionSettings": {"aws:autoscaling:asg": {"MinSize": "many"}}}
    s3.put_object(Bucket=bucket, Key=KEY, Body=json.dumps(wrong).encode())
    (message,) = check(ApplicationName="app", TemplateName="t1", OptionSettings=[])["Messages"]
    assert (message["Severity"], message["OptionName"]) == ("error", "MinSize")
    with pytest.raises(ClientError, match="MinSize"):
        localstalk.eb.update_environment(EnvironmentName="env-one", TemplateName="t1")
    (application,) = localstalk.eb.describe_applications(ApplicationNames=["app"])["Applications"]
    assert application["ConfigurationTemplates"] == ["t1"]


def test_a_configuration_file_in_the_call(localstalk: Localstalk) -> None:
    localstalk.create()
    contents = "TemplateSpecification.TemplateSource.SourceContents"
    file = f"OptionSettings:\n  {PROPERTIES}:\n    OPEN: true\n"
    assert call(localstalk, "UpdateEnvironment", EnvironmentName="env-one", **{contents: file}) == 200
    localstalk.advance(600)
    assert option(PROPERTIES, "OPEN", "true") in settings(localstalk, EnvironmentName="env-one")


def test_a_file_may_say_little() -> None:
    assert saved_configurations.read(b"") == saved_configurations.Saved({})
    read = saved_configurations.read("Tags: {a: }\nEnvironmentConfigurationMetadata: {Description: words}\n")
    assert (read.tags, read.description) == ({"a": ""}, "words")
