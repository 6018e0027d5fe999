# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches an application from outside: when each event can be read, and when its name leads elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core import api
from ..core.cnames import whole_name
from ..core.errors import AnsibleBeanstalkError
from ..core.waiters import Deadline
from . import dns
from .answers import write


class Watch:
    """What has come so far; ``params`` are those of the module ``recording_events``."""

    def __init__(self, eb: Any, params: Mapping[str, Any]) -> None:
        self._eb, self._application = eb, params["application"]
        self._cname = whole_name(params["cname_prefix"], api.region_of(eb))
        self._server = params["name_server"] or dns.system_server()
        self._began = datetime.now(UTC)
        self._seen: set[tuple[Any, ...]] = set()
        self._addresses: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.names: list[dict[str, Any]] = []

    def poll(self) -> None:
        """Look once."""
        try:
            told = api.describe_events(self._eb, since=self._began, ApplicationName=self._application)
        except AnsibleBeanstalkError:
            told = []  # there is no application yet
        now = datetime.now(UTC)
        for event in reversed(told):
            key = (event["EventDate"], event.get("EnvironmentName"), event["Message"])
            if key not in self._seen:
                self._seen.add(key)
                self.events.append({**event, "SecondsUntilSeen": (now - event["EventDate"]).total_seconds()})
        self._poll_name(now)

    def _poll_name(self, now: datetime) -> None:
        found = dns.ask(self._cname, self._server) if self._server else None
        if found and found.address not in self._addresses:
            self._addresses.append(found.address)
        # Addresses are left out of recordings: numbers tell which is which.
        told = f"address {self._addresses.index(found.address) + 1}" if found else None
        if not self.names or self.names[-1]["LeadsTo"] != told:
            self.names.append({"Seen": now, "LeadsTo": told, "TTL": found.ttl if found else None})
        elif found:
            # A resolver counts down: the largest is the name's own.
            self.names[-1]["TTL"] = max(self.names[-1]["TTL"], found.ttl)


def record_events(watch: Watch, params: Mapping[str, Any], deadline: Deadline) -> None:
    """Poll until a file is gone, or the time is up; what has come is written down each time."""
    while True:
        last = deadline.over or not Path(params["until_gone"]).exists()
        watch.poll()
        write(params["dest"], {"events": watch.events, "names": watch.names}, [])
        if last:
            return
        deadline.pause()
