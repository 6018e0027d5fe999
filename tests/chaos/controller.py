# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the playbook in the simulated world: observes, asks the planner, writes the record, acts, and has faults."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    EFFECTS,
    TAG_CYCLE,
    Action,
    Capacity,
    CheckResult,
    Lock,
    Observation,
    Policy,
    Result,
    Step,
    Version,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.plan import plan
from chaos.world import CNAME, LOGICAL, STALE_SECONDS, START, BrokenPromiseError, Fault, Faults, Simulation


class Controller:
    """One run of the playbook: observes, asks the planner, writes the record, acts."""

    def __init__(self, world: Simulation, name: str, policy: Policy, faults: Faults) -> None:
        self.world, self.name, self.policy, self.faults = world, name, policy, faults
        self.started = self.wake = world.now
        self.result: Result | None = None
        self.killed = False
        self.smoke_test: CheckResult | None = None
        self.cname_check: CheckResult | None = None
        self.leader_tasks: CheckResult | None = None
        self.refusals: dict[Action, int] = {}
        self.pending: Iterator[float] | None = None

    @property
    def over(self) -> bool:
        return self.killed or self.result is not None

    def observe(self, *, stale: bool = False) -> tuple[int, Observation]:
        sim = self.world
        lock, etag = sim.lock, sim.etag  # S3 is strongly consistent
        boxes = sim.listing(stale=stale)
        alive = [one for one in boxes if not one.gone]
        names = {one.name for one in alive if TAG_CYCLE not in one.tags}
        journal = lock.record.journal
        in_use = {one.version_label for one in alive}
        labels = {one.version_label for one in boxes}
        world = Observation(
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
            smoke_test=self.smoke_test,
            cname_check=self.cname_check,
            leader_tasks=self.leader_tasks,
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
        looked = world.now - (STALE_SECONDS + 1 if fault is Fault.STALE else 0)
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
            yield self.policy.lock_ttl * 1.5
        if self._stale(world) or not self._write(etag, world, step):
            yield 1
            return
        if fault is Fault.PAUSE_MIDDLE:
            yield self.policy.lock_ttl * 1.5
        if self._stale(world) and step.action in EFFECTS:
            yield 1
            return
        if fault is Fault.KILL_MIDDLE:
            self.killed = True
            return
        yield from self._act(step, fault, looked)
        if fault in (Fault.KILL_AFTER, Fault.KILL_FLYING):
            self.killed = True
            return
        if step.result is not None:
            self.result = step.result

    def _stale(self, world: Observation) -> bool:
        """A step that was decided too long ago is thrown away, as the real executor does."""
        return self.world.now - world.now > self.policy.max_decision_age

    def _write(self, etag: int, world: Observation, step: Step) -> bool:
        """Every change of the lock, and the fence before every effect: one conditional write."""
        sim, lock = self.world, world.lock
        if step.action in (
            Action.FINISH,
            Action.WAIT,
            Action.DRAIN,
            Action.SMOKE_TEST,
            Action.CHECK_CNAME,
            Action.ASK_LEADER,
        ):
            return True
        record = step.record if step.record is not None else lock.record
        if step.action is Action.RELEASE:
            return sim.put_lock(etag, Lock(token=lock.token, record=record))
        token = lock.token + (1 if step.action is Action.ACQUIRE else 0)
        expires = sim.now + self.policy.lock_ttl
        return sim.put_lock(etag, Lock(self.name, "cycle", token, expires, record=record))

    def _act(self, step: Step, fault: Fault | None, looked: float) -> Iterator[float]:
        if step.action in (Action.WAIT, Action.DRAIN):
            yield step.seconds
        elif step.action in (Action.SMOKE_TEST, Action.CHECK_CNAME):
            box = self.world.boxes[step.environment]
            fine = box.answers and (step.action is Action.SMOKE_TEST or box.cname == CNAME)
            probe = CheckResult(box.id, self.world.now, 3 if fine else 0, "" if fine else "no answer")
            if step.action is Action.SMOKE_TEST:
                self.smoke_test = probe
            else:
                self.cname_check = probe
            yield 2
        elif step.action is Action.ASK_LEADER:
            led = self.world.boxes[step.environment].led
            self.leader_tasks = CheckResult(
                step.environment, self.world.now, int(led), "" if led else "the leader is unknown"
            )
            yield 5
        elif step.action in EFFECTS:
            yield from self._send(step, fault, looked)
        else:
            yield 0.5

    def _send(self, step: Step, fault: Fault | None, looked: float) -> Iterator[float]:
        sim = self.world
        lock = sim.lock
        if lock.owner != self.name or sim.now > lock.expires or lock.token < sim.last_token:
            raise BrokenPromiseError(f"3: {self.name} wrote without the lease")
        sim.last_token = lock.token
        if fault is Fault.DROPPED:
            self.refusals[step.action] = self.refusals.get(step.action, 0) + 1
            yield 1
        elif fault in (Fault.DELAYED, Fault.KILL_FLYING):
            sim.later(sim.delay, lambda: self._land(step, fault, looked) and None)
            yield 1 if fault is Fault.KILL_FLYING else 60
        elif self._land(step, fault, looked) or fault is Fault.LOST:
            yield 1
        else:
            self.refusals[step.action] = self.refusals.get(step.action, 0) + 1
            yield 1

    def _land(self, step: Step, fault: Fault | None, looked: float) -> bool:
        sim = self.world
        if step.action is Action.CREATE:
            journal = step.record.journal if step.record else None
            return sim.create(step.name, step.label, dict(step.tags), journal.start_size if journal else None)
        if step.action is Action.RESIZE:
            return sim.resize(step.environment, step.size)
        # Of what comes between a look and a request that lands late, nobody can know.
        known = self.policy if step.action in (Action.SWAP, Action.TERMINATE) and fault is None else None
        if step.action in (Action.SWAP, Action.SWAP_BACK):
            return sim.swap(step.environment, step.other, looked, known)
        if step.action in (Action.TERMINATE, Action.TERMINATE_CANDIDATE):
            return sim.terminate(step.environment, looked, known)
        if step.action is Action.TAG:
            return sim.tag(step.environment, dict(step.tags))
        return True
