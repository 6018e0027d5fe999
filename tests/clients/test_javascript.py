# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS SDK for JavaScript (version 3): every operation that reads, every paginator and every waiter."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from localstalk.testing import Localstalk

from . import reads
from .conftest import ROOT

ENVIRONMENT = ROOT / ".venv-js"
SCRIPT = ROOT / "tests" / "clients" / "sdk.cjs"
EXAMPLE = reads.World()


class Sdk:
    """The SDK in a process of Node.js."""

    def __init__(self, localstalk: Localstalk) -> None:
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        } | localstalk.environ
        self.env["NODE_PATH"] = str(ENVIRONMENT / "sdk" / "node_modules")

    def ask(self, *requests: dict[str, Any]) -> list[Any]:
        """Results in order; AssertionError for one that the SDK refuses."""
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "node", SCRIPT],
            input=json.dumps(requests),
            env=self.env,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for request, answer in zip(requests, answers, strict=True):
            assert "error" not in answer, f"{request}: {answer}"
        return [answer["result"] for answer in answers]


@pytest.fixture(scope="module")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    running = Localstalk(tmp_path_factory.mktemp("sdk") / "localstalk", "--driver", "sim", "--speed", "500")
    yield running
    running.close()


@pytest.fixture(scope="module")
def world(localstalk: Localstalk) -> reads.World:
    return reads.make(localstalk)


@pytest.fixture(scope="module")
def sdk(localstalk: Localstalk) -> Sdk:
    return Sdk(localstalk)


@pytest.fixture(scope="module")
def answers(sdk: Sdk, world: reads.World) -> dict[str, list[Any]]:
    """Of every operation that reads, by its name; from one process."""
    asked = [(name, each) for name, inputs in world.reads().items() for each in inputs]
    results = sdk.ask(*({"kind": "call", "name": name, "input": each} for name, each in asked))
    found: dict[str, list[Any]] = {}
    for (name, _), result in zip(asked, results, strict=True):
        found.setdefault(name, []).append(result)
    return found


@pytest.mark.parametrize("operation", EXAMPLE.reads())
def test_no_member_is_missing(localstalk: Localstalk, answers: dict[str, list[Any]], operation: str) -> None:
    model = localstalk.client("elasticbeanstalk").meta.service_model.operation_model(operation)
    assert reads.missing(operation, model.output_shape, answers[operation]) == []


def test_what_is_said_to_be_absent_is_absent(answers: dict[str, list[Any]]) -> None:
    found = {path for results in answers.values() for result in results for path in reads.paths(result)}
    assert [path for path in found if path.startswith(tuple(reads.ABSENT))] == []


def test_the_answers_are_those_that_boto3_gets(localstalk: Localstalk, sdk: Sdk, world: reads.World) -> None:
    asked = {"kind": "call", "name": "DescribeEnvironments", "input": {"EnvironmentNames": [reads.ENVIRONMENT]}}
    (answer,) = sdk.ask(asked)
    (theirs,) = answer["Environments"]
    eb = localstalk.client("elasticbeanstalk")
    (ours,) = eb.describe_environments(EnvironmentNames=[reads.ENVIRONMENT])["Environments"]
    dates = {"DateCreated", "DateUpdated"}
    assert {key: value for key, value in theirs.items() if key not in dates} == {
        key: value for key, value in ours.items() if key not in dates
    }
    for name in dates:
        assert datetime.fromisoformat(theirs[name]) == ours[name]


PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "paginateDescribeEnvironmentManagedActionHistory": (
        "ManagedActionHistoryItems",
        {"EnvironmentName": reads.WORKER},
    ),
    "paginateDescribeEvents": ("Events", {"EnvironmentName": reads.ENVIRONMENT, "Severity": "INFO"}),
    "paginateListPlatformBranches": ("PlatformBranchSummaryList", {}),
    "paginateListPlatformVersions": ("PlatformSummaryList", {}),
}
WAITERS = ("waitUntilEnvironmentExists", "waitUntilEnvironmentUpdated", "waitUntilEnvironmentTerminated")


def test_all_that_the_sdk_has_is_tried(sdk: Sdk) -> None:
    (names,) = sdk.ask({"kind": "names", "name": ""})
    read = ("Check", "Describe", "List", "Retrieve", "Validate")
    commands = {name.removesuffix("Command") for name in names if name.startswith(read)}
    assert commands == EXAMPLE.reads().keys()
    assert {name for name in names if name.startswith("paginate")} == PAGES.keys()
    assert {name for name in names if name.startswith("wait")} == set(WAITERS)


@pytest.mark.parametrize("name", PAGES)
def test_paginator(sdk: Sdk, world: reads.World, name: str) -> None:
    key, given = PAGES[name]
    asked = {"kind": "paginate", "name": name, "input": given}
    whole, pieces = sdk.ask(asked | {"size": 100}, asked | {"size": 1})
    everything = [item for page in whole for item in page[key]]
    assert len(everything) > 1
    assert [item for page in pieces for item in page[key]] == everything
    assert all(len(page[key]) <= 1 for page in pieces)


def test_waiters(sdk: Sdk, world: reads.World) -> None:
    name = "shop-waits"
    create = {
        "ApplicationName": reads.APPLICATION,
        "EnvironmentName": name,
        "TemplateName": reads.TEMPLATE,
        "VersionLabel": reads.VERSION,
    }
    which = {"EnvironmentNames": [name]}
    wait = [{"kind": "wait", "name": each, "input": which} for each in WAITERS]
    answers = sdk.ask(
        {"kind": "call", "name": "CreateEnvironment", "input": create},
        wait[0],
        {"kind": "call", "name": "UpdateEnvironment", "input": {"EnvironmentName": name, "Description": "Changed"}},
        wait[1],
        {"kind": "call", "name": "TerminateEnvironment", "input": {"EnvironmentName": name}},
        wait[2],
    )
    assert [each["state"] for each in answers[1::2]] == ["SUCCESS"] * 3


def test_an_error_has_its_code(sdk: Sdk, world: reads.World) -> None:
    asked = {"kind": "call", "name": "TerminateEnvironment", "input": {"EnvironmentName": "gone"}}
    with pytest.raises(
        AssertionError, match="InvalidParameterValue: No Environment found for EnvironmentName = 'gone'"
    ):
        sdk.ask(asked)
