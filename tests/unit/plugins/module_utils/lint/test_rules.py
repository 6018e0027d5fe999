# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule: a bundle that it must find something in, at the right line, and a bundle that it must leave alone."""

from __future__ import annotations

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.findings import RULES

from . import django_cases, docker_cases, ebextensions_cases, hook_cases, option_cases
from .cases import Case

CASES = [
    case
    for module in (ebextensions_cases, option_cases, hook_cases, docker_cases, django_cases)
    for case in module.CASES
]


def case_id(case: Case) -> str:
    return f"{case.rule}-{CASES.index(case)}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_finds_the_fault(lint, case):
    report = lint(case.bad, case.platform)
    found = [item for item in report.findings if item.rule == case.rule]
    assert found, [str(item) for item in report.findings]
    assert case.line in {item.line for item in found}
    assert {item.severity for item in found} == {case.severity or RULES[case.rule].severity}
    assert all(item.message and item.effect and item.mend for item in found)
    assert {item.file for item in found if item.line} <= set(case.bad)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_leaves_the_right_form_alone(lint, case):
    report = lint(case.good, case.platform)
    assert [str(item) for item in report.findings if item.rule == case.rule] == []


def test_every_rule_has_a_case():
    archive_only = {"nested-bundle"}  # test_runner.py
    assert {case.rule for case in CASES} | archive_only == set(RULES)
