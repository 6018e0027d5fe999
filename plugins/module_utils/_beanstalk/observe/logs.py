# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs of instances, as Elastic Beanstalk's own log requests return them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from http.client import HTTPException
from typing import Any

from ansible.module_utils.urls import open_url

from ..core import api
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkWaitError
from ..core.waiters import Deadline, started_at

_HEADING = re.compile(r"^-{3,}\s*\n(/[^\n]+)\n-{3,}\s*$", re.MULTILINE)
_MAX_BYTES = 8 * 1024 * 1024
_MAX_BUNDLE_BYTES = 64 * 1024 * 1024
_FIRST_LOOK_SECONDS = 1.0

Sections = dict[str, list[str]]


def split_tail(text: str) -> Sections:
    """A tail message as log file -> lines. The layout: dashes, path, dashes, lines."""
    parts = _HEADING.split(text)
    return {parts[at].strip(): parts[at + 1].strip("\n").split("\n") for at in range(1, len(parts) - 1, 2)}


def download(url: str) -> str:
    """Text behind a presigned URL; AnsibleBeanstalkError when it cannot be read."""
    return _content(url, _MAX_BYTES).decode(errors="replace")


def _content(url: str, most: int) -> bytes:
    try:
        with open_url(url, timeout=20, http_agent="jack.beanstalk") as answer:
            return bytes(answer.read(most))
    except (OSError, ValueError, HTTPException) as error:
        # The address holds a signature: it must not be shown.
        raise AnsibleBeanstalkError(message=f"Failed to download a log: {type(error).__name__}") from error


def split_bundle(content: bytes) -> Sections:
    """The log files in a bundle (a zip of /var/log) as file -> lines; rotated and other files are left out."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [item for item in archive.infolist() if item.filename.endswith(".log")]
            return {
                "/" + item.filename.lstrip("/"): archive.read(item).decode(errors="replace").splitlines()
                for item in members
                if item.file_size <= _MAX_BYTES
            }
    except zipfile.BadZipFile:
        return {}


def _newest(items: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    newest: dict[str, Mapping[str, Any]] = {}
    for item in items:
        instance = str(item["Ec2InstanceId"])
        if instance not in newest or item["SampleTimestamp"] > newest[instance]["SampleTimestamp"]:
            newest[instance] = item
    return newest


class LogRequest:
    """One environment's request for fresh logs, made at once; `kind` is tail or bundle.

    `instances` are those whose logs are wanted; all of them when none is named.
    """

    def __init__(self, client: Any, environment_id: str, instances: Sequence[str], kind: str = "tail") -> None:
        self.environment_id = environment_id
        self._client, self._kind, self._wanted = client, kind, set(instances)
        self._fresh: dict[str, Mapping[str, Any]] = {}
        self.problem = ""
        """Why a log that arrived could not be downloaded."""
        self._asked = started_at(api.request_logs(client, environment_id, kind))

    def look(self) -> bool:
        """Look once what has arrived; returns whether all has."""
        before = len(self._fresh)
        found = _newest(api.retrieve_logs(self._client, self.environment_id, self._kind))
        self._fresh = {key: item for key, item in found.items() if item["SampleTimestamp"] >= self._asked}
        if self._wanted:
            return self._wanted <= set(self._fresh)
        # Nobody says how many will answer: when the number stands still for a look, all have.
        return bool(self._fresh) and len(self._fresh) == before

    def read(self) -> dict[str, Sections]:
        """Download what has arrived; log file -> lines by instance. One that cannot be read keeps no other away."""
        found: dict[str, Sections] = {}
        for key, item in sorted(self._fresh.items()):
            if not self._wanted or key in self._wanted:
                try:
                    found[key] = self._sections(str(item["Message"]))
                except AnsibleBeanstalkError as error:
                    self.problem = str(error)
        return found

    def _sections(self, url: str) -> Sections:
        if self._kind == "bundle":
            return split_bundle(_content(url, _MAX_BUNDLE_BYTES))
        return split_tail(download(url))


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
        waiting = [request for request in waiting if not request.look()]
        if deadline.over:
            break
    return {request.environment_id: request.read() for request in requests}


def request_tails(
    client: Any, environment_id: str, instances: Sequence[str], deadline: Deadline
) -> dict[str, Sections]:
    """Fresh tails of one environment's logs, as collect() returns them; an error when none could be downloaded."""
    request = LogRequest(client, environment_id, instances)
    found = collect([request], deadline)[environment_id]
    if request.problem and not found:
        raise AnsibleBeanstalkError(message=request.problem)
    return found


# In the order in which they usually tell why a deployment failed.
_TELLING = ("eb-engine.log", "eb-hooks.log", "eb-activity.log", "cfn-init-cmd.log", "eb-docker-process.log")


def telling_lines(sections: Mapping[str, Sequence[str]], limit: int = 30) -> list[str]:
    """The end of the logs that say why a deployment failed."""
    lines: list[str] = []
    for name in _TELLING:
        for path, content in sections.items():
            if path.endswith(name) and any(line.strip() for line in content):
                lines += [f"{path}:", *(f"  {line}" for line in content[-limit:])]
                if len(lines) > 2 * limit:
                    return lines
    return lines


def failure_text(sentence: str, report: Mapping[str, Any]) -> str:
    """One sentence; then Elastic Beanstalk's events; then causes; then the failing instance's log tail."""
    lines = [sentence.strip().rstrip(".") + "."]
    told = [event for event in report.get("events") or [] if event["severity"] != "DEBUG"]
    if told:
        lines += ["", "Events:", *(f"  {event['at']} {event['severity']} {event['message']}" for event in told[-25:])]
    if report.get("causes"):
        lines += ["", "Causes:", *(f"  {cause}" for cause in report["causes"])]
    for instance, sections in (report.get("logs") or {}).items():
        lines += ["", f"Log of {instance}:", *(f"  {line}" for line in telling_lines(sections))]
    if report.get("logs_error"):
        lines += ["", f"No log could be had: {report['logs_error']}"]
    return "\n".join(lines)


def with_logs(
    client: Any,
    error: AnsibleBeanstalkWaitError,
    environment_id: str,
    interval: float,
    actions: Sequence[str],
    *,
    request: bool = True,
) -> AnsibleBeanstalkWaitError:
    """Add causes and the failing instances' log tails: what somebody would look for next. ``interval``: seconds.

    Without ``request`` no log is requested, which check mode must not do.
    """
    report = dict(error.report)
    state = (report.get("environment") or {}).get("status")
    report["causes"], report["logs"] = list(report.get("causes") or []), {}
    try:
        if state == "Ready":
            told = api.describe_environment_health(client, environment_id).get("Causes", [])
            report["causes"] = list(dict.fromkeys([*told, *report["causes"]]))
        if state == "Ready" and request:
            limit = Deadline(max(30.0, 12 * interval), min(interval, 3))
            failing = report.get("failing_instances") or []
            report["logs"] = request_tails(client, environment_id, failing[:2], limit)
    except AnsibleBeanstalkError as problem:
        report["logs_error"] = str(problem)
    return AnsibleBeanstalkWaitError(failure_text(str(error.message), report), {**report, "actions": list(actions)})
