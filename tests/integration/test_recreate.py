# SPDX-License-Identifier: GPL-3.0-or-later
"""A cycle of the default inventory, as the README promises it: fresh instances behind the same name."""

from __future__ import annotations

import pytest

from .conftest import Project, Run

pytestmark = [pytest.mark.containers, pytest.mark.slow]


def test_recreate_and_swap_works_out_of_the_box(project: Project, first_deploy: Run) -> None:
    stalk = project.stalk
    before, instances = stalk.environment(), stalk.deployments()
    run = project.play("recreate_and_swap.yml")
    assert run.rc == 0, run.output
    assert "result: done" in run.output
    after = stalk.environment()  # there is only one
    assert after["EnvironmentId"] != before["EnvironmentId"]
    assert (after["CNAME"], after["VersionLabel"]) == (before["CNAME"], before["VersionLabel"])
    assert len(stalk.deployments()) == len(instances)
    assert not set(stalk.deployments()) & set(instances)
    page = stalk.page()
    assert f'id="version-label">{after["VersionLabel"]}<' in page
    assert any(one in page for one in stalk.deployments())


def test_the_next_deploy_finds_nothing_to_do(project: Project, first_deploy: Run) -> None:
    run = project.play("deploy.yml")
    assert run.rc == 0, run.output
    assert run.count("changed") == 0
