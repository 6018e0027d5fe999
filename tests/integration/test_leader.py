# SPDX-License-Identifier: GPL-3.0-or-later
"""The leader matrix: right answer after everything that can happen to an environment, asked of real instances."""

from __future__ import annotations

import io
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, Localstalk
from .minimal import DOCKERFILE, MODERN, SERVER, options

pytestmark = pytest.mark.containers

EB = ROOT / ".venv-eb" / "bin" / "eb"
NAME = "leader-matrix"
COMMAND = "aws:elasticbeanstalk:command"
ONE_BY_ONE = {"BatchSizeType": "Fixed", "BatchSize": "1"}
# The command timeout is on localstalk's clock, and these instances need real seconds.
PATIENT = {"Timeout": "3600"}
TRIGGER = {"MeasureName": "CPUUtilization", "Unit": "Percent", "UpperThreshold": "90", "LowerThreshold": "0"}


class Matrix:
    """One environment of two instances, what is done to it, and what was asked and answered."""

    def __init__(self, localstalk: Localstalk, folder: Path) -> None:
        self.localstalk, self.folder, self.aws = localstalk, folder, localstalk.aws()
        self.eb, self.ec2 = localstalk.client("elasticbeanstalk"), localstalk.client("ec2")
        self.rows: list[tuple[str, dict[str, Any]]] = []

    def module(self, name: str, **params: Any) -> dict[str, Any]:
        return self.localstalk.module(name, application=NAME, name=NAME, poll_interval=0.3, **params)

    def version(self, label: str) -> None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("Dockerfile", f"{DOCKERFILE}# {label}\n")
            archive.writestr("server.pl", SERVER)
        bucket = self.eb.create_storage_location()["S3Bucket"]
        self.localstalk.client("s3").put_object(Bucket=bucket, Key=f"{NAME}/{label}.zip", Body=content.getvalue())
        self.eb.create_application_version(
            ApplicationName=NAME,
            VersionLabel=label,
            SourceBundle={"S3Bucket": bucket, "S3Key": f"{NAME}/{label}.zip"},
            AutoCreateApplication=True,
        )

    def settings(self, size: int, **command: str) -> list[dict[str, str]]:
        values = options(size, **{"DeploymentPolicy": "AllAtOnce", **PATIENT, **command})
        values["aws:autoscaling:trigger"] = TRIGGER
        return [
            {"Namespace": namespace, "OptionName": name, "Value": value}
            for namespace, settings in values.items()
            for name, value in settings.items()
        ]

    def create(self, label: str) -> None:
        self.eb.create_environment(
            ApplicationName=NAME,
            EnvironmentName=NAME,
            SolutionStackName=self._stack(),
            VersionLabel=label,
            OptionSettings=self.settings(2),
        )
        self.ready(label)

    def _stack(self) -> str:
        generation, _, runtime = MODERN.partition(" running on ")
        stacks = self.eb.list_available_solution_stacks()["SolutionStacks"]
        return str(next(each for each in stacks if runtime in each and each.endswith(f"running {generation}")))

    def deploy(self, label: str, *, size: int = 2, **command: str) -> None:
        self.eb.update_environment(
            EnvironmentName=NAME, VersionLabel=label, OptionSettings=self.settings(size, **command)
        )
        self.ready(label)

    def ready(self, label: str) -> None:
        def reached() -> bool:
            (found,) = self.eb.describe_environments(EnvironmentNames=[NAME], IncludeDeleted=False)["Environments"]
            return found["Status"] == "Ready" and found.get("VersionLabel") == label

        self.until(reached)
        events = self.eb.describe_events(EnvironmentName=NAME, Severity="ERROR")["Events"]
        assert events == [], events

    def instances(self) -> list[str]:
        """Those that run a version, oldest first."""
        listed = self.eb.describe_instances_health(EnvironmentName=NAME, AttributeNames=["All"])["InstanceHealthList"]
        deployed = [each for each in listed if each.get("Deployment", {}).get("Status") == "Deployed"]
        return [each["InstanceId"] for each in sorted(deployed, key=lambda each: each["LaunchedAt"])]

    def until(self, holds: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.3)

    def container(self, instance: str) -> str:
        listed = subprocess.run(["podman", "ps", "--format", "{{.Names}}"], check=True, capture_output=True, text=True)
        (name,) = (line for line in listed.stdout.split() if line.endswith(instance))
        return name

    def kill(self, *victims: str) -> None:
        """End machines; Auto Scaling launches others."""
        containers = [self.container(victim) for victim in victims]
        subprocess.run(["podman", "kill", *containers], check=True, capture_output=True)
        self.until(lambda: not {*victims} & {*self.instances()} and len(self.instances()) == 2)

    def terminate(self) -> None:
        """End the environment, so that another one can have its name."""
        self.eb.terminate_environment(EnvironmentName=NAME)
        self.until(
            lambda: not self.eb.describe_environments(EnvironmentNames=[NAME], IncludeDeleted=False)["Environments"]
        )

    def elected(self) -> set[str]:
        """The instances whose own log says that they won their last election."""
        told = {}
        for instance in self.instances():
            words = ["podman", "exec", self.container(instance), "grep", "Leader.$", "/var/log/eb-engine.log"]
            told[instance] = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        return {instance for instance, line in told.items() if line.endswith("Instance is Leader.")}

    def ask(self, cell: str, **params: Any) -> dict[str, Any]:
        """Ask for the leader, and note what it cost."""
        answer = self.module("leader_info", **params)
        assert "leader" in answer, answer
        self.rows.append((cell, answer))
        return dict(answer["leader"])

    def found(self, cell: str, label: str, **params: Any) -> str:
        leader = self.ask(cell, **params)
        assert (leader["state"], leader["version_label"]) == ("found", label), leader
        assert self.elected() == {leader["instance_id"]}
        return str(leader["instance_id"])

    def table(self) -> str:
        lines = [f"{'':28}{'state':9}{'calls':>5}  by source"]
        for cell, answer in self.rows:
            spent = ", ".join(f"{cost['source']} {cost['api_calls']}" for cost in answer["costs"])
            lines.append(f"{cell:28}{answer['leader']['state']:9}{answer['api_calls']:5}  {spent}")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """A localstalk with containers whose clock runs fast, and two versions of a tiny application."""
    localstalk = Localstalk(tmp_path_factory.mktemp("home") / "localstalk")
    started = localstalk.cli("up", "--driver", "container", "--speed", "100")
    assert started.returncode == 0, started.stderr
    try:
        made = Matrix(localstalk, tmp_path_factory.mktemp("shop"))
        for label in ("v1", "v2"):
            made.version(label)
        yield made
    finally:
        localstalk.cli("down")
    assert localstalk.leftovers() == []


@pytest.fixture(autouse=True)
def table(matrix: Matrix, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """What was asked and answered in a test, and at which cost, is there to be read."""
    matrix.rows.clear()
    yield
    with capsys.disabled():
        print(f"\n{matrix.table()}")  # noqa: T201


@pytest.mark.slow
def test_after_deployments_and_departures(matrix: Matrix) -> None:
    matrix.create("v1")
    matrix.found("first deploy", "v1")
    matrix.deploy("v2")
    matrix.found("redeploy", "v2")
    matrix.deploy("v1", DeploymentPolicy="Rolling", **ONE_BY_ONE)
    matrix.found("rolling", "v1")
    # The next deployment is the CLI's own, and has the policy that the last one set.
    matrix.deploy("v2")
    _eb_cli(matrix)
    matrix.found("eb deploy", "by-eb")
    _disagreement(matrix)
    before = set(matrix.instances())
    matrix.deploy("v1", DeploymentPolicy="TrafficSplitting")
    assert not before & set(matrix.instances())
    assert matrix.ask("traffic splitting")["state"] == "none"
    assert matrix.elected() == set()
    _lost(matrix, "leader replaced", "v2", matrix.kill)
    _lost(matrix, "leader scaled in", "v1", lambda leader: _scale_in(matrix, leader))
    matrix.terminate()


@pytest.mark.slow
def test_the_rest_of_the_matrix(matrix: Matrix) -> None:
    """An immutable deployment, sources that are not asked unless told, commands, and nobody left who was there."""
    matrix.create("v1")
    before = set(matrix.instances())
    matrix.deploy("v2", DeploymentPolicy="Immutable")
    leader = matrix.found("immutable", "v2")
    assert leader not in before
    for source in ("ssm", "bundle"):
        assert matrix.found(f"asked by {source}", "v2", sources=[source]) == leader
        assert {item["via"] for item in matrix.rows[-1][1]["leader"]["evidence"]} == {source}
    _commands(matrix)
    matrix.kill(*matrix.instances())
    assert matrix.ask("all replaced")["state"] == "lost"


def _lost(matrix: Matrix, cell: str, label: str, remove: Callable[[str], None]) -> None:
    """A deployment has a leader, who then leaves."""
    matrix.deploy(label)
    leader = matrix.found("deploy again", label)
    remove(leader)
    lost = matrix.ask(cell)
    assert (lost["state"], lost["instance_id"]) == ("lost", leader), lost


def _eb_cli(matrix: Matrix) -> None:
    """The official CLI deploys: no hook of ours, nothing but the engine's log."""
    (matrix.folder / "Dockerfile").write_text(DOCKERFILE)
    (matrix.folder / "server.pl").write_text(SERVER)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | matrix.aws
    env |= {"HOME": str(matrix.folder.parent), "TERM": "dumb"}
    region = matrix.aws["AWS_DEFAULT_REGION"]
    for words in (
        ("init", NAME, "--region", region, "--platform", MODERN),
        ("deploy", NAME, "--label", "by-eb", "--timeout", "5"),
    ):
        done = subprocess.run(
            [EB, *words],
            cwd=matrix.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def _commands(matrix: Matrix) -> None:
    """instance_command finds its targets, and returns what each of them said."""
    (leader,) = matrix.elected()
    whoami = "curl -s http://169.254.169.254/latest/meta-data/instance-id || hostname"
    for target, expected in (("all", set(matrix.instances())), ("leader", {leader})):
        answer = matrix.module("instance_command", target=target, script=f"echo here; {whoami}")
        assert {item["instance_id"] for item in answer["results"]} == expected, answer
        assert {item["rc"] for item in answer["results"]} == {0}
        assert all(item["stdout"].startswith("here\n") for item in answer["results"])
    ones = [matrix.module("instance_command", target="one", script="id -u") for _ in range(2)]
    assert [item["stdout"] for one in ones for item in one["results"]] == ["0\n", "0\n"]
    assert ones[0]["results"][0]["instance_id"] == ones[1]["results"][0]["instance_id"] in matrix.instances()
    failed = matrix.module("instance_command", target="leader", script="echo no >&2; exit 3")
    assert f"first on {leader} (Failed, exit code 3): no" in failed["msg"]


def _disagreement(matrix: Matrix) -> None:
    (leader,) = matrix.elected()
    (other,) = set(matrix.instances()) - {leader}
    # Hooks run after the election of their own instance, and that may be some seconds after the other's.
    at = datetime.fromisoformat(matrix.rows[-1][1]["leader"]["at"][:19]) + timedelta(minutes=1)
    tag = {"Key": "jack:leader", "Value": f"leader - {at.isoformat()}Z by-eb"}
    matrix.ec2.create_tags(Resources=[leader], Tags=[tag])
    assert matrix.found("tag and log agree", "by-eb", sources=["tags", "tail"]) == leader
    matrix.ec2.create_tags(Resources=[other], Tags=[tag])
    assert matrix.ask("tag and log disagree")["state"] == "unknown"


def _scale_in(matrix: Matrix, leader: str) -> None:
    """The oldest goes when Auto Scaling takes one for want of load, the youngest when MaxSize becomes smaller."""
    (left,) = set(matrix.instances()) - {leader}
    if matrix.instances()[0] == leader:
        settings = {"MinSize": "1", "MaxSize": "2"}, {"LowerThreshold": "50"}
    else:
        settings = {"MinSize": "1", "MaxSize": "1"}, {}
    namespaces = ("aws:autoscaling:asg", "aws:autoscaling:trigger")
    matrix.eb.update_environment(
        EnvironmentName=NAME,
        OptionSettings=[
            {"Namespace": namespace, "OptionName": name, "Value": value}
            for namespace, values in zip(namespaces, settings, strict=True)
            for name, value in values.items()
        ],
    )
    matrix.until(lambda: matrix.instances() == [left])
    matrix.ready("v1")
