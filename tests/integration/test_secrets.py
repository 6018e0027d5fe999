# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret stays behind: after success, failure, and kill -9 at any moment. The same search finds what eb leaves."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, Project, Stalk
from .minimal import git
from .secret_scan import Guarded, guarded_application

pytestmark = pytest.mark.containers

EB = ROOT / ".venv-eb" / "bin" / "eb"
KILLS = 4


@pytest.fixture(scope="module")
def guarded(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = guarded_application(project, tmp_path_factory.mktemp("application"), "guarded")
    yield made
    made.minimal.terminate()


@pytest.fixture(scope="module")
def simulated(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The same where instances are simulated: what runs on the control node is the same, and the rest takes no time."""
    stalk = Stalk(tmp_path_factory.mktemp("simulated") / "localstalk")
    folder = tmp_path_factory.mktemp("application")
    driver = {"driver": "sim", "speed": 100}
    made = guarded_application(Project(project.root, stalk), folder, "simulated", eb_localstalk=driver)
    run = made.deploy()
    assert run.rc == 0, run.output
    yield made
    assert stalk.cli("down").returncode == 0


def test_success_leaves_nothing(guarded: Guarded) -> None:
    run = guarded.deploy()
    assert run.rc == 0, run.output
    assert guarded.minimal.page() == f"hello {guarded.tokens['property']}"
    (instance,) = guarded.minimal.instances()
    assert guarded.tokens["file"] in guarded.minimal.shell(instance, "cat /var/app/current/.secrets/base.json")
    assert guarded.tokens["overlay"] == guarded.minimal.shell(instance, "cat /var/app/current/.secrets/key")
    assert guarded.findings() == []
    again = guarded.deploy()
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert guarded.findings() == []


def test_failure_leaves_nothing(guarded: Guarded) -> None:
    guarded.change("fails")
    hooks = guarded.minimal.variables["eb_hooks"]
    guarded.minimal.variables["eb_hooks"] = [{"name": "breaks", "command": "exit 1"}]
    run = guarded.deploy()
    guarded.minimal.variables["eb_hooks"] = hooks
    assert run.rc == 2, run.output
    assert guarded.findings() == []
    # A fault in the bundle stops it before it has a name.
    guarded.minimal.variables["eb_bundle_overlay"].append(
        {"path": ".ebextensions/x.config", "content": "commands: 5\n"}
    )
    run = guarded.deploy()
    guarded.minimal.variables["eb_bundle_overlay"].pop()
    assert run.rc == 2, run.output
    assert ".ebextensions/x.config:1: error: commands takes a mapping of names [wrong-type]" in run.output
    assert guarded.findings() == []


def ready(guarded: Guarded) -> bool:
    return bool(guarded.minimal.environment()["Status"] == "Ready")


def wait_until_ready(guarded: Guarded) -> None:
    deadline = time.monotonic() + 60
    while not ready(guarded):
        assert time.monotonic() < deadline, "the environment is still busy"
        time.sleep(0.1)


def only_the_bundle(guarded: Guarded) -> list[Path]:
    """Between making and upload the bundle has to be somewhere: for nobody else to read, and an hour at most."""
    left = {Path(line.rpartition(": ")[0]) for line in guarded.findings()}
    for path in left:
        assert path.name.endswith(".secret.zip"), path
        assert path.parent == guarded.bundles
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        os.utime(path, (0, 0))
    return sorted(left)


def test_kill_leaves_nothing_but_the_bundle_that_was_to_be_uploaded(simulated: Guarded) -> None:
    """Moments are spread evenly over the length of a run that was measured just before."""
    simulated.change("measured")
    began = time.monotonic()
    run = simulated.deploy()
    length = time.monotonic() - began
    assert run.rc == 0, run.output
    assert simulated.findings() == []
    tasks = set()
    for number in range(KILLS):
        wait_until_ready(simulated)
        simulated.change(f"killed {number}")
        moment = length * (number + 0.5) / KILLS
        run = simulated.deploy(lambda seconds, moment=moment: seconds >= moment)
        tasks.add((re.findall(r"^TASK \[(.+?)\]", run.output, re.MULTILINE) or ["before the first task"])[-1])
        only_the_bundle(simulated)
    assert len(tasks) >= KILLS / 2, f"the moments were not spread over the run: {tasks}"


def test_kill_while_there_is_a_bundle(simulated: Guarded) -> None:
    """The one moment at which something must be left, so that it is known to be hit."""
    wait_until_ready(simulated)
    simulated.change("killed with a bundle")
    for path in simulated.bundles.glob("*.secret.zip"):
        path.unlink()
    run = simulated.deploy(lambda _seconds: any(simulated.bundles.glob("*.secret.zip")))
    assert run.rc == -9, run.output
    assert len(only_the_bundle(simulated)) == 1
    run = simulated.deploy()
    assert run.rc == 0, run.output
    assert simulated.findings() == []


def test_the_search_finds_what_eb_leaves(simulated: Guarded) -> None:
    aws = simulated.minimal.project.stalk.aws()
    environment = simulated.minimal.environment()["EnvironmentName"]
    settings = simulated.minimal.folder / ".elasticbeanstalk"
    settings.mkdir()
    (settings / "config.yml").write_text(
        f"branch-defaults:\n  main:\n    environment: {environment}\nglobal:\n  application_name: simulated\n"
        "  default_region: us-east-1\n  sc: git\n"
    )
    simulated.change("eb")
    git(simulated.minimal.folder, "add", "-f", ".secrets")
    done = subprocess.run(
        [EB, "deploy", "--staged", "--timeout", "5"],
        cwd=simulated.minimal.folder,
        env=os.environ | aws | simulated.environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    git(simulated.minimal.folder, "reset", "-q", "HEAD", "--", ".secrets")
    assert done.returncode == 0, done.stdout + done.stderr
    found = simulated.findings()
    assert any(".elasticbeanstalk/app_versions/" in line and ".zip: file" in line for line in found), found
    assert "git object: file" in found
