# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment's whole life on localstalk with containers, its clock as fast as the machine: what the parts cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos.load_generator import APPLICATION
from chaos.local import add_version, client, deploy, localstalk

from bench.figures import Figure, figure

_SPEED = 1000  # waits vanish: what is left is the work of containers
_LIMIT_S = 180


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Needs containers, thus root. One instance; the swap is with a second environment that the time leaves out."""
    samples: dict[str, list[float]] = {step: [] for step in ("create", "deploy", "swap", "terminate")}
    with localstalk(folder / "localstalk", "container", _SPEED) as aws:
        for run in range(1 if quick else 5):
            for step, seconds in _life(aws, f"life{run}").items():
                samples[step].append(seconds)
    totals = [sum(parts) for parts in zip(*samples.values(), strict=True)]
    return [
        figure("localstalk_life_s", totals, "s"),
        *(figure(f"localstalk_{step}_s", seconds, "s") for step, seconds in samples.items()),
    ]


def _life(aws: dict[str, str], application: str) -> dict[str, float]:
    eb = client(aws, "elasticbeanstalk")

    def all_are(status: str, label: str) -> Callable[[], bool]:
        def check() -> bool:
            found = eb.describe_environments(ApplicationName=application)["Environments"]
            return all(one["Status"] == status and one["VersionLabel"] == label for one in found)

        return check

    def timed(call: Callable[[], Any], done: Callable[[], bool] = lambda: True) -> float:
        started = time.perf_counter()
        call()
        while not done():
            if time.perf_counter() - started > _LIMIT_S:
                raise RuntimeError(f"{application}: {eb.describe_environments(ApplicationName=application)}")
            time.sleep(0.05)
        return time.perf_counter() - started

    first, second = f"{application}-first", f"{application}-second"
    created = timed(lambda: deploy(aws, application, APPLICATION, seconds=_LIMIT_S))
    add_version(aws, application, "v2", APPLICATION | {"changed": "yes"})
    deployed = timed(lambda: eb.update_environment(EnvironmentName=first, VersionLabel="v2"), all_are("Ready", "v2"))
    live = eb.describe_environments(EnvironmentNames=[first])["Environments"][0]
    timed(
        lambda: eb.create_environment(
            ApplicationName=application,
            EnvironmentName=second,
            VersionLabel="v2",
            SolutionStackName=live["SolutionStackName"],
            OptionSettings=[
                {
                    "Namespace": "aws:autoscaling:launchconfiguration",
                    "OptionName": "IamInstanceProfile",
                    "Value": "aws-elasticbeanstalk-ec2-role",
                }
            ],
        ),
        all_are("Ready", "v2"),
    )
    swapped = timed(
        lambda: eb.swap_environment_cnames(SourceEnvironmentName=first, DestinationEnvironmentName=second),
        all_are("Ready", "v2"),
    )
    holder = eb.describe_environments(EnvironmentNames=[second])["Environments"][0]
    if holder["CNAME"] != live["CNAME"]:
        raise RuntimeError(f"{application}: the swap left {live['CNAME']} where it was")
    eb.terminate_environment(EnvironmentName=second)
    terminated = timed(lambda: eb.terminate_environment(EnvironmentName=first), all_are("Terminated", "v2"))
    return {"create": created, "deploy": deployed, "swap": swapped, "terminate": terminated}
