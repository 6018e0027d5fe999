# SPDX-License-Identifier: GPL-3.0-or-later
"""What one more environment costs a controller: calls per minute, time and bytes of a shared look, memory of a fork.

Forks look at environments in this process's memory through the real poller, in one account with ever more of them and
in ten accounts with ten thousand. The memory is that of a real run's forks, with ever more hosts in the inventory.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
_FORKS = 50
_SPEED = 6.0
_SAMPLE_S = 0.5


class _Service:
    """Environments of one application that each say something once a minute, answered in pages as the service does."""

    meta = SimpleNamespace(endpoint_url="http://in-memory", region_name="us-east-1")

    def __init__(self, count: int, account: str = "account-0") -> None:
        self.count = count
        self.account = account
        self.now = 1000.0
        self.calls: Counter[str] = Counter()

    def generate_presigned_url(self, _operation: str) -> str:
        """What the poller tells accounts by."""
        return f"{self.meta.endpoint_url}/?X-Amz-Credential={self.account}/20260303/us-east-1/elasticbeanstalk"

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
    """The poller with ever more environments, then real runs whose forks are weighed while they wait."""
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
    figures = []
    for count in (10, 100) if quick else (10, 100, 1000):
        with _runtime(folder / f"run{count}"):
            figures += _polling(count, folder / f"run{count}")
    with _runtime(folder / "slices"):
        figures += _slices(2 if quick else 10, 10 if quick else 1000)
    forks, hosts = (4, 50) if quick else (12, 1000)
    return [*figures, *_memory(folder / "small", forks, forks), *_memory(folder / "large", forks, hosts)]


@contextmanager
def _runtime(folder: Path) -> Iterator[None]:
    before = os.environ.get("XDG_RUNTIME_DIR")
    folder.mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


def _polling(count: int, folder: Path) -> list[Figure]:
    """One account."""
    service = _Service(count)
    took, forks = _minute([service])
    size = max(path.stat().st_size for path in (folder / "jack.beanstalk").iterdir())
    return [
        figure(f"poller_calls_per_minute_{count}", [sum(service.calls.values())], "calls"),
        figure(f"poller_cpu_per_fork_and_minute_{count}", [took / forks * 1000], "ms"),
        figure(f"poller_shared_answer_{count}", [size / 1024], "KiB"),
    ]


def _slices(accounts: int, count: int) -> list[Figure]:
    """As many accounts, a slice of the fleet in each."""
    services = [_Service(count, f"account-{number}") for number in range(accounts)]
    took, forks = _minute(services)
    return [
        figure("sharded_environments", [accounts * count], "environments"),
        figure("sharded_accounts", [accounts], "accounts"),
        figure("sharded_calls_per_minute_and_account", [sum(one.calls.values()) for one in services], "calls"),
        figure("sharded_cpu_per_fork_and_minute", [took / forks * 1000], "ms"),
    ]


def _minute(services: Sequence[_Service]) -> tuple[float, int]:
    """A minute in which every fork looks at its environment and its events once a tick: CPU seconds of all, forks."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.shared import SharedLooks

    def fork(service: _Service) -> SharedLooks:
        return SharedLooks(service, "fleet", lambda: service.now)

    forks = [(one, number, fork(one)) for one in services for number in range(min(one.count, _FORKS))]
    since = _START + timedelta(seconds=services[0].now)
    started = time.process_time()
    for _tick in range(int(60 / _POLL_S)):
        for service in services:
            service.now += _POLL_S
        for service, number, looks in forks:
            looks.environment(f"e-{number:010d}", service.now)
            looks.events(f"fleet-{number:05d}", since, service.now)
    return time.process_time() - started, len(forks)


def _memory(folder: Path, count: int, hosts: int) -> list[Figure]:
    """A run for so many hosts of an inventory, a fork for each."""
    place = FleetPlace(folder, _SPEED, hosts)
    forks: dict[int, float] = {}
    controller = 0.0
    try:
        process = place.start([*place.ours(), "--forks", str(count), "--limit", f"all[0:{count - 1}]"])
        # What it prints has to go somewhere, or it stands still.
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None:
            process.stdout.read()
            tree = _tree(process.pid)
            for pid in tree[2:]:
                forks[pid] = max(forks.get(pid, 0.0), _private_mib(pid))
            controller = max([controller, *map(_private_mib, tree[1:2])])
            time.sleep(_SAMPLE_S)
    finally:
        place.stalk.down()
    if process.returncode:
        raise RuntimeError(f"the deployment ended with {process.returncode}")
    return [
        figure(f"fork_forks_{hosts}", [count], "forks"),
        figure(f"fork_private_{hosts}_mib", [max(forks.values())], "MiB"),
        figure(f"controller_private_{hosts}_mib", [controller], "MiB"),
    ]


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
