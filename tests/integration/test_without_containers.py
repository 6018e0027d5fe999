# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that cannot run containers: deploying says why, goes on with simulated instances, and says so at last."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Localstalk, Project, export

ENGINES = ("podman", "docker")


def path_without_engines(folder: Path) -> str:
    """A PATH on which every program is found but those that run containers."""
    folder.mkdir()
    for source in map(Path, os.environ["PATH"].split(os.pathsep)):
        for program in source.iterdir() if source.is_dir() else ():
            link = folder / program.name
            if program.name not in ENGINES and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("checkout")
    export(root)
    localstalk = Localstalk(tmp_path_factory.mktemp("home") / "localstalk")
    localstalk.env["PATH"] = path_without_engines(tmp_path_factory.mktemp("path") / "bin")
    localstalk.env["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("run"))
    yield Project(root, localstalk)
    down = localstalk.cli("down")
    assert down.returncode == 0, down.stderr


def test_deploying_goes_on_and_says_what_did_not_run(bare: Project) -> None:
    run = bare.play("deploy.yml")
    assert run.rc == 0, run.output
    reason = re.search(
        r"No application container ran: localstalk simulates the instances because .+ podman", run.output
    )
    assert reason, run.output
    last = run.output.partition("PLAY RECAP")[0].rstrip().splitlines()[-6:]
    assert any("No application container ran: " in line for line in last), run.output
    environment = bare.localstalk.environment()
    assert (environment["Status"], environment["Health"]) == ("Ready", "Green")
    assert set(bare.localstalk.deployments().values()) == {environment["VersionLabel"]}

    again = bare.play("deploy.yml")
    assert (again.rc, again.count("changed")) == (0, 0), again.output
    assert "No application container ran: " in again.output.partition("PLAY RECAP")[0][-600:]
