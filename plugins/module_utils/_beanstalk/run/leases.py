# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The leases of a run on one application: taken, renewed and freed many at a time, with one write of one object."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.errors import AnsibleBeanstalkError, is_transient
from ..lock.lease import Claim, Lease, LeaseLostError, LockedError
from ..lock.store import Taken, Wish
from .clock import Clock

# Those who ask within so many seconds of each other are served with one write.
_GATHER_SECONDS = 2.0
_POLL_SECONDS = 5.0
_Outcome = tuple[Any, "float | BaseException"]
"""Who, and since when (of the lane's clock) nobody else can have had the lease, or why it was not got or was lost."""


class Store(Protocol):
    """The lock object of an application: see LockStore."""

    @property
    def now(self) -> float:
        """Seconds since the epoch on the store's own clock."""

    def lease(self, cname_prefix: str) -> Lease:
        """A lease as it was last seen."""

    def take_free(self, wanted: Mapping[str, Wish]) -> dict[str, Taken]:
        """Take or renew those leases that nobody else has."""

    def write_all(self, wanted: Mapping[str, Lease]) -> dict[str, Lease]:
        """Replace those that are still what their nonce says; LeaseLostError when there are none."""


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
    stays: bool
    """Whether the user's own owner had it before, so that it stays when this is over."""


class ApplicationLeases:
    """Wishes, held leases and those to be freed, by CNAME prefix. Times of ``due`` are of the lane's clock."""

    def __init__(self, store: Store, owner: str, clock: Clock) -> None:
        self._store, self._owner, self._clock = store, owner, clock
        self._wishes: dict[str, _Wish] = {}
        self._held: dict[str, _Held] = {}
        self._freed: dict[str, _Held] = {}
        self._attempted_at: float | None = None
        self._renew_at: float | None = None
        self._freed_at = 0.0
        self.warnings: list[str] = []

    def want(self, who: Any, prefix: str, reason: str, ttl: float, wait: float, owner: str = "") -> None:
        """Ask for a lease for somebody. AnsibleBeanstalkError when another item of this run has or wants it."""
        if prefix in self._wishes or prefix in self._held:
            raise AnsibleBeanstalkError(message=f"Two items of this run are for the logical environment {prefix}.")
        now = self._clock.now()
        self._wishes[prefix] = _Wish(who, owner or self._owner, reason, ttl, now, now + wait)

    def release(self, prefix: str) -> None:
        """Free a lease, or no longer wait for it; written with the next write."""
        self._wishes.pop(prefix, None)
        held = self._held.pop(prefix, None)
        if held is not None and not held.stays:
            if not self._freed:
                self._freed_at = self._clock.now()
            self._freed[prefix] = held

    def check(self, prefix: str) -> None:
        """Raise LeaseLostError when a lease that was got ran out before it could be renewed."""
        held = self._held.get(prefix)
        if held is not None and not held.lease.valid(held.lease.owner, self._store.now):
            raise LeaseLostError(message=f"The lock of {prefix} ran out before it could be renewed.")

    @property
    def urgent_at(self) -> float | None:
        """When to write at the latest, whatever else there is to do."""
        moments = [self._renew_at] if self._renew_at is not None and self._held else []
        if self._wishes:
            gathered = min(wish.asked_at for wish in self._wishes.values()) + _GATHER_SECONDS
            moments.append(max(gathered, self._next_attempt))
        if self._freed:
            moments.append(self._freed_at + _GATHER_SECONDS)
        return min(moments, default=None)

    @property
    def due(self) -> float | None:
        """When to write if there is nothing else to do; None for never."""
        moments = [self._renew_at] if self._renew_at is not None and self._held else []
        moments += [self._next_attempt] if self._wishes else []
        moments += [self._freed_at] if self._freed else []
        return min(moments, default=None)

    @property
    def _next_attempt(self) -> float:
        newest = max(wish.asked_at for wish in self._wishes.values())
        # Somebody new is served at once; those who were refused before wait.
        return (
            newest if self._attempted_at is None or newest > self._attempted_at else self._attempted_at + _POLL_SECONDS
        )

    def tend(self) -> list[_Outcome]:
        """Renew, free and take what is due; returns who got a lease, was refused one, or lost one."""
        outcomes: list[_Outcome] = []
        now = self._clock.now()
        if self._held and self._renew_at is not None and now >= self._renew_at:
            outcomes += self._renew()
        if self._freed:
            self._free()
        if self._wishes and now >= self._next_attempt:
            outcomes += self._take()
        return outcomes

    def _take(self) -> list[_Outcome]:
        self._attempted_at = self._clock.now()
        try:
            self._free()
            taken = self._store.take_free(
                {name: Wish(wish.owner, wish.reason, wish.ttl) for name, wish in self._wishes.items()}
            )
        except AnsibleBeanstalkError as error:
            if is_transient(error):
                return self._expired(error)
            refused: list[_Outcome] = [(wish.who, error) for wish in self._wishes.values()]
            self._wishes.clear()
            return refused
        outcomes: list[_Outcome] = []
        for name, got in taken.items():
            wish = self._wishes.pop(name)
            stays = got.before is Claim.OURS and wish.owner != self._owner
            self._held[name] = _Held(wish.who, got.lease, wish.reason, wish.ttl, stays)
            outcomes.append((wish.who, got.since))
        self._plan_renewal()
        return outcomes + self._expired(None)

    def _expired(self, error: AnsibleBeanstalkError | None) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        for name, wish in list(self._wishes.items()):
            if self._clock.now() >= wish.deadline:
                del self._wishes[name]
                lease = self._store.lease(name)
                outcomes.append((wish.who, error or LockedError(lease, self._store.now)))
        return outcomes

    def _renew(self) -> list[_Outcome]:
        wanted = {
            name: held.lease.taken(held.lease.owner, held.reason, self._store.now, held.ttl)
            for name, held in self._held.items()
        }
        try:
            written = self._store.write_all(wanted)
        except LeaseLostError:
            written = {}
        except AnsibleBeanstalkError as error:
            if not is_transient(error):
                return self._drop(error, list(self._held))
            # A lease lasts as long again as has passed of it.
            self._renew_at = self._clock.now() + _POLL_SECONDS
            return []
        for name, lease in written.items():
            self._held[name].lease = lease
        lost = [name for name in self._held if name not in written]
        self._plan_renewal()
        return self._drop(None, lost)

    def _drop(self, error: AnsibleBeanstalkError | None, names: list[str]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        for name in names:
            who = self._held.pop(name).who
            holder = self._store.lease(name).owner or "nobody"
            outcomes.append((who, error or LeaseLostError(message=f"The lock of {name} was taken by {holder}.")))
        return outcomes

    def _plan_renewal(self) -> None:
        shortest = min((held.ttl for held in self._held.values()), default=None)
        self._renew_at = None if shortest is None else self._clock.now() + shortest / 2

    def _free(self) -> None:
        freed, self._freed = self._freed, {}
        if not freed:
            return
        wanted = {name: held.lease.freed() for name, held in freed.items()}
        try:
            written = self._store.write_all(wanted)
        except LeaseLostError:
            written = {}
        except AnsibleBeanstalkError as error:
            names = ", ".join(sorted(freed))
            self.warnings.append(f"The locks of {names} could not be freed and end by themselves: {error}")
            return
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
