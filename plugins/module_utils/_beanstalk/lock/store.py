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

import math
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from ..core import api, cnames
from ..core import process as processes
from ..core.api import ThrottlingRetry
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, error_code, translate_errors
from ..core.memory import Memory
from ..core.reading import Allowance, ask_again, read_whole
from ..core.table import Table, TableMemory
from .lease import BrokenLockError, Claim, Lease, LeaseLostError, Leases, LockedError, decode, encode, lock_key
from .queue import LockQueue

_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409")
_CONTENDED_SECONDS = 30.0
# A lease takes less than 2 KiB, and an application has a few hundred environments at most.
_MAX_BYTES = 4 << 20
_READ_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_Got = TypeVar("_Got")


@dataclass(frozen=True)
class _Known:
    """The object as last seen; ``since`` when each lease has been as it is. Monotonic seconds.

    ``at`` orders what several saw: when it was asked for, and after the answer for one's own write, which a reader who
    asked meanwhile may not have seen.
    """

    leases: Leases = field(default_factory=lambda: Leases.of({}))
    etag: str = ""
    since: Mapping[str, float] = field(default_factory=dict)
    at: float = 0.0


@dataclass(frozen=True)
class Taken:
    """A lease that was got, what it was before, and since when (monotonic) nobody else can have had it."""

    lease: Lease
    before: Claim
    since: float


class Wish(NamedTuple):
    """Who wants a lease, and why; ``ttl`` in seconds."""

    owner: str
    reason: str
    ttl: float


class LockStore:
    """Reads and writes the lease of one logical environment, and others of the application in the same request.

    ``now`` is S3's clock, kept running by the monotonic clock in between. Writers who share this controller's
    ``memory`` of the object replace what is there now without having to read it, and each writes for all who wait.
    """

    def __init__(
        self,
        s3: Any,
        bucket: str,
        application: str,
        cname_prefix: str,
        *,
        memory: Memory | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if cnames.is_whole(cname_prefix):
            raise AnsibleBeanstalkRefusedError(message=cnames.whole_sentence(cname_prefix))
        self.s3, self.bucket, self.key = s3, bucket, lock_key(application)
        self.cname_prefix = cnames.key_of(cname_prefix)
        self._memory = memory or Memory(None)
        self._table = TableMemory(self._memory)
        self._queue = LockQueue(self._memory)
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
        asked = self._monotonic()
        try:
            answer, body = self._get()
        except AnsibleBeanstalkError as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
            self.follow(getattr(error.exception, "response", {}))
            self._note(Leases.of({}), "", asked)
        else:
            self.follow(answer)
            self._note(self._decoded(body, answer["ETag"]), answer["ETag"], asked)
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

        def attempt() -> Lease:
            self.read()
            return self.attempt(owner, reason, ttl)[self.cname_prefix].lease

        return self.patiently(attempt, wait, poll)

    def patiently(self, attempt: Callable[[], _Got], wait: float, poll: float = 5) -> _Got:
        """Try again every ``poll`` seconds while somebody has the lease, for ``wait`` seconds; then LockedError."""
        deadline = self._monotonic() + wait
        while True:
            try:
                return attempt()
            except LockedError:
                left = deadline - self._monotonic()
                if left <= 0:
                    raise
                self._sleep(min(poll, left))

    def attempt(self, owner: str, reason: str, ttl: float, others: Iterable[str] = ()) -> dict[str, Taken]:
        """Take or renew the lease now, and those of ``others`` (CNAME prefixes) that nobody else has.

        What was last seen is good enough to begin with. Raises LockedError when somebody has the lease.
        """
        self.recall()
        read = self._known is None
        if read:
            self.read()
        while True:
            now = self.now
            claims = {name: self.lease(name).claim(owner, now) for name in (self.cname_prefix, *others)}
            free = {name: claim for name, claim in claims.items() if claim is not Claim.HELD}
            if self.cname_prefix in free:
                taken = self._take_all(free, owner, reason, ttl)
                if self.cname_prefix in taken:
                    return taken
            elif read:
                raise LockedError(self.lease(), now)
            else:
                self.read()
            # A race that was lost has read it, too.
            read = True

    def _take_all(self, claims: Mapping[str, Claim], owner: str, reason: str, ttl: float) -> dict[str, Taken]:
        since = dict(self._known.since) if self._known else {}
        try:
            written = self.write_all({name: self.lease(name).taken(owner, reason, self.now, ttl) for name in claims})
        except LeaseLostError:
            return {}
        return self._taken(written, claims, since)

    def take_free(self, wanted: Mapping[str, Wish]) -> dict[str, Taken]:
        """Take or renew those leases that nobody else has, by CNAME prefix. It begins with what was last seen."""
        self.recall()
        fresh = self._known is None
        if fresh:
            self.read()
        while True:
            claims = {name: self.lease(name).claim(wish.owner, self.now) for name, wish in wanted.items()}
            free = {name: claim for name, claim in claims.items() if claim is not Claim.HELD}
            if len(free) < len(claims) and not fresh:
                self.read()
                fresh = True
                continue
            since = dict(self._known.since) if self._known else {}
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
                return self._taken(written, claims, since)
            fresh = True

    def _taken(
        self, written: Mapping[str, Lease], claims: Mapping[str, Claim], since: Mapping[str, float]
    ) -> dict[str, Taken]:
        at = self._monotonic()
        return {
            name: Taken(lease, claims[name], since.get(name, at) if claims[name] is Claim.FREE else at)
            for name, lease in written.items()
        }

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
        with self._queue.waiting(self._place, bases, fresh), self._memory.alone(_CONTENDED_SECONDS):
            self.recall()
            return self._replace(bases, fresh)

    def _replace(self, bases: Mapping[str, str], fresh: Mapping[str, Lease]) -> dict[str, Lease]:
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
            if self._put_all(self._queued() | same):
                return same
            if self._monotonic() > end:
                raise AnsibleBeanstalkError(
                    message=f"Others kept changing {self.key} for {_CONTENDED_SECONDS:.0f} seconds; try again later."
                )
            self._sleep(random.uniform(0, pause))  # noqa: S311 -- only spreads the writers
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            self.read()
            read = True

    def _queued(self) -> dict[str, Lease]:
        """What waits to be written and still may be: of two who replace the same lease, whoever came first."""
        found: dict[str, Lease] = {}
        for one in self._queue.everybody(self._place):
            free = {name for name in one.leases if name not in found and self.lease(name).nonce == one.bases[name]}
            found |= {name: one.leases[name] for name in free}
        return found

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
        self.follow(answer)
        self._note(new, answer["ETag"], self._monotonic())
        return True

    # -- memory ---------------------------------------------------------------------------------------------------

    def _note(self, leases: Leases, etag: str, at: float) -> None:
        before, now = self._known or _Known(), self._monotonic()
        known = before.leases.nonces
        since = {
            name: before.since.get(name, now) if known.get(name) == nonce else now
            for name, nonce in leases.nonces.items()
        }
        self._known = _Known(leases, etag, since, at)
        head = {"place": self._place, "offset": self._offset, "etag": etag, "since": since, "at": at}
        self._table.write(Table.of(head, leases.nonces, leases.lines()), lambda there: not self._is_newer(there, at))

    def recall(self) -> None:
        """Go on from what somebody on this controller saw since this store looked, while S3 says that it is so."""
        table = self._table.read()
        found = table.head
        if self._is_newer(found, self._known.at if self._known else -math.inf):
            self._offset = max(found["offset"], self._offset or found["offset"])
            leases = Leases.of_lines(table.marks, table.lines)
            self._known = _Known(leases, found["etag"], found["since"], found["at"])

    def _is_newer(self, head: Mapping[str, Any], at: float) -> bool:
        """Whether what somebody noted is of this object, and of later than ``at``."""
        return bool(head.get("place") == self._place and head["at"] > at)

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
        return answer, read_whole(answer["Body"], Allowance(_MAX_BYTES, _READ_SECONDS))

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
