# SPDX-License-Identifier: GPL-3.0-or-later
"""The token bucket against accounts whose limits it does not know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.limiter import (
    Admission,
    RateLimiter,
    given_rate,
)

from ..run.simulation import SimulatedClock


class Account:
    """Takes so many requests a second, and a burst."""

    def __init__(self, clock: SimulatedClock, rate: float, burst: float) -> None:
        self.clock, self.rate, self.burst, self.tokens, self.at = clock, rate, burst, burst, 0.0

    def takes(self) -> bool:
        self.tokens = min(self.burst, self.tokens + (self.clock.now() - self.at) * self.rate)
        self.at = self.clock.now()
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def send(limiter: RateLimiter, account: Account) -> bool:
    limiter.acquire()
    if account.takes():
        limiter.answered()
        return True
    limiter.throttled()
    return False


@pytest.mark.parametrize(("rate", "burst"), [(2, 15), (5, 20), (0.5, 5)])
def test_at_most_a_tenth_of_the_requests_is_throttled(rate: float, burst: float) -> None:
    clock = SimulatedClock()
    limiter, account = RateLimiter(clock), Account(clock, rate, burst)
    sent = [send(limiter, account) for _request in range(600)]
    assert sent.count(False) <= 60
    # What the account would have given at the most in this time, and two thirds of it at the least.
    assert sent.count(True) >= 0.66 * min(600, burst + rate * clock.now())


def test_two_controllers_find_their_shares() -> None:
    clock = SimulatedClock()
    account = Account(clock, 4, 15)
    limiters = [RateLimiter(clock), RateLimiter(clock)]
    taken = [0, 0]
    for _turn in range(800):
        for one, limiter in enumerate(limiters):
            taken[one] += send(limiter, account)
    assert min(taken) >= 0.7 * max(taken)


def test_a_burst_is_sent_at_once_and_then_the_rate_is_kept() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(clock, rate=2.0)
    for _request in range(15):
        limiter.acquire()
    assert clock.now() == 0
    for _request in range(20):
        limiter.acquire()
    assert clock.now() == pytest.approx(10, abs=0.1)


def test_throttled_twice_within_a_moment_halves_the_rate_once() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(clock, rate=8.0)
    limiter.throttled()
    clock.sleep(1)
    limiter.throttled()
    assert limiter.rate == 4
    clock.sleep(3)
    limiter.throttled()
    assert limiter.rate == 2


def test_a_rate_that_was_never_learned_is_dropped_and_not_halved() -> None:
    limiter = RateLimiter(SimulatedClock(), rate=500.0)
    limiter.throttled()
    assert limiter.rate == 2


class Client:
    """What a limiter needs of botocore's client."""

    def __init__(self, endpoint: str) -> None:
        self.handlers: dict[str, Any] = {}
        self.meta = SimpleNamespace(endpoint_url=endpoint, events=SimpleNamespace(register=self.handlers.__setitem__))


def test_requests_take_tokens_and_their_answers_are_learned_from() -> None:
    clock, client = SimulatedClock(), Client("https://elasticbeanstalk.eu-central-1.amazonaws.com")
    limiter = RateLimiter(clock, 2.0)
    limiter.attach(client)
    for _request in range(16):
        client.handlers["before-sign.elastic-beanstalk"](signature_version="v4")
    assert clock.now() == pytest.approx(0.5)
    # An address that is signed is not a request.
    client.handlers["before-sign.elastic-beanstalk"](signature_version="v4-query")
    assert clock.now() == pytest.approx(0.5)
    client.handlers["response-received.elastic-beanstalk"](parsed_response={"Error": {"Code": "Throttling"}})
    assert limiter.rate == 1
    client.handlers["response-received.elastic-beanstalk"](parsed_response={"ResponseMetadata": {}})
    assert limiter.rate == pytest.approx(1.03)


def test_what_was_acquired_before_is_sent_at_once_and_its_answer_is_learned_from() -> None:
    clock, client = SimulatedClock(), Client("https://elasticbeanstalk.eu-central-1.amazonaws.com")
    limiter = RateLimiter(clock, 2.0)
    limiter.attach(client, ahead=True)
    assert list(client.handlers) == ["response-received.elastic-beanstalk"]
    assert [limiter.acquire() for _request in range(16)] == [False] * 15 + [True]
    client.handlers["response-received.elastic-beanstalk"](parsed_response={"Error": {"Code": "Throttling"}})
    assert limiter.rate == 1


def test_what_takes_many_requests_begins_at_the_pace_at_which_they_can_be_served() -> None:
    clock = SimulatedClock()
    admission = Admission(RateLimiter(clock, 2.0), clock, 24)
    # Ten of them make each other wait for five seconds at most: 10 / 2.0.
    tickets = [admission.ticket() for _number in range(13)]
    assert [admission.begins_in(one) for one in tickets] == pytest.approx([0.0] * 10 + [12.0, 24.0, 36.0])
    clock.sleep(12)
    assert admission.begins_in(tickets[10]) == 0
    assert admission.begins_in(tickets[12]) == pytest.approx(24)
    # In time there is room for ten again, and never for more.
    clock.sleep(100_000)
    assert [admission.begins_in(admission.ticket()) > 0 for _number in range(11)] == [False] * 10 + [True]


def test_a_queue_goes_faster_when_the_rate_does() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(clock, 2.0)
    admission = Admission(limiter, clock, 24)
    tickets = [admission.ticket() for _number in range(200)]
    assert admission.begins_in(tickets[-1]) == pytest.approx(190 * 12)
    limiter.rate = 24.0
    clock.sleep(90)
    assert admission.begins_in(tickets[-1]) == pytest.approx(100)
    assert admission.begins_in(tickets[99]) == 0
    slow = Admission(RateLimiter(clock, 0.25), clock, 24)
    assert slow.begins_in(slow.ticket()) == 0, "one may always begin"


def test_a_server_on_this_machine_is_nobodys_quota() -> None:
    limiter = RateLimiter(SimulatedClock())
    limiter.attach(Client("http://127.0.0.1:4566"))
    assert limiter.rate == 500


def test_the_users_rate_holds_on_this_machine_too() -> None:
    limiter = RateLimiter(SimulatedClock(), 2.0)
    limiter.attach(Client("http://127.0.0.1:4566"))
    assert limiter.rate == 2


@pytest.mark.parametrize(("given", "rate"), [("", None), ("7.5", 7.5), ("many", None), ("0", None)])
def test_the_rate_that_the_user_gives(monkeypatch: pytest.MonkeyPatch, given: str, rate: float | None) -> None:
    monkeypatch.setenv("BEANSTALK_CALLS_PER_SECOND", given)
    assert given_rate() == rate
