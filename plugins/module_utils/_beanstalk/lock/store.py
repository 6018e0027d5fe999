# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One writer per logical environment: the leases of an application in S3, made of conditional writes.

They are one object, so that a fleet takes or frees many of them with one request. It is created with
``If-None-Match: *`` and replaced with ``If-Match: <etag>``, so that of two writers who read the same state one fails;
that one reads again and goes on when what it replaces was left alone. The object is never deleted: it carries each
lease's fencing token, which only grows, and a record that outlives the lease. Time is the ``Date`` header of S3's own
answers: what a controller's clock says does not matter.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ..core import api, cnames
from ..core import process as processes
from ..core.api import ThrottlingRetry
from ..core.cache import Cache
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, error_code, translate_errors
from ..core.reading import Allowance, ask_again, receive, whole_head
from ..core.shape import ShapeError, check, number, text
from .lease import (
    BrokenLockError,
    Lease,
    LeaseLostError,
    Leases,
    LeaseState,
    LockedError,
    decode,
    encode,
    lock_key,
    stopped_sentence,
)

_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409")
_CONTENDED_SECONDS = 30.0
# A lease takes less than 2 KiB, and an application has a few hundred environments at most.
_MAX_BYTES = 4 << 20
_READ_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0

_SECONDS = number(-1e12, 1e12)
_HINT = {
    "place": [text(4096)],
    "offset": _SECONDS,
    "etag": text(256),
    "since": {str: _SECONDS},
    "object": text(_MAX_BYTES),
}


@dataclass(frozen=True)
class _Known:
    """The object as last seen; ``since`` when each lease has been as it is. Monotonic seconds."""

    leases: Leases = field(default_factory=lambda: Leases.of({}))
    etag: str = ""
    since: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """A lease that was got, what it was before, and since when (monotonic) nobody else can have had it.

    ``stopped`` says at what another run stopped that never freed it, "" where none did.
    """

    lease: Lease
    before: LeaseState
    since: float
    stopped: str = ""


class Wish(NamedTuple):
    """Who wants a lease, and why; ``ttl`` in seconds."""

    owner: str
    reason: str
    ttl: float


class LockStore:
    """Reads and writes the lease of one logical environment, and others of the application in the same request.

    ``now`` is S3's clock, kept running by the monotonic clock in between. ``cache`` is a hint that saves the first
    read: what a run before this one saw of the object, which a write is refused for where it is no longer so.
    """

    def __init__(
        self,
        s3: Any,
        bucket: str,
        application: str,
        cname_prefix: str,
        *,
        cache: Cache | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if cnames.is_whole(cname_prefix):
            raise AnsibleBeanstalkRefusedError(message=cnames.whole_sentence(cname_prefix))
        self.s3, self.bucket, self.key = s3, bucket, lock_key(application)
        self.cname_prefix = cnames.key_of(cname_prefix)
        self._cache = cache or Cache(None)
        self._monotonic, self._sleep = monotonic, sleep
        self._offset: float | None = None
        self._known: _Known | None = None

    @property
    def now(self) -> float:
        """Seconds since the epoch, on S3's clock. Never runs backwards within one process."""
        if self._offset is None:
            self.recall()
        if self._offset is None:
            self.read()
        return self._monotonic() + (self._offset or 0.0)

    def read(self) -> Lease:
        """The lease as it is now."""
        try:
            answer, body = self._get()
        except AnsibleBeanstalkError as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
            self.follow(getattr(error.exception, "response", {}))
            self._note(Leases.of({}), "")
        else:
            self.follow(answer)
            self._note(self._decoded(body, answer["ETag"]), answer["ETag"])
        return self.lease()

    def _decoded(self, body: bytes, etag: str) -> Leases:
        place = f"The lock s3://{self.bucket}/{self.key} cannot be used"
        try:
            return decode(body)
        except BrokenLockError as error:
            broken = BrokenLockError(
                message=f"{place}: {error.message}. Find out who wrote it; the module lock with state=absent and "
                "force=true removes it."
            )
            broken.etag = etag
            raise broken from error
        except AnsibleBeanstalkError as error:
            raise AnsibleBeanstalkError(message=f"{place}: {error.message}.") from error

    def remove_broken(self, etag: str) -> None:
        """Put an object without leases in place of a broken one, and of no other."""
        self._put(encode(Leases.of({})), {"IfMatch": etag})
        self.read()

    def lease(self, cname_prefix: str = "") -> Lease:
        """This lease, or another of the application, as it was last seen."""
        leases = (self._known or _Known()).leases
        return leases.get(cname_prefix or self.cname_prefix, Lease())

    # -- take and free --------------------------------------------------------------------------------------------

    def acquire(self, owner: str, reason: str, ttl: float, *, wait: float = 0, poll: float = 5) -> Lease:
        """Take or renew the lease for ``ttl`` seconds, waiting up to ``wait`` seconds for another holder.

        Raises LockedError, with the holder and its reason, when it is still held then.
        """
        deadline = self._monotonic() + wait
        while True:
            self.read()
            taken = self.take_free({self.cname_prefix: Wish(owner, reason, ttl)})
            if taken:
                return taken[self.cname_prefix].lease
            if self.lease().state(owner, self.now) is not LeaseState.HELD:
                continue  # somebody was quicker, and has freed it again
            left = deadline - self._monotonic()
            if left <= 0:
                raise LockedError(self.lease(), self.now)
            self._sleep(min(poll, left))

    def take_free(self, wanted: Mapping[str, Wish]) -> dict[str, Taken]:
        """Take or renew those leases that nobody else has, by CNAME prefix. It begins with what was last seen."""
        self.recall()
        fresh = self._known is None
        if fresh:
            self.read()
        while True:
            states = {name: self.lease(name).state(wish.owner, self.now) for name, wish in wanted.items()}
            free = {name: state for name, state in states.items() if state is not LeaseState.HELD}
            if len(free) < len(states) and not fresh:
                self.read()
                fresh = True
                continue
            since = dict(self._known.since) if self._known else {}
            stopped = {name: stopped_sentence(self.lease(name), wanted[name].owner, free[name]) for name in free}
            taken = {
                name: self.lease(name).taken(wanted[name].owner, wanted[name].reason, self.now, wanted[name].ttl)
                for name in free
            }
            try:
                written = self.write_all(taken) if taken else {}
            except LeaseLostError:
                written = {}
            # A race that was lost has read it, too.
            if len(written) == len(free) or fresh:
                return self._taken(written, states, since, stopped)
            fresh = True

    def _taken(
        self,
        written: Mapping[str, Lease],
        states: Mapping[str, LeaseState],
        since: Mapping[str, float],
        stopped: Mapping[str, str],
    ) -> dict[str, Taken]:
        at = self._monotonic()
        known = {name: since.get(name, at) if state is LeaseState.FREE else at for name, state in states.items()}
        return {name: Taken(lease, states[name], known[name], stopped.get(name, "")) for name, lease in written.items()}

    def take(self, lease: Lease, owner: str, reason: str, ttl: float, record: Mapping[str, Any] | None = None) -> Lease:
        """Write ``owner`` over exactly what was read. A new holder gets the next fencing token.

        Raises LeaseLostError when somebody else was quicker.
        """
        return self.write(lease.taken(owner, reason, self.now, ttl, record))

    def release(self, lease: Lease, record: Mapping[str, Any] | None = None) -> Lease:
        """Free the lease; token and record stay. Raises LeaseLostError when it is no longer what was read."""
        return self.write(lease.freed(record))

    def write(self, lease: Lease) -> Lease:
        """Replace exactly the lease that ``lease.nonce`` names. Raises LeaseLostError when it is another by now."""
        return self.write_all({self.cname_prefix: lease})[self.cname_prefix]

    def write_all(self, wanted: Mapping[str, Lease]) -> dict[str, Lease]:
        """Replace those leases that are still what their ``nonce`` says, by CNAME prefix; returns them as written.

        Raises LeaseLostError when there are none. All other leases stay as they are.
        """
        run = processes.this_run()
        fresh = {
            name: replace(lease, nonce=secrets.token_hex(8), process=run if lease.owner else None)
            for name, lease in wanted.items()
        }
        bases = {name: lease.nonce for name, lease in wanted.items()}
        self.recall()
        end = self._monotonic() + _CONTENDED_SECONDS
        read = self._known is None
        pause = _PAUSE_SECONDS
        if read:
            self.read()
        while True:
            # Somebody else wrote it; or the SDK sent a request twice, and the first, whose answer was lost, was ours.
            done = {name: lease for name, lease in fresh.items() if self.lease(name).nonce == lease.nonce}
            if done:
                return done
            same = {name: fresh[name] for name, nonce in bases.items() if self.lease(name).nonce == nonce}
            if len(same) < len(fresh) and not read:
                self.read()
                read = True
                continue
            if not same:
                name = next(iter(fresh))
                raise LeaseLostError(
                    message=f"The lock of {name} was taken by {self.lease(name).owner or 'nobody'} meanwhile."
                )
            if self._put_all(same):
                return same
            if self._monotonic() > end:
                raise AnsibleBeanstalkError(
                    message=f"Others kept changing {self.key} for {_CONTENDED_SECONDS:.0f} seconds; try again later."
                )
            self._sleep(random.uniform(0, pause))  # noqa: S311 -- only spreads the writers
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            self.read()
            read = True

    def _put_all(self, leases: Mapping[str, Lease]) -> bool:
        """Write the object with these leases; False when it is not what was last seen."""
        known = self._known or _Known()
        new = known.leases.changed(leases)
        try:
            answer = self._put(encode(new), {"IfMatch": known.etag} if known.etag else {"IfNoneMatch": "*"})
        except AnsibleBeanstalkError as error:
            if error_code(error) not in _LOST:
                raise
            return False
        if not answer.get("ETag"):
            return False  # it broke off: what came of the request is read
        self.follow(answer)
        self._note(new, answer["ETag"])
        return True

    # -- cache ----------------------------------------------------------------------------------------------------

    def _note(self, leases: Leases, etag: str) -> None:
        before, now = self._known or _Known(), self._monotonic()
        known = before.leases.nonces
        since = {
            name: before.since.get(name, now) if known.get(name) == nonce else now
            for name, nonce in leases.nonces.items()
        }
        self._known = _Known(leases, etag, since)

    def update_cache(self) -> None:
        """Keep what is known of the object for the next run of this controller."""
        if self._known is not None and self._cache.lasts:
            hint = {"place": self._place, "offset": self._offset, "etag": self._known.etag, "since": self._known.since}
            self._cache.put(lock={**hint, "object": encode(self._known.leases).decode()})

    def recall(self) -> None:
        """Begin with what an earlier run saw. A hint that is not well formed is none."""
        if self._known is not None:
            return
        try:
            hint = check(self._cache.get("lock"), _HINT)
            leases = decode(hint["object"])
        except (ShapeError, AnsibleBeanstalkError):
            return
        if hint["place"] == self._place:
            self._known = _Known(leases, hint["etag"], hint["since"])
            self._offset = max(hint["offset"], self._offset or hint["offset"])

    @property
    def _place(self) -> list[str]:
        # The monotonic clock, which carries S3's clock on, begins anew with every boot.
        return [self.bucket, self.key, processes.boot()]

    # -- S3 -------------------------------------------------------------------------------------------------------

    def follow(self, answer: Mapping[str, Any]) -> None:
        """Set the clock by the Date header of an answer of S3's, which is cut to whole seconds; forwards only."""
        header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if header is None:
            if self._offset is None:
                raise AnsibleBeanstalkError(message="S3 answered without a Date header: its clock cannot be read.")
            return
        try:
            offset = parsedate_to_datetime(header).timestamp() - self._monotonic()
        except (TypeError, ValueError, OverflowError) as error:
            raise AnsibleBeanstalkError(message="S3 answered with a Date header that is no date.") from error
        self._offset = offset if self._offset is None else max(self._offset, offset)

    @translate_errors("read the lock")
    @ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)  # type: ignore[untyped-decorator]
    @ask_again
    def _get(self) -> tuple[dict[str, Any], bytes]:
        answer = self.s3.get_object(Bucket=self.bucket, Key=self.key)
        whole_head(answer, "ETag", "ContentLength")
        return answer, receive(answer["Body"], Allowance(_MAX_BYTES, _READ_SECONDS))

    @translate_errors("write the lock")
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


def open_store(client: Callable[[str], Any], params: Mapping[str, Any]) -> LockStore:
    """The store that a module's parameters name; ``client`` makes a client of a service."""
    bucket = params["bucket"] or api.create_storage_location(client("elasticbeanstalk"))
    return LockStore(client("s3"), bucket, params["application"], params["cname_prefix"])
