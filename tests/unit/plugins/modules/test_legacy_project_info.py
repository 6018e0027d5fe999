# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.jack.beanstalk.plugins.modules import legacy_project_info

PROJECT = Path(__file__).resolve().parents[3] / "fixtures" / "legacy_project"


def run(capsys, **arguments):
    """Run the module; return its result and exit status."""
    basic._ANSIBLE_ARGS = None
    with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        legacy_project_info.main()
    return json.loads(capsys.readouterr().out), ended.value.code


@pytest.mark.parametrize("check_mode", [False, True])
def test_returns_the_project(capsys, check_mode):
    result, status = run(capsys, path=str(PROJECT), _ansible_check_mode=check_mode)
    assert (status, result["changed"]) == (0, False)
    assert result["variables"]["eb_application"] == "guestbook"
    assert list(result["hosts"]) == ["guestbook-production", "guestbook-develop"]
    assert {tuple(note) for note in result["understood"] + result["open"]} == {("file", "line", "text", "urgent")}
    assert result["report"].startswith("# guestbook: what was understood")
    assert [(one["inventory"], one["path"]) for one in result["files"]] == [
        ("aws", "hosts.yml"),
        ("aws", "group_vars/all/project.yml"),
        ("aws", "group_vars/all/aws.yml"),
        ("local", "hosts.yml"),
        ("local", "group_vars/all/localstalk.yml"),
    ]


def test_failures_are_one_sentence(capsys, tmp_path):
    result, status = run(capsys, path=str(tmp_path / "no"))
    assert (status, result["msg"]) == (1, f"There is no folder {tmp_path}/no.")
    result, status = run(capsys, path=str(tmp_path))
    assert status == 1
    assert result["msg"].startswith(f"{tmp_path} has none of .ebextensions, .elasticbeanstalk,")
    assert result["msg"].endswith("it is no project for Elastic Beanstalk.")
