# SPDX-License-Identifier: GPL-3.0-or-later
"""Many asked at once: the inventory of 1,000 environments with 10 instances each, the leaders of 50 environments.

What the leaders cost grows with the events of the application, so fifty are asked for where they are all of it, and as
some of the thousand.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from bench.daemon import BIN, Localstalk
from bench.emulator import launch
from bench.figures import Figure, figure

ROOT = Path(__file__).resolve().parents[2]
_INSTANCES = 10
_LEADERS = 50
_SPEED = 20
_LAUNCH_LIMIT_S = 1800.0
_AUTO_SCALING = "aws:autoscaling:asg"
_PEER = "amazon.aws.aws_ec2"


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Two daemons with simulated instances; what each question costs in API calls and in seconds."""
    runs = 1 if quick else 5
    small = _with_fleet(
        folder / "leaders", _LEADERS, lambda localstalk: _leaders(localstalk, runs, {1: "1", _LEADERS: "50"})
    )
    count = 60 if quick else 1000
    return small + _with_fleet(
        folder / "fleet",
        count,
        lambda localstalk: [
            *_inventory(localstalk, folder, count, runs),
            *_leaders(localstalk, runs, {_LEADERS: "50_among_many"}),
        ],
    )


def _with_fleet(home: Path, count: int, ask: Callable[[Localstalk], list[Figure]]) -> list[Figure]:
    """What is found where so many environments are, each with ``_INSTANCES`` instances."""
    localstalk = Localstalk(home, _SPEED)
    localstalk.up()
    try:
        size = [
            {"Namespace": _AUTO_SCALING, "OptionName": name, "Value": str(_INSTANCES)}
            for name in ("MinSize", "MaxSize")
        ]
        launch(localstalk, count, *size, limit=_LAUNCH_LIMIT_S)
        return ask(localstalk)
    finally:
        localstalk.down()


def _inventory(localstalk: Localstalk, folder: Path, count: int, runs: int) -> list[Figure]:
    """Ours knows applications, health, versions and what is live; the peer knows EC2's tags only."""
    connection = _connection(localstalk)
    ours = folder / "bench.beanstalk.yml"
    ours.write_text(json.dumps({"plugin": "jack.beanstalk.instances", **connection}))
    theirs = folder / "bench.aws_ec2.yml"
    regions = [connection.pop("region")]
    filters = {"tag-key": ["elasticbeanstalk:environment-id"]}
    theirs.write_text(json.dumps({"plugin": _PEER, "regions": regions, "filters": filters, **connection}))
    wall, calls = _listed(localstalk, ours, count * _INSTANCES, runs)
    peer_wall, peer_calls = _listed(localstalk, theirs, count * _INSTANCES, runs)
    return [
        figure("inventory_environments", [count], "environments"),
        figure("inventory_hosts", [count * _INSTANCES], "hosts"),
        figure("inventory_calls", calls, "calls", peer=(_PEER, peer_calls)),
        figure("inventory_wall_s", wall, "s", peer=(_PEER, peer_wall)),
    ]


def _listed(localstalk: Localstalk, config: Path, expected: int, runs: int) -> tuple[list[float], list[int]]:
    """Seconds and calls of each run of ``ansible-inventory``."""
    wall, calls = [], []
    for _run in range(runs):
        took, spent, listed = _timed(localstalk, "ansible-inventory", "-i", str(config), "--list")
        hosts = len(json.loads(listed)["_meta"]["hostvars"])
        if hosts != expected:
            raise RuntimeError(f"the inventory {config.name} has {hosts} hosts, not {expected}")
        wall.append(took)
        calls.append(spent)
    return wall, calls


def _leaders(localstalk: Localstalk, runs: int, counts: Mapping[int, str]) -> list[Figure]:
    """By the tags that hooks set: the sources that read logs cost what leader_info's documentation says.

    ``counts`` are numbers of environments with what the figures call them.
    """
    names = [f"bench-{number:04d}" for number in range(_LEADERS)]
    _tag_leaders(localstalk, names)
    figures = []
    for count, called in counts.items():
        wall, calls = [], []
        for _run in range(runs):
            arguments = json.dumps({**_connection(localstalk), "names": names[:count], "sources": ["tags"]})
            words = (
                "localhost",
                "-i",
                "localhost,",
                "-c",
                "local",
                "-e",
                f"ansible_python_interpreter={BIN / 'python'}",
            )
            took, spent, said = _timed(
                localstalk, "ansible", *words, "-m", "jack.beanstalk.leader_info", "-a", arguments
            )
            states = [item["leader"]["state"] for item in json.loads(said.partition("=> ")[2])["leaders"]]
            if states != ["found"] * count:
                raise RuntimeError(f"not every leader was found: {states}")
            wall.append(took)
            calls.append(spent)
        figures += [
            figure(f"leader_of_{called}_calls", calls, "calls"),
            figure(f"leader_of_{called}_wall_s", wall, "s"),
        ]
    return figures


def _tag_leaders(localstalk: Localstalk, names: list[str]) -> None:
    ec2 = localstalk.client("ec2")
    filters = [{"Name": "tag:elasticbeanstalk:environment-name", "Values": names}]
    first: dict[str, str] = {}
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
                first.setdefault(tags["elasticbeanstalk:environment-name"], instance["InstanceId"])
    found = localstalk.client("elasticbeanstalk").describe_environments(ApplicationName="bench", EnvironmentNames=names)
    for one in found["Environments"]:
        # Hooks tag before the deployment ends; a later tag would be of an instance that came later.
        at = one["DateUpdated"] - timedelta(seconds=1)
        value = f"leader 1 {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} 1"
        ec2.create_tags(Resources=[first[one["EnvironmentName"]]], Tags=[{"Key": "jack:leader", "Value": value}])


def _connection(localstalk: Localstalk) -> dict[str, str]:
    return {
        "endpoint_url": localstalk.url,
        "region": localstalk.variables["AWS_REGION"],
        "access_key": localstalk.variables["AWS_ACCESS_KEY_ID"],
        "secret_key": localstalk.variables["AWS_SECRET_ACCESS_KEY"],
    }


def _timed(localstalk: Localstalk, program: str, *words: str) -> tuple[float, int, str]:
    """Seconds and API calls that a program took, and what it printed."""
    environment: dict[str, Any] = os.environ | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"}
    before = Counter(localstalk.calls())
    started = time.perf_counter()
    done = subprocess.run(
        [BIN / program, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    took = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stdout[-300:]} {done.stderr}")
    return took, sum((Counter(localstalk.calls()) - before).values()), done.stdout
