# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a reconciler may ask its lane for. Times are seconds on the lane's clock, which only runs forwards.

``waiting_for`` is what a heartbeat says after a while without news, as "the environment blog-blue to become Ready".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Union


@dataclass(frozen=True)
class Call:
    """Run a function that sends a few requests; it is sent the result, or thrown the exception."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Background:
    """The same for what is slow and not Elastic Beanstalk's API: uploads, smoke tests, downloads of logs."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Pause:
    """Go on at ``until``; it is sent None."""

    until: float
    waiting_for: str = ""


@dataclass(frozen=True)
class Observe:
    """It is sent a :class:`~.watcher.Snapshot` of an application that was asked for at ``at`` or later.

    Without ``environments`` or ``events`` that half of it may be older, which saves a request. ``soon``: the end is
    near, so that while few wait it is not waited for the next tick. One that is known already is sent at once.
    """

    application: str
    at: float
    waiting_for: str = ""
    environments: bool = True
    events: bool = True
    soon: bool = False


@dataclass(frozen=True)
class Acquire:
    """Take the lease of a logical environment, and have it renewed; LockedError is thrown after ``wait`` seconds.

    It is sent :class:`Acquired`. ``bucket`` is empty for Elastic Beanstalk's own, ``owner`` for the run's own name.
    ``reason`` is shown to whoever waits for it, and to whoever comes after a run that was killed.

    A lease that is lost meanwhile is thrown as LeaseLostError, wherever the reconciler is. None is held after its end.
    """

    application: str
    cname_prefix: str
    reason: str
    bucket: str = ""
    owner: str = ""
    ttl: float = 180.0
    wait: float = 300.0


@dataclass(frozen=True)
class Acquired:
    """Since when nobody else can have had a lease (what was seen after that is still true).

    ``stopped`` says at what another run stopped that never freed it, "" where none did.
    """

    since: float
    stopped: str = ""


@dataclass(frozen=True)
class ReadLock:
    """It is sent a :class:`~.leases.LockReading`: a lease as it was at ``at`` or later, or one that this run holds."""

    application: str
    cname_prefix: str
    at: float
    bucket: str = ""


@dataclass(frozen=True)
class WriteRecord:
    """Store a record (None for the one that is there) under a lease of this reconciler's, which renews or frees it.

    ``reason`` is what the lease is for from now on, "" for what it was for before.
    It is sent the lease as written; LeaseLostError is thrown where somebody else has it by now.
    """

    application: str
    cname_prefix: str
    record: Mapping[str, Any] | None = None
    free: bool = False
    bucket: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Keep:
    """Hold a lease of this reconciler's until the whole run ends, and for so many seconds more; it is sent None."""

    application: str
    cname_prefix: str
    seconds: float
    bucket: str = ""


@dataclass(frozen=True)
class Release:
    """Free a lease of this reconciler's before its end, with a record that is stored by the same write.

    None is for the record that is there. It is sent None at once.
    """

    application: str
    cname_prefix: str
    bucket: str = ""
    record: Mapping[str, Any] | None = None


Effect = Union[  # noqa: UP007 -- ansible-test's pylint
    Call, Background, Pause, Observe, Acquire, ReadLock, WriteRecord, Keep, Release
]
Reconciler = Generator[Effect, Any, Any]
