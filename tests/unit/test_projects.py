# SPDX-License-Identifier: GPL-3.0-or-later
"""Every project of tests/projects: the inventory, the report and the linter's findings are those that its file expects.

After a change that is meant: ``JACK_UPDATE_PROJECTS=1 pytest tests/unit/test_projects.py``, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.inventory import inventory_files, report
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.notes import Notes
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.project import read_project
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.source import Source
from projects.loader import PROJECTS, Project, told

each_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)


def test_there_are_thirty() -> None:
    assert len(PROJECTS) >= 30


@each_project
def test_a_project_is_understood_as_expected(project: Project, tmp_path: Path) -> None:
    place = project.write(tmp_path)
    found = told(read_project(str(place)), place)
    if os.environ.get("JACK_UPDATE_PROJECTS"):
        project.update(found)
    else:
        assert found == project.expected


@each_project
def test_no_file_is_passed_over_in_silence(project: Project, tmp_path: Path) -> None:
    place = project.write(tmp_path)
    adopted = read_project(str(place))
    assert set(Source(place, Notes()).deployment_files()) <= adopted.notes.files()
    shown = report(adopted)
    assert all(
        f"`{note.file}" in shown for note in (*adopted.notes.open, *adopted.notes.kept, *adopted.notes.understood)
    )


@each_project
def test_no_variable_is_in_two_files_and_secrets_in_none(project: Project, tmp_path: Path) -> None:
    place = project.write(tmp_path)
    adopted = read_project(str(place))
    files = {(one["inventory"], one["path"]): one["content"] for one in inventory_files(adopted, str(place))}
    shared = set(yaml.safe_load(files["aws", "group_vars/all/project.yml"]))
    for other in (("aws", "group_vars/all/aws.yml"), ("local", "group_vars/all/localstalk.yml")):
        assert not shared & set(yaml.safe_load(files[other]))
    told_all = "".join(files.values()) + report(adopted)
    assert "only here" not in told_all
    assert "only-here" not in told_all
    assert "Tr0ub4dor" not in told_all


@each_project
def test_what_was_adopted_is_adopted_alike_again(project: Project, tmp_path: Path) -> None:
    place = project.write(tmp_path)
    first, second = read_project(str(place)), read_project(str(place))
    assert told(first, place) == told(second, place)
