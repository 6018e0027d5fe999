# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say about themselves is true: documentation, argument spec and action group agree."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
GROUP = "jack.beanstalk.attributes.actiongroup"


def documentation(path: Path) -> dict[str, Any]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return dict(yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{path} has no DOCUMENTATION")


def fragments(path: Path) -> list[str]:
    return list(documentation(path).get("extends_documentation_fragment", []))


def test_the_action_group_is_the_modules_that_talk_to_aws() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    group = [name for name in runtime["action_groups"]["beanstalk"] if isinstance(name, str)]
    assert group == sorted(path.stem for path in MODULES if "amazon.aws.common.modules" in fragments(path))
    assert group == sorted(path.stem for path in MODULES if GROUP in fragments(path))


# By the name of a fragment's variable.
ATTRIBUTES = {
    str(getattr(node.targets[0], "id", "")): yaml.safe_load(ast.literal_eval(node.value))["attributes"]
    for node in ast.walk(ast.parse((ROOT / "plugins" / "doc_fragments" / "attributes.py").read_text()))
    if isinstance(node, ast.Assign)
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_says_what_it_does_in_check_mode(path: Path) -> None:
    said = {**documentation(path).get("attributes", {})}
    for name in fragments(path):
        if name.startswith("jack.beanstalk.attributes."):
            said |= ATTRIBUTES[name.rpartition(".")[2].upper()]
    assert {name for name, value in said.items() if "support" in value} >= {"check_mode", "diff_mode", "idempotent"}


# What an action plugin does by itself has documentation only.
ON_THE_CONTROLLER = {"item_result"}


@pytest.mark.parametrize(
    "path", [one for one in MODULES if one.stem not in ON_THE_CONTROLLER], ids=lambda one: one.stem
)
def test_main_is_short(path: Path) -> None:
    tree = ast.parse(path.read_text())
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert main.end_lineno is not None
    assert main.end_lineno - main.lineno + 1 <= 40


def test_every_module_with_a_state_passes_the_twelve_steps() -> None:
    tested = set(
        re.findall(
            r'twelve_steps\(run, "(\w+)"', (ROOT / "tests/unit/plugins/modules/test_twelve_steps.py").read_text()
        )
    )
    assert tested == {path.stem for path in MODULES if "state" in documentation(path).get("options", {})}


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What ansible-doc says of every module that it lists."""
    command = [Path(sys.executable).with_name("ansible-doc"), "--type", "module", "--json"]
    variables = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    options = {"capture_output": True, "cwd": ROOT, "env": variables, "text": True}
    listed = json.loads(subprocess.run([*command, "--list", "jack.beanstalk"], check=True, **options).stdout)
    return dict(json.loads(subprocess.run([*command, *listed], check=True, **options).stdout))


def test_ansible_doc_lists_every_module(shown: dict[str, Any]) -> None:
    assert set(shown) == {f"jack.beanstalk.{path.stem}" for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_ansible_doc_shows_attributes_examples_and_results(path: Path, shown: dict[str, Any]) -> None:
    told = shown[f"jack.beanstalk.{path.stem}"]
    assert {"check_mode", "diff_mode", "idempotent"} <= set(told["doc"]["attributes"])
    for task in yaml.safe_load(told["examples"]):
        assert "name" in task
    assert f"jack.beanstalk.{path.stem}:" in told["examples"]
    assert told["return"]
    for result in told["return"].values():
        assert {"description", "returned", "type"} <= set(result)
