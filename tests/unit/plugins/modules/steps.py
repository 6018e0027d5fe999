# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve steps: create, modify, delete; each in check mode and for real; each a first and a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., dict[str, Any]]


def twelve_steps(run: Run, module: str, first: dict[str, Any], second: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Create, modify and delete; returns the results by step so that a test can look closer."""
    gone = {key: value for key, value in second.items() if key not in ("tags", "option_settings", "src")}
    results: dict[str, dict[str, Any]] = {}
    for name, params in (("create", first), ("modify", second), ("delete", {**gone, "state": "absent"})):
        for step, check, changed in (
            ("check", True, True),
            ("check again", True, True),
            ("do", False, True),
            ("check done", True, False),
            ("do again", False, False),
        ):
            result = run(module, check=check, **params)
            assert not result.get("failed"), result["msg"]
            assert result["changed"] is changed, (name, step, result)
            results[f"{name} {step}"] = result
        assert results[f"{name} check"]["diff"] == results[f"{name} do"]["diff"]
        assert results[f"{name} do again"]["diff"]["after"] == results[f"{name} do again"]["diff"]["before"]
    return results
