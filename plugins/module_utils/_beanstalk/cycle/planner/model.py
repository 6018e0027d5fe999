# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner of a cycle sees and says: the observation, the policy, the durable record, the next step.

Plain frozen data, no I/O. All times are seconds since the epoch on one clock, the service's (the ``Date`` header of
S3), never a controller's own: two controllers with wrong clocks still agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ...observe.verification import Facts, Instance

CHECK_MAX_AGE = 60.0
"""Seconds for which a smoke test, a CNAME check or what leader tasks did is good."""

TAG_CYCLE = "jack:cycle"
TAG_ROLE = "jack:role"
TAG_LOGICAL = "jack:logical"
TAG_PROTECTED = "jack:protected"


class Status(StrEnum):
    """EB's EnvironmentStatus (docs/elastic_beanstalk.md §1.1)."""

    ABORTING = "Aborting"
    LAUNCHING = "Launching"
    UPDATING = "Updating"
    LINKING_FROM = "LinkingFrom"
    LINKING_TO = "LinkingTo"
    READY = "Ready"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"


class Goal(StrEnum):
    """What a run is for. All three use the same engine."""

    RECREATE = "recreate"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class Result(StrEnum):
    """How a run ended; each has its own exit status in the playbook."""

    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"
    LOCKED = "locked"
    FAILED_ROLLED_BACK = "failed_rolled_back"
    FAILED_NEEDS_HUMAN = "failed_needs_human"


class Action(StrEnum):
    """What to do next. Only the ones of :data:`EFFECTS` change anything in Elastic Beanstalk."""

    ACQUIRE = "acquire"
    RENEW = "renew"
    RECORD = "record"
    WAIT = "wait"
    CREATE = "create"
    SMOKE_TEST = "smoke_test"
    ASK_LEADER = "ask_leader"
    SWAP = "swap"
    CHECK_CNAME = "check_cname"
    TAG = "tag"
    DRAIN = "drain"
    RESIZE = "resize"
    TERMINATE = "terminate"
    TERMINATE_CANDIDATE = "terminate_candidate"
    ABORT_UPDATE = "abort_update"
    DELETE_VERSIONS = "delete_versions"
    DELETE_TEMPLATES = "delete_templates"
    SWAP_BACK = "swap_back"
    RELEASE = "release"
    FINISH = "finish"


EFFECTS = frozenset(
    {
        Action.CREATE,
        Action.SWAP,
        Action.SWAP_BACK,
        Action.TAG,
        Action.RESIZE,
        Action.TERMINATE,
        Action.TERMINATE_CANDIDATE,
        Action.ABORT_UPDATE,
        Action.DELETE_VERSIONS,
        Action.DELETE_TEMPLATES,
    }
)


@dataclass(frozen=True)
class Environment:
    """One physical environment.

    ``cname`` is lower case and empty where there is none. ``instances`` are what the instances say of themselves, where
    they were asked; without ``enhanced`` health they are only counted, and ``failure`` is the event that says that the
    last deployment failed. ``requests`` are those per minute, as of the last seconds and with the load balancer's
    health checks; None when unknown. ``database_loss`` says, in a few words, why its end would lose a coupled
    database's data; empty when it would not. ``min_size`` is the minimum number of instances, None where it was not
    asked for.
    """

    id: str
    name: str
    application: str
    status: Status
    health: str
    cname: str
    version_label: str
    created: float
    updated: float
    tier: str = "WebServer"
    health_status: str = ""
    instances: tuple[Instance, ...] = ()
    enhanced: bool = True
    failure: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    requests: int | None = None
    database_loss: str = ""
    shared_load_balancer: bool = False
    abortable: bool = False
    min_size: int | None = None

    @property
    def gone(self) -> bool:
        """True for the terminated ones that EB keeps listing for about an hour (docs/elastic_beanstalk.md §1.6)."""
        return self.status is Status.TERMINATED

    @property
    def instance_labels(self) -> tuple[str, ...]:
        """The version that each instance has; EB's own word where they say nothing."""
        return tuple(one.label for one in self.instances)

    def facts(self, desired: int | None = None) -> Facts:
        """What a verification needs; ``desired`` is the number of instances that Auto Scaling shall keep, if known."""
        return Facts(
            status=str(self.status),
            label=self.version_label,
            health=self.health,
            health_status=self.health_status,
            instances=self.instances if self.enhanced else None,
            failure=self.failure,
            count=len(self.instances),
            desired=desired,
        )

    @property
    def protected(self) -> bool:
        """True when somebody tagged the environment as not to be terminated."""
        return self.tags.get(TAG_PROTECTED, "").strip().lower() in {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class Journal:
    """One cycle in flight, as kept in the lock object. Written before the effect it announces.

    ``attempt`` numbers the tries to find a free name. A time of None means "not yet". ``start_size`` is the MinSize
    that the candidate starts with, and ``min_size`` the one it gets back later; None where they are the same. ``idle``
    are the requests per minute of the candidate before it was live: health checks, no visitors.
    """

    cycle: str
    goal: Goal
    started: float
    live: str
    live_label: str
    label: str
    candidate_name: str = ""
    candidate_cname: str = ""
    candidate: str = ""
    attempt: int = 1
    min_size: int | None = None
    start_size: int | None = None
    idle: int | None = None
    first_create: float | None = None
    last_create: float | None = None
    ready: float | None = None
    healthy: float | None = None
    first_swap: float | None = None
    last_swap: float | None = None
    swapped: float | None = None
    cname_checked: float | None = None
    red: float | None = None
    drained: float | None = None
    terminating: float | None = None
    last_terminate: float | None = None
    failed: str = ""
    failed_at: float | None = None
    abandoned: bool = False
    first_back: float | None = None
    back: float | None = None
    returned: float | None = None


@dataclass(frozen=True)
class Retired:
    """An environment that is no longer live.

    ``hold`` keeps it until a human decides (never removed by a cycle). ``termination_requested`` is set before its end
    is requested, so that no rollback picks one whose end may already be under way. ``failed`` is a candidate that
    failed: no rollback picks that either.
    """

    environment: str
    label: str
    since: float
    keep_until: float
    hold: str = ""
    termination_requested: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: how a run ended, what was live before and after it, and what it was for.

    A deployment in place has no ``cycle``, the goal UPDATED, and the version's description as its sentence.
    """

    cycle: str
    owner: str
    result: Result
    at: float
    live: str
    label: str
    previous: str = ""
    previous_label: str = ""
    sentence: str = ""
    goal: str = ""


@dataclass(frozen=True)
class PendingResize:
    """A live environment that still has the MinSize it was made with, in place of its own ``min_size``."""

    environment: str
    start_size: int
    min_size: int


@dataclass(frozen=True)
class Record:
    """The durable part of the lock object. It outlives the lease."""

    journal: Journal | None = None
    retired: tuple[Retired, ...] = ()
    ledger: tuple[Entry, ...] = ()
    pending_resize: PendingResize | None = None


@dataclass(frozen=True)
class Lock:
    """The lease as read from S3. ``owner_ended``: its process, on this machine, has ended."""

    owner: str = ""
    reason: str = ""
    token: int = 0
    expires: float = 0.0
    owner_ended: bool = False
    record: Record = field(default_factory=Record)

    def held_by(self, owner: str, now: float) -> bool:
        """Whether ``owner`` has the lease and it has not run out."""
        return self.owner == owner and now < self.expires


@dataclass(frozen=True)
class CheckResult:
    """What probing an environment said. ``good`` counts the good answers in a row, ``sentence`` explains the last."""

    environment: str
    at: float
    good: int
    sentence: str = ""


@dataclass(frozen=True)
class Capacity:
    """How many instances a candidate may have at least and at most, and how many the live environment has now."""

    least: int
    most: int
    now: int


@dataclass(frozen=True)
class Version:
    """An application version. ``in_use`` is True while any environment of the application runs it."""

    label: str
    created: float
    in_use: bool = False
    description: str = ""


@dataclass(frozen=True)
class Observation:
    """Everything a decision needs, observed at ``now`` (seconds, the service's clock) by the run ``me``.

    ``cname`` is the full live name in lower case, the prefix alone where nobody holds it. ``unclear`` says why it
    cannot be told who is live (see cnames); empty when it can, or when nobody is. ``name_taken`` is True when the
    journal's candidate name or its DNS name belongs to somebody else. ``capacity`` is None where the number of
    instances is fixed, or not known.
    ``shortage`` says why the account has no room for a candidate; empty when it has, or when nobody may know.
    ``lacking`` are the actions that a cycle may need and the caller may not do; empty likewise.
    ``leader_tasks`` is what a candidate's leader tasks did (``good`` is 1 when they ran). ``refusals`` counts this
    run's failed attempts per action, ``last_error`` is what the last of them said.
    """

    now: float
    started: float
    me: str
    logical: str
    application: str
    cname: str
    environments: tuple[Environment, ...]
    lock: Lock
    unclear: str = ""
    name_taken: bool = False
    cname_available: bool = False
    capacity: Capacity | None = None
    shortage: str = ""
    lacking: str = ""
    leader_tasks: CheckResult | None = None
    smoke_test: CheckResult | None = None
    cname_check: CheckResult | None = None
    versions: tuple[Version, ...] = ()
    templates: tuple[str, ...] = ()
    refusals: Mapping[Action, int] = field(default_factory=dict)
    last_error: str = ""

    def by_id(self, environment_id: str) -> Environment | None:
        """The environment with that id, terminated ones included; None when there is none."""
        if not environment_id:
            return None
        return next((one for one in self.environments if one.id == environment_id), None)

    @property
    def live(self) -> Environment | None:
        """The environment that holds the live CNAME; one that is being terminated only when nobody else does."""
        held = [one for one in self.environments if one.cname == self.cname and not one.gone]
        return min(held, key=lambda one: one.status is Status.TERMINATING, default=None)


@dataclass(frozen=True)
class Policy:
    """What the user asked for: the options of the module ``cycle``, which has their types and defaults from here.

    Times are seconds. ``request_settle_time`` is how long an announced request may still take effect: longer than
    ``max_decision_age``, the age at which a decision is thrown away instead of being carried out, and the client's own
    time limit together. ``window`` is (from, to) in minutes after midnight UTC; ``from`` greater than ``to`` spans
    midnight. ``lock_ttl`` and ``lock_wait_timeout`` are those of the option ``lock``.
    """

    goal: Goal = Goal.RECREATE
    version_label: str = ""
    name_prefix: str = ""
    force: bool = False
    min_age: float = 6 * 3600
    window: tuple[int, int] | None = None
    jitter: float = 0
    recreate_unhealthy: bool = False
    accepted_health: tuple[str, ...] = ("Green",)
    require_leader_tasks: bool = False
    smoke_test_successes: int = 3
    bake_time: float = 60
    dns_ttl: float = 60
    dns_margin: float = 30
    drain_requests_per_minute: int = 5
    drain_timeout: float = 900
    retain_old_for: float = 0
    retain_failed_for: float = 0
    keep_versions: int = 3
    poll_interval: float = 10
    max_decision_age: float = 20
    request_settle_time: float = 90
    unhealthy_grace: float = 30
    ready_timeout: float = 900
    create_timeout: float = 2700
    verify_timeout: float = 900
    swap_timeout: float = 600
    swap_verify_timeout: float = 300
    rollback_timeout: float = 900
    terminate_timeout: float = 1800
    cycle_timeout: float = 6 * 3600
    lock_ttl: float = 180
    lock_wait_timeout: float = 300


@dataclass(frozen=True)
class Step:
    """The next action and why. ``record``, when given, must be stored under the lease before the action is carried out;
    if that write loses, nothing else may happen. ``result`` is set on the last step of a run. ``timed`` is a wait that
    only time, or a change of one of the cycle's environments, can end.
    """

    action: Action
    reason: str
    environment: str = ""
    other: str = ""
    name: str = ""
    cname: str = ""
    label: str = ""
    seconds: float = 0.0
    timed: bool = False
    size: int = 0
    labels: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None
    result: Result | None = None
