# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs of instances, as Elastic Beanstalk's own log requests return them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError
from ..core.reading import Allowance, download
from ..core.waiters import Deadline, started_at
from .unpacking import last_lines, unzip_logs

_HEADING = re.compile(r"^-{3,}\s*\n(/[^\n]+)\n-{3,}\s*$", re.MULTILINE)
# All instances of one question together: what they send, and what it unpacks to.
_SENT_BYTES = 128 << 20
_UNPACKED_BYTES = 128 << 20
_READ_SECONDS = 60.0
_FIRST_LOOK_SECONDS = 1.0

Sections = dict[str, list[str]]
ANALYSIS = "analysis"
"""What Elastic Beanstalk's analysis (``analyze``) counts as, among the log files of the instance that made it."""


def split_tail(text: str) -> Sections:
    """A tail message as log file -> lines. The layout: dashes, path, dashes, lines."""
    parts = _HEADING.split(text)
    return {parts[at].strip(): last_lines(parts[at + 1].strip("\n")) for at in range(1, len(parts) - 1, 2)}


class ReadLimits:
    """What the logs that are read together may have, in bytes and in time."""

    def __init__(self) -> None:
        self.sent = Allowance(_SENT_BYTES, _READ_SECONDS)
        self.unpacked = Allowance(_UNPACKED_BYTES, _READ_SECONDS)


def _newest(items: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    newest: dict[str, Mapping[str, Any]] = {}
    for item in items:
        instance = str(item["Ec2InstanceId"])
        if instance not in newest or item["SampleTimestamp"] > newest[instance]["SampleTimestamp"]:
            newest[instance] = item
    return newest


class LogRequest:
    """One environment's request for fresh logs, made at once; `kind` is tail, bundle or analyze.

    `instances` are those whose logs are wanted; all of them when none is named.
    """

    def __init__(self, client: Any, environment_id: str, instances: Sequence[str], kind: str = "tail") -> None:
        self.environment_id = environment_id
        self._client, self._kind, self._wanted = client, kind, set(instances)
        self._fresh: dict[str, Mapping[str, Any]] = {}
        self.problem = ""
        """Why a log that arrived could not be read."""
        self._asked = started_at(api.request_logs(client, environment_id, kind))

    def poll(self) -> bool:
        """Look once what has arrived; returns whether all has."""
        before = len(self._fresh)
        found = _newest(api.retrieve_logs(self._client, self.environment_id, self._kind))
        self._fresh = {key: item for key, item in found.items() if item["SampleTimestamp"] >= self._asked}
        if self._wanted:
            return self._wanted <= set(self._fresh)
        # Nobody says how many will answer: when the number stands still for a poll, all have.
        return bool(self._fresh) and len(self._fresh) == before

    def read(self, limits: ReadLimits) -> dict[str, Sections]:
        """Download what has arrived; log file -> lines by instance. One that cannot be read keeps no other away."""
        found: dict[str, Sections] = {}
        for key, item in sorted(self._fresh.items()):
            if not self._wanted or key in self._wanted:
                try:
                    found[key] = self._sections(str(item["Message"]), limits)
                except AnsibleBeanstalkError as error:
                    self.problem = f"the log of {key} cannot be read: {error.message}"
        return found

    def _sections(self, url: str, limits: ReadLimits) -> Sections:
        content = download(url, limits.sent)
        if self._kind == "tail":
            return split_tail(content.decode(errors="replace"))
        if self._kind == "analyze":
            return {ANALYSIS: last_lines(content.decode(errors="replace"))}
        found, problem = unzip_logs(content, limits.unpacked)
        if problem and not found:
            raise AnsibleBeanstalkError(message=problem)
        return found


def collect(requests: Sequence[LogRequest], deadline: Deadline) -> dict[str, dict[str, Sections]]:
    """Wait for the answers to all requests; logs by environment id and instance.

    Returns what has arrived when the deadline passes; an instance that did not answer is missing from the result.
    """
    waiting = list(requests)
    # An instance takes a second or two; where the clock runs faster, a whole interval would be waited for nothing.
    pause = min(_FIRST_LOOK_SECONDS, deadline.interval / 2)
    while waiting:
        deadline.pause(min(pause, deadline.interval))
        pause *= 3
        waiting = [request for request in waiting if not request.poll()]
        if deadline.over:
            break
    limits = ReadLimits()
    return {request.environment_id: request.read(limits) for request in requests}


def request_tails(
    client: Any, environment_id: str, instances: Sequence[str], deadline: Deadline, kind: str = "tail"
) -> dict[str, Sections]:
    """Fresh tails of one environment's logs, as collect() returns them; an error when none could be downloaded.

    ``kind`` is that of a LogRequest.
    """
    request = LogRequest(client, environment_id, instances, kind)
    found = collect([request], deadline)[environment_id]
    if request.problem and not found:
        raise AnsibleBeanstalkError(message=request.problem)
    return found


# In the order in which they usually tell why a deployment failed.
TELLING = ("eb-engine.log", "eb-hooks.log", "eb-activity.log", "cfn-init-cmd.log", "eb-docker-process.log")


def telling_lines(sections: Mapping[str, Sequence[str]], limit: int = 30) -> list[str]:
    """The end of the logs that say why a deployment failed."""
    lines: list[str] = []
    for name in TELLING:
        for path, content in sections.items():
            if path.endswith(name) and any(line.strip() for line in content):
                lines += [f"{path}:", *(f"  {line}" for line in content[-limit:])]
                if len(lines) > 2 * limit:
                    return lines
    return lines
