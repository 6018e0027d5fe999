# SPDX-License-Identifier: GPL-3.0-or-later
"""The leaders of many environments cost a handful of requests more than the leader of one."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader import query, sources

Run = Callable[..., dict[str, Any]]
COUNT = 50
FLEET = "fleet"


@pytest.fixture(scope="module")
def clients(aws: dict[str, str]) -> dict[str, Any]:
    keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
    return {
        name: boto3.client(name, endpoint_url=aws["endpoint_url"], region_name=aws["region"], **keys)
        for name in ("elasticbeanstalk", "ec2", "ssm")
    }


@pytest.fixture(scope="module")
def fleet(clients: dict[str, Any]) -> Iterator[list[str]]:
    """Names of fifty Ready environments of one instance each, deployed by plain boto3."""
    eb = clients["elasticbeanstalk"]
    eb.create_application(ApplicationName=FLEET)
    names = [f"fleet-{number:02d}" for number in range(COUNT)]
    values = {
        "aws:autoscaling:launchconfiguration": ("IamInstanceProfile", "aws-elasticbeanstalk-ec2-role"),
        "aws:elasticbeanstalk:environment": ("EnvironmentType", "SingleInstance"),
    }
    settings = [{"Namespace": key, "OptionName": name, "Value": value} for key, (name, value) in values.items()]
    for name in names:
        eb.create_environment(
            ApplicationName=FLEET,
            EnvironmentName=name,
            CNAMEPrefix=name,
            SolutionStackName="64bit Amazon Linux 2023 v4.8.0 running Docker",
            OptionSettings=settings,
        )
    eb.get_waiter("environment_exists").wait(ApplicationName=FLEET, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    yield names
    eb.delete_application(ApplicationName=FLEET, TerminateEnvByForce=True)


@pytest.fixture
def ask(run: Run) -> Callable[..., dict[str, Any]]:
    def call(**params: Any) -> dict[str, Any]:
        answer = run("leader_info", poll_interval=0.2, wait_timeout=60, **params)
        assert not answer.get("failed"), answer["msg"]
        return answer

    return call


def states(answer: dict[str, Any]) -> list[str]:
    return [item["leader"]["state"] for item in answer["leaders"]]


def costs(answer: dict[str, Any]) -> dict[str, int]:
    return {cost["source"]: cost["api_calls"] for cost in answer["costs"]}


def test_by_tags(ask: Any, fleet: list[str], clients: dict[str, Any]) -> None:
    """Three requests for one environment and for fifty, whichever way they are named."""
    logs = ask(application=FLEET, names=fleet[:2], sources=["tail"])
    assert states(logs) == ["found", "found"]
    reservations = clients["ec2"].describe_instances(
        Filters=[{"Name": "tag:elasticbeanstalk:environment-name", "Values": fleet}], MaxResults=1000
    )["Reservations"]
    environments = clients["elasticbeanstalk"].describe_environments(ApplicationName=FLEET)["Environments"]
    at = max(item["DateUpdated"] for item in environments)
    for reservation in reservations:
        for instance in reservation["Instances"]:
            value = f"leader 1 {at:%Y-%m-%dT%H:%M:%SZ} Sample Application"
            clients["ec2"].create_tags(
                Resources=[instance["InstanceId"]], Tags=[{"Key": "jack:leader", "Value": value}]
            )
    one = ask(names=fleet[:1], sources=["tags"])
    assert one["leader"]["state"] == "found"
    assert one["environment"]["environment_name"] == fleet[0]
    for named in (
        {"application": FLEET},
        {"names": fleet},
        {"ids": [item["EnvironmentId"] for item in environments]},
        {"application": FLEET, "cname_prefixes": [item["CNAME"].split(".")[0] for item in environments]},
    ):
        answer = ask(**named)
        assert states(answer) == ["found"] * COUNT
        assert [item["environment"]["environment_name"] for item in answer["leaders"]] == fleet
        assert "leader" not in answer
        assert costs(answer) == {"description": 3, "tags": 0}
        assert answer["api_calls"] == one["api_calls"] == 3


def test_by_systems_manager(fleet: list[str], clients: dict[str, Any]) -> None:
    """Simulated instances have no shell: Systems Manager is a double here, which answers what the script prints."""
    section = "\n".join(
        ["-" * 10, "/var/log/eb-engine.log", "-" * 10, "2099/01/01 00:00:00.000000 [INFO] Instance is Leader.", ""]
    )
    packed = base64.b64encode(gzip.compress(section.encode())).decode()

    class Manager:
        def __init__(self) -> None:
            self.sent: list[Any] = []
            self.calls = 0

        def send_command(self, **params: Any) -> dict[str, Any]:
            self.calls += 1
            self.sent.append(params["Targets"])
            return {"Command": {"CommandId": str(len(self.sent) - 1)}}

        def list_commands(self, **params: Any) -> dict[str, Any]:
            self.calls += 1
            return {"Commands": [{"Status": "Success"}]}

        def list_command_invocations(self, **params: Any) -> dict[str, Any]:
            self.calls += 1
            (target,) = self.sent[int(params["CommandId"])]
            return {
                "CommandInvocations": [
                    {"InstanceId": name, "Status": "Success", "CommandPlugins": [{"Output": packed + "\n"}]}
                    for name, environment in owner.items()
                    if environment in target["Values"]
                ]
            }

    listed = clients["elasticbeanstalk"].describe_environments(ApplicationName=FLEET)["Environments"]
    ids = [item["EnvironmentId"] for item in listed]
    there = sources.read_instances(clients["ec2"], ids)
    owner = {one.instance_id: one.environment_id for found in there.values() for one in found}
    params = {"wait_timeout": 10, "poll_interval": 0.1, "sources": ["ssm"]}
    spent = []
    for count in (1, COUNT):
        manager = Manager()
        services = sources.Services(clients["elasticbeanstalk"], clients["ec2"], manager)
        asked = query.LeaderQuery(services, params, lambda manager=manager: manager.calls)
        answers = asked.ask(listed[:count])
        assert {answer["leader"]["state"] for answer in answers} == {"found"}
        assert {item["via"] for answer in answers for item in answer["leader"]["evidence"]} == {"ssm"}
        spent.append(asked.costs[-1]["api_calls"])
    assert spent == [3, 3]
    manager = Manager()
    sources.from_ssm(manager, [f"e-{number}" for number in range(60)], {}, sources.Deadline(1, 0.1))
    assert [len(target["Values"]) for (target,) in manager.sent] == [50, 10]


def test_log_requests_for_several(ask: Any, fleet: list[str]) -> None:
    """Systems Manager knows none of them, so that logs are asked for: all at once, and looked for."""
    answer = ask(names=fleet[:5], sources=["ssm", "tail"])
    assert states(answer) == ["found"] * 5
    spent = costs(answer)
    assert spent["description"] == 3
    assert 10 <= spent["tail"] <= 25


def test_names_that_are_not_there(run: Run, fleet: list[str]) -> None:
    for params, message in (
        (
            {"application": FLEET, "names": [fleet[0], "nobody", "none"]},
            "The application fleet has no environment nobody, none.",
        ),
        ({"ids": ["e-nothing"]}, "This region has no environment e-nothing."),
        ({}, "one of the following is required: application, cname_prefixes, ids, names"),
        ({"names": ["a"], "ids": ["b"]}, "parameters are mutually exclusive: cname_prefixes|ids|names"),
    ):
        assert message in run("leader_info", **params)["msg"]
