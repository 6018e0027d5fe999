# SPDX-License-Identifier: GPL-3.0-or-later
"""Recreating a fleet by ``recreate_and_swap.yml``, beside scripts of eb clone, swap and terminate."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from bench.deploys import Run
from bench.figures import Figure, Series, figure, share
from bench.fleet import BURST, POLL_S, RATE, FleetPlace

_PEER = "eb clone, swap, terminate, one script each"
# So much faster than the wall the clock runs: an environment is created in about two minutes of it.
_SPEED = 2.0
# With the rest of a creation that is ten minutes.
_STILL_S = 503.0
# What the policy has a cycle wait for: that the candidate stays healthy, and that DNS forgets the old environment.
_SOAK_S, _DNS_TTL_S, _DNS_MARGIN_S = 60, 60, 30
_CREATED = "createEnvironment is starting.", "Successfully launched environment"
_SWAPPED = "swapEnvironmentCNAMEs is starting.", "Completed swapping CNAMEs"
_TERMINATED = "terminateEnvironment is starting.", "terminateEnvironment completed successfully."
# All cycles at once, with the default policy but for the age that the live environments must have.
_POLICY = {
    "force": True,
    "poll_interval": POLL_S,
    "bake_time": _SOAK_S,
    "dns_ttl": _DNS_TTL_S,
    "dns_margin": _DNS_MARGIN_S,
}
_WORDS = ("recreate_and_swap.yml", "-e", json.dumps({"eb_recreate": _POLICY}))


def measure(folder: Path, quick: bool) -> list[Figure | Series]:
    """All cycles at once. New environments take ten minutes: most of them they stand still."""
    count, speed, still_s = _size(quick, 200)
    place = FleetPlace(folder / "recreate", speed, count)
    peer = FleetPlace(folder / "peer", speed, 1)
    try:
        peer.run(peer.ours())
        place.run(place.ours())
        before = {item["id"] for item in place.environments()}
        began = datetime.now().astimezone()
        with (
            place.standing_still(still_s, "create"),
            peer.standing_still(still_s, "create"),
            place.localstalk.calls_per_second() as ours,
            peer.localstalk.calls_per_second() as theirs,
            ThreadPoolExecutor(1) as pool,
        ):
            by_eb = pool.submit(_by_eb, peer)
            done = place.run(place.ours(*_WORDS))
            runs = by_eb.result()
        finished = _finished(place, before)
        operation, least = place.longest(began, *_CREATED), _least(place, began)
    finally:
        place.localstalk.down()
        peer.localstalk.down()

    def sums(part: Callable[[Run], float]) -> tuple[str, list[float]]:
        return _PEER, [sum(map(part, runs))]

    processor = sums(lambda run: run.cpu_s)
    return [
        Series(f"ansible-playbook recreate_and_swap.yml, {count} environments", ours),
        Series(f"eb clone, swap, terminate, one of each measured, times {count}", [calls * count for calls in theirs]),
        figure("recreate_calls_per_environment", [done.calls / count], "calls", 45, sums(lambda run: run.calls)),
        figure("recreate_cpu_per_environment_s", [done.cpu_s / count], "s", share(0.15, processor), processor),
        figure("recreate_environments", [count], "environments"),
        figure("recreate_finished_ratio", [finished], "", 1.0),
        figure("recreate_operation_s", [operation], "s"),
        figure("recreate_minimum_s", [least], "s"),
        figure("recreate_wall_s", [done.wall_s], "s", peer=sums(lambda run: run.wall_s)),
        figure("recreate_makespan_ratio", [done.wall_s / least], "", 1.1),
    ]


def measure_throttled(folder: Path, quick: bool) -> list[Figure | Series]:
    """The same while the service takes two requests a second, and fifteen at once.

    All requests of all cycles take the service their time, whoever sends them and when: with 200 it is an hour.
    """
    count, speed, still_s = _size(quick, 60)
    place = FleetPlace(folder / "throttled", speed, count)
    try:
        place.run(place.ours())
        before = {item["id"] for item in place.environments()}
        place.throttle(RATE, BURST)
        calls = place.beanstalk_calls()
        began = datetime.now().astimezone()
        with place.standing_still(still_s, "create"):
            done = place.run(place.ours(*_WORDS))
        made = place.beanstalk_calls() - calls
        refused = place.refused()
        finished = _finished(place, before)
        least = _least(place, began)
    finally:
        place.localstalk.down()
    return [
        figure("throttled_recreate_environments", [count], "environments"),
        figure("throttled_recreate_finished_ratio", [finished], "", 1.0),
        figure("recreate_throttled_request_ratio", [refused / max(1, made)], "", 0.1),
        figure("throttled_recreate_beanstalk_calls_per_environment", [made / count], "calls"),
        figure("throttled_recreate_cpu_per_environment_s", [done.cpu_s / count], "s"),
        figure("throttled_recreate_requests_s", [(made - refused) / RATE], "s"),
        figure("throttled_recreate_minimum_s", [least], "s"),
        figure("throttled_recreate_wall_s", [done.wall_s], "s"),
        figure("throttled_recreate_makespan_ratio", [done.wall_s / ((made - refused) / RATE + least)], "", 1.1),
    ]


def _size(quick: bool, count: int) -> tuple[int, float, float]:
    """How many environments, how fast the clock runs, and for how many seconds a creation stands still."""
    return (4, 20.0, 10.0) if quick else (count, _SPEED, _STILL_S)


def _finished(place: FleetPlace, before: set[str]) -> float:
    """The share of environments that are fresh, and alone."""
    after = place.environments()
    fresh = sum(item["status"] == "Ready" and item["id"] not in before for item in after)
    return fresh / max(place.count, len(after))


def _least(place: FleetPlace, began: datetime) -> float:
    """Seconds that a cycle cannot do without, each of its operations as long as the longest of its kind."""
    server = sum(place.longest(began, *events) for events in (_CREATED, _SWAPPED, _TERMINATED))
    return server + _SOAK_S + _DNS_TTL_S + _DNS_MARGIN_S


def _by_eb(peer: FleetPlace) -> list[Run]:
    """One environment replaced as a script of the official CLI would do it."""
    return [
        peer.run(command)
        for command in (
            peer.eb("clone", "fleet-0000", "--clone_name", "fleet-new", "--timeout", "30"),
            peer.eb("swap", "fleet-0000", "--destination_name", "fleet-new"),
            peer.eb("terminate", "fleet-0000", "--force", "--timeout", "30"),
        )
    ]
