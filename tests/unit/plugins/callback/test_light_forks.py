# SPDX-License-Identifier: GPL-3.0-or-later
"""What many forks cost their parent."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible import constants, context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.jack.beanstalk.plugins.callback.light_forks import CallbackModule

_COLLECTIONS = Path(__file__).resolve().parents[4] / "collections"
_LOADED = """
import json, sys
from ansible import context
from ansible.plugins.loader import init_plugin_loader
context.CLIARGS = {"forks": 5}
init_plugin_loader([sys.argv[1]])
from ansible_collections.jack.beanstalk.plugins.callback.light_forks import CallbackModule
callback = CallbackModule()
before = set(sys.modules)
callback.v2_playbook_on_start(None)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """Leave the garbage collector of the tests as it was."""
    yield
    gc.unfreeze()


@pytest.mark.parametrize(("forks", "seconds"), [(5, 0.01), (40, 0.01), (200, 0.05), (2000, 0.5)])
def test_the_more_forks_the_less_often_ansible_looks_at_each(
    monkeypatch: pytest.MonkeyPatch, forks: int, seconds: float
) -> None:
    monkeypatch.setattr(constants, "DEFAULT_INTERNAL_POLL_INTERVAL", 0.01)
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(forks=forks))
    CallbackModule().v2_playbook_on_start(None)
    assert pytest.approx(seconds) == constants.DEFAULT_INTERNAL_POLL_INTERVAL


def test_the_filters_and_tests_that_each_fork_would_load_are_loaded_in_the_parent() -> None:
    words = [sys.executable, "-c", _LOADED, str(_COLLECTIONS)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    loaded = json.loads(done.stdout)
    ours = {
        name.rpartition(".")[2]
        for name in loaded
        if name.startswith("ansible_collections.jack.beanstalk.plugins.filter.")
    }
    assert ours == {"bundle_makers", "hooks_overlay", "sort_secrets", "writers"}
    assert any(name.startswith("ansible.plugins.filter.core") for name in loaded)
    assert any(name.startswith("ansible.plugins.test.core") for name in loaded)


@pytest.mark.parametrize("event", ["v2_playbook_on_start", "v2_playbook_on_stats"])
def test_the_parents_objects_are_not_looked_through_again(monkeypatch: pytest.MonkeyPatch, event: str) -> None:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(forks=5))
    callback = CallbackModule()
    gc.unfreeze()
    getattr(callback, event)(None)
    assert gc.get_freeze_count() > 0
