# SPDX-License-Identifier: GPL-3.0-or-later
"""The blog by inventory/local-python, from the source that others have on Docker: page, tasks, static files, cycle."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest

from .conftest import Project, Run

pytestmark = [pytest.mark.containers, pytest.mark.slow]


INVENTORY = "inventory/local-python"


@pytest.fixture(scope="module")
def deployed(project: Project) -> Run:
    run = project.play("deploy.yml", "-i", INVENTORY)
    assert run.rc == 0, run.output
    return run


def served(project: Project, path: str = "") -> str:
    url = project.stalk.get("/_localstalk/url/blog-python").strip()
    with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310 -- localstalk's own
        return answer.read().decode()


def test_the_page_and_its_static_files_are_served(project: Project, deployed: Run) -> None:
    page = served(project)
    assert "<title>" in page
    style = re.search(r'href="/(static/[^"]+\.css)"', page)
    assert style, page
    source: Path = project.application / "blog/static/blog/style.css"
    assert served(project, style[1]) == source.read_text()


def test_leader_tasks_run_once_and_others_everywhere(deployed: Run) -> None:
    for name, count in (("migrate", 1), ("createsu", 1), ("collectstatic", 2), ("releaseinfo", 2)):
        assert len(re.findall(rf"Hook: +{name} on i-[0-9a-f]{{17}}, exit code 0", deployed.output)) == count, name


def test_a_cycle_keeps_the_page(project: Project, deployed: Run) -> None:
    run = project.play("recreate_and_swap.yml", "-i", INVENTORY)
    assert run.rc == 0, run.output
    assert "<title>" in served(project)
