# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, and its documentation against the rules."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.findings import RULES
from ansible_collections.jack.beanstalk.plugins.modules import bundle_lint


def run(capsys, **arguments):
    """Run the module; return its result and exit status."""
    basic._ANSIBLE_ARGS = None
    with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        bundle_lint.main()
    return json.loads(capsys.readouterr().out), ended.value.code


@pytest.fixture
def tree(tmp_path):
    (tmp_path / ".ebextensions").mkdir()
    config = tmp_path / ".ebextensions" / "01.config"
    config.write_text(
        "option_settings:\n  aws:autoscaling:asg:\n    MinSzie: 1\n"
        "  aws:elasticbeanstalk:command:\n    DeploymentPolicy: rolling\n"
    )
    return tmp_path


def test_errors_fail(capsys, tree):
    result, status = run(capsys, path=str(tree))
    assert status == 1
    assert result["msg"].startswith(
        "Found 1 error and 1 warning in the bundle, first .ebextensions/01.config:3: error:"
    )
    assert (result["error_count"], result["warning_count"], result["file_count"]) == (1, 1, 1)
    assert result["findings"][0] == {
        "file": ".ebextensions/01.config",
        "line": 3,
        "rule": "unknown-option",
        "severity": "error",
        "message": "aws:autoscaling:asg has no option MinSzie (did you mean MinSize?)",
        "effect": RULES["unknown-option"].effect,
        "mend": RULES["unknown-option"].mend,
    }


def test_warnings_do_not_fail_but_are_said(capsys, monkeypatch, tree):
    # AnsibleModule.warn itself displays in place of returning where another test has imported Ansible's controller.
    said = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: said.append(text))
    result, status = run(capsys, path=str(tree), skip_rules=["unknown-option"])
    assert (status, result["changed"]) == (0, False)
    assert [text.partition(": ")[0] for text in said] == [".ebextensions/01.config:5"]
    assert run(capsys, path=str(tree), skip_rules=["unknown-option"], fail_on="warning")[1] == 1


def test_never_only_reports(capsys, tree):
    result, status = run(capsys, path=str(tree), fail_on="never", _ansible_check_mode=True)
    assert (status, result["changed"], result["error_count"]) == (0, False, 1)


def test_failures_are_one_sentence(capsys, tmp_path):
    assert run(capsys, path=str(tmp_path / "no"))[0]["msg"] == f"There is no file or folder {tmp_path}/no."
    result, status = run(capsys, path=str(tmp_path), skip_rules=["nonsense"])
    assert (status, result["msg"]) == (1, "There is no rule nonsense.")


def test_every_rule_is_documented():
    notes = " ".join(yaml.safe_load(bundle_lint.DOCUMENTATION)["notes"])
    assert set(re.findall(r"V\(([a-z-]+)\)", notes)) == set(RULES)
