# SPDX-License-Identifier: GPL-3.0-or-later
"""Random worlds under random faults: the live name is always good, nothing is lost, one run writes, all ends well.

``JACK_CHAOS_WORLDS`` sets the number of worlds: 10,000 by default, 1000000 for the long run. They are dealt out to the
processes of pytest-xdist. Counter-examples are minimised by Hypothesis and printed with the story of their steps.
"""

from __future__ import annotations

import os

import pytest
from chaos.scenario import Scenario, run
from chaos.strategies import SCENARIOS
from chaos.world import BrokenPromiseError
from hypothesis import HealthCheck, Phase, given, note, settings

WORLDS = int(os.environ.get("JACK_CHAOS_WORLDS", "10000"))
SHARES = 8  # for as many processes at most


@pytest.mark.parametrize("share", range(SHARES))
@settings(
    max_examples=-(-WORLDS // SHARES),
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(scenario=SCENARIOS)
def test_promises_hold_in_random_worlds(share: int, scenario: Scenario) -> None:
    try:
        run(scenario)
    except BrokenPromiseError as error:
        for line in error.story:
            note(line)
        raise
