# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of hooks as an inventory may spell it; what becomes of it on instances is in tests/unit/roles."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.hooks.render import problems, resolve


def test_defaults_presets_and_order() -> None:
    items = [{"preset": "migrate"}, {"name": "first", "command": "true", "order": 5}]
    first, migrate = resolve(items, "jack", 300)
    assert (first["file"], migrate["file"]) == ("jack_05_first", "jack_10_migrate")
    assert (first["leader_only"], migrate["leader_only"]) == (False, True)
    assert (first["timeout"], first["phase"], first["environment"]) == (300, "postdeploy", {})


def test_values_of_an_ini_inventory_are_texts() -> None:
    item = {"name": "task", "command": 7, "leader_only": "no", "on_config_deploy": "yes", "timeout": "60", "order": "3"}
    [hook] = resolve([item], "jack", 300)
    assert (hook["leader_only"], hook["on_config_deploy"]) == (False, True)
    assert (hook["command"], hook["timeout"], hook["file"]) == ("7", 60, "jack_03_task")
    assert problems([item], "jack", "al2023", "", 300) == []
    assert problems([{**item, "order": "100"}], "jack", "al2023", "", 300) == ['Hook "task": order must be 0 to 99.']
