# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a list of items: a lane for each account and region, all of them in one process."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from ..core import api
from ..core.answers import Answers, request_timeouts
from ..core.cache import cache_of
from ..core.clock import Clock, SystemClock
from ..core.errors import AnsibleBeanstalkWaitError
from ..core.limiter import RateLimiter, given_rate
from ..lock.store import LockStore
from .abandoned import AbandonedError, refuse_writes
from .background import ThreadPool
from .clients import ONE_ATTEMPT, Clients, connection_key
from .effects import Reconciler
from .lane import GRACE_SECONDS, Lane
from .leases import ApplicationLeases, made_up_owner
from .progress import ItemProgress
from .single_flight import SingleFlight
from .watcher import ApplicationWatcher

# So much longer than the last deadline of its items a lane may take before it is left.
_STUCK_SECONDS = 5.0
# How often it is looked whether anybody waits for the run, and how long a lane has to end where nobody does.
_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 5.0
# Requests of one account and region that are waited for at the same time; the limiter says how often one is sent.
_CALLS_AT_ONCE = 4


class ServiceClock:
    """The service's own time, from the Date headers of its answers (RFC 9110), which are cut to whole seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: float | None = None

    def attach(self, client: Any) -> None:
        """Follow the answers that a botocore client gets."""
        client.meta.events.register("response-received", self._response_received)

    def now(self) -> datetime:
        """The service's time; the machine's own where no answer has told it yet."""
        if self._offset is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._clock.now() + self._offset, tz=UTC)

    def _response_received(self, parsed_response: Any = None, **_kwargs: Any) -> None:
        header = ((parsed_response or {}).get("ResponseMetadata") or {}).get("HTTPHeaders", {}).get("date")
        try:
            moment = parsedate_to_datetime(header).timestamp() if header else None
        except (TypeError, ValueError):
            return
        if moment is not None:
            offset = moment - self._clock.now()
            self._offset = offset if self._offset is None else max(self._offset, offset)


class ApiSource:
    """Snapshots as the API of one account and region gives them."""

    def __init__(self, client: Any, service_clock: ServiceClock) -> None:
        self._client, self._service_clock = client, service_clock

    def environments(self, application: str) -> list[dict[str, Any]]:
        """All environments of an application that have not ended."""
        return api.describe_environments(self._client, ApplicationName=application)

    def events(self, application: str, since: datetime | None) -> list[dict[str, Any]]:
        """Events of an application since a moment, newest first."""
        return api.describe_events(self._client, since=since, ApplicationName=application)

    def now(self) -> datetime:
        """The service's time. A header is cut to whole seconds, and an event may be a little older than its answer."""
        return self._service_clock.now() - timedelta(seconds=1)


@dataclass
class Services:
    """What a reconciler may use of its lane: clients, the time, the limiter, and answers that others asked for."""

    clients: Clients
    clock: Clock
    service_clock: ServiceClock
    counter: api.CallCounter
    limiter: RateLimiter
    shared: SingleFlight
    answers: Answers
    owner: str
    """Who this run is to others who look at its locks."""

    @property
    def eb(self) -> Any:
        """The client of Elastic Beanstalk."""
        return self.clients.get("elasticbeanstalk")

    @functools.cached_property
    def writer(self) -> Any:
        """Another client of Elastic Beanstalk, for requests that may be sent once only.

        Whoever uses it acquires a token of the limiter before it decides, so that the request is not late.
        """
        client = self.clients.new("elasticbeanstalk", ONE_ATTEMPT)
        self.counter.count(client)
        self.answers.attach(client)
        self.limiter.attach(client, ahead=True)
        self.service_clock.attach(client)
        return client

    def storage_location(self) -> str:
        """Elastic Beanstalk's own bucket of the account and region."""
        return self.shared.get("storage location", -math.inf, lambda: api.create_storage_location(self.eb))

    def scaling(self) -> Any:
        """The client of Auto Scaling, which is seldom needed."""
        return self.clients.get("autoscaling")


class Job(Protocol):
    """One item of a run, ready to be reconciled."""

    def reconcile(self, services: Services, progress: ItemProgress) -> Reconciler:
        """The item's reconciler; its result is a dictionary with ``changed``."""

    def failed(self, error: BaseException) -> dict[str, Any]:
        """The item's result where it ended with an exception: ``failed``, ``msg``, ``changed`` and what is known."""


@dataclass
class Item:
    """``params`` are its connection arguments, ``timeout`` in seconds is what it may take.

    ``silence_timeout`` is what it may take where AWS does not answer in the end; with ``waits_out_silence``, where AWS
    has not answered even once.
    """

    name: str
    params: Mapping[str, Any]
    timeout: float
    interval: float
    job: Job
    progress: ItemProgress
    silence_timeout: float = math.inf
    waits_out_silence: bool = False
    result: dict[str, Any] | None = None


def _silence(items: Sequence[Item], answers: Answers) -> Callable[[], str]:
    """Which endpoint does not answer, as far as the items of a lane mind."""
    return answers.unheard if all(item.waits_out_silence for item in items) else answers.silent


def _wait_for(
    thread: threading.Thread, items: Sequence[Item], silent: Callable[[], str], began: float, over: Callable[[], bool]
) -> None:
    """Wait for a lane, but not longer than its items may take: one that is stuck in a request cannot leave them.

    ``over``: it is not to be waited for any more.
    """
    end = began + max(item.timeout for item in items) + GRACE_SECONDS + _STUCK_SECONDS
    silence_end = began + max(item.silence_timeout for item in items) + GRACE_SECONDS + _STUCK_SECONDS / 2
    while thread.is_alive():
        now = SystemClock().now()
        if now >= end or (now >= silence_end and silent()):
            return
        if over():
            thread.join(_LEAVE_SECONDS)
            return
        thread.join(min(_LOOK_SECONDS, max(0.5, min(end, silence_end) - now)))


class _LaneReporter:
    """Turns what happens in a lane into lines and results of its items."""

    def __init__(self, items: Mapping[str, Item], warn: Callable[[str], None]) -> None:
        self._items, self._warn = items, warn

    def finished(self, name: str, result: Any, error: BaseException | None) -> None:
        """Write the result of an item down."""
        item = self._items[name]
        answer = item.job.failed(error) if error is not None else result
        item.result = item.progress.result(answer)

    def heartbeat(self, name: str, waiting_for: str, seconds: float) -> None:
        """Print what an item waits for."""
        self._items[name].progress.heartbeat(waiting_for, seconds)

    def warning(self, text: str) -> None:
        """Pass a warning of the whole lane on."""
        self._warn(text)


@dataclass
class Engine:
    """``run`` gives each item a ``result``. ``warnings`` are those of no item in particular.

    ``clock`` makes the clock of a lane. ``abandoned`` says whether nobody waits for the run any more: then nothing more
    is written, neither to environments nor to locks.
    """

    clock: Callable[[], Clock] = SystemClock
    abandoned: Callable[[], bool] = lambda: False
    owner: str = field(default_factory=made_up_owner)
    warnings: list[str] = field(default_factory=list)
    counters: list[api.CallCounter] = field(default_factory=list)

    @property
    def api_calls(self) -> int:
        """Requests that were sent, retries included."""
        return sum(counter.total for counter in self.counters)

    def run(self, items: Iterable[Item]) -> None:
        """Run all items to their end or their deadline, accounts and regions side by side."""
        lanes: dict[str, list[Item]] = {}
        for item in items:
            lanes.setdefault(connection_key(item.params), []).append(item)
        pool = ThreadPool()
        clocks: list[Clock] = []
        threads = []
        began = SystemClock().now()
        for members in lanes.values():
            answers, clock = Answers(), self.clock()
            clocks.append(clock)
            thread = threading.Thread(target=self._run_lane, args=(members, pool, answers, clock), daemon=True)
            thread.start()
            threads.append((thread, members, answers))

        def over() -> bool:
            gone = self.abandoned()
            for clock in clocks if gone else ():
                clock.wake()
            return gone

        for thread, members, answers in threads:
            _wait_for(thread, members, _silence(members, answers), began, over)
            for item in members:
                if item.result is None:
                    place = answers.silent() or "AWS"
                    late = AnsibleBeanstalkWaitError(f"Gave up at the deadline: {place} does not answer", {})
                    item.result = item.progress.result(item.job.failed(AbandonedError() if over() else late))

    def _run_lane(self, items: list[Item], pool: ThreadPool, answers: Answers, clock: Clock) -> None:
        try:
            lane = self._lane(items, pool, answers, clock)
            lane.run()
        except Exception as error:  # a fault of the lane is one of each item that has no result yet
            for item in items:
                if item.result is None:
                    item.result = item.progress.result(item.job.failed(error))

    def _lane(self, items: list[Item], pool: ThreadPool, answers: Answers, clock: Clock) -> Lane:
        limiter, service_clock, counter = RateLimiter(clock, given_rate()), ServiceClock(clock), api.CallCounter()
        self.counters.append(counter)

        def prepare(client: Any) -> Any:
            counter.count(client)
            answers.attach(client)
            if client.meta.service_model.service_name == "elasticbeanstalk":
                limiter.attach(client)
                service_clock.attach(client)
            return client

        # The least patient item decides: what it waits for must be tried again within its limit.
        timeouts = request_timeouts(min(min(item.timeout, item.silence_timeout) for item in items))
        clients = Clients(
            items[0].params, prepare, timeouts, guard=lambda client: refuse_writes(client, self.abandoned)
        )
        services = Services(clients, clock, service_clock, counter, limiter, SingleFlight(clock), answers, self.owner)
        interval = min(item.interval for item in items)

        def watch(application: str) -> ApplicationWatcher:
            return ApplicationWatcher(ApiSource(services.eb, service_clock), application, clock, interval)

        leases: dict[tuple[str, str], ApplicationLeases] = {}

        def lock(application: str, bucket: str) -> ApplicationLeases:
            place = (application, bucket or services.storage_location())
            if place not in leases:
                hints = cache_of(services.eb, application)
                store = LockStore(services.clients.get("s3"), place[1], application, "", cache=hints)
                leases[place] = ApplicationLeases(store, self.owner, clock)
            return leases[place]

        by_name = {item.name: item for item in items}
        calls = ThreadPool(_CALLS_AT_ONCE)
        reporter = _LaneReporter(by_name, self.warnings.append)
        lane = Lane(clock, watch, lock, calls, pool, reporter, _silence(items, answers), self.abandoned)
        now = clock.now()
        for item in items:
            item.progress.heard, item.progress.now = functools.partial(lane.news, item.name), service_clock.now
            reconciler = item.job.reconcile(services, item.progress)
            lane.add(item.name, reconciler, now + item.timeout, now + item.silence_timeout)
        return lane
