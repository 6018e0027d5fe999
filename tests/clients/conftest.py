# SPDX-License-Identifier: GPL-3.0-or-later
"""A localstalk of one's own with containers, and a git repository that the official eb CLI deploys from."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest

from localstalk.drivers.container.cleaning import label
from localstalk.home import Home

from .clients import CLIENTS

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
EB = ROOT / ".venv-eb" / "bin" / "eb"
SPEED = "50"
APPLICATION, ENVIRONMENT, PREFIX = "shop", "shop-one", "shop-clients"
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
# Python would need a bigger image than the one that localstalk keeps: perl is in Debian's smallest.
SERVER = r"""
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
open my $file, "<", "/page" or die; my $page = <$file>; chomp $page;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r?$/ }
  my $text = "$page $ENV{GREETING}";
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
  close $client;
}
"""
# EB's own limit of ten minutes is 17 seconds at this speed, too little for a busy machine.
PATIENT = "option_settings:\n  aws:elasticbeanstalk:command:\n    Timeout: 3600\n"
DOCKERFILE = 'FROM debian:bookworm-slim\nCOPY server.pl page /\nEXPOSE 8000\nCMD ["perl", "/server.pl"]\n'


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many checks each client had, and why one had none."""
    checks: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for outcome in ("passed", "skipped", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            name = Path(report.location[0]).stem
            checks[name] += outcome == "passed"
            if outcome == "skipped":
                reasons[name] = report.longrepr[2].removeprefix("Skipped: ")
    terminalreporter.section("checks per client")
    for name, client in CLIENTS.items():
        if name in checks:
            why = f" ({reasons[name]})" if name in reasons else ""
            terminalreporter.write_line(f"{client.name} {client.version}: {checks[name]}{why}".replace(" :", ":"))


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true result; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return result


class Localstalk:
    """A running localstalk and the clients a test needs."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def cli(self, *words: str) -> str:
        done = subprocess.run(
            [BIN / "localstalk", "--home", self.home, *words], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @cached_property
    def aws(self) -> dict[str, str]:
        """The variables that lead any AWS client here."""
        return json.loads(self.cli("env", "--format", "json"))

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws["AWS_ENDPOINT_URL"],
            region_name=self.aws["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.aws["AWS_SECRET_ACCESS_KEY"],
        )

    @cached_property
    def eb(self) -> Any:
        return self.client("elasticbeanstalk")

    def environment(self, name: str = ENVIRONMENT) -> dict[str, Any]:
        (found,) = self.eb.describe_environments(EnvironmentNames=[name], IncludeDeleted=False)["Environments"]
        return found

    def instances(self, name: str = ENVIRONMENT) -> dict[str, str]:
        """Version label per instance, by the instances' own word."""
        answer = self.eb.describe_instances_health(EnvironmentName=name, AttributeNames=["All"])
        return {item["InstanceId"]: item["Deployment"]["VersionLabel"] for item in answer["InstanceHealthList"]}

    def on_instance(self, instance: str, *words: str) -> str:
        """Run a command inside an instance, as somebody who logged in there; returns what it printed."""
        listed = subprocess.run(
            ["podman", "ps", "--format", "{{.Names}}"], capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
        (name,) = [each for each in listed if label(self.home) in each and instance in each]
        done = subprocess.run(
            ["podman", "exec", name, *words], stdout=subprocess.PIPE, text=True, check=True, timeout=60
        )
        return done.stdout

    def page(self, name: str = PREFIX) -> str:
        """What a visitor of a CNAME sees."""
        url = self.cli("url", name).strip()
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"


@dataclass
class Shop:
    """A project folder under git with the eb CLI at hand."""

    root: Path
    env: dict[str, str]
    localstalk: Localstalk

    @contextmanager
    def background(self, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """Run eb until the end of the block; its output goes to a file."""
        output = self.root.parent / "background"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [EB, *words],
                cwd=self.root,
                env=self.env | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process, output
        finally:
            process.kill()
            process.wait(timeout=30)

    def eb(self, *words: str, rc: int = 0, typed: str = "", timeout: float = 240.0) -> str:
        """Run eb to its end and check its exit status; ``typed`` is what it reads."""
        done = subprocess.run(
            [EB, *words],
            cwd=self.root,
            env=self.env,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        said = f"eb {' '.join(words)} ended with {done.returncode}:\n{done.stdout}"
        assert done.returncode == rc, said + self.engine_logs()
        return done.stdout

    def engine_logs(self) -> str:
        """The end of each instance's eb-engine.log, for the message of a failing test."""
        tail = ("tail", "-n", "40", "/var/log/eb-engine.log")
        return "\n".join(f"{each}:\n{self.localstalk.on_instance(each, *tail)}" for each in self.localstalk.instances())

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def write_page(self, text: str) -> None:
        (self.root / "page").write_text(f"{text}\n", encoding="utf-8")

    def commit(self, message: str) -> None:
        """Commit the whole work tree."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def commit_page(self, text: str) -> None:
        """A new commit whose page says ``text``."""
        self.write_page(text)
        self.commit(f"Say {text}")


def leftovers(home: Path) -> list[str]:
    """Containers, networks, mounts, processes and sockets that belong to a localstalk."""
    mark, runtime = label(home), Home(home).runtime
    found = []
    for argv in (
        ["podman", "ps", "--all", "--format", "{{.Names}}"],
        ["podman", "network", "ls", "--format", "{{.Name}}"],
    ):
        text = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout
        found += [line for line in text.splitlines() if mark in line]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(home) in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(home) in words or str(runtime) in words:
                found.append(words)
    return found + [str(path) for path in (runtime.rglob("*") if runtime.exists() else [])]


@pytest.fixture(scope="session")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    home = tmp_path_factory.mktemp("home") / "localstalk"
    made = Localstalk(home)
    made.cli("up", "--driver", "container", "--speed", SPEED)
    try:
        yield made
    finally:
        made.cli("down")
    assert leftovers(home) == []


@pytest.fixture(scope="session")
def shop(localstalk: Localstalk, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """``eb init`` in a new repository with one commit."""
    root, home = tmp_path_factory.mktemp("shop"), tmp_path_factory.mktemp("user")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | localstalk.aws
    env |= {"HOME": str(home), "TERM": "dumb", "COLUMNS": "200"}
    env |= {"GIT_AUTHOR_NAME": "shop", "GIT_COMMITTER_NAME": "shop"}
    env |= {"GIT_AUTHOR_EMAIL": "shop@example.com", "GIT_COMMITTER_EMAIL": "shop@example.com"}
    made = Shop(root, env, localstalk)
    made.git("init", "--quiet", "--initial-branch", "main")
    (root / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (root / "server.pl").write_text(SERVER, encoding="utf-8")
    (root / ".ebextensions").mkdir()
    (root / ".ebextensions" / "patient.config").write_text(PATIENT, encoding="utf-8")
    made.commit_page("one")
    said = made.eb("init", APPLICATION, "--region", localstalk.aws["AWS_DEFAULT_REGION"], "--platform", PLATFORM)
    assert f"Application {APPLICATION} has been created." in said
    return made


@pytest.fixture(scope="session")
def created(shop: Shop) -> str:
    """What ``eb create`` said: one instance behind a load balancer."""
    return shop.eb(
        *("create", ENVIRONMENT, "--cname", PREFIX, "--elb-type", "application", "--envvars", "GREETING=world"),
        *("--min-instances", "1", "--max-instances", "2", "--timeout", "5"),
    )


def last_label(text: str) -> str:
    """The version label that eb chose."""
    found = re.findall(r'Creating application version archive "([^"]+)"', text)
    assert found, text
    return str(found[-1])
