# SPDX-License-Identifier: GPL-3.0-or-later
"""``deploy.yml`` beside ``eb deploy``: the same application, the same daemon, the same poll interval."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.daemon import BIN, DOWNLOAD, Localstalk, is_write
from bench.figures import Figure, figure, share

ROOT = Path(__file__).resolve().parents[2]
_EB = ROOT / ".venv-eb" / "bin" / "eb"
_GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"]
_TIMEOUT = 600
_POLL_S = 5
# The eb CLI looks every five seconds, so where in such a span the end falls decides how late it is seen: the runs
# have server times that spread over one span, around 30 seconds. A simulated deployment takes
# so many seconds of the clock.
_CLOCK_S = 132.0
_SERVER_S = (28.0, 29.0, 30.0, 31.0, 32.0)
STARTED, ENDED = "Environment update is starting.", "Environment update completed successfully."
# What Elastic Beanstalk does, from one event to another: looking into a version that is to be processed, the update,
# and pulling logs. The CLI asks for the second only.
_SPANS = (
    ("createApplicationVersion is starting.", "Finished processing application version"),
    (STARTED, ENDED),
    ("requestEnvironmentInfo is starting.", "Pulled logs for environment instances."),
)
_DOCKERFILE = "FROM debian:bookworm-slim\nCOPY . /srv\nEXPOSE 8000\nCMD python3 -m http.server 8000\n"


@dataclass(frozen=True)
class Run:
    """One deployment as its user sees it; ``server_s`` is what Elastic Beanstalk itself took (0: nothing to do),
    ``update_s`` the update of the environment alone.

    ``downloads`` are of logs by presigned address, which are requests to no API and count towards nobody's limit.
    """

    wall_s: float
    cpu_s: float
    server_s: float
    update_s: float
    calls: int
    downloads: int
    writes: int

    @property
    def overhead_s(self) -> float:
        """What the tool added."""
        return self.wall_s - self.server_s


class Place:
    """A daemon with an application of its own, its repository, inventory and eb configuration."""

    def __init__(self, folder: Path, speed: float, poll: int, timeout: int = _TIMEOUT) -> None:
        folder.mkdir()
        self.timeout = timeout
        self.localstalk = Localstalk(folder / "home", speed)
        self.localstalk.up()
        self.source = folder / "source"
        self.inventory = folder / "hosts.yml"
        self.source.mkdir()
        (self.source / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
        (self.source / ".gitignore").write_text(".elasticbeanstalk/\n", encoding="utf-8")
        (self.source / ".elasticbeanstalk").mkdir()
        eb = {"global": {"application_name": "bench", "default_region": "us-east-1", "sc": "git"}}
        eb["global"]["workspace_type"] = "Application"
        (self.source / ".elasticbeanstalk" / "config.yml").write_text(yaml.safe_dump(eb), encoding="utf-8")
        subprocess.run([*_GIT, "init", "--quiet"], cwd=self.source, check=True, timeout=60)
        self.commit("first")
        self.inventory.write_text(yaml.safe_dump(self._inventory(poll)), encoding="utf-8")
        self.variables = self.localstalk.variables | {
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        }

    def _inventory(self, poll: int) -> dict[str, Any]:
        settings = {
            "eb_application": "bench",
            "eb_environment_name": "bench-env",
            "eb_cname_prefix": "bench-env",
            "eb_region": "us-east-1",
            "eb_platform": "Docker running on 64bit Amazon Linux 2023",
            "eb_source": {"path": str(self.source)},
            "eb_hooks_prefix": "bench",
            "eb_hooks": [{"preset": "migrate"}, {"preset": "collectstatic"}],
            "eb_option_settings": {
                "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
                "aws:autoscaling:asg": {"MinSize": "2", "MaxSize": "2"},
                "aws:elasticbeanstalk:healthreporting:system": {"SystemType": "enhanced"},
            },
            "eb_poll_interval": poll,
            "eb_wait_timeout": self.timeout,
            "eb_aws": {
                "endpoint_url": self.localstalk.url,
                "access_key": self.localstalk.variables["AWS_ACCESS_KEY_ID"],
                "secret_key": self.localstalk.variables["AWS_SECRET_ACCESS_KEY"],
            },
        }
        return {"all": {"hosts": {"bench": {"ansible_connection": "local", **settings}}}}

    def commit(self, text: str) -> None:
        """Change the application."""
        (self.source / "page.txt").write_text(text, encoding="utf-8")
        for words in (["add", "--all"], ["commit", "--quiet", "--message", text]):
            subprocess.run([*_GIT, *words], cwd=self.source, check=True, timeout=60)

    def ours(self) -> list[str | Path]:
        """The command that deploys with this project."""
        return [BIN / "ansible-playbook", "-i", self.inventory, ROOT / "deploy.yml"]

    def theirs(self, environment: str = "bench-env") -> list[str | Path]:
        """The command that deploys with the official CLI."""
        return self.eb("deploy", environment)

    def eb(self, *words: str) -> list[str | Path]:
        """A command of the official CLI."""
        return [_EB, *words, "--endpoint-url", self.localstalk.url]

    def run(self, command: Sequence[str | Path]) -> Run:
        """Run a command to its end and measure it; RuntimeError when it fails."""
        calls = self.localstalk.calls()
        began = datetime.now().astimezone()
        started = time.perf_counter()
        process = self.start(command)
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command[0]} ended with status {process.returncode}:\n{output.decode()}")
        after = self.localstalk.calls()
        made = {name: count - calls.get(name, 0) for name, count in after.items()}
        spans = self._server_seconds(began)
        return Run(
            wall,
            usage.ru_utime + usage.ru_stime,
            sum(spans),
            spans[1],
            sum(count for name, count in made.items() if name != DOWNLOAD),
            made.get(DOWNLOAD, 0),
            sum(count for name, count in made.items() if is_write(name)),
        )

    def start(self, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Start a command in the application's folder."""
        return subprocess.Popen(
            ["timeout", str(self.timeout), *command],
            cwd=self.source,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _server_seconds(self, since: datetime) -> list[float]:
        """Seconds of each of ``_SPANS``; 0 for what was not asked for."""
        found = self.localstalk.client("elasticbeanstalk").describe_events(ApplicationName="bench", StartTime=since)
        return [seconds_between(found["Events"], *span) for span in _SPANS]


def seconds_between(events: Sequence[Mapping[str, Any]], first: str, last: str) -> float:
    """Seconds from the first event that begins with one text to the last that begins with another; 0 without both."""
    begun, ended = (
        [item["EventDate"] for item in events if item["Message"].startswith(text)] for text in (first, last)
    )
    return float((max(ended) - min(begun)).total_seconds()) if begun and ended else 0.0


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Every run: a changed tree and an unchanged one with ours, then eb, which makes no difference between the two."""
    places = []
    try:
        for number, seconds in enumerate((10.0,) if quick else _SERVER_S):
            places.append(Place(folder / f"place{number}", _CLOCK_S / seconds, 1 if quick else _POLL_S))
        _deploy_all(places)
        # A controller that has deployed these environments before, as it has every day but the first.
        for place in places:
            place.commit("second")
        _deploy_all(places)
        ours, unchanged, theirs = [], [], []
        for place in places:
            place.commit("third")
            ours.append(place.run(place.ours()))
            unchanged.append(place.run(place.ours()))
            theirs.append(place.run(place.theirs()))
    finally:
        for place in places:
            place.localstalk.down()
    return _figures(ours, unchanged, theirs)


def _deploy_all(places: Sequence[Place]) -> None:
    for place, process in [(place, place.start(place.ours())) for place in places]:
        output = process.communicate(timeout=_TIMEOUT)[0]
        if process.returncode:
            raise RuntimeError(
                f"a deployment at {place.localstalk.url} ended with status {process.returncode}:\n{output.decode()}"
            )


def _figures(ours: Sequence[Run], unchanged: Sequence[Run], theirs: Sequence[Run]) -> list[Figure]:
    eb = "eb deploy"
    wall = (eb, [r.wall_s for r in theirs])
    return [
        figure("deploy_api_calls", [r.calls for r in ours], "calls", 12, (eb, [r.calls for r in theirs])),
        figure("deploy_log_downloads", [r.downloads for r in ours], "downloads"),
        figure(
            "deploy_overhead_s",
            [r.overhead_s for r in ours],
            "s",
            peer=(eb, [r.overhead_s for r in theirs]),
            beat_peer=True,
        ),
        figure("deploy_cpu_s", [r.cpu_s for r in ours], "s", peer=(eb, [r.cpu_s for r in theirs])),
        figure("deploy_server_s", [r.server_s for r in ours], "s", peer=(eb, [r.server_s for r in theirs])),
        figure("deploy_update_s", [r.update_s for r in ours], "s", peer=(eb, [r.update_s for r in theirs])),
        figure("redeploy_writes", [r.writes for r in unchanged], "calls", 0, (eb, [r.writes for r in theirs])),
        figure("redeploy_wall_s", [r.wall_s for r in unchanged], "s", share(0.15, wall), wall),
        figure("redeploy_api_calls", [r.calls for r in unchanged], "calls"),
        figure("redeploy_cpu_s", [r.cpu_s for r in unchanged], "s"),
    ]
