# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether AWS answers, and an end for work that waits for an answer which does not come.

botocore's timeouts are those of one socket and are multiplied by its retries, and the resolution of a name has none.
So what has a limit runs in a daemon thread, and is left when the limit has passed and AWS is silent. An AWS that
answers, be it only "too many requests", is waited for as long as the work itself says.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import AnsibleBeanstalkWaitError

SILENCE_SECONDS = 8.0
"""A request that has had no answer for so long will hardly have one."""

_LOOK_SECONDS = 0.5
_Result = TypeVar("_Result")


class Answers:
    """Notes, for each endpoint, since when requests have had no answer. For all threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._unanswered: dict[str, float] = {}
        self._answered = False

    def attach(self, client: Any) -> None:
        """Follow the requests of a botocore client."""
        place = str(client.meta.endpoint_url)

        def sent(**_event: Any) -> None:
            self._unanswered.setdefault(place, self._clock())

        def received(parsed_response: Any = None, **_event: Any) -> None:
            # There is none where the connection failed.
            if parsed_response is not None:
                self._unanswered.pop(place, None)
                self._answered = True

        client.meta.events.register("before-send", sent)
        client.meta.events.register("response-received", received)

    def silent(self) -> str:
        """An endpoint that does not answer, "" when there is none."""
        since = self._clock() - SILENCE_SECONDS
        return next((place for place, asked in list(self._unanswered.items()) if asked <= since), "")

    def unheard(self) -> str:
        """The same until the first answer; "" from then on, for work that waits until AWS comes back."""
        return "" if self._answered else self.silent()


def request_timeouts(limit: float) -> dict[str, float]:
    """Settings of botocore's for requests of what may take ``limit`` seconds: a retry has to fit into it."""
    return {"connect_timeout": min(10.0, max(2.0, limit / 4)), "read_timeout": min(30.0, max(5.0, limit / 2))}


def silence(place: str, seconds: float) -> AnsibleBeanstalkWaitError:
    """The error for work that was left."""
    return AnsibleBeanstalkWaitError(
        f"Gave up after {seconds:.0f} seconds: {place} does not answer; check the endpoint, the network and any proxy.",
        {},
    )


def begin(work: Callable[[], Any]) -> queue.SimpleQueue[tuple[Any, BaseException | None]]:
    """Do the work in a daemon thread; its result, or its exception, comes through the queue."""
    outcomes: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcomes.put((work(), None))
        except BaseException as error:  # SystemExit too: it is how modules end
            outcomes.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    return outcomes


def in_time(work: Callable[[], _Result], limit: float, answers: Answers) -> _Result:
    """Do the work in another thread; :func:`silence` after ``limit`` seconds if AWS does not answer then."""
    began = time.monotonic()
    outcomes = begin(work)
    while True:
        left = began + limit - time.monotonic()
        try:
            # At the limit, the work may still say itself what it waited for.
            result, error = outcomes.get(timeout=max(left, 0.0) + _LOOK_SECONDS)
        except queue.Empty:
            if place := answers.silent():
                raise silence(place, time.monotonic() - began) from None
            continue
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]
