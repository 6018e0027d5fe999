# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say about themselves is true: documentation, argument spec and action group agree."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_says_what_it_does_in_check_mode(path: Path) -> None:
    attributes = documentation(path).get("attributes", {})
    assert {"check_mode", "diff_mode", "idempotent"} <= set(attributes) or any(
        name.endswith("attributes.info") for name in fragments(path)
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_main_is_short(path: Path) -> None:
    tree = ast.parse(path.read_text())
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert main.end_lineno is not None
    assert main.end_lineno - main.lineno + 1 <= 40
