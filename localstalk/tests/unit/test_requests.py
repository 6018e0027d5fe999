# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests in enhanced health: counted in the instances' access logs, whatever the environment scales by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from control_plane import SINGLE, Localstalk, option

from localstalk.driver import Load
from localstalk.drivers.container.instances import Instance
from localstalk.engine.agent import OWN_AGENT, AccessLog

ASG = "aws:autoscaling:asg"


def line(status: int, agent: str = "curl/8") -> str:
    return f'127.0.0.1 - - [01/Aug/2026:02:00:00 +0000] "GET /a HTTP/1.1" {status} 5 "-" "{agent}" "-"\n'


def test_an_environment_tells_the_requests_of_all_its_instances(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option(ASG, "MinSize", "2"), option(ASG, "MaxSize", "2"))
    localstalk.create("env-two", SINGLE)
    instances = [
        each["InstanceId"]
        for each in localstalk.eb.describe_instances_health(EnvironmentName="env-one")["InstanceHealthList"]
    ]
    localstalk.driver.set_instance(instances[0], load=Load(1.0, {"2": 19.5, "5": 0.5}))
    localstalk.driver.set_instance(instances[1], load=Load(1.0, {"2": 3.0, "3": 1.0}))
    localstalk.advance(20)
    whole = localstalk.eb.describe_environment_health(EnvironmentName="env-one", AttributeNames=["All"])[
        "ApplicationMetrics"
    ]
    codes = {"Status2xx": 225, "Status3xx": 10, "Status4xx": 0, "Status5xx": 5}
    assert (whole["Duration"], whole["RequestCount"], whole["StatusCodes"]) == (10, 240, codes)
    listed = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["ApplicationMetrics"])
    counts = {one["InstanceId"]: one["ApplicationMetrics"]["RequestCount"] for one in listed["InstanceHealthList"]}
    assert counts == {instances[0]: 200, instances[1]: 40}
    other = localstalk.eb.describe_environment_health(EnvironmentName="env-two", AttributeNames=["ApplicationMetrics"])
    assert other["ApplicationMetrics"]["RequestCount"] == 0


def test_the_access_log_is_read_once_and_without_localstalks_own_requests(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(path)
    assert log.counts() == ({}, {})
    path.write_text(line(200) + line(503, "ELB-HealthChecker/2.0") + line(200, OWN_AGENT) + "not a request\n")
    assert log.counts() == ({"2": 1}, {"5": 1}), "health checks apart"
    half = line(404)
    with path.open("a") as file:
        file.write(line(204) + half[:30])
    assert log.counts() == ({"2": 2}, {"5": 1})
    with path.open("a") as file:
        file.write(half[30:])
    assert log.counts() == ({"2": 2, "4": 1}, {"5": 1})
    path.write_text(line(200))
    assert log.counts() == ({"2": 3, "4": 1}, {"5": 1}), "a log that was emptied begins anew"


def stat(at: float, visits: int, checks: int) -> dict[str, Any]:
    return {"at": at, "cpu_seconds": 0.0, "requests": {"2": visits, "4": 1}, "checks": {"2": checks}}


def test_health_checks_are_counted_as_rarely_as_aws_sends_them() -> None:
    """At twenty times the speed there are twenty times as many in a real second, which nobody else's visits are."""
    instance = Instance(spec=None, address="")  # type: ignore[arg-type]
    assert instance.load(stat(100, 5, 400), 0.05) == Load()
    assert instance.load(stat(100.5, 50, 4000), 0.05) == Load(), "not before a second is over"
    assert instance.load(stat(110, 35, 600), 0.05).requests == {"2": 3 + 20 * 0.05}
