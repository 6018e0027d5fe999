# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the leader is after everything that can happen to an environment, and what asking costs; simulated instances."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

Run = Callable[..., dict[str, Any]]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
COMMAND = "aws:elasticbeanstalk:command"
TRIGGER = "aws:autoscaling:trigger"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
CPU = {"MeasureName": "CPUUtilization", "Unit": "Percent", "UpperThreshold": 90, "LowerThreshold": 10}
NAME = "matrix"


class Matrix:
    """One environment of two instances, and what is done to it."""

    def __init__(self, run: Run, aws: dict[str, str], faults: Any) -> None:
        self.run, self.faults = run, faults
        self.ec2 = boto3.client(
            "ec2",
            endpoint_url=aws["endpoint_url"],
            region_name=aws["region"],
            aws_access_key_id=aws["access_key"],
            aws_secret_access_key=aws["secret_key"],
        )

    def deploy(self, label: str, *, size: int = 2, properties: dict[str, str] | None = None, **command: Any) -> None:
        done = self.run(
            "environment",
            application=NAME,
            name=NAME,
            cname_prefix=NAME,
            platform="Docker running on 64bit Amazon Linux 2023",
            version_label=label,
            instance_profile="aws-elasticbeanstalk-ec2-role",
            load_balancer="application",
            min_size=size,
            max_size=2,
            option_settings={
                COMMAND: {"DeploymentPolicy": "AllAtOnce", "BatchSize": 100, **command},
                TRIGGER: CPU,
                PROPERTIES: properties or {},
            },
            **QUICK,
        )
        assert not done.get("failed"), done["msg"]

    def instances(self) -> list[str]:
        found = self.run("instance_info", application=NAME, names=[NAME])["instances"]
        return [
            item["instance_id"] for item in found if item["version_label"] and item["deployment_status"] == "Deployed"
        ]

    def ask(self, **more: Any) -> dict[str, Any]:
        answer = self.run("leader_info", application=NAME, name=NAME, poll_interval=0.2, wait_timeout=30, **more)
        assert not answer.get("failed"), answer["msg"]
        assert answer["leader"] == answer["leaders"][0]["leader"]
        assert answer["api_calls"] == sum(cost["api_calls"] for cost in answer["costs"])
        return answer

    def found(self, label: str) -> str:
        """The leader, after a look at whether exactly its log says so."""
        leader = self.ask()["leader"]
        assert (leader["state"], leader["version_label"], leader["command"]) == ("found", label, "app-deploy"), leader
        claims = {item["instance_id"] for item in leader["evidence"] if item["says"] == "leader"}
        assert claims == {leader["instance_id"]}
        assert leader["instance_id"] in self.instances()
        return str(leader["instance_id"])

    def until(self, holds: Callable[[set[str]], bool]) -> set[str]:
        """Wait until the instances that are there and deployed are as wanted."""
        deadline = time.monotonic() + 60
        while not holds(found := set(self.instances())):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        return found


@pytest.fixture
def matrix(run: Run, aws: dict[str, str], faults: Any, bundle: Callable[[str], str]) -> Iterator[Matrix]:
    run("application", name=NAME)
    for label in ("v1", "v2"):
        run("application_version", application=NAME, version_label=label, src=bundle(label), **QUICK)
    yield Matrix(run, aws, faults)
    faults.clear()
    run("environment", application=NAME, name=NAME, state="absent", **QUICK)


def test_after_deployments(matrix: Matrix) -> None:
    matrix.deploy("v1")
    matrix.found("v1")
    matrix.deploy("v2")
    first = matrix.found("v2")
    matrix.deploy("v2", properties={"COLOUR": "red"})
    assert matrix.found("v2") == first, "a configuration deployment elects nobody"
    matrix.deploy("v1", DeploymentPolicy="Rolling", BatchSizeType="Fixed", BatchSize=1)
    matrix.found("v1")
    before = set(matrix.instances())
    matrix.deploy("v2", DeploymentPolicy="Immutable")
    assert matrix.found("v2") not in before
    answer = matrix.ask()
    assert [cost["source"] for cost in answer["costs"]] == ["description", "tags", "tail"]
    assert answer["api_calls"] <= 7
    assert {item["source"] for item in answer["leader"]["evidence"]} == {"engine_log"}


def test_after_traffic_splitting(matrix: Matrix) -> None:
    matrix.deploy("v1")
    matrix.deploy("v2", DeploymentPolicy="TrafficSplitting")
    leader = matrix.ask()["leader"]
    assert (leader["state"], leader["instance_id"]) == ("none", None), leader
    assert {item["says"] for item in leader["evidence"]} == {"not_leader"}
    # Later somebody leaves: there was still no leader to lose.
    victim = matrix.instances()[0]
    matrix.faults.add(kind="instance", state="killed", instance=victim)
    matrix.until(lambda now: victim not in now and len(now) == 2)
    answer = matrix.ask()
    assert (answer["leader"]["state"], answer["leader"]["reason"]) == ("none", "traffic splitting elects no leader")
    assert answer["costs"][-1] == {"source": "settings", "environments": 1, "api_calls": 1}


def test_after_the_leader_left(matrix: Matrix) -> None:
    matrix.deploy("v1")
    leader = matrix.found("v1")
    (other,) = set(matrix.instances()) - {leader}
    # Auto Scaling takes the oldest, a smaller MaxSize the youngest: whichever of the two the leader is.
    matrix.deploy("v1", size=1)
    matrix.faults.add(kind="cpu", percent=1)
    left = matrix.until(lambda now: len(now) == 1)
    if left == {leader}:
        assert matrix.found("v1") == leader
        matrix.faults.clear()
        matrix.faults.add(kind="instance", state="killed", instance=leader)
        matrix.until(lambda now: leader not in now and len(now) == 1)
    else:
        assert left == {other}
    lost = matrix.ask()["leader"]
    assert lost["state"] == "lost", lost
    assert lost["instance_id"] in (leader, None)
    matrix.faults.clear()
    matrix.deploy("v2", size=2)
    matrix.found("v2")


def test_after_instances_were_replaced(matrix: Matrix) -> None:
    matrix.deploy("v1")
    leader = matrix.found("v1")
    (other,) = set(matrix.instances()) - {leader}
    matrix.faults.add(kind="instance", state="killed", instance=leader)
    matrix.until(lambda now: leader not in now and len(now) == 2)
    lost = matrix.ask()["leader"]
    assert (lost["state"], lost["instance_id"]) == ("lost", leader), lost
    assert "leader" in {item["says"] for item in lost["evidence"]}, "the new instance led itself"
    matrix.faults.add(kind="instance", state="killed", instance=other)
    matrix.until(lambda now: other not in now and len(now) == 2)
    lost = matrix.ask()["leader"]
    assert (lost["state"], lost["reason"]) == ("lost", "every instance was launched after the deployment")


def test_evidence_that_disagrees(matrix: Matrix) -> None:
    matrix.deploy("v1")
    leader = matrix.found("v1")
    (other,) = set(matrix.instances()) - {leader}
    at = matrix.ask()["leader"]["at"][:19] + "Z"
    tag = {"Key": "jack:leader", "Value": f"leader 1 {at} v1"}
    matrix.ec2.create_tags(Resources=[leader], Tags=[tag])
    agreed = matrix.ask(sources=["tags", "tail"])
    assert {item["source"] for item in agreed["leader"]["evidence"]} == {"engine_log", "ec2_tag"}
    assert (agreed["leader"]["instance_id"], agreed["leader"]["deployment_id"]) == (leader, 1)
    assert matrix.ask(sources=["tags"])["leader"]["reason"] == "its tag says so"
    matrix.ec2.create_tags(Resources=[other], Tags=[tag])
    torn = matrix.ask()["leader"]
    assert (torn["state"], torn["reason"]) == ("unknown", f"the evidence of {other} contradicts itself")
    command = matrix.run("instance_command", application=NAME, name=NAME, target="leader", script="true")
    assert f"has no leader to run the command on (unknown): the evidence of {other}" in command["msg"]
    # Simulated instances have no logs that a script could read, and whole logs tell what their ends tell.
    silent = matrix.ask(sources=["ssm"])["leader"]
    assert silent["reason"] == "no source tells of an election; no instance answered to Systems Manager"
    assert matrix.ask(sources=["bundle"])["leader"]["instance_id"] == leader
