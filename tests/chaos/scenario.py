# SPDX-License-Identifier: GPL-3.0-or-later
"""Random worlds played to their end: what goes wrong when, and what must be true afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    TAG_LOGICAL,
    TAG_PROTECTED,
    Action,
    Goal,
    Policy,
    Result,
    Status,
)
from chaos.controller import Controller
from chaos.world import CNAME, LOGICAL, Box, BrokenPromiseError, Fault, Faults, Launch, Simulation

MAX_TICKS = 3000
GUARDS: dict[str, dict[str, object]] = {
    "is protected": {"tags": {TAG_PROTECTED: "true"}},
    "has a coupled database": {"database_loss": "DBDeletionPolicy is Delete"},
    "belongs to another": {"tags": {TAG_LOGICAL: "blog/other"}},
    "is foreign": {"application": "shop"},
    "is a worker": {"tier": "Worker"},
    "shares its load balancer": {"shared_load_balancer": True},
}
TURNS: dict[str, dict[str, object]] = {
    "mute": {"answers": False},
    "Red": {"health": "Red"},
    "Yellow": {"health": "Yellow"},
    "Green": {"health": "Green"},
    "busy": {"requests": 500},
    "another version": {"label": "v7", "instance_labels": ("v7", "v7")},
    **{name: GUARDS[name] for name in ("is protected", "has a coupled database", "belongs to another")},
}


@dataclass(frozen=True)
class Scenario:
    """One random world and what goes wrong in it."""

    policy: Policy
    fates: tuple[Launch, ...] = ()
    faults: tuple[tuple[tuple[Action | None, int], Fault], ...] = ()
    second: tuple[float, Policy] | None = None
    stuck: int = 0
    quota: int = 3
    squat: float = 0
    gap: float = 60
    deploy_by_hand: float = 0
    same_machine: bool = False
    delay: float = 45
    turns: tuple[tuple[float, str, str], ...] = ()
    size: int = 2
    guard: str = ""
    sticky: float = 70
    checks: int = 0


def run(scenario: Scenario) -> Simulation:
    """Play a scenario to its end, which must be a good one (4); what :mod:`.world` checks is checked on the way."""
    sim, faults, running = _prepare(scenario)
    try:
        _drive(sim, running, faults, scenario)
        check_end(sim, scenario)
    except BrokenPromiseError as error:
        error.story = sim.journal
        raise
    return sim


def _prepare(scenario: Scenario) -> tuple[Simulation, Faults, list[Controller]]:
    sim = Simulation(fates=scenario.fates, stuck=scenario.stuck, quota=scenario.quota)
    if scenario.squat:
        sim.squatters = 1
        sim.later(scenario.squat, lambda: setattr(sim, "squatters", 0))
    if scenario.deploy_by_hand:
        sim.later(scenario.deploy_by_hand, lambda: _deploy_by_hand(sim))
    sim.delay = scenario.delay
    sim.sticky = scenario.sticky
    first_box = next(iter(sim.boxes.values()))
    first_box.size = scenario.size
    sim.checks = first_box.checks = scenario.checks
    if scenario.guard:
        sim.forbidden = scenario.guard
        _change(first_box, GUARDS[scenario.guard])
    for when, who, what in scenario.turns:
        sim.later(when, lambda who=who, what=what: _turn(sim, who, what))
    sim.add_bystanders()
    faults = dict(scenario.faults)
    first = Controller(sim, "first", scenario.policy, faults)
    second = None
    if scenario.second is not None:
        second = Controller(sim, "second", scenario.second[1], faults)
        second.wake = sim.now + scenario.second[0]
        second.started = second.wake
    return sim, faults, [one for one in (first, second) if one is not None]


def _change(box: Box, change: dict[str, object]) -> None:
    for key, value in change.items():
        setattr(box, key, {**box.tags, **value} if isinstance(value, dict) else value)


def _turn(sim: Simulation, who: str, what: str) -> None:
    """Something happens to the environment that was live first, or to the one that was made last."""
    box = sim.ours[0 if who == "first" else -1]
    if box.status is not Status.TERMINATED:
        box.turn(sim.now)
        _change(box, TURNS[what])


def _deploy_by_hand(sim: Simulation) -> None:
    live = sim.live
    if live is not None and live.status is Status.READY:
        live.turn(sim.now)
        live.label, live.instance_labels, live.updated = "v9", ("v9", "v9"), sim.now


def _drive(sim: Simulation, running: list[Controller], faults: Faults, scenario: Scenario) -> None:
    turns = runs = 0
    while running:
        one = min(running, key=lambda each: each.wake)
        sim.advance(one.wake)
        fault = faults.get((None, turns)) if one.pending is None else None
        if one.pending is None:
            turns += 1
        one.turn(fault)
        if turns > MAX_TICKS:
            raise BrokenPromiseError("4: a run does not end")
        if sim.live is None or sim.live.status is Status.TERMINATED:
            raise BrokenPromiseError("1: nothing holds the live name")
        if one.over:
            running.remove(one)
            if one.killed and scenario.same_machine and sim.lock.owner == one.name:
                sim.lock = replace(sim.lock, owner_ended=True)
            if one.killed and runs < 6:
                runs += 1
                again = Controller(sim, f"again{runs}", one.policy, faults)
                again.started = again.wake = sim.now + scenario.gap
                running.append(again)


def check_end(sim: Simulation, scenario: Scenario) -> None:
    """(4) Clean runs after all this end with one live environment, the right name, and nothing left over."""
    sim.advance(sim.now + 7200)
    sim.fates, sim.quota, sim.squatters, sim.forbidden = [], 12, 0, ""
    for box in sim.boxes.values():
        if box.status is not Status.TERMINATED:
            box.stuck, box.fate = 0, Launch.GOOD
            if not box.bystander:
                box.database_loss, box.application, box.tier, box.shared_load_balancer = "", "blog", "WebServer", False
                box.tags = {key: value for key, value in box.tags.items() if key != TAG_PROTECTED}
                box.tags |= {TAG_LOGICAL: LOGICAL} if TAG_LOGICAL in box.tags else {}
            if box.status is Status.READY:
                box.health, box.answers, box.instance_labels = "Green", True, (box.label, box.label)
    policy = replace(
        scenario.policy,
        goal=Goal.RECREATE,
        version_label="",
        force=True,
        retain_old_for=0,
        retain_failed_for=0,
        lock_wait_timeout=3600,
    )
    result, leaked = None, ["unknown"]
    for attempt in range(3):
        last = Controller(sim, f"clean{attempt}", policy, {})
        _drive(sim, [last], {}, scenario)
        result, leaked = last.result, leftovers(sim)
        if result is Result.DONE and not leaked:
            break
        sim.advance(sim.now + 3600)
    if result is not Result.DONE or sim.lock.record.journal is not None or sim.lock.owner:
        raise BrokenPromiseError(f"4: clean runs end with {result}, journal {sim.lock.record.journal}")
    if any(one.status is Status.TERMINATED for one in sim.boxes.values() if one.bystander):
        raise BrokenPromiseError("2: somebody else's environment is gone")
    if leaked:
        raise BrokenPromiseError(f"4: left over: {leaked}")
    if sim.live is None or sim.live.min_size != 1:
        raise BrokenPromiseError("4: the live environment did not get its MinSize back")


def leftovers(sim: Simulation) -> list[str]:
    """Environments that are not live and that nobody is told to look at."""
    held = {one.environment for one in sim.lock.record.retired if one.hold}
    rest = [one for one in sim.ours if one.status is not Status.TERMINATED and one.cname != CNAME]
    return [one.id for one in rest if one.id not in held]
