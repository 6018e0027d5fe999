# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The leases of a run on one application: taken, renewed, written and freed many at a time, with one write."""

from __future__ import annotations

import getpass
import math
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.clock import Clock
from ..core.errors import AnsibleBeanstalkError, is_transient
from ..lock.lease import Lease, LeaseLostError, LeaseState, LockedError
from ..lock.store import Taken, Wish
from .effects import Acquired

# Those who ask within so many seconds of each other are served with one write.
_GATHER_SECONDS = 2.0
_POLL_SECONDS = 5.0
_Outcome = tuple[Any, Any]
"""Who asked, and the answer, or the exception that says why there is none or that a lease was lost."""


class Store(Protocol):
    """The lock object of an application: see LockStore."""

    @property
    def now(self) -> float:
        """Seconds since the epoch on the store's own clock."""

    def read(self) -> Lease:
        """Read the object."""

    def lease(self, cname_prefix: str) -> Lease:
        """A lease as it was last seen."""

    def take_free(self, wanted: Mapping[str, Wish]) -> dict[str, Taken]:
        """Take or renew those leases that nobody else has."""

    def write_all(self, wanted: Mapping[str, Lease]) -> dict[str, Lease]:
        """Replace those that are still what their nonce says; LeaseLostError when there are none."""

    def update_cache(self) -> None:
        """Keep what is known of the object for the next run on this machine."""


@dataclass(frozen=True)
class LockReading:
    """A lease, and the lock's clock: seconds since the epoch are those of the lane's clock and ``offset``."""

    lease: Lease
    offset: float


@dataclass
class _Wish:
    who: Any
    owner: str
    reason: str
    ttl: float
    asked_at: float
    deadline: float


@dataclass
class _Held:
    who: Any
    lease: Lease
    reason: str
    ttl: float
    renew_at: float
    """When half of it is over, on the lane's clock."""
    stays: bool
    """Whether the user's own owner had it before, so that it stays when this is over."""
    keep_for: float = 0.0
    """Seconds for which it is to last after this run, which has something done by others meanwhile."""
    record: Mapping[str, Any] | None = None
    """What is stored when it is freed; None for what is there."""

    def renewed(self, now: float, ttl: float = 0.0, record: Mapping[str, Any] | None = None) -> Lease:
        """The lease, to be written for another while."""
        return self.lease.taken(self.lease.owner, self.reason, now, ttl or self.ttl, record)


@dataclass
class _Writing:
    who: Any
    record: Mapping[str, Any] | None
    free: bool
    asked_at: float
    answer: Acquired | None = None


class ApplicationLeases:
    """Wishes, held leases and what is to be written, by CNAME prefix. Times of ``due`` are of the lane's clock."""

    def __init__(self, store: Store, owner: str, clock: Clock) -> None:
        self._store, self._owner, self._clock = store, owner, clock
        self._wishes: dict[str, _Wish] = {}
        self._held: dict[str, _Held] = {}
        self._freed: dict[str, _Held] = {}
        self._writings: dict[str, _Writing] = {}
        self._readers: dict[Any, tuple[str, float]] = {}
        self._read_at = -math.inf
        self._attempted_at: float | None = None
        self._freed_at = 0.0
        self._renew_at = math.inf
        """When to renew what is held; none of it is half over before."""
        self.warnings: list[str] = []

    def want(self, who: Any, prefix: str, reason: str, ttl: float, wait: float, owner: str = "") -> None:
        """Ask for a lease for somebody. AnsibleBeanstalkError when another item of this run has or wants it."""
        if prefix in self._wishes or prefix in self._held:
            raise AnsibleBeanstalkError(message=f"Two items of this run are for the logical environment {prefix}.")
        now = self._clock.now()
        self._wishes[prefix] = _Wish(who, owner or self._owner, reason, ttl, now, now + wait)

    def reading(self, prefix: str, at: float) -> LockReading | None:
        """What is known of a lease: one that is held, or as it was at ``at`` or later; None when it has to be read."""
        if prefix not in self._held and self._read_at < at:
            return None
        held = self._held.get(prefix)
        lease = held.lease if held is not None else self._store.lease(prefix)
        return LockReading(lease, self._store.now - self._clock.now())

    def read(self, who: Any, prefix: str) -> None:
        """Have a lease read for somebody."""
        self._readers[who] = (prefix, self._clock.now())

    def write(self, who: Any, prefix: str, record: Mapping[str, Any] | None, *, free: bool, reason: str = "") -> None:
        """Write a record (None for the one that is there) under a held lease, which that renews or frees."""
        held = self._lease_of(prefix)
        held.reason = reason or held.reason
        self._writings[prefix] = _Writing(who, record, free, self._clock.now())

    def take_again(self, who: Any, prefix: str) -> None:
        """Renew a lease that this run has and that ran out, unless somebody took it meanwhile."""
        self.write(who, prefix, None, free=False)
        self._writings[prefix].answer = Acquired(self._clock.now())

    def holds(self, prefix: str) -> bool:
        """Whether this run has a lease, which may have run out."""
        return prefix in self._held

    def _lease_of(self, prefix: str) -> _Held:
        if prefix not in self._held:
            raise LeaseLostError(message=f"The lock of {prefix} is not held by this run.")
        return self._held[prefix]

    def keep(self, prefix: str, seconds: float) -> None:
        """Hold a lease until this run ends, whoever it belonged to, and for so many seconds more."""
        self._lease_of(prefix).keep_for = seconds

    def release(self, prefix: str, record: Mapping[str, Any] | None = None) -> None:
        """Free a lease, or no longer wait for it; written with the next write, with the record if there is one."""
        self._wishes.pop(prefix, None)
        self._writings.pop(prefix, None)
        if prefix in self._held and self._held[prefix].keep_for:
            self._held[prefix].who = None
            return
        held = self._held.pop(prefix, None)
        if held is not None and not held.stays:
            if not self._freed:
                self._freed_at = self._clock.now()
            held.record = record
            self._freed[prefix] = held

    def close(self) -> None:
        """Write what is left at the end of the run, and those that outlive it."""
        kept = {name: held for name, held in self._held.items() if held.keep_for}
        for name, held in kept.items():
            held.ttl = max(held.ttl, held.keep_for)
            self._writings[name] = _Writing(None, None, False, self._clock.now())
        self.tend()
        self._store.update_cache()

    def check(self, prefix: str) -> None:
        """Raise LeaseLostError when a lease that was got ran out before it could be renewed."""
        held = self._held.get(prefix)
        if held is not None and not held.lease.valid(held.lease.owner, self._store.now):
            raise LeaseLostError(message=f"The lock of {prefix} ran out before it could be renewed.")

    # -- when ---------------------------------------------------------------------------------------------------------

    @property
    def urgent_at(self) -> float | None:
        """When to write at the latest, whatever else there is to do."""
        moments = self._renewals()
        if self._wishes:
            gathered = min(wish.asked_at for wish in self._wishes.values()) + _GATHER_SECONDS
            moments.append(max(gathered, self._next_attempt))
        moments += [asked + _GATHER_SECONDS for asked in self._asked]
        return min(moments, default=None)

    @property
    def due(self) -> float | None:
        """When to write if there is nothing else to do; None for never."""
        moments = self._renewals()
        moments += [self._next_attempt] if self._wishes else []
        return min([*moments, *self._asked], default=None)

    def _renewals(self) -> list[float]:
        return [self._renew_at] if self._held else []

    @property
    def _asked(self) -> list[float]:
        """Since when something waits that needs no attempt: records, reads, and leases to be freed."""
        moments = [self._freed_at] if self._freed else []
        moments += [writing.asked_at for writing in self._writings.values()]
        return moments + [asked_at for _prefix, asked_at in self._readers.values()]

    @property
    def _next_attempt(self) -> float:
        newest = max(wish.asked_at for wish in self._wishes.values())
        # Somebody new is served at once; those who were refused before wait.
        return (
            newest if self._attempted_at is None or newest > self._attempted_at else self._attempted_at + _POLL_SECONDS
        )

    # -- what ---------------------------------------------------------------------------------------------------------

    def tend(self) -> list[_Outcome]:
        """Write, take and read what is due; returns whom that concerns, each with the answer or why there is none."""
        outcomes = self._write()
        if self._wishes and self._clock.now() >= self._next_attempt:
            outcomes += self._take()
        self._renew_at = min((held.renew_at for held in self._held.values()), default=math.inf)
        return outcomes + self._read()

    def _read(self) -> list[_Outcome]:
        readers, self._readers = self._readers, {}
        if not readers:
            return []
        at = self._clock.now()
        try:
            self._store.read()
        except AnsibleBeanstalkError as error:
            return [(who, error) for who in readers]
        self._read_at = at
        return [(who, self.reading(prefix, at)) for who, (prefix, _asked) in readers.items()]

    def _take(self) -> list[_Outcome]:
        self._attempted_at = self._clock.now()
        wanted = {name: Wish(wish.owner, wish.reason, wish.ttl) for name, wish in self._wishes.items()}
        try:
            taken = self._store.take_free(wanted)
        except AnsibleBeanstalkError as error:
            if is_transient(error):
                return self._expired(error)
            refused: list[_Outcome] = [(wish.who, error) for wish in self._wishes.values()]
            self._wishes.clear()
            return refused
        outcomes: list[_Outcome] = []
        for name, got in taken.items():
            wish = self._wishes.pop(name)
            stays = got.before is LeaseState.OURS and wish.owner != self._owner
            renew_at = self._clock.now() + wish.ttl / 2
            self._held[name] = _Held(wish.who, got.lease, wish.reason, wish.ttl, renew_at, stays)
            outcomes.append((wish.who, Acquired(got.since, got.stopped)))
        return outcomes + self._expired(None)

    def _expired(self, error: AnsibleBeanstalkError | None) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        for name, wish in list(self._wishes.items()):
            if self._clock.now() >= wish.deadline:
                del self._wishes[name]
                lease = self._store.lease(name)
                outcomes.append((wish.who, error or LockedError(lease, self._store.now)))
        return outcomes

    def _write(self) -> list[_Outcome]:
        """Renew what is half over, store records and free leases, with one write."""
        renewing = dict(self._held) if self._clock.now() >= self._renew_at else {}
        freed, self._freed = self._freed, {}
        writings, self._writings = self._writings, {}
        if not (renewing or freed or writings):
            return []
        now = self._store.now
        wanted = {name: held.renewed(now) for name, held in renewing.items()}
        wanted |= {name: held.lease.freed(held.record) for name, held in freed.items()}
        for name, one in writings.items():
            held = self._held[name]
            wanted[name] = held.lease.freed(one.record) if one.free else held.renewed(now, record=one.record)
        try:
            written = self._store.write_all(wanted)
        except LeaseLostError:
            written = {}
        except AnsibleBeanstalkError as error:
            return self._not_written(error, set(renewing), writings, freed)
        self._warn_of_freed(freed, written)
        outcomes = self._lost(sorted((set(renewing) | set(writings)) - set(written)), None)
        for name in written:
            if name in self._held:
                held = self._held[name]
                held.lease, held.renew_at = written[name], self._clock.now() + held.ttl / 2
        for name, one in writings.items():
            if name in written:
                outcomes.append((one.who, one.answer or written[name]))
                if one.free:
                    del self._held[name]
        return outcomes

    def _not_written(
        self,
        error: AnsibleBeanstalkError,
        renewing: set[str],
        writings: Mapping[str, _Writing],
        freed: Mapping[str, _Held],
    ) -> list[_Outcome]:
        if freed:
            names = ", ".join(sorted(freed))
            self.warnings.append(f"The locks of {names} could not be freed and end by themselves: {error}")
        if not is_transient(error):
            return self._lost(sorted(renewing | set(writings)), error)
        for name in renewing:
            # A lease lasts as long again as has passed of it.
            self._held[name].renew_at = self._clock.now() + _POLL_SECONDS
        return [(one.who, error) for one in writings.values()]

    def _lost(self, names: list[str], error: AnsibleBeanstalkError | None) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        for name in names:
            who = self._held.pop(name).who
            holder = self._store.lease(name).owner or "nobody"
            outcomes.append((who, error or LeaseLostError(message=f"The lock of {name} was taken by {holder}.")))
        return [(who, why) for who, why in outcomes if who is not None]

    def _warn_of_freed(self, freed: Mapping[str, _Held], written: Mapping[str, Lease]) -> None:
        for name in sorted(set(freed) - set(written)):
            holder = self._store.lease(name).owner or "nobody"
            self.warnings.append(f"The lock of {name} was taken by {holder} meanwhile.")


def made_up_owner() -> str:
    """Who runs this, and something that differs for every run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        user = "somebody"
    return f"{user}@{socket.gethostname()} {secrets.token_hex(4)}"
