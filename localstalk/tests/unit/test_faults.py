# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: what they refuse, what they break, and that they are repeatable."""

from __future__ import annotations

import json
import time
from typing import Any

import botocore.exceptions
import pytest
from botocore.config import Config
from control_plane import STACK, Localstalk, option

from localstalk import injection
from localstalk.driver import Command
from localstalk.faults import KINDS, ApiCall, FaultError, Faults, read

TWO = option("aws:autoscaling:asg", "MinSize", "2")
ROLLING = {"DeploymentPolicy": "Rolling", "BatchSizeType": "Fixed", "BatchSize": "1"}
CALL = ApiCall("elasticbeanstalk", "DescribeEvents", "1", "us-east-1")


class Admin:
    """The admin API of one localstalk."""

    def __init__(self, localstalk: Localstalk) -> None:
        self.localstalk = localstalk

    def ask(self, method: str, path: str = "", body: object = None) -> tuple[int, Any]:
        sent = None if body is None else json.dumps(body).encode()
        status, text = self.localstalk.ask(f"faults{path}", method, sent)
        return status, json.loads(text) if status < 400 else text.strip()

    def add(self, kind: str, **fields: object) -> dict[str, Any]:
        status, content = self.ask("POST", body={"kind": kind} | fields)
        assert status == 201, content
        found: dict[str, Any] = content
        return found


@pytest.fixture
def admin(localstalk: Localstalk) -> Admin:
    return Admin(localstalk)


@pytest.fixture
def once(localstalk: Localstalk) -> Any:
    """A client that does not retry."""
    return localstalk.client("elasticbeanstalk", config=Config(retries={"total_max_attempts": 1}))


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ([], "A fault is a JSON object with a kind and the fields of that kind."),
        (
            {"kind": "flood"},
            f"kind must be one of {', '.join(KINDS)}.",
        ),
        ({"kind": "throttle", "rate": 2}, "burst is missing; throttle needs it."),
        ({"kind": "throttle", "rate": -1, "burst": 1}, "rate must be a number from 0 to 1e+06."),
        ({"kind": "throttle", "rate": True, "burst": 1}, "rate must be a number from 0 to 1e+06."),
        ({"kind": "latency", "seconds": "soon"}, "seconds must be a number from 0 to 3600."),
        ({"kind": "latency", "seconds": "nan"}, "seconds must be a number from 0 to 3600."),
        ({"kind": "error", "code": ""}, "code must be a text of 1 to 1000 characters."),
        ({"kind": "error", "code": "X", "http_status": 200}, "http_status must be a whole number from 400 to 599."),
        ({"kind": "drop", "times": 0}, "times must be a whole number from 1 to 1000000."),
        ({"kind": "drop", "times": 1.5}, "times must be a whole number from 1 to 1000000."),
        ({"kind": "drop", "probability": 2}, "probability must be a number from 0 to 1."),
        (
            {"kind": "drop", "operations": [1]},
            "operations must be a list of names (or names with commas between them).",
        ),
        (
            {"kind": "stuck", "operation": "dance"},
            "operation must be one of create, deploy, config, terminate, rebuild, restart, swap, tags.",
        ),
        (
            {"kind": "health", "health": "Red"},
            "health must be one of Ok, Info, Warning, Degraded, Severe, Unknown, NoData.",
        ),
        ({"kind": "instance", "state": "killed"}, "instance or environment is missing; killed needs one of them."),
        (
            {"kind": "stuck", "rate": 1},
            "rate is not a field of stuck; its fields are operation, environment, seconds.",
        ),
    ],
)
def test_a_bad_field_is_one_sentence(wanted: object, sentence: str) -> None:
    with pytest.raises(FaultError) as caught:
        read(wanted)
    assert str(caught.value) == sentence


def test_text_from_the_command_line_is_read_as_what_it_means() -> None:
    _, values = read(
        {"kind": "throttle", "rate": "2", "burst": "15", "operations": "DescribeEvents,DescribeEnvironments"}
    )
    assert (values["rate"], values["burst"]) == (2.0, 15.0)
    assert values["operations"] == ("DescribeEvents", "DescribeEnvironments")


def test_a_token_bucket_per_account_and_region() -> None:
    faults = Faults()
    faults.add({"kind": "throttle", "rate": 2, "burst": 3})
    other = ApiCall("elasticbeanstalk", "DescribeEvents", "2", "us-east-1")

    def refused(call: ApiCall, now: float) -> bool:
        error = faults.meet(call, now).error
        assert error in (None, ("Throttling", "Rate exceeded", 400))
        return error is not None

    assert [refused(CALL, 0) for _ in range(5)] == [False, False, False, True, True]
    assert [refused(other, 0) for _ in range(4)] == [False, False, False, True]
    assert [refused(CALL, 1) for _ in range(3)] == [False, False, True]
    assert [refused(CALL, 60) for _ in range(4)] == [False, False, False, True]
    assert faults.overview()[0]["hits"] == 5


def test_a_seed_makes_probability_repeatable() -> None:
    def pattern(seed: int) -> list[bool]:
        faults = Faults()
        faults.add({"kind": "drop", "probability": 0.5, "seed": seed})
        return [faults.meet(CALL, 0).drop for _ in range(40)]

    assert pattern(1) == pattern(1)
    assert pattern(1) != pattern(2)
    assert 5 < sum(pattern(1)) < 35


def test_faults_hit_only_the_calls_that_they_name() -> None:
    faults = Faults()
    faults.add({"kind": "error", "code": "ServiceUnavailable", "http_status": 503, "operations": ["DescribeEvents"]})
    assert faults.meet(CALL, 0).error == ("ServiceUnavailable", "Injected fault.", 503)
    for other in (
        ApiCall("elasticbeanstalk", "UpdateEnvironment", "1", "us-east-1"),
        ApiCall("s3", "DescribeEvents", "1", "us-east-1"),
    ):
        assert faults.meet(other, 0).error is None


def test_throttling_reaches_clients_as_aws_says_it(admin: Admin, once: Any) -> None:
    admin.add("throttle", rate=2, burst=2, operations=["DescribeEvents"])
    for _ in range(2):
        once.describe_events()
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        once.describe_events()
    response = caught.value.response
    assert response["Error"] == {"Type": "Sender", "Code": "Throttling", "Message": "Rate exceeded"}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    once.describe_environments()
    admin.localstalk.advance(1)
    once.describe_events()


def test_an_error_n_times(admin: Admin, once: Any) -> None:
    fault = admin.add("error", code="InternalFailure", http_status=500, times=2)
    for _ in range(2):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            once.describe_applications()
        assert caught.value.response["Error"]["Code"] == "InternalFailure"
    once.describe_applications()
    assert admin.ask("GET") == (200, [fault | {"hits": 2, "left": 0}])


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("s3", "list_buckets", {}),
        ("ec2", "describe_instances", {}),
        ("secretsmanager", "list_secrets", {}),
        ("iam", "list_users", {}),
    ],
)
def test_errors_of_other_services(
    localstalk: Localstalk, admin: Admin, service: str, operation: str, arguments: Any
) -> None:
    admin.add("error", code="AccessDenied", message="No & never.", http_status=403, service=service)
    client = localstalk.client(service, config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client, operation)(**arguments)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("AccessDenied", "No & never.")


def test_a_dropped_answer_comes_after_the_effect(admin: Admin, once: Any) -> None:
    admin.add("drop", operations=["CreateApplication"], times=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        once.create_application(ApplicationName="shop")
    assert [each["ApplicationName"] for each in once.describe_applications()["Applications"]] == ["shop"]


def test_latency(admin: Admin, once: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(injection, "pause", waited.append)
    admin.add("latency", seconds=3)
    once.describe_applications()
    assert waited == [3.0]


def test_a_stuck_workflow_goes_on_when_it_is_let_go(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create()
    fault = admin.add("stuck", operation="deploy", environment="env-one")
    localstalk.version("v2")
    localstalk.update(VersionLabel="v2")
    assert (localstalk.environment()["Status"], localstalk.environment()["VersionLabel"]) == ("Updating", "v1")
    assert localstalk.lines(EnvironmentName="env-one")[-1].startswith(
        ("Environment update is starting.", "Environment health")
    )
    assert admin.ask("DELETE", f"/{fault['id']}") == (200, [])
    localstalk.advance(3600)
    assert (localstalk.environment()["Status"], localstalk.environment()["VersionLabel"]) == ("Ready", "v2")


def test_workflows_may_be_stuck_for_a_while_each(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create()
    admin.add("stuck", operation="deploy", seconds=600)
    for label in ("v2", "v3"):
        localstalk.version(label)
        localstalk.eb.update_environment(EnvironmentName="env-one", VersionLabel=label)
        localstalk.advance(590)
        assert (localstalk.environment()["Status"], localstalk.environment()["VersionLabel"] == label) == (
            "Updating",
            False,
        )
        localstalk.advance(590)
        assert (localstalk.environment()["Status"], localstalk.environment()["VersionLabel"]) == ("Ready", label)


def test_red_health(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create()
    admin.add("health", environment="env-one", health="Severe")
    localstalk.advance(20)
    assert (localstalk.environment()["Health"], localstalk.environment()["HealthStatus"]) == ("Red", "Severe")
    assert localstalk.lines(EnvironmentName="env-one")[-1] == (
        "WARN Environment health has transitioned from Ok to Severe. Environment health was set by a fault."
    )
    admin.ask("DELETE")
    localstalk.advance(20)
    assert localstalk.environment()["Health"] == "Green"


def instances(localstalk: Localstalk) -> dict[str, str]:
    found = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])
    return {each["InstanceId"]: each["HealthStatus"] for each in found["InstanceHealthList"]}


def test_an_unhealthy_and_a_missing_instance(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create("env-one", TWO)
    first, second = instances(localstalk)
    admin.add("instance", state="unhealthy", instance=first)
    localstalk.advance(120)
    assert instances(localstalk) == {first: "Severe", second: "Ok"}
    assert localstalk.environment()["Health"] == "Red"
    admin.ask("DELETE")
    admin.add("instance", state="missing", instance=first)
    localstalk.advance(120)
    assert instances(localstalk) == {second: "Ok"}


def test_an_unhealthy_instance_fails_a_deployment(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create("env-one", TWO)
    localstalk.version("v2")
    admin.add("instance", state="unhealthy", instance=next(iter(instances(localstalk))))
    request_id = localstalk.update(VersionLabel="v2")
    assert (
        "ERROR Instance id(s) 'i-x' did not pass health check after command execution. Aborting the operation."
        in localstalk.lines(request_id)
    )
    assert localstalk.environment()["VersionLabel"] == "v1"


def test_a_killed_instance_is_replaced(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create("env-one", TWO)
    first, second = instances(localstalk)
    killed = admin.add("instance", state="killed", environment="env-one")
    assert (killed["instance"], admin.ask("GET")) == (first, (200, []))
    localstalk.advance(600)
    now = instances(localstalk)
    assert (len(now), first in now, now[second]) == (2, False, "Ok")
    assert admin.ask("POST", body={"kind": "instance", "state": "killed", "instance": first}) == (
        404,
        f"There is no instance {first}.",
    )


def ssm_status(localstalk: Localstalk, instance_id: str) -> tuple[str, str, int]:
    ssm = localstalk.client("ssm")
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=[instance_id], Parameters={"commands": ["true"]}
    )["Command"]
    deadline = time.monotonic() + 10
    while True:
        got = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=instance_id)
        if got["Status"] != "InProgress":
            return got["Status"], got["StatusDetails"], got["ResponseCode"]
        assert time.monotonic() < deadline


def test_instances_that_systems_manager_cannot_reach(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create("env-one")
    localstalk.create("env-two")
    first, second = (next(iter(localstalk.region.by_name(name).instances)) for name in ("env-one", "env-two"))  # type: ignore[union-attr]
    fault = admin.add("ssm", environment="env-one")
    assert ssm_status(localstalk, first) == ("Failed", "Undeliverable", -1)
    # The sim driver has no shell: this one was reached.
    assert ssm_status(localstalk, second) == ("Failed", "Failed", 127)
    ssm = localstalk.client("ssm")
    (command,) = [each for each in ssm.list_commands()["Commands"] if each["InstanceIds"] == [first]]
    assert (command["Status"], command["StatusDetails"], command["ErrorCount"]) == ("Failed", "Undeliverable", 1)

    def pings(**filters: Any) -> dict[str, str]:
        found = ssm.describe_instance_information(**filters)["InstanceInformationList"]
        return {each["InstanceId"]: each["PingStatus"] for each in found}

    assert pings() == {first: "ConnectionLost", second: "Online"}
    assert pings(Filters=[{"Key": "InstanceIds", "Values": [first]}]) == {first: "ConnectionLost"}
    admin.ask("DELETE", f"/{fault['id']}")
    assert ssm_status(localstalk, first)[1] == "Failed"
    assert pings() == {first: "Online", second: "Online"}


LIVE, NEXT = "live.us-east-1.elasticbeanstalk.com", "next.us-east-1.elasticbeanstalk.com"


def start_swap(localstalk: Localstalk) -> tuple[str, str]:
    ids = (localstalk.create("env-one", CNAMEPrefix="live"), localstalk.create("env-two", CNAMEPrefix="next"))
    localstalk.eb.swap_environment_cnames(SourceEnvironmentName="env-one", DestinationEnvironmentName="env-two")
    return ids


def test_names_that_change_before_the_end_of_a_swap(localstalk: Localstalk, admin: Admin) -> None:
    admin.add("dns", offset=-3)
    one, two = start_swap(localstalk)
    localstalk.advance(1.5)
    assert (localstalk.driver.leads_to(LIVE), localstalk.driver.leads_to(NEXT)) == (one, two)
    localstalk.advance(1)
    assert (localstalk.driver.leads_to(LIVE), localstalk.driver.leads_to(NEXT)) == (two, one)
    assert (localstalk.environment()["CNAME"], localstalk.environment()["Status"]) == (LIVE, "Updating")
    localstalk.advance(3)
    assert (localstalk.environment()["CNAME"], localstalk.environment()["Status"]) == (NEXT, "Ready")


def test_names_that_change_after_the_end_of_a_swap(localstalk: Localstalk, admin: Admin) -> None:
    fault = admin.add("dns", offset=30, environment="env-two")
    one, two = start_swap(localstalk)
    localstalk.advance(10)
    assert (localstalk.environment()["CNAME"], localstalk.environment()["Status"]) == (NEXT, "Ready")
    assert (localstalk.driver.leads_to(LIVE), localstalk.driver.leads_to(NEXT)) == (one, two)
    localstalk.advance(30)
    assert (localstalk.driver.leads_to(LIVE), localstalk.driver.leads_to(NEXT)) == (two, one)
    # Without the fault, names and API change together; a late change in between does no harm.
    localstalk.eb.swap_environment_cnames(SourceEnvironmentName="env-one", DestinationEnvironmentName="env-two")
    localstalk.advance(10)
    admin.ask("DELETE", f"/{fault['id']}")
    localstalk.eb.swap_environment_cnames(SourceEnvironmentName="env-one", DestinationEnvironmentName="env-two")
    localstalk.advance(10)
    assert (localstalk.driver.leads_to(LIVE), localstalk.driver.leads_to(NEXT)) == (two, one)
    localstalk.advance(60)
    assert (localstalk.driver.leads_to(LIVE), localstalk.driver.leads_to(NEXT)) == (two, one)


def test_a_localstalk_inside_another_process_cannot_restart(admin: Admin) -> None:
    status, text = admin.ask("POST", body={"kind": "restart", "seconds": 1})
    assert (status, text) == (503, "This localstalk runs inside another process, which cannot restart it.")


@pytest.mark.parametrize(("outcome", "line"), [("FAILURE", "Failed: 1"), ("TIMEOUT", "TimedOut: 1")])
def test_failing_hooks(localstalk: Localstalk, admin: Admin, outcome: str, line: str) -> None:
    localstalk.create("env-one", TWO)
    localstalk.version("v2")
    admin.add("command", environment="env-one", version="v2", outcome=outcome, times=1)
    lines = localstalk.lines(localstalk.update(VersionLabel="v2"))
    assert f"Command execution completed on all instances. Summary: [Successful: 1, {line}]." in lines
    assert localstalk.environment()["VersionLabel"] == "v1"
    localstalk.update(VersionLabel="v2")
    assert localstalk.environment()["VersionLabel"] == "v2"


def test_failing_log_requests(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.create()
    admin.add("command", command="tail-log")
    localstalk.eb.request_environment_info(EnvironmentName="env-one", InfoType="tail")
    localstalk.advance(30)
    assert localstalk.lines(EnvironmentName="env-one")[-1] == "ERROR Failed to pull logs for environment instances."
    assert localstalk.eb.retrieve_environment_info(EnvironmentName="env-one", InfoType="tail")["EnvironmentInfo"] == []


@pytest.mark.parametrize(("fault", "leaders"), [(False, 1), (True, 2)])
def test_batches_share_a_leader_or_not(localstalk: Localstalk, admin: Admin, fault: bool, leaders: int) -> None:
    rolling = [option("aws:elasticbeanstalk:command", *pair) for pair in ROLLING.items()]
    localstalk.create("env-one", TWO, *rolling)
    if fault:
        admin.add("election", environment="env-one")
    localstalk.version("v2")
    before = elected(localstalk)
    localstalk.update(VersionLabel="v2")
    assert elected(localstalk) - before == leaders


def elected(localstalk: Localstalk) -> int:
    """How often an instance of env-one was told that it leads."""
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    command = Command("tail-log", "", 0, "", 1.0)
    logs = [localstalk.driver.run(each["Id"], command).output for each in resources["Instances"]]
    return sum(log.count("Instance is Leader.") for log in logs)


def test_a_stuck_launch_is_still_there(localstalk: Localstalk, admin: Admin) -> None:
    localstalk.version("v1")
    admin.add("stuck", operation="create")
    localstalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-one", VersionLabel="v1", SolutionStackName=STACK
    )
    localstalk.advance(7200)
    assert localstalk.environment()["Status"] == "Launching"


def test_the_admin_api_refuses_in_one_sentence(admin: Admin) -> None:
    assert admin.ask("POST", body={"kind": "drop", "times": "x"}) == (
        400,
        "times must be a whole number from 1 to 1000000.",
    )
    assert admin.ask("DELETE", "/77") == (404, "There is no fault 77.")
    assert admin.ask("PUT") == (405, "PUT is not possible on faults.")
    assert admin.ask("DELETE") == (200, [])
