# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout of one's own, a localstalk of one's own, and playbooks run in them as a user runs them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from administration import ask

from .modules import run_module

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PLAY_TIMEOUT = 600


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that none is left to one worker at the end: those with containers, then many tests."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.get_closest_marker("containers") is None, -tests[item.path], item.path))


def wait_until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """What a function says once it is true; AssertionError when that takes longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"after {seconds} s still not: {what}")


def export(destination: Path) -> None:
    """Copy what git knows or would add (links as links), so that tests may edit it."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, destination / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


@dataclass(frozen=True)
class Run:
    """One ansible-playbook run: exit status, output, and the recap's counts of the environment's host."""

    rc: int
    output: str

    def count(self, what: str) -> int:
        """A number of PLAY RECAP, e.g. ``changed``, summed over hosts."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        found = re.findall(rf"\b{what}=(\d+)", recap)
        assert found, f"no recap in:\n{self.output}"
        return sum(map(int, found))


class Localstalk:
    """A running localstalk and the clients a test needs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = os.environ | {"LOCALSTALK_HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"}
        self.env.pop("ANSIBLE_CONFIG", None)

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "localstalk", *words], env=self.env, capture_output=True, text=True, timeout=300, check=False
        )

    def aws(self) -> dict[str, str]:
        printed = self.cli("env", "--format", "json")
        assert printed.returncode == 0, printed.stderr
        return json.loads(printed.stdout)

    def client(self, service: str) -> Any:
        aws = self.aws()
        return boto3.client(
            service,
            endpoint_url=aws["AWS_ENDPOINT_URL"],
            region_name=aws["AWS_DEFAULT_REGION"],
            aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        )

    def module(self, module: str, /, **params: Any) -> dict[str, Any]:
        """What a module answers, against this localstalk."""
        aws = self.aws()
        connection = {
            "endpoint_url": aws["AWS_ENDPOINT_URL"],
            "region": aws["AWS_DEFAULT_REGION"],
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        }
        return run_module(module, connection | params)

    def get(self, path: str) -> str:
        return ask(self.aws(), path.removeprefix("/_localstalk/"))

    def environment(self) -> dict[str, Any]:
        (found,) = self.client("elasticbeanstalk").describe_environments(ApplicationName="blog", IncludeDeleted=False)[
            "Environments"
        ]
        return found

    def deployments(self) -> dict[str, str]:
        """Version label per instance id, from the instances' own deployment records."""
        answer = self.client("elasticbeanstalk").describe_instances_health(
            EnvironmentName=self.environment()["EnvironmentName"], AttributeNames=["All"]
        )
        return {item["InstanceId"]: item["Deployment"]["VersionLabel"] for item in answer["InstanceHealthList"]}

    def leftovers(self) -> list[str]:
        """What a localstalk that was stopped must not leave behind: containers, networks, mounts, links, processes."""
        mark = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:8]
        commands = {
            "container": ["podman", "ps", "--all", "--format", "{{.Names}}"],
            "network": ["podman", "network", "ls", "--format", "{{.Name}}"],
            "mount": ["cat", "/proc/mounts"],
            "process": ["ps", "-eo", "pid,args"],
        }
        found = []
        for kind, command in commands.items():
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found += [f"{kind}: {line}" for line in printed.splitlines() if mark in line or str(self.home) in line]
        return found

    def page(self) -> str:
        url = self.get("/_localstalk/url/blog-local").strip()
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
            return answer.read().decode()


@dataclass(frozen=True)
class Project:
    """A checkout and the localstalk it deploys to."""

    root: Path
    localstalk: Localstalk

    def play(self, playbook: str, *args: str) -> Run:
        done = subprocess.run(
            [BIN / "ansible-playbook", playbook, *args],
            cwd=self.root,
            env=self.localstalk.env | {"ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAY_TIMEOUT,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    @property
    def application(self) -> Path:
        return self.root / "examples" / "blog"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("checkout")
    export(root)
    localstalk = Localstalk(tmp_path_factory.mktemp("home") / "localstalk")
    yield Project(root, localstalk)
    down = localstalk.cli("down")
    assert down.returncode == 0, down.stderr
    assert localstalk.leftovers() == []


@pytest.fixture(scope="session")
def first_deploy(project: Project) -> Run:
    """The first ``ansible-playbook deploy.yml``, which starts localstalk by itself."""
    run = project.play("deploy.yml")
    assert run.rc == 0, run.output
    return run
