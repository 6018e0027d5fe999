# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for the planner of cycles: environments, a lock object, controllers that are killed, faults.

It is pure and runs on virtual time. It behaves as docs/elastic_beanstalk.md §1, §2 and §4 say where it matters to a
cycle: names are unique, an operation needs Ready, swap and tags pass through Updating, an unanswered request may take
effect later, a termination may fail, a listing may be stale, the lock object is compare-and-swap.

Checked at the moment an effect lands, whatever the planner believed: the live name goes only to an environment that was
healthy and verified (1), nothing is terminated that must not be (2), and only who has the lease writes (3).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    TAG_CYCLE,
    TAG_LOGICAL,
    Action,
    Environment,
    Goal,
    Lock,
    Policy,
    Status,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.verification import Instance

LOGICAL = "blog/blog-production"
CNAME = "blog-production.eu-central-1.elasticbeanstalk.com"
START = 1_800_000_000.0
STALE_SECONDS = 10


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
    LEADERLESS = "its leader tasks do not run"
    EMPTY = "no instance reports anything"


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
    checks: int = 0
    database_loss: str = ""
    tier: str = "WebServer"
    shared_load_balancer: bool = False
    fate: Launch = Launch.GOOD
    stuck: int = 0
    last_good: float = -1.0
    lost_name: float = -1e9
    min_size: int = 1
    size: int = 2
    good_since: float = 1e18
    bystander: bool = False
    led: bool = True
    turned: float = -1e18  # when somebody else changed it last
    before: Box | None = None  # what it was like until then

    def good(self) -> bool:
        fit = self.status is Status.READY and self.health in ("Green", "Yellow") and self.answers
        return fit and set(self.instance_labels) == {self.label}

    def turn(self, now: float) -> None:
        """Somebody else is about to change it."""
        self.before, self.turned = replace(self), now

    def known(self, looked: float) -> Box:
        """What a controller that ``looked`` then can know of it."""
        return self.before.known(looked) if self.before is not None and self.turned > looked else self

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
            instances=tuple(Instance(f"i-{number}", label) for number, label in enumerate(self.instance_labels)),
            tags=dict(self.tags),
            requests=None if self.requests is None else self.requests + self.checks,
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
        self.ours: list[Box] = []
        self.strangers: tuple[Environment, ...] = ()  # nothing ever changes them
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = 0
        self.snapshots: list[tuple[float, tuple[Environment, ...]]] = []
        self.last_token = 0
        self.journal: list[str] = []
        self.counts: dict[Action, int] = {}
        self.forbidden = ""  # why nothing may be changed in this world
        self.kept: dict[str, float] = {}  # until when the record said that an environment stays
        self.failed: set[str] = set()  # what the record called a failed candidate: nobody waits for its visitors
        self.checks = 0  # the load balancer's, per minute and environment, which count as requests
        self.sticky = 70.0  # seconds for which visitors stay with the old environment
        live = self.add("blog-first", CNAME, "v1", START - 86400)
        live.requests = 500

    # -- the account ------------------------------------------------------------------------------------------------
    def add(
        self, name: str, cname: str, label: str, created: float, application: str = "blog", *, bystander: bool = False
    ) -> Box:
        self.serial += 1
        box = Box(f"e-{self.serial:010d}", name, application, cname, label, created, updated=created)
        box.instance_labels = (label, label)
        box.last_good, box.checks = created, self.checks
        self.boxes[box.id] = box
        box.bystander = bystander
        if not bystander:
            self.ours.append(box)
        return box

    def add_bystanders(self) -> None:
        """Environments that are none of this logical environment's business, each by one mark only."""
        made = {TAG_CYCLE: "another", TAG_LOGICAL: LOGICAL}
        for name, application, tags in (
            ("blog-staging", "blog", {}),
            ("blog-other", "blog", {**made, TAG_LOGICAL: "blog/blog-other"}),
            ("shop-live", "shop", made),
        ):
            cname = f"{name}.eu-central-1.elasticbeanstalk.com"
            box = self.add(name, cname, "v1", self.now - 90000, application, bystander=True)
            box.tags = dict(tags)
            self.strangers += (box.seen(),)
        self.quota += 3

    def check(self, what: str, *boxes: Box) -> None:
        """(2), as far as it concerns everything that changes anything."""
        if self.forbidden:
            raise BrokenPromiseError(f"2: {what}, though the live environment {self.forbidden}")
        for box in boxes:
            if box.bystander:
                raise BrokenPromiseError(f"2: {what} of {box.name}, which is none of ours")

    @property
    def live(self) -> Box | None:
        for one in self.ours:
            if one.cname == CNAME:
                return one
        return None

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
        for box in self.ours:
            if not box.good():
                box.good_since = 1e18
                continue
            box.last_good = to
            box.good_since = min(box.good_since, self.now)
        self.now = to

    def listing(self, *, stale: bool = False) -> tuple[Environment, ...]:
        """What DescribeEnvironments shows; a stale one is at most ``STALE_SECONDS`` old."""
        current = (*(box.seen() for box in self.ours), *self.strangers)
        self.snapshots = [(at, one) for at, one in self.snapshots if at >= self.now - STALE_SECONDS]
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
        for one in lock.record.retired:
            if one.failed:
                self.failed.add(one.environment)
            if self.boxes[one.environment].cname == CNAME:
                # Live again: it will be retired anew, and how long it was to stay before is over.
                self.kept.pop(one.environment, None)
            elif not one.termination_requested:
                self.kept[one.environment] = 1e18 if one.hold else one.keep_until
        return True

    # -- effects ----------------------------------------------------------------------------------------------------
    def create(self, name: str, label: str, tags: dict[str, str], size: int | None = None) -> bool:
        self.check("a candidate is made")
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
        box.led = box.fate is not Launch.LEADERLESS
        second = "v0" if box.fate is Launch.OLD_LABEL else box.label
        box.instance_labels = () if box.fate is Launch.EMPTY else (*(box.label,) * (box.size - 1), second)

    def swap(self, one_id: str, other_id: str, looked: float, policy: Policy | None = None) -> bool:
        """EB only exchanges the two names: asked twice, it undoes itself.

        ``policy`` is given for a candidate that goes live at once, and says what it must have shown. What somebody else
        changed after the controller ``looked`` cannot be held against it: no request of EB's has a condition.
        """
        one, other = self.boxes.get(one_id), self.boxes.get(other_id)
        if one is None or other is None or one.status is not Status.READY or other.status is not Status.READY:
            return False
        self.check("a swap", one, other)
        journal, bake_time = self.lock.record.journal, policy.bake_time if policy else 0.0
        label = one.known(looked).label
        wanted = journal.label if journal is not None and one_id == journal.candidate else label
        back = journal is not None and journal.goal is Goal.ROLLBACK and one.created < journal.started
        for broken, why in (
            (one.cname == CNAME, "lost the live name by a repeated swap"),
            (self.now - one.last_good > 160, f"got the live name, last good {self.now - one.last_good:.0f} s ago"),
            (label != wanted, f"got the live name with {label}, wanted {wanted}"),
            (one.good() and self.now - one.good_since < bake_time, "got the live name before its time was over"),
            (back and one.lost_name < 0 and one_id == journal.candidate, "got the live name back that it never had"),
            (policy is not None and policy.require_leader_tasks and not one.led, "got the live name without a leader"),
        ):
            if broken:
                raise BrokenPromiseError(f"1: {one.id} {why}")
        one.status = other.status = Status.UPDATING
        self.later(4, lambda: self._swapped(one, other))
        return True

    def _swapped(self, one: Box, other: Box) -> None:
        one.cname, other.cname = other.cname, one.cname
        one.updated = other.updated = self.now
        live, old = (one, other) if one.cname == CNAME else (other, one)
        old.lost_name = self.now
        live.requests = 500
        self.later(self.sticky, lambda: setattr(old, "requests", 500 if old.cname == CNAME else 2))
        if live.fate is Launch.RED_LATER:
            self.later(20, lambda: setattr(live, "health", "Red"))
        if live.fate is Launch.MUTE_LATER:
            live.answers = False
        self.later(4, lambda: [setattr(box, "status", Status.READY) for box in (one, other)])

    def terminate(self, box_id: str, looked: float, policy: Policy | None = None) -> bool:
        """``policy`` is given for one that was live and goes at once, and says when it counts as drained."""
        box = self.boxes.get(box_id)
        if box is None or box.status not in (Status.READY, Status.LAUNCHING):
            return False
        known = box.known(looked)
        for broken, why in (
            (box.cname == CNAME, "holds the live name"),
            (box.bystander, "is none of ours"),
            (known.tags.get(TAG_LOGICAL, LOGICAL) != LOGICAL, "belongs to another"),
            (bool(self.forbidden), f"is in a world that {self.forbidden}"),
            (self.now < self.kept.get(box.id, 0.0), "is to be kept"),
            (self._busy(box, policy), "still has requests"),
            (known.tags.get("jack:protected") == "true", "is protected"),
            (bool(known.database_loss), "has a coupled database"),
            (self.now - box.lost_name < 60, "still has visitors with old DNS answers"),
        ):
            if broken:
                raise BrokenPromiseError(f"2: {box.id} terminated, though it {why}")
        box.status, box.updated = Status.TERMINATING, self.now
        self.later(120, lambda: self._terminated(box))
        return True

    def _busy(self, box: Box, policy: Policy | None) -> bool:
        if policy is None or box.id in self.failed or (box.requests or 0) <= policy.drain_requests_per_minute:
            return False
        return self.now - box.lost_name < policy.drain_timeout

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
        self.check("a resize", box)
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
        self.check("a tag", box)
        box.status = Status.UPDATING

        def done() -> None:
            box.tags |= tags
            box.status, box.updated = Status.READY, self.now

        self.later(5, done)
        return True
