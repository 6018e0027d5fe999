# SPDX-License-Identifier: GPL-3.0-or-later
"""Random worlds and fault schedules for the planner."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle_world import EFFECTS, Action, Goal, Policy
from chaos.scenario import GUARDS, TURNS, Scenario
from chaos.world import Fault, Launch
from hypothesis import strategies as st

DELICATE = sorted(EFFECTS | {Action.RELEASE, Action.ACQUIRE, Action.PROVE, Action.VERIFY})
FAULTS = st.tuples(st.tuples(st.none(), st.integers(0, 70)), st.sampled_from(Fault)) | st.tuples(
    st.tuples(st.sampled_from(DELICATE), st.integers(1, 3)), st.sampled_from(Fault)
)

POLICIES = st.builds(
    Policy,
    goal=st.sampled_from((Goal.RECREATE, Goal.RECREATE, Goal.DEPLOY, Goal.ROLLBACK)),
    version_label=st.just("v1"),
    base_name=st.just("blog"),
    force=st.booleans(),
    keep_retired=st.sampled_from((0, 0, 600, 4000)),
    keep_failed=st.sampled_from((0, 0, 600)),
    require_leader_tasks=st.booleans(),
    soak=st.sampled_from((0, 40)),
    poll=st.just(30),
    lock_wait=st.sampled_from((0, 600)),
    cycle_limit=st.sampled_from((6 * 3600, 900)),
    create_timeout=st.just(600),
    verify_timeout=st.just(200),
    terminate_timeout=st.sampled_from((300, 1800)),
)

SCENARIOS = st.builds(
    Scenario,
    policy=POLICIES,
    fates=st.lists(st.sampled_from(Launch), max_size=2).map(tuple),
    faults=st.lists(FAULTS, max_size=6).map(tuple),
    second=st.none() | st.tuples(st.sampled_from((0.0, 0.05, 20.0, 130.0, 200.0, 400.0)), POLICIES),
    stuck=st.integers(0, 2),
    quota=st.integers(1, 3),
    squat=st.sampled_from((0, 0, 0, 100, 5000)),
    gap=st.sampled_from((1, 60, 300, 4000)),
    deploy_by_hand=st.sampled_from((0, 0, 0, 100, 160)),
    same_machine=st.booleans(),
    delay=st.sampled_from((5, 45, 65)),
    size=st.integers(1, 3),
    turns=st.lists(
        st.tuples(st.integers(0, 900), st.sampled_from(("first", "newest")), st.sampled_from(sorted(TURNS))), max_size=3
    ).map(tuple),
    guard=st.sampled_from(("",) * 12 + tuple(GUARDS)),
    sticky=st.sampled_from((70, 70, 300, 2000)),
)
