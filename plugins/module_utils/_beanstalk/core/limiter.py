# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests a second an account takes: a token bucket whose rate is learned from AWS's answers.

AWS does not document the limits of the Elastic Beanstalk API; it answers "Throttling" when there are too many. The rate
is halved then, and raised a little by each request that had to wait and was answered: additive increase, multiplicative
decrease, by which several controllers find their shares without knowing of each other.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from .clock import Clock

RATE_VARIABLE = "BEANSTALK_CALLS_PER_SECOND"
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
)

START_RATE = 2.0
"""Requests per second before anything is known."""
# Nobody's quota is at stake on this machine; a server here that throttles is learned like any other.
_LOOPBACK_RATE = 500.0

_BURST = 15.0
_MINIMUM_RATE = 0.25
_MAXIMUM_RATE = 500.0
# A rate above this was never learned from answers of AWS, so half of it is as wrong as all of it.
_MAXIMUM_LEARNED = 50.0
_RATE_STEP = 0.03
# Requests that were on their way when AWS said "too many" tell nothing new.
_SETTLE_SECONDS = 2.0
# So many seconds at most does each of those wait for its tokens that begin together without a queue.
_TOGETHER_SECONDS = 5.0


class RateLimiter:
    """The bucket of one account and region, for all threads. ``rate`` is in requests per second.

    Tokens below zero are places in the queue: each who comes takes one and waits for its turn.
    """

    def __init__(self, clock: Clock, rate: float | None = None) -> None:
        self.rate = rate or START_RATE
        self._given = rate is not None
        self._clock = clock
        self._tokens = max(_BURST, self.rate)
        self._filled_at = clock.now()
        self._throttled_at: float | None = None
        self._lock = threading.Lock()
        self._mine = threading.local()

    def attach(self, client: Any, *, ahead: bool = False) -> None:
        """Have each request of a botocore client, retries included, take a token first and report its answer.

        With ``ahead`` only the latter: whoever must not be late once a request was decided acquires it before that.
        """
        if not self._given and urlsplit(client.meta.endpoint_url).hostname in ("127.0.0.1", "localhost", "::1"):
            self.rate = _LOOPBACK_RATE
        # Before the signature, which is good for a few minutes only.
        if not ahead:
            client.meta.events.register("before-sign.elastic-beanstalk", self._before_sign)
        client.meta.events.register("response-received.elastic-beanstalk", self._response_received)

    def acquire(self) -> bool:
        """Take one token, waiting for it where there is none; returns whether it had to wait."""
        with self._lock:
            self._fill()
            self._tokens -= 1.0
            wait = max(0.0, -self._tokens / self.rate)
        self._mine.waited = wait > 0
        if wait:
            self._clock.sleep(wait)
        return wait > 0

    def throttled(self) -> None:
        """AWS said "too many": go slower."""
        with self._lock:
            now = self._clock.now()
            self._fill()
            self._tokens = min(self._tokens, 0.0)
            if self._throttled_at is None or now - self._throttled_at >= _SETTLE_SECONDS:
                self.rate = max(_MINIMUM_RATE, self.rate / 2 if self.rate <= _MAXIMUM_LEARNED else START_RATE)
                self._throttled_at = now

    def answered(self) -> None:
        """A request of this thread was answered; if it had to wait for its token, there may be room for more."""
        if getattr(self._mine, "waited", False):
            with self._lock:
                self.rate = min(_MAXIMUM_RATE, self.rate + _RATE_STEP)

    def _fill(self) -> None:
        now = self._clock.now()
        self._tokens = min(max(_BURST, self.rate), self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now

    def _before_sign(self, signature_version: str = "", **_kwargs: Any) -> None:
        # An address that is signed is not a request that is sent.
        if not str(signature_version).endswith("-query"):
            self.acquire()

    def _response_received(self, parsed_response: Any = None, **_kwargs: Any) -> None:
        if not parsed_response:
            return
        if parsed_response.get("Error", {}).get("Code") in THROTTLED:
            self.throttled()
        else:
            self.answered()


class Admission:
    """Lets items begin at the pace at which their requests can be served, so that none is late once it has begun.

    Each sends ``requests`` one after the other, and has deadlines. A few begin at once, as many as do not make each
    other wait for long.
    """

    def __init__(self, limiter: RateLimiter, clock: Clock, requests: float) -> None:
        self._limiter, self._clock, self._requests = limiter, clock, requests
        self._tickets = 0
        self._served = math.inf
        self._served_at = 0.0

    def ticket(self) -> int:
        """A place in the queue."""
        self._serve()
        self._tickets += 1
        return self._tickets

    def begins_in(self, ticket: int) -> float:
        """Seconds until a ticket comes up, at the present rate; 0 where it has."""
        self._serve()
        return max(0.0, (ticket - self._served) * self._requests / self._limiter.rate)

    def _serve(self) -> None:
        now, rate = self._clock.now(), self._limiter.rate
        room = max(1.0, _TOGETHER_SECONDS * rate)
        self._served = min(self._tickets + room, self._served + (now - self._served_at) * rate / self._requests)
        self._served_at = now


def given_rate() -> float | None:
    """The rate to begin with, where the user says one."""
    try:
        return float(os.environ.get(RATE_VARIABLE) or 0) or None
    except ValueError:
        return None
