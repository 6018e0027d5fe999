# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lease is: who may write to a logical environment, until when, and who may take it over.

A lease may be taken over when it ran out and a grace period passed, or at once when its holder was a process of this
machine that has ended. ``lock_store`` keeps the leases of an application in S3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ..core import process as processes
from ..core.errors import AnsibleBeanstalkError
from ..core.shape import ANYTHING, NOTHING, ShapeError, check, load, number, text, whole

FORMAT = 1
GRACE = 15.0  # seconds; covers the one-second resolution of the Date header and a slow last write


class LeaseLostError(AnsibleBeanstalkError):
    """Somebody else wrote this lease meanwhile; read it again."""


class LockedError(AnsibleBeanstalkError):
    """Somebody else has the lease. ``lease`` is what was read, ``now`` when, on S3's clock."""

    def __init__(self, lease: Lease, now: float) -> None:
        super().__init__(message=held_sentence(lease, now))
        self.lease, self.now = lease, now


class BrokenLockError(AnsibleBeanstalkError):
    """The lock object has a content that no version of this collection writes. ``etag`` is what was read."""

    etag = ""


class LeaseState(StrEnum):
    """What a lease is to somebody who wants it."""

    FREE = "free"
    OURS = "ours"
    EXPIRED = "expired"
    ORPHANED = "orphaned"
    HELD = "held"


@dataclass(frozen=True)
class Lease:
    """A lease as read; a free one with token 0 where none was ever written.

    Times are seconds since the epoch on S3's clock. Every write of a lease has a ``nonce`` of its own.
    """

    owner: str = ""
    reason: str = ""
    token: int = 0
    acquired: float = 0.0
    expires: float = 0.0
    nonce: str = ""
    process: Mapping[str, Any] | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def state(self, owner: str, now: float, grace: float = GRACE) -> LeaseState:
        """What this lease is to ``owner`` at ``now``."""
        if not self.owner:
            return LeaseState.FREE
        if self.owner == owner:
            return LeaseState.OURS if now < self.expires else LeaseState.EXPIRED
        if now > self.expires + grace:
            return LeaseState.EXPIRED
        if self.process is not None and processes.has_ended(self.process):
            return LeaseState.ORPHANED
        return LeaseState.HELD

    def valid(self, owner: str, now: float) -> bool:
        """Whether ``owner`` may write under this lease."""
        return self.owner == owner and now < self.expires

    def taken(self, owner: str, reason: str, now: float, ttl: float, record: Mapping[str, Any] | None = None) -> Lease:
        """This lease in the hands of ``owner`` for ``ttl`` seconds. A new holder gets the next fencing token."""
        renews = self.owner == owner
        return replace(
            self,
            owner=owner,
            reason=reason,
            token=self.token if renews else self.token + 1,
            acquired=self.acquired if renews else now,
            expires=now + ttl,
            record=self.record if record is None else record,
        )

    def freed(self, record: Mapping[str, Any] | None = None) -> Lease:
        """This lease without a holder; token and record stay."""
        return Lease(token=self.token, nonce=self.nonce, record=self.record if record is None else record)


def lock_key(application: str) -> str:
    """Where the leases of an application's logical environments are, in Elastic Beanstalk's bucket of the region."""
    return f"jack.beanstalk/locks/{application}.json"


class Leases(Mapping[str, Lease]):
    """The leases of a lock object by CNAME prefix, each written out as JSON once: a write changes few of hundreds."""

    def __init__(self, leases: Mapping[str, Lease], lines: Mapping[str, str]) -> None:
        self._leases, self._lines = dict(leases), dict(lines)

    @classmethod
    def of(cls, leases: Mapping[str, Lease]) -> Leases:
        """These leases."""
        return cls(leases, {})

    @property
    def nonces(self) -> dict[str, str]:
        """The nonce of each lease."""
        return {prefix: lease.nonce for prefix, lease in self._leases.items()}

    def changed(self, leases: Mapping[str, Lease]) -> Leases:
        """These leases, and the others as they are."""
        lines = {prefix: line for prefix, line in self._lines.items() if prefix not in leases}
        return Leases({**self._leases, **leases}, lines)

    def lines(self) -> dict[str, str]:
        """Each lease as JSON."""
        for prefix, lease in self._leases.items():
            if prefix not in self._lines:
                self._lines[prefix] = _json(vars(lease))
        return self._lines

    def __getitem__(self, prefix: str) -> Lease:
        return self._leases[prefix]

    def __iter__(self) -> Iterator[str]:
        return iter(self._leases)

    def __len__(self) -> int:
        return len(self._leases)


def encode(leases: Leases) -> bytes:
    """The lock object's content: the leases by CNAME prefix."""
    lines = leases.lines()
    entries = ",".join(f"{_json(prefix)}:{lines[prefix]}" for prefix in sorted(leases))
    return f'{{"format":{FORMAT},"leases":{{{entries}}}}}'.encode()


_TIME = number(0, 1e11)
_LEASE = {
    "owner": text(1024),
    "reason": text(4096),
    "token": whole(0, 1 << 53),
    "acquired": _TIME,
    "expires": _TIME,
    "nonce": text(64),
    "process": (NOTHING, {str: ANYTHING}),
    "record": {str: ANYTHING},
}


def decode(body: bytes | str) -> Leases:
    """Read the lock object's content. BrokenLockError, or AnsibleBeanstalkError when it is of a newer format."""
    try:
        document = load(body, {"format": whole(0, 1 << 31)})
        if document["format"] > FORMAT:
            raise AnsibleBeanstalkError(
                message=f"it has format {document['format']}, and this collection knows format {FORMAT}: "
                "update the collection"
            )
        leases = check(document, {"format": whole(FORMAT, FORMAT), "leases": {str: _LEASE}})["leases"]
    except ShapeError as error:
        raise BrokenLockError(message=f"it is not a lock of this collection: {error}") from error
    names = _LEASE.keys()
    return Leases.of({prefix: Lease(**{name: lease[name] for name in names}) for prefix, lease in leases.items()})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def held_sentence(lease: Lease, now: float) -> str:
    """Who has the lease, why, and for how long."""
    return (
        f"{lease.owner} holds the lock ({lease.reason or 'no reason given'}), since {now - lease.acquired:.0f} seconds "
        f"and for {max(0.0, lease.expires - now):.0f} more unless it is renewed."
    )


def stopped_sentence(lease: Lease, owner: str, state: LeaseState) -> str:
    """At what somebody else than ``owner`` stopped who never freed the lease; "" for one that is free, or held."""
    if state not in (LeaseState.EXPIRED, LeaseState.ORPHANED) or lease.owner == owner:
        return ""
    return f"{lease.owner} ended without freeing the lock and stopped at: {lease.reason or 'no reason given'}"
