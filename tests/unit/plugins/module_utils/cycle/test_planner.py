# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner does in particular worlds, played in the simulated one of tests/chaos."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner import base, forward, guards
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.base import (
    candidate_name,
    cycle_id,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Action,
    Environment,
    Goal,
    Lock,
    Observation,
    Policy,
    Result,
    Status,
    Version,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.plan import jitter
from chaos.controller import Controller
from chaos.scenario import Scenario, leftovers, run
from chaos.world import CNAME, START, BrokenPromiseError, Fault, Launch, Simulation

POLICY = Policy(
    name_prefix="blog",
    poll_interval=30,
    bake_time=30,
    min_age=3600,
    verify_timeout=200,
    create_timeout=600,
    lock_wait_timeout=0,
)
WRITES = ("create:", "swap:", "swap_back:", "tag:", "terminate:", "terminate_candidate:", "acquire:")


def play(sim: Simulation, policy: Policy = POLICY, name: str = "run") -> Result | None:
    """One run to its end."""
    one = Controller(sim, name, policy, {})
    for _turn in range(2000):
        sim.advance(one.wake)
        one.turn(None)
        if one.over:
            return one.result
    raise AssertionError("the run does not end")


def run_until_drained(sim: Simulation) -> Controller:
    """A run that has just noted that the old environment is drained."""
    one = Controller(sim, "run", POLICY, {})
    while sim.lock.record.journal is None or sim.lock.record.journal.drained is None:
        assert not one.over
        sim.advance(one.wake)
        one.turn(None)
    return one


def said(sim: Simulation) -> str:
    return "\n".join(sim.journal)


def actions(sim: Simulation) -> list[str]:
    return [line.split()[2].rstrip(":") for line in sim.journal]


def only_live(sim: Simulation) -> list[str]:
    return [one.name for one in sim.boxes.values() if one.status is not Status.TERMINATED and not one.bystander]


def test_a_cycle_replaces_the_live_environment_and_leaves_nothing() -> None:
    sim = Simulation()
    assert play(sim) is Result.DONE
    assert only_live(sim) == ["blog-270115-080000"]
    assert sim.live is not None
    assert sim.live.tags["jack:role"] == "live"
    assert sim.lock.owner == ""
    assert sim.lock.record.ledger[-1].previous == "e-0000000001"


def test_thirty_cycles_in_a_row_leave_one_environment() -> None:
    sim = Simulation()
    for night in range(30):
        assert play(sim, name=f"night{night}") is Result.DONE
        sim.advance(sim.now + 86400)
    assert len(only_live(sim)) == 1
    assert [one.owner for one in sim.lock.record.ledger] == [f"night{night}" for night in range(20, 30)]
    assert sim.lock.record.retired == ()


def test_a_recently_created_environment_is_left_alone_without_any_write() -> None:
    sim = Simulation()
    assert play(sim, replace(POLICY, min_age=100 * 3600)) is Result.SKIPPED
    assert actions(sim) == ["finish"]
    assert "only 24.0 hours old" in said(sim)


def test_outside_the_window_nothing_begins() -> None:
    assert play(Simulation(), replace(POLICY, window=(60, 120))) is Result.SKIPPED
    assert play(Simulation(), replace(POLICY, window=(470, 490))) is Result.DONE
    assert play(Simulation(), replace(POLICY, window=(1380, 490))) is Result.DONE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tags": {"jack:protected": "yes"}}, "tagged as protected"),
        ({"database_loss": "DBDeletionPolicy is Delete"}, "coupled database that would be lost"),
        ({"application": "shop"}, "of the application shop"),
        ({"tags": {"jack:logical": "blog/other"}}, "belonging to blog/other"),
        ({"tier": "Worker"}, "is a worker environment"),
        ({"shared_load_balancer": True}, "shared load balancer"),
        ({"health": "Red"}, "is Red"),
    ],
)
def test_guards_refuse_and_nothing_is_written(change: dict[str, object], sentence: str) -> None:
    sim = Simulation()
    box = sim.live
    assert box is not None
    for key, value in change.items():
        setattr(box, key, value)
    assert play(sim) is Result.REFUSED
    assert actions(sim) == ["finish"]
    assert sentence in said(sim)


def test_without_a_live_environment_there_is_nothing_to_replace() -> None:
    sim = Simulation()
    sim.boxes.clear()
    sim.ours.clear()
    assert play(sim) is Result.REFUSED
    assert "is held by an environment that is not in the application" in said(sim)


def test_an_application_of_workers_only_is_refused_as_such() -> None:
    sim = Simulation()
    (box,) = sim.boxes.values()
    box.cname, box.tier = "", "Worker"
    assert play(sim) is Result.REFUSED
    assert "is a worker environment: it has no CNAME" in said(sim)


def test_a_candidate_is_as_large_as_the_live_environment_and_its_settings_are_the_same_afterwards() -> None:
    sim = Simulation()
    assert play(sim) is Result.DONE
    assert sim.live is not None
    assert (sim.live.size, sim.live.min_size) == (2, 1)
    assert actions(sim).index("drain") < actions(sim).index("resize") < actions(sim).index("terminate")


def test_a_resize_that_is_refused_is_told_and_stops_nothing() -> None:
    sim = Simulation()
    faults = {(Action.RESIZE, number): Fault.DROPPED for number in range(1, 9)}
    one = Controller(sim, "run", POLICY, faults)
    while not one.over:
        sim.advance(one.wake)
        one.turn(None)
    assert one.result is Result.DONE
    assert "Its MinSize is still 2; the next cycle goes back to 1." in sim.lock.record.ledger[-1].sentence
    assert len(only_live(sim)) == 1
    assert sim.lock.record.pending_resize is not None
    assert play(sim, replace(POLICY, force=True), "next") is Result.DONE
    assert sim.live is not None
    assert sim.live.min_size == 1
    assert sim.lock.record.pending_resize is None


def test_a_run_that_continues_much_later_still_gives_the_size_back() -> None:
    """Killed right after it noted that the old environment is drained."""
    sim = Simulation()
    run_until_drained(sim)
    sim.advance(sim.now + 7200)
    assert play(sim, name="next") is Result.DONE
    assert sim.live is not None
    assert sim.live.min_size == 1


def test_an_environment_without_instances_is_left_alone() -> None:
    sim = Simulation()
    box = sim.live
    assert box is not None
    box.size, box.health = 0, "Grey"
    assert play(sim) is Result.SKIPPED
    assert "has no instances now" in said(sim)
    assert play(sim, replace(POLICY, force=True), "forced") is Result.DONE
    assert sim.live is not None
    assert sim.live.size == 1


def test_a_full_quota_refuses() -> None:
    sim = Simulation(quota=1)
    assert play(sim) is Result.REFUSED
    assert actions(sim) == ["finish"]


def test_a_held_lock_ends_the_run_and_an_expired_one_does_not() -> None:
    sim = Simulation()
    sim.lock = Lock("other", "deploy of v2", 7, START + 100)
    assert play(sim) is Result.LOCKED
    assert "other holds the lock of blog/blog-production: deploy of v2" in said(sim)
    assert play(sim, replace(POLICY, lock_wait_timeout=600), "second") is Result.DONE
    assert sim.lock.token == 8


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_at_once() -> None:
    sim = Simulation()
    sim.lock = Lock("other", "deploy of v2", 7, START + 10000, owner_ended=True)
    assert play(sim) is Result.DONE


@pytest.mark.parametrize(
    ("fate", "sentence"),
    [
        (Launch.RED, "its health is Red"),
        (Launch.MUTE, "no answer"),
        (Launch.OLD_LABEL, "not every instance runs version v1: i-1 (v0, Deployed)"),
        (Launch.TERMINATED, "failed to launch"),
        (Launch.NEVER, "is still Launching after 600 seconds"),
    ],
)
def test_a_bad_candidate_never_goes_live(fate: Launch, sentence: str) -> None:
    sim = Simulation(fates=(fate,))
    assert play(sim) is Result.FAILED_ROLLED_BACK
    assert only_live(sim) == ["blog-first"]
    assert "swap" not in actions(sim)
    assert sentence in said(sim)


def test_a_candidate_whose_leader_tasks_did_not_run_goes_live_only_where_nobody_asks() -> None:
    sim = Simulation(fates=(Launch.LEADERLESS,))
    assert play(sim, replace(POLICY, require_leader_tasks=True)) is Result.FAILED_ROLLED_BACK
    assert "its leader tasks did not run: the leader is unknown" in said(sim)
    assert only_live(sim) == ["blog-first"]
    assert play(Simulation(), replace(POLICY, require_leader_tasks=True)) is Result.DONE
    assert play(Simulation(fates=(Launch.LEADERLESS,))) is Result.DONE


@pytest.mark.parametrize("fate", [Launch.RED_LATER, Launch.MUTE_LATER])
def test_trouble_after_the_swap_swaps_back(fate: Launch) -> None:
    sim = Simulation(fates=(fate,))
    assert play(sim) is Result.FAILED_ROLLED_BACK
    assert actions(sim).count("swap_back") == 1
    assert only_live(sim) == ["blog-first"]


def test_the_live_name_is_not_given_back_to_an_environment_that_does_not_answer() -> None:
    sim = Simulation(fates=(Launch.RED_LATER,))
    first = sim.live
    assert first is not None
    sim.later(170, lambda: setattr(first, "answers", False))
    assert play(sim) is Result.FAILED_NEEDS_HUMAN
    assert "swap_back" not in actions(sim)
    assert [one.environment for one in sim.lock.record.retired if one.hold] == [first.id]


def test_the_old_environment_stays_until_its_visitors_are_gone() -> None:
    sim = Simulation()
    busy = sim.live
    assert busy is not None
    sim.later(300, lambda: setattr(busy, "requests", 400))
    sim.later(500, lambda: setattr(busy, "requests", 1))
    sim.later(240, lambda: setattr(busy, "requests", 400))
    assert play(sim) is Result.DONE
    drained = next(line for line in sim.journal if "is drained after" in line)
    assert float(drained.split()[0]) >= 500


def test_an_environment_without_visitors_is_kept_for_the_time_to_live_all_the_same() -> None:
    sim = Simulation()
    sim.sticky = 0
    assert play(sim) is Result.DONE
    (seconds,) = re.findall(r"is drained after (\d+) seconds", said(sim))
    assert int(seconds) >= POLICY.dns_ttl + POLICY.dns_margin


def test_a_termination_that_failed_is_not_repeated_when_somebody_protects_the_environment() -> None:
    sim = Simulation()
    old = sim.live
    assert old is not None
    old.stuck = 1
    sim.later(350, lambda: old.tags.update({"jack:protected": "true"}))
    assert play(sim) is Result.FAILED_NEEDS_HUMAN
    assert actions(sim).count("terminate") == 1
    assert old.status is Status.READY


def test_health_checks_are_no_visitors() -> None:
    """They are in the web server's log like any request, on an environment that nobody visits too."""
    sim = Simulation()
    busy = sim.live
    assert busy is not None
    sim.checks = busy.checks = 16
    sim.later(240, lambda: setattr(busy, "requests", 6))
    sim.later(400, lambda: setattr(busy, "requests", 5))
    assert play(sim, replace(POLICY, drain_timeout=3600)) is Result.DONE
    assert "gets 16 requests a minute while it has no visitors" in said(sim)
    assert "still got 22 requests" in said(sim)
    drained = next(line for line in sim.journal if "is drained after" in line)
    assert 400 <= float(drained.split()[0]) < 1000


def test_health_checks_come_in_bursts() -> None:
    """The second half of the bake time has seen the most that they are; smoke tests are in no count by then."""
    sim = Simulation()
    old = sim.live
    assert old is not None

    def counted(when: int) -> None:
        for one in sim.boxes.values():
            one.checks = 60 if one is not old and when < 150 else (0, 6, 12)[when // 10 % 3]

    for when in range(0, 3000, 10):
        sim.later(when, functools.partial(counted, when))
    sim.later(800, lambda: setattr(old, "requests", 0))
    old.requests = 100
    sim.sticky = 1000
    assert play(sim, replace(POLICY, bake_time=120, poll_interval=10, drain_timeout=3600)) is Result.DONE
    assert re.findall(r"gets (\d+) requests a minute", said(sim)) == ["60", "0", "6", "12"]
    assert "requests again" not in said(sim)
    drained = next(line for line in sim.journal if "is drained after" in line)
    assert 800 <= float(drained.split()[0]) < 900


def test_visitors_of_a_candidate_are_no_health_checks() -> None:
    sim = Simulation()
    sim.checks = 121
    old = sim.live
    assert old is not None
    for when in range(150, 2000, 10):
        sim.later(when, lambda: setattr(old, "requests", 100))
    assert play(sim, replace(POLICY, drain_timeout=600)) is Result.DONE
    assert "while it has no visitors" not in said(sim)
    assert "still got 100 requests" in said(sim)


def test_visitors_who_come_back_after_the_drain_are_waited_for() -> None:
    sim = Simulation()
    old = sim.live
    assert old is not None
    one = run_until_drained(sim)
    old.requests = 400
    sim.later(100, lambda: setattr(old, "requests", 1))
    while not one.over:
        sim.advance(one.wake)
        one.turn(None)
    assert one.result is Result.DONE
    assert "got 400 requests again" in said(sim)
    assert said(sim).count("is drained after") == 2
    assert actions(sim).count("terminate") == 1


def test_a_drain_has_an_end() -> None:
    sim = Simulation()
    busy = sim.live
    assert busy is not None
    for when in range(150, 2000, 10):
        sim.later(when, lambda: setattr(busy, "requests", 400))
    assert play(sim, replace(POLICY, drain_timeout=600)) is Result.DONE
    assert "still got 400 requests" in said(sim)


def test_a_retired_environment_is_kept_and_the_next_run_removes_it() -> None:
    sim = Simulation()
    policy = replace(POLICY, retain_old_for=7200)
    assert play(sim, policy) is Result.DONE
    assert len(only_live(sim)) == 2
    sim.advance(sim.now + 8000)
    assert play(sim, replace(policy, min_age=1e9), "night2") is Result.SKIPPED
    sim.advance(sim.now + 200)
    assert only_live(sim) == ["blog-270115-080000"]


def test_rollback_swaps_back_to_what_is_kept() -> None:
    sim = Simulation()
    assert play(sim, replace(POLICY, retain_old_for=7200)) is Result.DONE
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK), "rollback") is Result.DONE
    assert sim.live is not None
    assert sim.live.name == "blog-first"
    assert only_live(sim) == ["blog-first"]


def test_rollback_without_anything_kept_makes_a_fresh_one_with_the_last_good_version() -> None:
    sim = Simulation()
    sim.add("blog-other", "", "v2", START).status = Status.TERMINATED
    assert play(sim, replace(POLICY, goal=Goal.DEPLOY, version_label="v2")) is Result.DONE
    back = replace(POLICY, goal=Goal.ROLLBACK)
    assert play(sim, back, "rollback") is Result.DONE
    assert sim.live is not None
    assert sim.live.label == "v1"
    assert len(only_live(sim)) == 1
    assert play(sim, back, "again") is Result.REFUSED, "v2 was rolled back from: it is not a good version"


def test_rollback_to_a_kept_environment_of_the_same_version_makes_that_no_bad_one() -> None:
    sim = Simulation()
    sim.add("blog-other", "", "v2", START).status = Status.TERMINATED
    assert play(sim, replace(POLICY, retain_old_for=7200)) is Result.DONE
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK), "rollback") is Result.DONE
    sim.advance(sim.now + 8000)
    assert play(sim, replace(POLICY, goal=Goal.DEPLOY, version_label="v2"), "deploy") is Result.DONE
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK), "again") is Result.DONE
    assert sim.live is not None
    assert sim.live.label == "v1"


def test_rollback_to_a_version_that_fails_leaves_the_live_environment() -> None:
    sim = Simulation(fates=(Launch.GOOD, Launch.RED))
    sim.add("blog-other", "", "v2", START).status = Status.TERMINATED
    assert play(sim, replace(POLICY, goal=Goal.DEPLOY, version_label="v2")) is Result.DONE
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK), "rollback") is Result.FAILED_ROLLED_BACK
    assert sim.live is not None
    assert sim.live.label == "v2"
    assert len(only_live(sim)) == 1, "the failed candidate is gone"


def test_rollback_without_any_record_is_refused() -> None:
    sim = Simulation()
    assert play(sim) is Result.DONE
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK), "rollback") is Result.REFUSED
    assert "no record of another version" in said(sim)


def test_rollback_to_a_version_by_name_goes_there_whatever_was_live_before() -> None:
    sim = Simulation()
    for label in ("v2", "v3"):
        sim.add("blog-other", "", label, START).status = Status.TERMINATED
        assert play(sim, replace(POLICY, goal=Goal.DEPLOY, version_label=label), label) is Result.DONE
    back = replace(POLICY, goal=Goal.ROLLBACK, version_label="v1")
    assert play(sim, back, "rollback") is Result.DONE
    assert sim.live is not None
    assert sim.live.label == "v1"
    assert play(sim, back, "again") is Result.SKIPPED
    assert "already runs version v1" in said(sim)


def test_rollback_by_name_swaps_back_only_to_an_environment_of_that_version() -> None:
    sim = Simulation()
    sim.add("blog-other", "", "v2", START).status = Status.TERMINATED
    kept = replace(POLICY, retain_old_for=7200)
    assert play(sim, replace(kept, goal=Goal.DEPLOY, version_label="v2")) is Result.DONE
    assert play(sim, replace(kept, goal=Goal.ROLLBACK, version_label="v1"), "rollback") is Result.DONE
    assert sim.live is not None
    assert sim.live.name == "blog-first", "the one that is kept, not a fresh one"


def test_rollback_to_a_version_that_does_not_exist_says_which_do() -> None:
    versions = tuple(Version(f"v{number}", float(number), description=f"c{number}: Change") for number in range(12))
    live = Environment("e-1", "blog", "blog", Status.READY, "Green", CNAME, "v11", START, START)
    observation = Observation(START, START, "me", "blog/blog", "blog", CNAME, (live,), Lock(), versions=versions)
    verdict = guards.preflight(observation, replace(POLICY, goal=Goal.ROLLBACK, version_label="v99"))
    assert verdict is not None
    assert verdict.result is Result.REFUSED
    assert verdict.sentence.startswith(
        "The application blog has no version v99 (any more). It has: v11 (c11: Change), v10 (c10: Change),"
    )
    assert verdict.sentence.endswith("v2 (c2: Change), and 2 older ones.")


def test_one_that_was_held_and_went_live_again_is_retired_as_any_other() -> None:
    back = replace(POLICY, goal=Goal.ROLLBACK, lock_wait_timeout=600, bake_time=0)
    sim = run(
        Scenario(
            policy=replace(POLICY, bake_time=0),
            second=(0.05, back),
            turns=((128, "first", "has a coupled database"),),
            size=1,
        )
    )
    assert "blog-first (e-0000000001) goes live in place of" in said(sim)
    assert sim.boxes["e-0000000001"].status is Status.TERMINATED


@pytest.mark.parametrize("fate", [Launch.RED, Launch.MUTE_LATER])
def test_rollback_never_picks_a_candidate_that_failed(fate: Launch) -> None:
    sim = Simulation(fates=(Launch.GOOD, fate))
    assert play(sim, replace(POLICY, retain_old_for=7200)) is Result.DONE
    sim.advance(sim.now + 3600)
    assert (
        play(sim, replace(POLICY, retain_old_for=7200, retain_failed_for=7200), "failing") is Result.FAILED_ROLLED_BACK
    )
    failed = list(sim.boxes.values())[-1]
    failed.health, failed.answers = "Green", True
    failed.instance_labels = (failed.label, failed.label)
    assert [one.failed for one in sim.lock.record.retired] == [False, True]
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK), "rollback") is Result.DONE
    assert sim.live is not None
    assert sim.live.name == "blog-first"


def test_rollback_never_picks_one_whose_end_was_requested() -> None:
    sim = Simulation()
    assert play(sim, replace(POLICY, retain_old_for=100)) is Result.DONE
    sim.advance(sim.now + 200)
    sim.delay = 65
    cleaner = Controller(sim, "cleaner", POLICY, {(Action.TERMINATE, 1): Fault.KILL_FLYING})
    sim.counts.clear()
    while not cleaner.over:
        sim.advance(cleaner.wake)
        cleaner.turn(None)
    sim.lock = replace(sim.lock, owner_ended=True)
    assert play(sim, replace(POLICY, goal=Goal.ROLLBACK, bake_time=0), "rollback") is Result.REFUSED


def test_a_new_version_goes_live_by_the_same_engine() -> None:
    sim = Simulation()
    sim.add("blog-other", "", "v2", START).status = Status.TERMINATED
    assert play(sim, replace(POLICY, goal=Goal.DEPLOY, version_label="v2")) is Result.DONE
    assert sim.live is not None
    assert sim.live.label == "v2"
    assert play(sim, replace(POLICY, goal=Goal.DEPLOY, version_label="v2"), "again") is Result.SKIPPED


def test_a_deploy_by_hand_during_the_cycle_starts_it_anew() -> None:
    sim = Simulation()
    live = sim.live
    assert live is not None

    def deploy() -> None:
        live.label, live.instance_labels = "v9", ("v9", "v9")

    sim.later(110, deploy)
    assert play(sim) is Result.DONE
    assert sim.live is not None
    assert sim.live.label == "v9"
    assert "got version v9 meanwhile" in said(sim)
    assert len(only_live(sim)) == 1


def test_a_taken_name_is_replaced_by_the_next() -> None:
    sim = Simulation()
    sim.add("blog-270115-080000", "", "v1", START, application="shop")
    assert play(sim) is Result.DONE
    assert sim.live is not None
    assert sim.live.name == "blog-270115-080000-2"
    assert len(only_live(sim)) == 2


def test_a_failing_termination_is_tried_again_by_the_next_run() -> None:
    sim = Simulation()
    first = sim.live
    assert first is not None
    first.stuck = 40
    assert play(sim, replace(POLICY, terminate_timeout=300)) is Result.DONE
    assert "the next run tries again" in said(sim)
    first.stuck = 0
    sim.advance(sim.now + 300)
    play(sim, replace(POLICY, min_age=1e9), "next")
    sim.advance(sim.now + 300)
    assert leftovers(sim) == []


@pytest.mark.parametrize("action", [Action.SWAP, Action.CREATE, Action.TERMINATE, Action.TAG])
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("same_machine", [True, False])
def test_every_fault_at_every_effect_ends_well(action: Action, fault: Fault, same_machine: bool) -> None:
    sim = run(Scenario(POLICY, faults=(((action, 1), fault),), same_machine=same_machine, gap=1))
    assert len(only_live(sim)) == 1


@pytest.mark.parametrize("turn", range(1, 32))
@pytest.mark.parametrize("fault", [Fault.KILL_FIRST, Fault.KILL_MIDDLE, Fault.KILL_AFTER, Fault.KILL_FLYING])
def test_killed_at_every_step_and_again_in_the_resumed_run(turn: int, fault: Fault) -> None:
    faults = (((None, turn), fault), ((None, turn + 3), fault))
    sim = run(Scenario(POLICY, faults=faults, same_machine=True, gap=1))
    assert len(only_live(sim)) == 1


def test_the_world_notices_a_planner_that_repeats_a_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.Cycle, "quiet", lambda self, *times: True)
    faults = (((Action.SWAP, 1), Fault.KILL_FLYING),)
    with pytest.raises(BrokenPromiseError, match="by a repeated swap"):
        run(Scenario(POLICY, faults=faults, same_machine=True, gap=1))


def test_the_world_notices_a_planner_that_does_not_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "_drain", lambda *_: None)
    with pytest.raises(BrokenPromiseError, match="still has requests"):
        run(Scenario(replace(POLICY, request_settle_time=20, poll_interval=10)))


def test_the_world_notices_a_planner_that_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "smoke_test_problem", lambda *_: None)
    with pytest.raises(BrokenPromiseError, match="got the live name"):
        run(Scenario(POLICY, fates=(Launch.MUTE,)))


def test_names_and_ids() -> None:
    assert cycle_id(START, 7) == "20270115T080000Z-7"
    assert candidate_name("a" * 60, START, 12) == "a" * 23 + "-270115-080000-12"
    assert candidate_name("shop-", START, 1) == "shop-270115-080000"
    assert candidate_name("shop-270114-080000-2", START, 1) == "shop-270115-080000"
    assert 0 <= jitter("blog/production", 600) == jitter("blog/production", 600) < 600
    assert CNAME.startswith("blog-production.")
