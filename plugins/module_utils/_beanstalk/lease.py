# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One writer per logical environment: a lease in S3, made of conditional writes.

The lock is one object. It is created with ``If-None-Match: *`` and replaced with ``If-Match: <etag>``, so that of two
writers who read the same state one fails. The object is never deleted: it carries the fencing token, which only
grows, and a record that outlives the lease. Time is the ``Date`` header of S3's own answers: what a controller's clock
says does not matter. A lease may be taken over when it ran out and a grace period passed, or at once when its holder
was a process of this machine that has ended.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from . import holder as processes
from .api import ThrottlingRetry
from .common import AnsibleBeanstalkError, BeanstalkErrorHandler, error_code

FORMAT = 1
GRACE = 15.0  # seconds; covers the one-second resolution of the Date header and a slow last write
_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409")


class LeaseLostError(AnsibleBeanstalkError):
    """Somebody else wrote the lock object meanwhile; read it again."""


class LockedError(AnsibleBeanstalkError):
    """Somebody else has the lease. ``lease`` is what was read."""

    def __init__(self, message: str, lease: Lease) -> None:
        super().__init__(message=message)
        self.lease = lease


class Claim(StrEnum):
    """What a lease is to somebody who wants it."""

    FREE = "free"
    OURS = "ours"
    EXPIRED = "expired"
    ORPHANED = "orphaned"
    HELD = "held"


@dataclass(frozen=True)
class Lease:
    """The lock object as read. Times are seconds since the epoch on S3's clock; ``etag`` is "" when there is none."""

    owner: str = ""
    reason: str = ""
    token: int = 0
    acquired: float = 0.0
    expires: float = 0.0
    etag: str = ""
    nonce: str = ""
    process: Mapping[str, Any] | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def claim(self, owner: str, now: float, grace: float = GRACE) -> Claim:
        """What this lease is to ``owner`` at ``now``."""
        if not self.owner:
            return Claim.FREE
        if self.owner == owner:
            return Claim.OURS if now < self.expires else Claim.EXPIRED
        if now > self.expires + grace:
            return Claim.EXPIRED
        if self.process is not None and processes.has_ended(self.process):
            return Claim.ORPHANED
        return Claim.HELD

    def valid(self, owner: str, now: float) -> bool:
        """Whether ``owner`` may write under this lease."""
        return self.owner == owner and now < self.expires


def lock_key(application: str, cname_prefix: str) -> str:
    """Where the lock of a logical environment is, in Elastic Beanstalk's bucket of the region."""
    return f"jack.beanstalk/locks/{application}/{cname_prefix}.json"


def encode(lease: Lease) -> bytes:
    """The lock object's content."""
    document = {
        "format": FORMAT,
        "owner": lease.owner,
        "reason": lease.reason,
        "token": lease.token,
        "acquired": lease.acquired,
        "expires": lease.expires,
        "nonce": lease.nonce,
        "process": dict(lease.process) if lease.process else None,
        "record": dict(lease.record),
    }
    return json.dumps(document, indent=1, sort_keys=True).encode()


def decode(body: bytes | str, etag: str) -> Lease:
    """Read the lock object's content. Raises AnsibleBeanstalkError when it is not one of ours, or of a newer format."""
    try:
        document = json.loads(body)
        known = document["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleBeanstalkError(message="The lock object in S3 is not a lock of this collection.") from error
    if known != FORMAT:
        raise AnsibleBeanstalkError(
            message=f"The lock object in S3 has format {known}, this collection knows format {FORMAT}: update it."
        )
    names = ("owner", "reason", "token", "acquired", "expires", "nonce", "process", "record")
    return Lease(etag=etag, **{name: document[name] for name in names})


class LockStore:
    """Reads and writes one lock object. ``now`` is S3's clock, kept running by the monotonic clock in between."""

    def __init__(
        self,
        s3: Any,
        bucket: str,
        key: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.s3, self.bucket, self.key = s3, bucket, key
        self._monotonic, self._sleep = monotonic, sleep
        self._offset: float | None = None

    @property
    def now(self) -> float:
        """Seconds since the epoch, on S3's clock. Never runs backwards within one process."""
        if self._offset is None:
            self.read()
        return self._monotonic() + (self._offset or 0.0)

    @property
    def offset(self) -> float | None:
        """What S3's clock is ahead of the monotonic one, in seconds; None before S3 has answered."""
        return self._offset

    def resume_clock(self, offset: float) -> None:
        """Go on with the clock of an earlier run on this boot of this machine."""
        self._offset = offset

    def read(self) -> Lease:
        """The lock as it is now; a free one with token 0 when there is none."""
        try:
            answer = self._get()
        except AnsibleBeanstalkError as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
            self.follow(getattr(error.exception, "response", {}))
            return Lease()
        self.follow(answer)
        return decode(answer["Body"].read(), answer["ETag"])

    def acquire(
        self, owner: str, reason: str, ttl: float, *, wait: float = 0, poll: float = 5, lease: Lease | None = None
    ) -> Lease:
        """Take or renew the lease for ``ttl`` seconds, waiting up to ``wait`` seconds for another holder.

        ``lease`` is what was read just now, if it was. Raises LockedError, with the holder and its reason, when it is
        still held then.
        """
        deadline = self._monotonic() + wait
        while True:
            lease = lease or self.read()
            claim = lease.claim(owner, self.now)
            if claim is not Claim.HELD:
                try:
                    return self.take(lease, owner, reason, ttl)
                except LeaseLostError:
                    lease = None
                    continue
            left = deadline - self._monotonic()
            if left <= 0:
                raise LockedError(held_sentence(lease, self.now), lease)
            self._sleep(min(poll, left))
            lease = None

    def take(self, lease: Lease, owner: str, reason: str, ttl: float, record: Mapping[str, Any] | None = None) -> Lease:
        """Write ``owner`` over exactly what was read. A new holder gets the next fencing token.

        Raises LeaseLostError when somebody else was quicker.
        """
        renews = lease.owner == owner
        return self.write(
            replace(
                lease,
                owner=owner,
                reason=reason,
                token=lease.token if renews else lease.token + 1,
                acquired=lease.acquired if renews else self.now,
                expires=self.now + ttl,
                process=processes.this_run(),
                record=lease.record if record is None else record,
            )
        )

    def release(self, lease: Lease, record: Mapping[str, Any] | None = None) -> Lease:
        """Free the lease; token and record stay. Raises LeaseLostError when it is no longer what was read."""
        record = lease.record if record is None else record
        return self.write(Lease(token=lease.token, etag=lease.etag, record=record))

    def write(self, lease: Lease) -> Lease:
        """Replace exactly the object that ``lease.etag`` names (or create the first)."""
        lease = replace(lease, nonce=secrets.token_hex(8))
        condition = {"IfMatch": lease.etag} if lease.etag else {"IfNoneMatch": "*"}
        try:
            answer = self._put(encode(lease), condition)
        except AnsibleBeanstalkError as error:
            if error_code(error) not in _LOST:
                raise
            # The SDK may have sent the request twice: the first one, whose answer was lost, was then ours.
            current = self.read()
            if current.nonce == lease.nonce:
                return current
            raise LeaseLostError(message=f"The lock {self.key} was taken by {current.owner or 'nobody'}.") from error
        self.follow(answer)
        return replace(lease, etag=answer["ETag"])

    def follow(self, answer: Mapping[str, Any]) -> None:
        """Set the clock by the Date header of an answer of S3's, which is cut to whole seconds; forwards only."""
        header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if header is None:
            if self._offset is None:
                raise AnsibleBeanstalkError(message="S3 answered without a Date header: its clock cannot be read.")
            return
        offset = parsedate_to_datetime(header).timestamp() - self._monotonic()
        self._offset = offset if self._offset is None else max(self._offset, offset)

    @BeanstalkErrorHandler.common_error_handler("read the lock")  # type: ignore[untyped-decorator]
    @ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)  # type: ignore[untyped-decorator]
    def _get(self) -> dict[str, Any]:
        return dict(self.s3.get_object(Bucket=self.bucket, Key=self.key))

    @BeanstalkErrorHandler.common_error_handler("write the lock")  # type: ignore[untyped-decorator]
    @ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)  # type: ignore[untyped-decorator]
    def _put(self, body: bytes, condition: Mapping[str, str]) -> dict[str, Any]:
        return dict(
            self.s3.put_object(
                Bucket=self.bucket,
                Key=self.key,
                Body=body,
                ContentType="application/json",
                ServerSideEncryption="AES256",
                **condition,
            )
        )


def held_sentence(lease: Lease, now: float) -> str:
    """Who has the lease, why, and for how long."""
    return (
        f"{lease.owner} holds the lock ({lease.reason or 'no reason given'}), since {now - lease.acquired:.0f} seconds "
        f"and for {max(0.0, lease.expires - now):.0f} more unless it is renewed."
    )
