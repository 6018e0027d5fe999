# SPDX-License-Identifier: GPL-3.0-or-later
"""What many forks cost their parent."""

from __future__ import annotations

import pytest
from ansible import constants, context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.jack.beanstalk.plugins.callback.light_forks import CallbackModule


@pytest.mark.parametrize(("forks", "seconds"), [(5, 0.01), (40, 0.01), (200, 0.05), (2000, 0.5)])
def test_the_more_forks_the_less_often_ansible_looks_at_each(
    monkeypatch: pytest.MonkeyPatch, forks: int, seconds: float
) -> None:
    monkeypatch.setattr(constants, "DEFAULT_INTERNAL_POLL_INTERVAL", 0.01)
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(forks=forks))
    CallbackModule().v2_playbook_on_start(None)
    assert pytest.approx(seconds) == constants.DEFAULT_INTERNAL_POLL_INTERVAL
