# SPDX-License-Identifier: GPL-3.0-or-later
"""Many environments in one run of ``deploy.yml``: requests, processor time, and a service that throttles."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.deploys import ROOT, Place, Run
from bench.figures import Figure, Series, figure
from bench.stalk import BIN

_PEER = "eb deploy, one process each"
# A simulated deployment takes 132 s of the clock, and the operations of the budget take ten minutes.
_CLOCK_S = 132.0
_POLL_S = 5
# What module_utils/_beanstalk/budget.py starts with for AWS.
_AWS_CALLS_PER_SECOND = "2"
# What `eb deploy` sends: nine requests, and one every five seconds while it waits (peers.md; counted in part deploys).
_EB_REQUESTS = 9


@dataclass(frozen=True)
class Storm:
    """A run of many deployments. ``refused`` is how many requests the service answered with "Rate exceeded"."""

    run: Run
    finished: int
    eb_calls: int
    refused: int


class FleetPlace(Place):
    """A daemon with many environments of one application, all hosts of one inventory."""

    def __init__(self, folder: Path, speed: float, count: int) -> None:
        super().__init__(folder, speed, _POLL_S)
        self.count = count
        self.runtime = folder / "run"
        self.runtime.mkdir(mode=0o700)
        self.variables["XDG_RUNTIME_DIR"] = str(self.runtime)
        [host] = yaml.safe_load(self.inventory.read_text())["all"]["hosts"].values()
        names = [f"fleet-{number:04d}" for number in range(count)]
        hosts = {name: {**host, "eb_environment_name": name, "eb_cname_prefix": name} for name in names}
        self.inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")

    def ours(self) -> list[str | Path]:
        """The command that deploys to all of them at once."""
        return [BIN / "ansible-playbook", "-i", self.inventory, "--forks", str(self.count), ROOT / "deploy.yml"]

    def environments(self) -> list[dict[str, str]]:
        """All environments as the service has them."""
        found = self.stalk.client("elasticbeanstalk").describe_environments(ApplicationName="bench")
        return [{"label": item.get("VersionLabel", ""), "status": item["Status"]} for item in found["Environments"]]

    def storm(self) -> Storm:
        """Change the application and deploy it to all of them."""
        before = {item["label"] for item in self.environments()}
        self.commit(f"change after {sorted(before)}")
        calls = self.stalk.calls()
        run = self.run(self.ours())
        made = {name: count - calls.get(name, 0) for name, count in self.stalk.calls().items()}
        finished = sum(item["status"] == "Ready" and item["label"] not in before for item in self.environments())
        eb_calls = sum(count for name, count in made.items() if name.startswith("elasticbeanstalk:"))
        refused = sum(int(fault["hits"]) for fault in self.stalk.ask("faults"))
        return Storm(run, finished, eb_calls, refused)

    def throttle(self, rate: float, burst: float) -> None:
        """Let the service take so many requests a second.

        The controller starts with the budget that it has for AWS; on its own machine it would start without limit.
        """
        for budget in self.runtime.glob("*/budget-*.json"):
            budget.unlink()
        self.variables["BEANSTALK_CALLS_PER_SECOND"] = _AWS_CALLS_PER_SECOND
        words = ["fault", "add", "throttle", f"rate={rate}", f"burst={burst}"]
        subprocess.run([BIN / "localstalk", *words], env=self.variables, check=True, capture_output=True, timeout=60)


def measure(folder: Path, quick: bool) -> list[Figure | Series]:
    """A fleet's deployment by a controller that knows it, and one by eb."""
    count, server_s = (6, 20.0) if quick else (200, 60.0)
    place = FleetPlace(folder / "fleet", _CLOCK_S / server_s, count)
    try:
        place.run(place.ours())
        # The first look after a creation compares all settings; from then on the controller knows them.
        place.run(place.ours())
        with place.stalk.calls_per_second() as ours:
            done = place.storm()
        place.commit("change for eb")
        with place.stalk.calls_per_second() as theirs:
            place.run(place.theirs("fleet-0000"))
    finally:
        place.stalk.down()
    peer_calls = count * (_EB_REQUESTS + 600 / 5)
    return [
        Series(f"ansible-playbook deploy.yml, {count} environments", ours),
        Series(f"eb deploy, one measured, times {count}", [calls * count for calls in theirs]),
        figure("fleet_calls", [done.run.calls], "calls", 600, (_PEER, [peer_calls])),
        figure("fleet_beanstalk_calls", [done.eb_calls], "calls"),
        figure("fleet_cpu_per_environment_s", [done.run.cpu_s / count], "s", 1.5),
        figure("fleet_environments", [count], "environments"),
        figure("fleet_finished_ratio", [done.finished / count], "", 1.0),
        figure("fleet_wall_s", [done.run.wall_s], "s"),
    ]


def measure_throttled(folder: Path, quick: bool) -> list[Figure | Series]:
    """Concurrent deployments while the service takes two requests a second, and fifteen at once."""
    count, server_s = (6, 20.0) if quick else (50, 60.0)
    place = FleetPlace(folder / "throttled", _CLOCK_S / server_s, count)
    try:
        place.run(place.ours())
        place.throttle(2, 15)
        done = place.storm()
    finally:
        place.stalk.down()
    return [
        figure("throttle_finished_ratio", [done.finished / count], "", 1.0),
        figure("throttle_wasted_ratio", [done.refused / max(1, done.eb_calls)], "", 0.1),
        figure("throttle_deploys", [count], "deployments"),
        figure("throttle_beanstalk_calls", [done.eb_calls], "calls"),
        figure("throttle_wall_s", [done.run.wall_s], "s"),
    ]
