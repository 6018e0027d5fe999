# SPDX-License-Identifier: GPL-3.0-or-later
"""Many environments in one run of ``deploy.yml``: requests, processor time, and a service that throttles."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from bench.daemon import BIN
from bench.deploys import ENDED, ROOT, STARTED, Place, Run, seconds_between
from bench.figures import Figure, Series, figure, share

_PEER = "eb deploy, one process each"
# A simulated deployment takes 132 s of the clock.
_CLOCK_S = 132.0
POLL_S = 5
# Above the longest that a budget allows: throttled recreates, 1.1 times some 1,800 s.
_TIMEOUT = 3600
# What module_utils/_beanstalk/core/limiter.py begins with for AWS.
_AWS_CALLS_PER_SECOND = "2"
# Requests a second that the service takes, and how many at once.
RATE, BURST = 2, 15


@dataclass(frozen=True)
class Deployed:
    """A run of many deployments. ``refused`` is how many requests the service answered with "Rate exceeded".

    ``longest_s`` is what Elastic Beanstalk took for the one deployment that took longest.
    """

    run: Run
    finished: int
    eb_calls: int
    refused: int
    longest_s: float


class FleetPlace(Place):
    """A daemon with many environments of one application, all hosts of one inventory."""

    def __init__(self, folder: Path, speed: float, count: int) -> None:
        super().__init__(folder, speed, POLL_S, _TIMEOUT)
        self.count = count
        self.runtime = folder / "run"
        self.runtime.mkdir(mode=0o700)
        self.variables["XDG_RUNTIME_DIR"] = str(self.runtime)
        [host] = yaml.safe_load(self.inventory.read_text())["all"]["hosts"].values()
        names = [f"fleet-{number:04d}" for number in range(count)]
        hosts = {name: {**host, "eb_environment_name": name, "eb_cname_prefix": name} for name in names}
        self.inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")

    def ours(self, playbook: str = "deploy.yml", *words: str) -> list[str | Path]:
        """The command that runs a playbook for all of them at once."""
        return [BIN / "ansible-playbook", "-i", self.inventory, ROOT / playbook, *words]

    def environments(self) -> list[dict[str, str]]:
        """All environments as the service has them."""
        found = self.localstalk.client("elasticbeanstalk").describe_environments(
            ApplicationName="bench", IncludeDeleted=False
        )
        return [
            {"id": item["EnvironmentId"], "label": item.get("VersionLabel", ""), "status": item["Status"]}
            for item in found["Environments"]
        ]

    def deploy(self) -> Deployed:
        """Change the application and deploy it to all of them."""
        before = {item["label"] for item in self.environments()}
        self.commit(f"change after {sorted(before)}")
        calls = self.beanstalk_calls()
        began = datetime.now().astimezone()
        run = self.run(self.ours())
        eb_calls = self.beanstalk_calls() - calls
        finished = sum(item["status"] == "Ready" and item["label"] not in before for item in self.environments())
        return Deployed(run, finished, eb_calls, self.refused(), self.longest(began, STARTED, ENDED))

    def beanstalk_calls(self) -> int:
        """How many requests came to Elastic Beanstalk so far."""
        return sum(count for name, count in self.localstalk.calls().items() if name.startswith("elasticbeanstalk:"))

    def refused(self) -> int:
        """How many requests the service answered with "Rate exceeded" so far."""
        return sum(int(fault["hits"]) for fault in self.localstalk.ask("faults") if fault["kind"] == "throttle")

    def longest(self, since: datetime, first: str, last: str) -> float:
        """Seconds of the operation that took Elastic Beanstalk longest, from one of its own events to another."""
        pages = self.localstalk.client("elasticbeanstalk").get_paginator("describe_events")
        told = defaultdict(list)
        for page in pages.paginate(ApplicationName="bench", StartTime=since):
            for event in page["Events"]:
                told[event.get("EnvironmentName", "")].append(event)
        return max(seconds_between(events, first, last) for events in told.values())

    def fault(self, *words: str) -> str:
        """Let something go wrong; returns what the command printed."""
        command = [BIN / "localstalk", "fault", *words]
        return subprocess.run(
            command, env=self.variables, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    @contextmanager
    def standing_still(self, seconds: float, operation: str = "deploy") -> Iterator[None]:
        """Operations that begin in this block stand still after their first event, each for so long."""
        on_the_clock = f"seconds={seconds * self.localstalk.speed:.0f}"
        stuck = json.loads(self.fault("add", "stuck", f"operation={operation}", on_the_clock))["id"]
        try:
            yield
        finally:
            self.fault("clear", stuck)

    def throttle(self, rate: float, burst: float) -> None:
        """Let the service take so many requests a second.

        The controller begins as it does for AWS; with a service on its own machine it would begin without limit.
        """
        self.variables["BEANSTALK_CALLS_PER_SECOND"] = _AWS_CALLS_PER_SECOND
        self.fault("add", "throttle", f"rate={rate}", f"burst={burst}")


def measure(folder: Path, quick: bool) -> list[Figure | Series]:
    """A fleet's deployment of ten minutes by a controller that knows the fleet, and meanwhile one by eb."""
    count, server_s, still_s = (6, 20.0, 10.0) if quick else (200, 60.0, 540.0)
    place = FleetPlace(folder / "fleet", _CLOCK_S / server_s, count)
    peer = FleetPlace(folder / "peer", _CLOCK_S / server_s, 1)
    try:
        peer.run(peer.ours())
        place.run(place.ours())
        # The first look after a creation compares all settings; from then on the controller knows them.
        place.run(place.ours())
        peer.commit("change for eb")
        command = [*peer.theirs("fleet-0000"), "--timeout", "30"]
        with (
            place.standing_still(still_s),
            peer.standing_still(still_s),
            place.localstalk.calls_per_second() as ours,
            peer.localstalk.calls_per_second() as theirs,
            ThreadPoolExecutor(1) as pool,
        ):
            by_eb = pool.submit(peer.run, command)
            done = place.deploy()
            eb = by_eb.result()
    finally:
        place.localstalk.down()
        peer.localstalk.down()
    processor = (_PEER, [eb.cpu_s])
    return [
        Series(f"ansible-playbook deploy.yml, {count} environments", ours),
        Series(f"eb deploy, one measured, times {count}", [calls * count for calls in theirs]),
        figure("fleet_calls", [done.run.calls], "calls", 600, (_PEER, [eb.calls * count])),
        figure("fleet_beanstalk_calls", [done.eb_calls], "calls"),
        figure("fleet_cpu_per_environment_s", [done.run.cpu_s / count], "s", share(0.2, processor), processor),
        figure("fleet_environments", [count], "environments"),
        figure("fleet_finished_ratio", [done.finished / count], "", 1.0),
        figure("fleet_operation_s", [done.longest_s], "s"),
        figure("fleet_makespan_ratio", [done.run.wall_s / done.longest_s], "", 1.1),
    ]


def measure_throttled(folder: Path, quick: bool) -> list[Figure | Series]:
    """The same deployment while the service takes two requests a second, and fifteen at once.

    The last of them cannot begin before all requests that begin one were taken, whoever sends them.
    """
    count, server_s, still_s = (6, 20.0, 10.0) if quick else (200, 60.0, 540.0)
    place = FleetPlace(folder / "throttled", _CLOCK_S / server_s, count)
    try:
        place.run(place.ours())
        place.run(place.ours())
        place.throttle(RATE, BURST)
        with place.standing_still(still_s):
            done = place.deploy()
    finally:
        place.localstalk.down()
    last_begin = max(0, count - BURST) / RATE
    return [
        figure("throttle_finished_ratio", [done.finished / count], "", 1.0),
        figure("throttled_request_ratio", [done.refused / max(1, done.eb_calls)], "", 0.1),
        figure("throttle_deploys", [count], "deployments"),
        figure("throttle_beanstalk_calls", [done.eb_calls], "calls"),
        figure("throttle_cpu_per_environment_s", [done.run.cpu_s / count], "s"),
        figure("throttle_operation_s", [done.longest_s], "s"),
        figure("throttle_wall_s", [done.run.wall_s], "s"),
        figure("throttle_makespan_ratio", [done.run.wall_s / (last_begin + done.longest_s)], "", 1.1),
    ]
