# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto Scaling with real instances: a busy one gets company, a killed one is replaced."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from localstalk.testing import Localstalk

pytest_plugins = ["localstalk.testing"]
pytestmark = pytest.mark.containers

SERVER = r"""
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r?$/ }
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
  close $client;
}
"""
DOCKERFILE = 'FROM debian:bookworm-slim\nCOPY server.pl /\nEXPOSE 8000\nCMD ["perl", "/server.pl"]\n'
STACK = "64bit Amazon Linux 2023 v4.8.0 running Docker"
OPTIONS = {
    ("aws:autoscaling:launchconfiguration", "IamInstanceProfile"): "aws-elasticbeanstalk-ec2-role",
    ("aws:autoscaling:asg", "MinSize"): "1",
    ("aws:autoscaling:asg", "MaxSize"): "2",
    ("aws:autoscaling:trigger", "MeasureName"): "CPUUtilization",
    ("aws:autoscaling:trigger", "UpperThreshold"): "90",
    ("aws:autoscaling:trigger", "LowerThreshold"): "0",
}


def create(localstalk: Localstalk) -> Any:
    eb = localstalk.client("elasticbeanstalk")
    bucket = eb.create_storage_location()["S3Bucket"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        archive.writestr("server.pl", SERVER)
    localstalk.client("s3").put_object(Bucket=bucket, Key="v1.zip", Body=buffer.getvalue())
    source = {"S3Bucket": bucket, "S3Key": "v1.zip"}
    eb.create_application_version(
        ApplicationName="app", VersionLabel="v1", SourceBundle=source, AutoCreateApplication=True
    )
    settings = [{"Namespace": space, "OptionName": name, "Value": value} for (space, name), value in OPTIONS.items()]
    eb.create_environment(
        ApplicationName="app",
        EnvironmentName="blue",
        VersionLabel="v1",
        SolutionStackName=STACK,
        OptionSettings=settings,
    )
    return eb


def wait_for(what: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


@pytest.mark.localstalk("--driver", "container", "--speed", "100")
def test_a_busy_instance_gets_company_and_a_killed_one_is_replaced(localstalk: Localstalk) -> None:
    eb = create(localstalk)

    def environment() -> dict[str, Any]:
        (found,) = eb.describe_environments(EnvironmentNames=["blue"])["Environments"]
        return dict(found)

    def running() -> set[str]:
        """Instances that serve the version."""
        found = eb.describe_instances_health(EnvironmentName="blue", AttributeNames=["All"])["InstanceHealthList"]
        return {
            each["InstanceId"]
            for each in found
            if each["HealthStatus"] == "Ok" and each["Deployment"]["VersionLabel"] == "v1"
        }

    wait_for(lambda: environment()["Status"] == "Ready" and len(running()) == 1)
    (first,) = running()
    localstalk.fault("cpu", percent=95)
    wait_for(lambda: len(running()) == 2)
    localstalk.clear_faults()
    localstalk.fault("instance", state="killed", instance=first)
    wait_for(lambda: len(running()) == 2 and first not in running())
    said = [each["Message"] for each in eb.describe_events(EnvironmentName="blue")["Events"]]
    assert f"Removed instance [{first}] from your environment." in said
    for instance in running():
        assert f"Added instance [{instance}] to your environment." in said
