# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for the planner of cycles: environments, a lock object, controllers that are killed, faults.

It is pure and runs on virtual time. It behaves as eb-facts §1-2 and §4 say where it matters to a cycle: names are
unique, an operation needs Ready, swap and tags pass through Updating, an unanswered request may take effect later,
a termination may fail, a listing may be stale, the lock object is compare-and-swap. Promises 1 to 3 of the design are
checked at the moment an effect lands, independently of what the planner believed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import plan
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle_world import (
    EFFECTS,
    TAG_CYCLE,
    TAG_LOGICAL,
    Action,
    Capacity,
    Environment,
    Goal,
    Lock,
    Policy,
    Probe,
    Result,
    Status,
    Step,
    Version,
    World,
)

LOGICAL = "blog/blog-production"
CNAME = "blog-production.eu-central-1.elasticbeanstalk.com"
START = 1_800_000_000.0
MAX_TICKS = 3000


class Fault(StrEnum):
    """What goes wrong with one step of a controller."""

    KILL_FIRST = "killed before anything is written"
    KILL_MIDDLE = "killed between record and effect"
    KILL_AFTER = "killed after the effect"
    KILL_FLYING = "killed after sending, the effect comes later"
    LOST = "the answer is lost after the effect"
    DELAYED = "the answer is lost and the effect comes later"
    DROPPED = "throttled: no effect"
    STALE = "an old listing is shown"
    PAUSE_SHORT = "stops for a moment before it writes"
    PAUSE_LONG = "stops for longer than a lease before it writes"
    PAUSE_MIDDLE = "stops for longer than a lease between record and effect"


class Launch(StrEnum):
    """How a candidate turns out."""

    GOOD = "good"
    RED = "ready but red"
    SLOW = "takes ten minutes more"
    NEVER = "never gets ready"
    TERMINATED = "goes straight to terminated"
    OLD_LABEL = "one instance runs another version"
    MUTE = "green but does not answer"
    RED_LATER = "turns red after it went live"
    MUTE_LATER = "stops answering on the live name"


Faults = dict[tuple[Action | None, int], Fault]  # the n-th turn (None) or the n-th time of one action


class BrokenPromiseError(AssertionError):
    """An effect landed that must never land; ``story`` lists the steps up to it."""

    story: list[str]


@dataclass
class Box:
    """One environment of the simulated account."""

    id: str
    name: str
    application: str
    cname: str
    label: str
    created: float
    status: Status = Status.READY
    health: str = "Green"
    answers: bool = True
    instance_labels: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    updated: float = 0.0
    requests: int | None = 0
    database_loss: str = ""
    tier: str = "WebServer"
    shared_load_balancer: bool = False
    fate: Launch = Launch.GOOD
    stuck: int = 0
    last_good: float = -1.0
    lost_name: float = -1e9
    min_size: int = 1
    size: int = 2

    def good(self) -> bool:
        fit = self.status is Status.READY and self.health in ("Green", "Yellow") and self.answers
        return fit and all(one == self.label for one in self.instance_labels)

    def seen(self) -> Environment:
        return Environment(
            id=self.id,
            name=self.name,
            application=self.application,
            status=self.status,
            health=self.health,
            cname=self.cname,
            version_label=self.label,
            created=self.created,
            updated=self.updated,
            instance_labels=self.instance_labels,
            tags=dict(self.tags),
            requests=self.requests,
            database_loss=self.database_loss,
            tier=self.tier,
            shared_load_balancer=self.shared_load_balancer,
            min_size=self.min_size,
        )


class Simulation:
    """The account, its clock, and the lock object."""

    def __init__(self, *, fates: tuple[Launch, ...] = (), stuck: int = 0, quota: int = 3, squatters: int = 0) -> None:
        self.now = START
        self.fates = list(fates)
        self.stuck = stuck
        self.quota = quota
        self.squatters = squatters
        self.delay = 45.0
        self.token = 0
        self.lock = Lock()
        self.etag = 0
        self.boxes: dict[str, Box] = {}
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = 0
        self.snapshots: list[tuple[float, tuple[Environment, ...]]] = []
        self.last_token = 0
        self.journal: list[str] = []
        self.counts: dict[Action, int] = {}
        live = self.add("blog-first", CNAME, "v1", START - 86400)
        live.requests = 500

    # -- the account ------------------------------------------------------------------------------------------------
    def add(self, name: str, cname: str, label: str, created: float, application: str = "blog") -> Box:
        self.serial += 1
        box = Box(f"e-{self.serial:010d}", name, application, cname, label, created, updated=created)
        box.instance_labels = (label, label)
        box.last_good = created
        self.boxes[box.id] = box
        return box

    @property
    def live(self) -> Box | None:
        return next((one for one in self.boxes.values() if one.cname == CNAME), None)

    def later(self, seconds: float, effect: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.events, (self.now + seconds, self.serial, effect))

    def advance(self, to: float) -> None:
        """Let everything happen that is due until ``to``."""
        while self.events and self.events[0][0] <= to:
            when, _, effect = heapq.heappop(self.events)
            self._tick(max(when, self.now))
            effect()
        self._tick(max(to, self.now))

    def _tick(self, to: float) -> None:
        for box in self.boxes.values():
            if box.good():
                box.last_good = to
        self.now = to

    def listing(self, *, stale: bool = False) -> tuple[Environment, ...]:
        """What DescribeEnvironments shows; a stale one is at most ten seconds old."""
        current = tuple(box.seen() for box in self.boxes.values())
        self.snapshots = [(at, one) for at, one in self.snapshots if at >= self.now - 10]
        old = self.snapshots[0][1] if stale and self.snapshots else current
        self.snapshots.append((self.now, current))
        return old

    # -- the lock object --------------------------------------------------------------------------------------------
    def put_lock(self, etag: int, lock: Lock) -> bool:
        """The conditional write of S3: only over exactly what was read."""
        if etag != self.etag:
            return False
        self.etag += 1
        self.lock = lock
        return True

    # -- effects ----------------------------------------------------------------------------------------------------
    def create(self, name: str, label: str, tags: dict[str, str], size: int | None = None) -> bool:
        used = [one for one in self.boxes.values() if one.status is not Status.TERMINATED]
        if self.squatters or len(used) >= self.quota or any(one.name == name for one in used):
            return False
        box = self.add(name, f"{name}.eba-{self.serial}.eu-central-1.elasticbeanstalk.com", label, self.now)
        box.status, box.health, box.answers, box.tags = Status.LAUNCHING, "Grey", False, tags
        box.instance_labels, box.last_good = (), -1.0
        box.fate = self.fates.pop(0) if self.fates else Launch.GOOD
        box.stuck = self.stuck
        live = self.live
        box.min_size = box.size = size if size is not None else (live.min_size if live else 1)
        if live is not None and box.size < live.size:
            raise BrokenPromiseError(f"capacity: {box.id} starts with {box.size} instances in place of {live.size}")
        self.later(700 if box.fate is Launch.SLOW else 100, lambda: self._launched(box))
        return True

    def _launched(self, box: Box) -> None:
        if box.status is not Status.LAUNCHING or box.fate is Launch.NEVER:
            return
        if box.fate is Launch.TERMINATED:
            box.status = Status.TERMINATED
            return
        box.status, box.updated = Status.READY, self.now
        box.health = "Red" if box.fate is Launch.RED else "Green"
        box.answers = box.fate not in (Launch.MUTE, Launch.RED)
        second = "v0" if box.fate is Launch.OLD_LABEL else box.label
        box.instance_labels = (*(box.label,) * (box.size - 1), second)

    def swap(self, one_id: str, other_id: str) -> bool:
        """EB only exchanges the two names: asked twice, it undoes itself."""
        one, other = self.boxes.get(one_id), self.boxes.get(other_id)
        if one is None or other is None or one.status is not Status.READY or other.status is not Status.READY:
            return False
        if one.cname == CNAME:
            raise BrokenPromiseError(f"1: a repeated swap took the live name from {one.id}")
        taker = one
        if self.now - taker.last_good > 160:
            raise BrokenPromiseError(
                f"1: {taker.id} got the live name, last good {self.now - taker.last_good:.0f} s ago"
            )
        one.status = other.status = Status.UPDATING
        self.later(4, lambda: self._swapped(one, other))
        return True

    def _swapped(self, one: Box, other: Box) -> None:
        one.cname, other.cname = other.cname, one.cname
        one.updated = other.updated = self.now
        live, old = (one, other) if one.cname == CNAME else (other, one)
        old.lost_name = self.now
        live.requests = 500
        self.later(70, lambda: setattr(old, "requests", 500 if old.cname == CNAME else 2))
        if live.fate is Launch.RED_LATER:
            self.later(20, lambda: setattr(live, "health", "Red"))
        if live.fate is Launch.MUTE_LATER:
            live.answers = False
        self.later(4, lambda: [setattr(box, "status", Status.READY) for box in (one, other)])

    def terminate(self, box_id: str) -> bool:
        box = self.boxes.get(box_id)
        if box is None or box.status not in (Status.READY, Status.LAUNCHING):
            return False
        for broken, why in (
            (box.cname == CNAME, "holds the live name"),
            (box.application != "blog", "is foreign"),
            (box.tags.get("jack:protected") == "true", "is protected"),
            (bool(box.database_loss), "has a coupled database"),
            (self.now - box.lost_name < 60, "still has visitors with old DNS answers"),
        ):
            if broken:
                raise BrokenPromiseError(f"2: {box.id} terminated, though it {why}")
        box.status, box.updated = Status.TERMINATING, self.now
        self.later(120, lambda: self._terminated(box))
        return True

    def _terminated(self, box: Box) -> None:
        if box.stuck > 0:
            box.stuck -= 1
            box.status, box.updated = Status.READY, self.now
        else:
            box.status, box.cname, box.requests = Status.TERMINATED, "", 0

    def resize(self, box_id: str, size: int) -> bool:
        box = self.boxes.get(box_id)
        if box is None or box.status is not Status.READY:
            return False
        box.status = Status.UPDATING

        def done() -> None:
            box.min_size = size
            box.status, box.updated = Status.READY, self.now

        self.later(15, done)
        return True

    def tag(self, box_id: str, tags: dict[str, str]) -> bool:
        box = self.boxes.get(box_id)
        if box is None or box.status is not Status.READY:
            return False
        box.status = Status.UPDATING

        def done() -> None:
            box.tags |= tags
            box.status, box.updated = Status.READY, self.now

        self.later(5, done)
        return True


class Controller:
    """One run of the playbook: observes, asks the planner, writes the record, acts."""

    def __init__(self, world: Simulation, name: str, policy: Policy, faults: Faults) -> None:
        self.world, self.name, self.policy, self.faults = world, name, policy, faults
        self.started = self.wake = world.now
        self.result: Result | None = None
        self.killed = False
        self.probe: Probe | None = None
        self.proof: Probe | None = None
        self.refusals: dict[Action, int] = {}
        self.pending: Iterator[float] | None = None

    @property
    def over(self) -> bool:
        return self.killed or self.result is not None

    def observe(self, *, stale: bool = False) -> tuple[int, World]:
        sim = self.world
        lock, etag = sim.lock, sim.etag  # S3 is strongly consistent
        boxes = sim.listing(stale=stale)
        alive = [one for one in boxes if not one.gone]
        names = {one.name for one in alive if TAG_CYCLE not in one.tags}
        journal = lock.record.journal
        in_use = {one.version_label for one in alive}
        labels = {one.version_label for one in boxes}
        world = World(
            now=sim.now,
            started=self.started,
            me=self.name,
            logical=LOGICAL,
            application="blog",
            cname=CNAME,
            environments=boxes,
            lock=lock,
            name_taken=bool(journal and (journal.candidate_name in names or sim.squatters)),
            capacity=Capacity(sim.live.min_size, 8, sim.live.size) if sim.live else None,
            shortage="" if len(alive) < sim.quota else "the quota is used up",
            probe=self.probe,
            proof=self.proof,
            versions=tuple(Version(one, 0.0, one in in_use) for one in labels),
            refusals=self.refusals,
        )
        return etag, world

    def turn(self, fault: Fault | None) -> None:
        """One step, spread over time when the run is made to pause in its middle."""
        if self.pending is None:
            self.pending = self._step(fault)
        try:
            self.wake = self.world.now + next(self.pending)
        except StopIteration:
            self.pending = None

    def _step(self, fault: Fault | None) -> Iterator[float]:
        etag, world = self.observe(stale=fault is Fault.STALE)
        step = plan(world, self.policy)
        nth = self.world.counts[step.action] = self.world.counts.get(step.action, 0) + 1
        fault = fault or self.faults.get((step.action, nth))
        self.world.journal.append(
            f"{self.world.now - START:8.0f} {self.name} {step.action}: {step.reason} [{fault or ''}]"
        )
        if fault is Fault.KILL_FIRST:
            self.killed = True
            return
        if fault is Fault.PAUSE_SHORT:
            yield 15
        if fault is Fault.PAUSE_LONG:
            yield self.policy.lease_ttl * 1.5
        if self._stale(world) or not self._write(etag, world, step):
            yield 1
            return
        if fault is Fault.PAUSE_MIDDLE:
            yield self.policy.lease_ttl * 1.5
        if self._stale(world) and step.action in EFFECTS:
            yield 1
            return
        if fault is Fault.KILL_MIDDLE:
            self.killed = True
            return
        yield from self._act(step, fault)
        if fault in (Fault.KILL_AFTER, Fault.KILL_FLYING):
            self.killed = True
            return
        if step.result is not None:
            self.result = step.result

    def _stale(self, world: World) -> bool:
        """A step that was decided too long ago is thrown away, as the real executor does."""
        return self.world.now - world.now > self.policy.step_fresh

    def _write(self, etag: int, world: World, step: Step) -> bool:
        """Every change of the lock, and the fence before every effect: one conditional write."""
        sim, lock = self.world, world.lock
        if step.action in (Action.FINISH, Action.WAIT, Action.DRAIN, Action.VERIFY, Action.PROVE):
            return True
        record = step.record if step.record is not None else lock.record
        if step.action is Action.RELEASE:
            return sim.put_lock(etag, Lock(token=lock.token, record=record))
        token = lock.token + (1 if step.action is Action.ACQUIRE else 0)
        expires = sim.now + self.policy.lease_ttl
        return sim.put_lock(etag, Lock(self.name, "cycle", token, expires, record=record))

    def _act(self, step: Step, fault: Fault | None) -> Iterator[float]:
        if step.action in (Action.WAIT, Action.DRAIN):
            yield step.seconds
        elif step.action in (Action.VERIFY, Action.PROVE):
            box = self.world.boxes[step.environment]
            fine = box.answers and (step.action is Action.VERIFY or box.cname == CNAME)
            probe = Probe(box.id, self.world.now, 3 if fine else 0, "" if fine else "no answer")
            if step.action is Action.VERIFY:
                self.probe = probe
            else:
                self.proof = probe
            yield 2
        elif step.action in EFFECTS:
            yield from self._send(step, fault)
        else:
            yield 0.5

    def _send(self, step: Step, fault: Fault | None) -> Iterator[float]:
        sim = self.world
        lock = sim.lock
        if lock.owner != self.name or sim.now > lock.expires or lock.token < sim.last_token:
            raise BrokenPromiseError(f"3: {self.name} wrote without the lease")
        sim.last_token = lock.token
        if fault is Fault.DROPPED:
            self.refusals[step.action] = self.refusals.get(step.action, 0) + 1
            yield 1
        elif fault in (Fault.DELAYED, Fault.KILL_FLYING):
            sim.later(sim.delay, lambda: self._land(step) and None)
            yield 1 if fault is Fault.KILL_FLYING else 60
        elif self._land(step) or fault is Fault.LOST:
            yield 1
        else:
            self.refusals[step.action] = self.refusals.get(step.action, 0) + 1
            yield 1

    def _land(self, step: Step) -> bool:
        sim = self.world
        if step.action is Action.CREATE:
            journal = step.record.journal if step.record else None
            return sim.create(step.name, step.label, dict(step.tags), journal.start_size if journal else None)
        if step.action is Action.RESIZE:
            return sim.resize(step.environment, step.size)
        if step.action in (Action.SWAP, Action.SWAP_BACK):
            return sim.swap(step.environment, step.other)
        if step.action in (Action.TERMINATE, Action.TERMINATE_CANDIDATE):
            return sim.terminate(step.environment)
        if step.action is Action.TAG:
            return sim.tag(step.environment, dict(step.tags))
        return True


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
    old_turns: tuple[float, str] | None = None
    size: int = 2


def run(scenario: Scenario) -> Simulation:
    """Play a scenario to its end and check promise 4 there; promises 1 to 3 are checked on the way."""
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
    next(iter(sim.boxes.values())).size = scenario.size
    if scenario.old_turns:
        when, what = scenario.old_turns
        first = next(iter(sim.boxes.values()))
        change = ("answers", False) if what == "mute" else ("health", what)
        sim.later(when, lambda: setattr(first, *change))
    faults = dict(scenario.faults)
    first = Controller(sim, "first", scenario.policy, faults)
    second = None
    if scenario.second is not None:
        second = Controller(sim, "second", scenario.second[1], faults)
        second.wake = sim.now + scenario.second[0]
        second.started = second.wake
    return sim, faults, [one for one in (first, second) if one is not None]


def _deploy_by_hand(sim: Simulation) -> None:
    live = sim.live
    if live is not None and live.status is Status.READY:
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
                sim.lock = replace(sim.lock, holder_gone=True)
            if one.killed and runs < 6:
                runs += 1
                again = Controller(sim, f"again{runs}", one.policy, faults)
                again.started = again.wake = sim.now + scenario.gap
                running.append(again)


def check_end(sim: Simulation, scenario: Scenario) -> None:
    """Promise 4: clean runs after all this end with one live environment, the right name, and nothing left over."""
    sim.advance(sim.now + 7200)
    sim.fates, sim.quota, sim.squatters = [], 9, 0
    for box in sim.boxes.values():
        if box.status is not Status.TERMINATED:
            box.stuck, box.fate = 0, Launch.GOOD
            if box.status is Status.READY:
                box.health, box.answers, box.instance_labels = "Green", True, (box.label, box.label)
    policy = replace(
        scenario.policy, goal=Goal.RECREATE, version_label="", force=True, keep_retired=0, keep_failed=0, lock_wait=3600
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
    if leaked:
        raise BrokenPromiseError(f"4: left over: {leaked}")
    if sim.live is None or sim.live.min_size != 1:
        raise BrokenPromiseError("4: the live environment did not get its MinSize back")


def leftovers(sim: Simulation) -> list[str]:
    """Environments that are not live and that nobody is told to look at."""
    held = {one.environment for one in sim.lock.record.retired if one.hold}
    rest = [one for one in sim.boxes.values() if one.status is not Status.TERMINATED and one.cname != CNAME]
    return [one.id for one in rest if one.id not in held and one.tags.get(TAG_LOGICAL, LOGICAL) == LOGICAL]
