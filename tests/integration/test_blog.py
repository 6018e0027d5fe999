# SPDX-License-Identifier: GPL-3.0-or-later
"""The blog on Docker and on a Python platform, from one source: page, static files, tasks, a cycle and the way back."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from .conftest import Localstalk, Project, Run, export

pytestmark = [pytest.mark.containers, pytest.mark.slow]

DRAIN = 180
INVENTORIES = {"blog-local": "inventory/local", "blog-python": "inventory/local-python"}


@dataclass(frozen=True)
class Blog:
    """The blog as one of the inventories has it."""

    project: Project
    name: str
    deployed: Run

    def play(self, playbook: str, *options: str) -> Run:
        run = self.project.play(playbook, "-i", INVENTORIES[self.name], *options)
        assert run.rc == 0, run.output
        return run

    def keeping(self) -> str:
        """The inventory's own options of a cycle, but the old environment is kept for a rollback."""
        variables = yaml.safe_load((self.project.root / "inventory/local/group_vars/all/main.yml").read_text())
        return json.dumps({"eb_recreate": variables["eb_recreate"] | {"retain_old_for": 1800, "drain_timeout": DRAIN}})

    def served(self, path: str = "") -> str:
        url = self.project.localstalk.get(f"/_localstalk/url/{self.name}").strip()
        with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310 -- localstalk's own
            return answer.read().decode()

    def environments(self) -> dict[str, dict[str, Any]]:
        """Those that are there, by id."""
        eb = self.project.localstalk.client("elasticbeanstalk")
        found = eb.describe_environments(ApplicationName="blog", IncludeDeleted=False)["Environments"]
        return {one["EnvironmentId"]: one for one in found}

    def live(self) -> dict[str, Any]:
        (found,) = [one for one in self.environments().values() if one["CNAME"].split(".")[0] == self.name]
        return found


@pytest.fixture(scope="module", params=sorted(INVENTORIES))
def blog(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blog]:
    """With a localstalk of its own, which others need not clean up."""
    root = tmp_path_factory.mktemp("checkout")
    export(root)
    localstalk = Localstalk(tmp_path_factory.mktemp("home") / "localstalk")
    project = Project(root, localstalk)
    try:
        run = project.play("deploy.yml", "-i", INVENTORIES[request.param])
        assert run.rc == 0, run.output
        yield Blog(project, request.param, run)
    finally:
        down = localstalk.cli("down")
    assert down.returncode == 0, down.stderr
    assert localstalk.leftovers() == []


def test_the_page_and_its_static_files_are_served(blog: Blog) -> None:
    page = blog.served()
    assert "<title>" in page
    style = re.search(r'href="/(static/[^"]+\.css)"', page)
    assert style, page
    assert blog.served(style[1]) == (blog.project.application / "blog/static/blog/style.css").read_text()


def test_leader_tasks_run_once_and_others_everywhere(blog: Blog) -> None:
    for name, count in (("migrate", 1), ("createsu", 1), ("collectstatic", 2), ("releaseinfo", 2)):
        ran = re.findall(rf"Hook: +{name} on i-[0-9a-f]{{17}}, exit code 0", blog.deployed.output)
        assert len(ran) == count, (name, blog.deployed.output)


def test_a_second_deployment_changes_nothing(blog: Blog) -> None:
    assert blog.play("deploy.yml").count("changed") == 0


def test_a_cycle_and_the_way_back(blog: Blog) -> None:
    first = blog.live()
    cycle = blog.play("recreate_and_swap.yml", "-e", blog.keeping())
    fresh = blog.live()
    assert fresh["EnvironmentId"] != first["EnvironmentId"]
    assert fresh["VersionLabel"] == first["VersionLabel"]
    assert "<title>" in blog.served()
    # Health checks are no visits: without any, the old environment is drained long before the drain has to end.
    drained = re.findall(r"is drained after (\d+) seconds", cycle.output)
    assert drained, cycle.output
    assert int(drained[-1]) < DRAIN, cycle.output

    back = blog.play("rollback.yml", "-e", blog.keeping())
    assert "result: done" in back.output
    assert blog.live()["EnvironmentId"] == first["EnvironmentId"], "the one that was kept"
    assert f'id="version-label">{first["VersionLabel"]}<' in blog.served()
