# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny application, its visitors, and two ways to replace its environment, for the tests and the bench."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from administration import with_keys
from chaos.local import HERE, client, environments, run, setting

SPEED = 6  # DNS answers are good for 60 / SPEED seconds
TTL = 60 / SPEED
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


@contextmanager
def visitors(aws: dict[str, str], application: str, sticky: float = 0) -> Iterator[dict[str, Any]]:
    """A steady load on the live name; what came of it is in the dictionary afterwards."""
    name = next(
        one["CNAME"] for one in environments(aws, application) if one["CNAME"].startswith(f"{application}-live.")
    )
    command = [sys.executable, str(HERE / "load.py"), name, aws["LOCALSTALK_DNS"], str(RATE), str(sticky)]
    told: dict[str, Any] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield told
        finally:
            output, _ = process.communicate(timeout=60)
        told |= json.loads(output)


def cycle(aws: dict[str, str], application: str, *options: str) -> dict[str, Any]:
    """A whole cycle, with smoke tests and a check of who answers."""
    given = (f"dns_ttl:{TTL}", "request_settle_time:10", "max_decision_age:8", f"probe:{with_keys(aws, 'url/')}")
    return run(aws, application, *given, *options)[1]


def terminate_at_once(aws: dict[str, str], application: str) -> None:
    """What peers do: a second environment, swap, and terminate without waiting for DNS."""
    eb = client(aws, "elasticbeanstalk")
    (old,) = environments(aws, application)
    second = f"{application}-{int(time.time())}"
    eb.create_environment(
        ApplicationName=application,
        EnvironmentName=second,
        VersionLabel="v1",
        SolutionStackName=old["SolutionStackName"],
        OptionSettings=[
            setting("aws:autoscaling:launchconfiguration", "IamInstanceProfile", "aws-elasticbeanstalk-ec2-role")
        ],
    )
    deadline = time.monotonic() + 90
    while {one["Health"] for one in environments(aws, application)} != {"Green"}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    eb.swap_environment_cnames(SourceEnvironmentName=old["EnvironmentName"], DestinationEnvironmentName=second)
    while {one["Status"] for one in environments(aws, application)} != {"Ready"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    eb.terminate_environment(EnvironmentName=old["EnvironmentName"])
    time.sleep(TTL)
