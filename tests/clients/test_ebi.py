# SPDX-License-Identifier: GPL-3.0-or-later
"""ebi, a tool of others on top of the eb CLI and boto3: create, deploy, blue-green with a swap, and with a clone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk

from .conftest import EB, PLATFORM

APPLICATION, CNAME, BLUE, GREEN = "shop", "shop-ebi", "ebi-blue", "ebi-green"
HOST = f"{CNAME}.us-east-1.elasticbeanstalk.com"
DOCKERRUN = {"AWSEBDockerrunVersion": "1", "Image": {"Name": "nginx"}, "Ports": [{"ContainerPort": 80}]}


class Ebi:
    """A project folder with ebi at hand."""

    def __init__(self, localstalk: Localstalk, root: Path) -> None:
        self.root, self.client = root, localstalk.client("elasticbeanstalk")
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | localstalk.environ
        self.env = env | {"HOME": str(root.parent), "TERM": "dumb", "PATH": f"{EB.parent}:{env['PATH']}"}
        # ebi asks for the profile "default" by its name, so that keys in the environment do not count.
        (root.parent / ".aws").mkdir()
        keys = [f"{name.lower()} = {env[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        lines = ["[default]", f"region = {env['AWS_REGION']}", *keys]
        (root.parent / ".aws" / "config").write_text("\n".join([*lines, ""]))
        (root / "Dockerrun.aws.json").write_text(json.dumps(DOCKERRUN))
        (root / ".ebextensions").mkdir()
        settings = "option_settings:\n  aws:elasticbeanstalk:application:environment:\n    A: b\n"
        (root / ".ebextensions" / "a.config").write_text(settings)

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [EB.parent / program, *words],
            cwd=self.root,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(words)} ended with {done.returncode}:\n{done.stdout}"

    @property
    def versions(self) -> dict[str, str]:
        """Version label by CNAME of the environments that are there."""
        found: list[dict[str, Any]] = self.client.describe_environments(IncludeDeleted=False)["Environments"]
        assert {(each["Status"], each["Health"]) for each in found} == {("Ready", "Green")}
        return {each["CNAME"]: each["VersionLabel"] for each in found}


@pytest.fixture(scope="module")
def ebi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ebi]:
    folder = tmp_path_factory.mktemp("ebi")
    running = Localstalk(folder / "localstalk", "--driver", "sim", "--speed", "200")
    (folder / "project").mkdir()
    made = Ebi(running, folder / "project")
    made.run("eb", "init", APPLICATION, "--region", "us-east-1", "--platform", PLATFORM)
    yield made
    running.close()


@pytest.fixture(scope="module")
def created(ebi: Ebi) -> None:
    ebi.run("ebi", "create", APPLICATION, BLUE, CNAME, "--version", "one")


def test_create(ebi: Ebi, created: None) -> None:
    assert ebi.versions == {HOST: "one"}


def test_deploy(ebi: Ebi, created: None) -> None:
    ebi.run("ebi", "deploy", APPLICATION, BLUE, "--version", "two", "--description", "The second")
    assert ebi.versions == {HOST: "two"}
    (version,) = ebi.client.describe_application_versions(VersionLabels=["two"])["ApplicationVersions"]
    assert version["Description"] == "The second"


@pytest.mark.slow
def test_blue_green_deployment_swaps(ebi: Ebi, created: None) -> None:
    ebi.run("eb", "clone", BLUE, "--clone_name", GREEN, "--cname", f"{CNAME}-green", "--exact")
    ebi.run("ebi", "bgdeploy", APPLICATION, GREEN, BLUE, CNAME, "--version", "three", "--capacity")
    (live,) = [label for name, label in ebi.versions.items() if name == HOST]
    assert live == "three"
    (found,) = ebi.client.describe_environments(EnvironmentNames=[GREEN])["Environments"]
    assert found["CNAME"] == HOST


@pytest.mark.slow
def test_clone_and_deploy(ebi: Ebi, created: None) -> None:
    before = ebi.versions
    ebi.run("ebi", "clonedeploy", APPLICATION, "ebi-clone", CNAME, "--version", "four", "--exact")
    assert len(ebi.versions) == len(before) + 1
    assert ebi.versions[HOST] == "four"
