# SPDX-License-Identifier: GPL-3.0-or-later
"""Visitors at 200 requests a second through a whole cycle with real instances, a real load balancer and real DNS."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chaos.local import check_end, client, deploy, environments

from .conftest import localstalk

pytestmark = pytest.mark.containers

HERE = Path(__file__).resolve().parent
SPEED = 6  # DNS answers are good for 60 / SPEED seconds
RATE = 200
SERVER = r"""
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 128, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r?$/ }
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
  close $client;
}
"""
APPLICATION = {
    "Dockerfile": 'FROM debian:bookworm-slim\nCOPY server.pl /\nEXPOSE 8000\nCMD ["perl", "/server.pl"]\n',
    "server.pl": SERVER,
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with localstalk(tmp_path_factory.mktemp("localstalk"), "container", SPEED) as variables:
        yield variables


@contextmanager
def visitors(aws: dict[str, str], application: str) -> Iterator[dict[str, Any]]:
    """A steady load on the live name; what came of it is in the dictionary afterwards."""
    name = next(
        one["CNAME"] for one in environments(aws, application) if one["CNAME"].startswith(f"{application}-live.")
    )
    command = [sys.executable, str(HERE / "load.py"), name, aws["LOCALSTALK_DNS"], str(RATE)]
    told: dict[str, Any] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield told
        finally:
            output, _ = process.communicate(timeout=30)
        told |= json.loads(output)


def test_nobody_notices_a_cycle(aws: dict[str, str]) -> None:
    first = deploy(aws, "load", APPLICATION, seconds=120)
    with visitors(aws, "load") as before:
        time.sleep(3)
    with visitors(aws, "load") as told:
        command = [sys.executable, str(HERE / "ansible_cycle.py"), "load", f"dns:{60 / SPEED}"]
        ended = subprocess.run(command, env=aws, capture_output=True, text=True, timeout=180, check=True)
        time.sleep(2)
    assert json.loads(ended.stdout)["result"] == "done", ended.stdout
    check_end(aws, "load", first)
    assert told["failed"] == 0, told
    assert told["sent"] > 1000, told
    sys.stdout.write(f"without a cycle: {before}\nthrough a cycle: {told}\n")


def test_visitors_notice_when_the_old_environment_goes_at_once(aws: dict[str, str]) -> None:
    """What peers do, so that the test above can fail: swap, and terminate without waiting for DNS."""
    eb = client(aws, "elasticbeanstalk")
    old = environments(aws, "load")[0]
    eb.create_environment(
        ApplicationName="load",
        EnvironmentName="load-second",
        VersionLabel="v1",
        SolutionStackName=old["SolutionStackName"],
        OptionSettings=[
            {
                "Namespace": "aws:autoscaling:launchconfiguration",
                "OptionName": "IamInstanceProfile",
                "Value": "aws-elasticbeanstalk-ec2-role",
            }
        ],
    )
    deadline = time.monotonic() + 60
    while {one["Health"] for one in environments(aws, "load")} != {"Green"}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    with visitors(aws, "load") as told:
        time.sleep(1)
        eb.swap_environment_cnames(
            SourceEnvironmentName=old["EnvironmentName"], DestinationEnvironmentName="load-second"
        )
        while {one["Status"] for one in environments(aws, "load")} != {"Ready"}:
            time.sleep(0.05)
        eb.terminate_environment(EnvironmentName=old["EnvironmentName"])
        time.sleep(60 / SPEED)
    assert told["failed"] > 0, told
    sys.stdout.write(f"terminated at once: {told}\n")
