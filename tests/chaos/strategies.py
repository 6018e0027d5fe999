# SPDX-License-Identifier: GPL-3.0-or-later
"""Random worlds and fault schedules for the planner."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    EFFECTS,
    Action,
    Goal,
    Policy,
)
from chaos.scenario import GUARDS, TURNS, Scenario
from chaos.world import Fault, Launch
from hypothesis import strategies as st

DELICATE = sorted(EFFECTS | {Action.RELEASE, Action.ACQUIRE, Action.CHECK_CNAME, Action.SMOKE_TEST})
FAULTS = st.tuples(st.tuples(st.none(), st.integers(0, 70)), st.sampled_from(Fault)) | st.tuples(
    st.tuples(st.sampled_from(DELICATE), st.integers(1, 3)), st.sampled_from(Fault)
)

GOALS = (Goal.RECREATE, Goal.RECREATE, Goal.DEPLOY, Goal.ROLLBACK)
LIMITS = {
    "version_label": st.just("v1"),
    "name_prefix": st.just("blog"),
    "require_leader_tasks": st.booleans(),
    "retain_old_for": st.sampled_from((0, 0, 600, 4000)),
    "bake_time": st.sampled_from((0, 40)),
    "poll_interval": st.just(30),
    "lock_wait_timeout": st.sampled_from((0, 600)),
    "create_timeout": st.just(600),
    "verify_timeout": st.just(200),
}
POLICIES = st.builds(
    Policy,
    goal=st.sampled_from(GOALS),
    force=st.booleans(),
    retain_failed_for=st.sampled_from((0, 0, 600)),
    cycle_timeout=st.sampled_from((6 * 3600, 900)),
    terminate_timeout=st.sampled_from((300, 1800)),
    **LIMITS,
)
CALM = st.builds(Policy, force=st.just(True), **LIMITS)
TURN = st.tuples(st.integers(0, 900), st.sampled_from(("first", "newest")), st.sampled_from(sorted(TURNS)))
WAITS = st.sampled_from((0.0, 0.05, 20.0, 130.0, 200.0, 400.0))
COMMON = {
    "gap": st.sampled_from((1, 60, 300, 4000)),
    "same_machine": st.booleans(),
    "delay": st.sampled_from((5, 45, 65)),
    "size": st.integers(1, 3),
    "checks": st.sampled_from((0, 16)),
    "sticky": st.sampled_from((70, 70, 300, 2000)),
}

WILD = st.builds(
    Scenario,
    policy=POLICIES,
    fates=st.lists(st.sampled_from(Launch), max_size=2).map(tuple),
    faults=st.lists(FAULTS, max_size=6).map(tuple),
    second=st.none() | st.tuples(WAITS, POLICIES),
    stuck=st.integers(0, 2),
    quota=st.integers(1, 3),
    squat=st.sampled_from((0, 0, 0, 100, 5000)),
    deploy_by_hand=st.sampled_from((0, 0, 0, 100, 160)),
    turns=st.lists(TURN, max_size=3).map(tuple),
    **COMMON,
)
GUARDED = st.builds(Scenario, policy=POLICIES, guard=st.sampled_from(sorted(GUARDS)), **COMMON)
# In most wild worlds no candidate goes live: in these one would, but for a single thing that goes wrong.
ONE_FAULT = st.builds(
    Scenario,
    policy=CALM,
    faults=st.lists(FAULTS, min_size=1, max_size=2).map(tuple),
    second=st.none() | st.tuples(WAITS, CALM),
    **COMMON,
)
ONE_TURN = st.builds(Scenario, policy=CALM, turns=st.tuples(TURN), second=st.none() | st.tuples(WAITS, CALM), **COMMON)
ONE_FATE = st.builds(
    Scenario,
    policy=CALM,
    fates=st.tuples(st.sampled_from(Launch)),
    turns=st.lists(TURN, max_size=1).map(tuple),
    faults=st.lists(FAULTS, max_size=1).map(tuple),
    **COMMON,
)
SCENARIOS = st.one_of(WILD, WILD, GUARDED, ONE_FAULT, ONE_FAULT, ONE_TURN, ONE_FATE)
