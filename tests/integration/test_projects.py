# SPDX-License-Identifier: GPL-3.0-or-later
"""The local inventory of every project of tests/projects: all in one run that only looks, and eight for real."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from listener import Listener
from projects.loader import PROJECTS, local_hosts

from .conftest import ROOT, Localstalk, Project

pytestmark = pytest.mark.slow

NOT_HERE = ("dotnet-windows.ledger-iis",)
"""Of a platform that localstalk does not offer."""

RECAP = re.compile(r"^(\S+) +: ok=\d+ .*failed=(\d+)", re.MULTILINE)


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[Project]:
    """A localstalk of its own, without containers."""
    localstalk = Localstalk(tmp_path / "localstalk")
    up = localstalk.cli("up", "--driver", "sim", "--speed", "500")
    assert up.returncode == 0, up.stderr
    yield Project(ROOT, localstalk)
    assert localstalk.cli("down").returncode == 0


def test_every_local_inventory_could_be_deployed_and_reaches_nothing_else(simulated: Project, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    hosts = {}
    faulty = {}
    for project in PROJECTS:
        mine = local_hosts(project.write(sources, repository=True), project)
        hosts |= mine
        faults = re.findall(r"error: .*\[([\w-]+)\]$", project.expected["lint"], re.MULTILINE)
        faulty |= dict.fromkeys(mine, faults) if faults else {}
    inventory = tmp_path / "hosts.json"
    # As if somebody's file for AWS were read last.
    with Listener() as listener:
        theirs = {"eb_aws": {"profile": "shop", "endpoint_url": listener.url}}
        inventory.write_text(json.dumps({"all": {"hosts": {name: values | theirs for name, values in hosts.items()}}}))
        simulated.localstalk.env |= listener.environment(tmp_path)
        run = simulated.play("deploy.yml", "-i", str(inventory), "--check", "--forks", "4")
        assert listener.requests == []
    failed = {name for name, count in RECAP.findall(run.output.rpartition("PLAY RECAP")[2]) if count != "0"}
    assert failed == {*faulty, *NOT_HERE}, run.output
    for name in failed:
        said = run.output.partition(f"fatal: [{name}]")[2].partition("fatal: [")[0]
        reasons = ["There is no platform"] if name in NOT_HERE else [f"[{fault}]" for fault in faulty[name]]
        assert any(reason in said for reason in reasons), said


def test_a_worker_is_deployed_by_its_tier_and_not_again(simulated: Project, tmp_path: Path) -> None:
    (worker,) = [project for project in PROJECTS if project.name == "python-worker"]
    inventory = tmp_path / "hosts.json"
    hosts = local_hosts(worker.write(tmp_path, repository=True), worker)
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    first = simulated.play("deploy.yml", "-i", str(inventory))
    assert first.rc == 0, first.output
    eb = simulated.localstalk.client("elasticbeanstalk")
    (made,) = eb.describe_environments(ApplicationName=worker.name, IncludeDeleted=False)["Environments"]
    assert (made["EnvironmentName"], made["Tier"]["Name"], made["Status"]) == ("mail-worker", "Worker", "Ready")
    again = simulated.play("deploy.yml", "-i", str(inventory))
    assert (again.rc, again.count("changed")) == (0, 0), again.output


EIGHT = (
    *("compose-services", "docker-hooks-copied", "docker-leader-test", "docker-marker-folders"),
    *("docker-marker-one-for-several", "docker-marker-prefix", "docker-platform-hooks", "python-plain"),
)


@pytest.mark.containers
def test_eight_projects_are_deployed_and_answer(project: Project, tmp_path: Path) -> None:
    hosts = {}
    for one in PROJECTS:
        if one.name in EIGHT:
            hosts |= local_hosts(one.write(tmp_path, repository=True), one)
    assert len(hosts) == len(EIGHT)
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    run = project.play("deploy.yml", "-i", str(inventory))
    assert run.rc == 0, run.output
    for values in hosts.values():
        url = project.localstalk.get(f"/_localstalk/url/{values['eb_cname_prefix']}").strip()
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 -- localstalk's own
            assert answer.read() == b"hello ", values
        for hook in values["eb_hooks"]:
            assert re.search(rf"Hook: +{hook['name']} on i-[0-9a-f]{{17}}, exit code 0", run.output), run.output
