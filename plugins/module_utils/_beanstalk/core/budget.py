# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One budget of Elastic Beanstalk requests per account and region, shared by everything that runs on this controller.

AWS limits the requests of an account, and Ansible runs one process per host: without a common budget, fifty deployments
are fifty clients that throttle each other. The budget is a token bucket in a small file. Nobody sleeps under its lock.
The limit is not documented, so the rate is learned: halved when AWS says "too many", and raised a little by each
request that had to wait and was answered.

What takes many requests one after the other, and has deadlines once it has begun, begins when it has the room to: see
:meth:`Budget.begin`.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import math
import os
import random
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RATE_VARIABLE = "BEANSTALK_CALLS_PER_SECOND"
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
)

_START = 2.0  # requests per second
# Nobody's quota is at stake on this machine; a server here that throttles is learned like any other.
_START_LOOPBACK = 500.0
_BURST = 15.0
_FLOOR = 0.25
# A rate above this was never learned from answers of AWS, so half of it is as wrong as all of it.
_LEARNED = 50.0
_CEILING = 500.0
_STEP = 0.03
# Requests that were on their way when AWS said "too many" tell nothing new.
_SETTLE_SECONDS = 2.0
# So many seconds at most does each of those wait for a turn that begin together without a queue.
_TOGETHER_SECONDS = 5.0
# The pace may have changed meanwhile.
_LONGEST_SLEEP_SECONDS = 15.0
_listeners: list[Callable[[], None]] = []


@dataclass
class Bucket:
    """The budget at one moment. Times are seconds of one monotonic clock; tokens below zero are places in the queue.

    ``tickets`` is how many places were given in the queue of those who begin something long, ``served`` how many of
    them have come up.
    """

    rate: float
    tokens: float
    at: float
    cut_at: float = 0.0
    generation: int = 0
    tickets: int = 0
    served: float = math.inf
    served_at: float = 0.0

    def take(self, now: float) -> float:
        """Take one token; returns the seconds to wait before it may be used."""
        # Another boot's clock says nothing about this one's.
        passed = max(0.0, now - self.at)
        self.tokens = min(max(_BURST, self.rate), self.tokens + passed * self.rate) - 1.0
        self.at = now
        return max(0.0, -self.tokens / self.rate)

    def refused(self, now: float) -> None:
        """AWS said "too many": go slower, and let everybody who waits queue again at the new pace."""
        if self.cut_at and 0 <= now - self.cut_at < _SETTLE_SECONDS:
            self.tokens = min(self.tokens, 0.0)
            return
        self.rate = max(_FLOOR, self.rate / 2 if self.rate <= _LEARNED else _START)
        self.tokens = 0.0
        self.at = self.cut_at = now
        self.generation += 1

    def answered(self) -> None:
        """A request that had to wait was answered: there may be room for more."""
        self.rate = min(_CEILING, self.rate + _STEP)

    def ticket(self, requests: float, now: float) -> int:
        """A place in the queue of those who begin, each of which will send so many requests."""
        self._serve(requests, now)
        self.tickets += 1
        return self.tickets

    def begins_in(self, ticket: int, requests: float, now: float) -> float:
        """Seconds until the ticket comes up, at the present rate."""
        self._serve(requests, now)
        return max(0.0, (ticket - self.served) * requests / self.rate)

    def _serve(self, requests: float, now: float) -> None:
        passed = max(0.0, now - self.served_at)
        room = max(1.0, _TOGETHER_SECONDS * self.rate)
        self.served = min(self.tickets + room, self.served + passed * self.rate / requests)
        self.served_at = now


class Budget:
    """The bucket in its file. Where no file can be had, there is no budget, and that is no failure."""

    def __init__(
        self,
        path: Path,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self._rate = rate
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> bool:
        """Wait for a turn; returns whether it had to wait."""
        waited = False
        try:
            while True:
                with self._bucket() as bucket:
                    seconds = bucket.take(self._clock())
                    generation = bucket.generation
                if seconds <= 0:
                    return waited
                waited = True
                # A little late and not together: clocks and sleeps are not exact.
                self._sleep(seconds + random.uniform(0, 0.1 / self._rate))  # noqa: S311
                with self._bucket() as bucket:
                    if bucket.generation == generation:
                        return waited
        except OSError:
            return waited

    def begin(self, requests: float) -> bool:
        """Wait until there is room for what will send so many requests, one after the other; whether it had to wait.

        A few may begin at once, as many as do not make each other late. The others follow at the pace at which the
        budget can serve them, so that none of them waits long for a turn once it has begun.
        """
        ticket = None
        waited = False
        try:
            while True:
                with self._bucket() as bucket:
                    ticket = ticket or bucket.ticket(requests, self._clock())
                    seconds = bucket.begins_in(ticket, requests, self._clock())
                if seconds <= 0:
                    return waited
                waited = True
                self._sleep(min(seconds, _LONGEST_SLEEP_SECONDS))
        except OSError:
            return waited

    def refused(self) -> None:
        """Tell everybody that AWS said "too many"."""
        try:
            with self._bucket() as bucket:
                bucket.refused(self._clock())
        except OSError:
            return

    def answered(self) -> None:
        """Tell everybody that a request which had to wait was answered."""
        try:
            with self._bucket() as bucket:
                bucket.answered()
        except OSError:
            return

    @contextmanager
    def _bucket(self) -> Iterator[Bucket]:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            bucket = self._parsed(file.read())
            yield bucket
            file.seek(0)
            file.write(json.dumps(asdict(bucket)))
            file.truncate()

    def _parsed(self, text: str) -> Bucket:
        try:
            bucket = Bucket(**json.loads(text))
        except (TypeError, ValueError):
            return Bucket(self._rate, max(_BURST, self._rate), self._clock())
        return bucket if bucket.at <= self._clock() else Bucket(bucket.rate, _BURST, self._clock())


def access_key_of(client: Any) -> str:
    """The access key that a client of Elastic Beanstalk signs with, "" where it has none.

    boto3 tells no client's credentials, but every address that it signs carries the id of the key. Nothing is sent.
    """
    try:
        address = client.generate_presigned_url("describe_account_attributes")
    except Exception:  # credentials come from many places; what is wrong with them the first request says
        return ""
    credential = parse_qs(urlsplit(address).query).get("X-Amz-Credential", [""])[0]
    return str(credential).partition("/")[0]


def account_of(access_key: str) -> str:
    """The account that an access key belongs to (it is in the key's own letters), else the key itself."""
    if len(access_key) == 20 and access_key[:4] in ("AKIA", "ASIA"):
        try:
            decoded = base64.b32decode(access_key[4:])
        except ValueError:
            return access_key
        return f"{(int.from_bytes(decoded[:6], 'big') & 0x7FFFFFFFFF80) >> 7:012d}"
    return access_key


def runtime_directory() -> Path | None:
    """A directory of this user's own for files that a reboot may lose; None when there is none."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    try:
        path = Path(base, "jack.beanstalk") if base else Path(tempfile.gettempdir(), f"jack.beanstalk-{os.getuid()}")
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    # Somebody else may have made it first, in a directory that is open to all.
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return path if own else None


def budget_for(endpoint: str, region: str, access_key: str) -> Budget | None:
    """The budget of an account in a region; None when it was switched off or no file can be had."""
    loopback = (urlsplit(endpoint).hostname or "") in ("127.0.0.1", "localhost", "::1")
    try:
        rate = float(os.environ.get(RATE_VARIABLE) or (_START_LOOPBACK if loopback else _START))
    except ValueError:
        rate = _START
    folder = runtime_directory() if rate > 0 else None
    if folder is None:
        return None
    host = endpoint if loopback else ""
    name = hashlib.sha256("\n".join((account_of(access_key), region, host)).encode()).hexdigest()[:16]
    return Budget(folder / f"budget-{name}.json", rate)


@contextmanager
def listening(listener: Callable[[], None]) -> Iterator[None]:
    """Call ``listener`` whenever a request of this process has got its turn."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def turn_came() -> None:
    """Tell those who listen that a request is sent now."""
    for listener in _listeners:
        listener()


class SharedBudget:
    """Makes one client's requests wait for their turn, retries included.

    With ``ahead`` none of them waits: whoever must not be late once a request was decided takes its turn before that.
    """

    def __init__(self, client: Any, *, ahead: bool = False) -> None:
        self._client = client
        self._budget: Budget | None = None
        self._known = False
        self._waited = False
        # Before the signature, which is good for a few minutes only.
        if not ahead:
            client.meta.events.register("before-sign.elastic-beanstalk", self._before)
        client.meta.events.register("response-received.elastic-beanstalk", self._after)

    def turn(self) -> bool:
        """Wait for the turn of one request; returns whether it had to wait."""
        shared = self._shared()
        self._waited = shared is not None and shared.wait()
        turn_came()
        return self._waited

    def begin(self, requests: float) -> bool:
        """Wait for the room to begin: see :meth:`Budget.begin`."""
        shared = self._shared()
        return shared is not None and shared.begin(requests)

    def _shared(self) -> Budget | None:
        if not self._known:
            meta = self._client.meta
            self._budget = budget_for(meta.endpoint_url, meta.region_name or "", access_key_of(self._client))
            self._known = True
        return self._budget

    def _before(self, signature_version: str = "", **_kwargs: Any) -> None:
        # An address that is signed is not a request that is sent.
        if not signature_version.endswith("-query"):
            self.turn()

    def _after(self, parsed_response: Any = None, **_kwargs: Any) -> None:
        if self._budget is None or not parsed_response:
            return
        if parsed_response.get("Error", {}).get("Code") in THROTTLED:
            self._budget.refused()
        elif self._waited:
            self._budget.answered()
