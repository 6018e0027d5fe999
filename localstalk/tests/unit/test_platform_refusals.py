# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms that the container driver does not run are refused by the API, and simulated by the sim driver."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import botocore.exceptions
import pytest
from control_plane import PROFILE, STACK, Localstalk

from localstalk.drivers.container import ContainerDriver
from localstalk.elasticbeanstalk.platforms import catalogue
from localstalk.engine.platforms import kind

README = Path(__file__).parents[2] / "README.md"
NODE = "64bit Amazon Linux 2023 v6.8.0 running Node.js 24"
PYTHON = "64bit Amazon Linux 2023 v4.9.0 running Python 3.11"
ECS = "64bit Amazon Linux 2023 v4.4.0 running ECS"
TOMCAT = "64bit Amazon Linux 2023 v5.8.1 running Tomcat 10 Corretto 17"
CORRETTO = "64bit Amazon Linux 2023 v4.8.0 running Corretto 17"
DOTNET = "64bit Amazon Linux 2023 v3.5.8 running .NET 8"
SENTENCE = (
    "localstalk's container driver runs Docker on every Amazon Linux, and Python on Amazon Linux 2023, not Node.js 24 "
    "running on 64bit Amazon Linux 2023: simulate its instances with localstalk up --driver sim."
)


@pytest.fixture
def contained(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> Localstalk:
    """A localstalk that refuses as the container driver does."""
    monkeypatch.setattr(localstalk.driver, "refusal", partial(ContainerDriver.refusal, localstalk.driver))
    localstalk.version("v1")
    return localstalk


def create(localstalk: Localstalk, stack: str) -> None:
    given = {"ApplicationName": "app", "VersionLabel": "v1", "OptionSettings": [PROFILE]}
    localstalk.eb.create_environment(EnvironmentName="env-one", SolutionStackName=stack, **given)
    localstalk.advance(600)


def test_platform_that_cannot_run_is_refused_in_a_sentence(contained: Localstalk) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        create(contained, NODE)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert caught.value.response["Error"]["Message"] == SENTENCE
    assert contained.eb.describe_environments()["Environments"] == []


def test_update_to_such_a_platform_changes_nothing(contained: Localstalk) -> None:
    create(contained, PYTHON)
    with pytest.raises(botocore.exceptions.ClientError, match=r"not Node\.js 24"):
        contained.eb.update_environment(EnvironmentName="env-one", SolutionStackName=NODE)
    assert contained.environment()["SolutionStackName"] == PYTHON


def test_readme_names_what_is_refused() -> None:
    (row,) = [
        line for line in README.read_text(encoding="utf-8").splitlines() if "| refused in a sentence | yes |" in line
    ]
    refused = {each.branch.split()[0] for each in catalogue("us-east-1") if kind(each.branch, each.generation) is None}
    assert len(refused) > 5
    assert [name for name in sorted(refused) if name not in row] == []


@pytest.mark.parametrize("stack", [NODE, PYTHON, STACK, ECS, TOMCAT, DOTNET])
def test_every_platform_is_simulated(localstalk: Localstalk, stack: str) -> None:
    localstalk.version("v1")
    create(localstalk, stack)
    assert localstalk.environment()["Status"] == "Ready"
    assert localstalk.environment()["Health"] == "Green"


@pytest.mark.parametrize(("stack", "told"), [(TOMCAT, True), (CORRETTO, False)])
def test_options_of_tomcat_are_told_of_tomcat_alone(localstalk: Localstalk, stack: str, told: bool) -> None:
    localstalk.version("v1")
    create(localstalk, stack)
    (described,) = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")[
        "ConfigurationSettings"
    ]
    namespaces = {one["Namespace"] for one in described["OptionSettings"]}
    assert ("aws:elasticbeanstalk:container:tomcat:jvmoptions" in namespaces) is told
    assert described["SolutionStackName"] == stack


def test_a_branch_of_tomcat_is_named_with_its_java(localstalk: Localstalk) -> None:
    """As in "Supported platforms": the stack says "Tomcat 10 Corretto 17"."""
    (platform,) = [one for one in catalogue("us-east-1") if one.solution_stack == TOMCAT]
    assert platform.arn.endswith("::platform/Tomcat 10 with Corretto 17 running on 64bit Amazon Linux 2023/5.8.1")
