# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases that the hosts of one Ansible run hold together on this controller, to take and free them with one request.

Whoever comes first takes them for all; the others find in the controller's memory that theirs is taken, and the last
one to leave frees them all. In S3 they have one owner, and this run as their process: they end as any lease does when
the run is killed. One of these hosts at a time uses a lease.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import holder as processes
from .common import AnsibleBeanstalkError
from .memory import Memory

_LIMIT_SECONDS = 120.0


class WaveBusyError(AnsibleBeanstalkError):
    """Other processes of this controller did not let this one have a look at the wave."""


@dataclass
class Held:
    """What a wave holds: ``since`` when (monotonic) nobody else can have had each lease, and who uses which now."""

    owner: str
    since: dict[str, float] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)

    def is_used(self, cname_prefix: str = "") -> bool:
        """Whether a process that has not ended uses the lease, or any of them."""
        users = [user for name, user in self.users.items() if cname_prefix in ("", name)]
        return any(not processes.has_ended(user) for user in users)


class Wave:
    """The leases of a run, by CNAME prefix. ``run`` and ``user`` are processes: the Ansible run, and this one."""

    def __init__(self, memory: Memory, run: Mapping[str, Any], user: Mapping[str, Any], owner: str) -> None:
        self._memory, self._run, self.user, self._owner = memory, dict(run), dict(user), owner

    @contextmanager
    def held(self) -> Iterator[Held]:
        """What the wave holds, for this process alone; changes are kept unless an error leaves the block."""
        with self._memory.alone(_LIMIT_SECONDS) as alone:
            if not alone:
                raise WaveBusyError(message="Other processes kept the list of this run's locks; try again later.")
            known = [one for one in self._memory.get("waves") or [] if self._is_current(one["run"])]
            mine = next((one["held"] for one in known if one["run"] == self._run), {"owner": self._owner})
            held = Held(**mine)
            yield held
            others = [one for one in known if one["run"] != self._run]
            own = [{"run": self._run, "held": vars(held)}] if held.since else []
            self._memory.put(waves=[*others, *own])

    @staticmethod
    def _is_current(run: Mapping[str, Any]) -> bool:
        return run.get("boot") == processes.boot() and not processes.has_ended(run)


class Alone:
    """A wave of one host, which needs no memory."""

    user: Mapping[str, Any] = {}

    def __init__(self, owner: str) -> None:
        self._held = Held(owner)

    @contextmanager
    def held(self) -> Iterator[Held]:
        """What this host holds."""
        yield self._held
