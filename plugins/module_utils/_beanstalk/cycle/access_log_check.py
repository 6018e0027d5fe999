# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment answers at a name: a request with a word of its own, looked for in the instances' access logs.

Needs nothing of the application. An access log that is not among the logs of Elastic Beanstalk's log requests, or that
does not show queries, leaves it open.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..core.errors import AnsibleBeanstalkError
from ..core.waiters import Deadline
from ..observe.logs import Sections, request_tails

PARAMETER = "jack-cname-check"
_PAUSE = 0.25  # seconds; a tail has the last 100 lines only, so on a busy site the word must come again and again


def who_answers(
    client: Any, send: Callable[[str], None], environments: Sequence[str], seconds: float
) -> tuple[str, str]:
    """Id of the environment, and the instance, that answered; ("", "") when the logs do not tell.

    ``send`` makes one request that has the given query parameter (``name=word``) in its path. The environments are
    asked in the given order, each for at most ``seconds``.
    """
    word = f"{PARAMETER}={uuid.uuid4().hex}"
    with _calling(send, word):
        for environment in environments:
            try:
                tails = request_tails(client, environment, (), Deadline(seconds, min(2.0, seconds / 5)))
            except AnsibleBeanstalkError:
                continue
            for instance, sections in tails.items():
                if _has(sections, word):
                    return environment, instance
    return "", ""


def _has(sections: Mapping[str, Sequence[str]] | Sections, word: str) -> bool:
    return any(word in line for lines in sections.values() for line in lines)


@contextmanager
def _calling(send: Callable[[str], None], word: str) -> Iterator[None]:
    """Send the word until the block ends; at least once before it begins."""
    over = threading.Event()

    def call() -> None:
        while not over.wait(_PAUSE):
            send(word)

    send(word)
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    try:
        yield
    finally:
        over.set()
        caller.join()
