# SPDX-License-Identifier: GPL-3.0-or-later
"""What one more environment costs a controller: calls per minute, time of a poll, private memory of a run.

Reconcilers wait for environments in this process's memory through the real watcher, in one account with ever more of
them and in ten accounts with ten thousand. The memory is that of all processes of a real run together.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

from bench.deploys import ROOT
from bench.figures import Figure, figure
from bench.storms import FleetPlace

_START = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
_POLL_S = 5.0
_SPEED = 6.0
_SAMPLE_S = 0.5


class _Service:
    """Environments of one application that each say something once a minute, answered in pages as the service does."""

    meta = SimpleNamespace(endpoint_url="http://in-memory", region_name="us-east-1")

    def __init__(self, count: int) -> None:
        self.count = count
        self.now = 1000.0
        self.calls: Counter[str] = Counter()

    def describe_environments(self, **_filters: Any) -> dict[str, Any]:
        self.calls["environments"] += 1
        return {"Environments": [self._environment(number) for number in range(self.count)]}

    def _environment(self, number: int) -> dict[str, Any]:
        name = f"fleet-{number:05d}"
        return {
            "ApplicationName": "fleet",
            "CNAME": f"{name}.us-east-1.elasticbeanstalk.com",
            "DateCreated": _START,
            "DateUpdated": _START,
            "EndpointURL": f"awseb-{name}-1234567890.us-east-1.elb.amazonaws.com",
            "EnvironmentArn": f"arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/fleet/{name}",
            "EnvironmentId": f"e-{number:010d}",
            "EnvironmentName": name,
            "Health": "Green",
            "HealthStatus": "Ok",
            "SolutionStackName": "64bit Amazon Linux 2023 v4.3.0 running Docker",
            "Status": "Updating",
            "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"},
            "VersionLabel": "fleet-0123456789abcdef",
        }

    def describe_events(self, **filters: Any) -> dict[str, Any]:
        self.calls["events"] += 1
        size, first = int(filters["MaxRecords"]), int(filters.get("NextToken") or 0)
        found = []
        for minute in range(int(self.now // 60), -1, -1):
            at = _START + timedelta(minutes=minute)
            if at < filters["StartTime"]:
                break
            found += [
                {
                    "ApplicationName": "fleet",
                    "EnvironmentName": f"fleet-{number:05d}",
                    "EventDate": at,
                    "Message": "Batch 1: Completed application deployment command execution.",
                    "RequestId": "00000000-0000-0000-0000-000000000000",
                    "Severity": "INFO",
                }
                for number in range(self.count)
            ]
        page = {"Events": found[first : first + size]}
        return page | ({"NextToken": str(first + size)} if first + size < len(found) else {})


def measure(folder: Path, quick: bool) -> list[Figure]:
    """The watcher with ever more environments, then a real run that is weighed while it waits."""
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
    figures = []
    for count in (10, 100) if quick else (10, 100, 1000):
        figures += _polling(count)
    figures += _sharded(2 if quick else 10, 10 if quick else 1000)
    return [*figures, *_memory(folder / "memory", 8 if quick else 1000)]


def _polling(count: int) -> list[Figure]:
    """One account."""
    service = _Service(count)
    took, waiting = _minute([service])
    return [
        figure(f"poller_calls_per_minute_{count}", [sum(service.calls.values())], "calls"),
        figure(f"poller_cpu_per_environment_and_minute_{count}", [took / waiting * 1000], "ms"),
    ]


def _sharded(accounts: int, count: int) -> list[Figure]:
    """As many accounts, a share of the fleet in each."""
    services = [_Service(count) for _account in range(accounts)]
    took, waiting = _minute(services)
    return [
        figure("sharded_environments", [accounts * count], "environments"),
        figure("sharded_accounts", [accounts], "accounts"),
        figure("sharded_calls_per_minute_and_account", [sum(one.calls.values()) for one in services], "calls"),
        figure("sharded_cpu_per_environment_and_minute", [took / waiting * 1000], "ms"),
    ]


def _minute(services: Sequence[_Service]) -> tuple[float, int]:
    """A minute in which everybody waits for its environment and its events once a tick: CPU seconds, environments."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.engine import ApiSource
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import ApplicationWatcher

    watchers = []
    for service in services:
        clock: Any = SimpleNamespace(now=lambda service=service: service.now)
        service_clock: Any = SimpleNamespace(now=lambda service=service: _START + timedelta(seconds=service.now))
        watchers.append(ApplicationWatcher(ApiSource(service, service_clock), "fleet", clock, _POLL_S))
    since = _START + timedelta(seconds=services[0].now)
    started = time.process_time()
    for _tick in range(int(60 / _POLL_S)):
        for service, watcher in zip(services, watchers, strict=True):
            service.now += _POLL_S
            for number in range(service.count):
                watcher.want(number, service.now)
            for number in watcher.poll():
                assert watcher.snapshot is not None
                assert f"e-{number:010d}" in watcher.snapshot.environments
                watcher.snapshot.events_of(f"fleet-{number:05d}", since)
    return time.process_time() - started, sum(service.count for service in services)


def _memory(folder: Path, hosts: int) -> list[Figure]:
    """A deployment to so many hosts."""
    place = FleetPlace(folder, _SPEED, hosts)
    most = 0.0
    try:
        process = place.start(place.ours())
        # What it prints has to go somewhere, or it stands still.
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None:
            process.stdout.read()
            most = max(most, sum(map(_private_mib, _tree(process.pid))))
            time.sleep(_SAMPLE_S)
    finally:
        place.stalk.down()
    if process.returncode:
        raise RuntimeError(f"the deployment ended with {process.returncode}")
    return [figure(f"fleet_{hosts}_private_mib", [most], "MiB", 500 if hosts >= 1000 else None)]


def _tree(pid: int) -> list[int]:
    """A process and all below it, parents first."""
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found


def _private_mib(pid: int) -> float:
    """Memory that would be free if the process ended; 0 when it has."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
