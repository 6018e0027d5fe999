# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs as they grow: what instances send is the end of each log, so each poll is compared with the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.names import own_bucket
from ..core.shown import shown
from ..core.waiters import Deadline
from .deployment_log import ON_INSTANCE, deployment_log
from .environments import find_one
from .logs import request_tails

_SENT_LINES = 100
"""Of each log (elastic_beanstalk.md §1.7)."""
_REQUEST_SECONDS = 30.0
_TICKS = 2

Heard = Callable[[str, Sequence[str]], None]


def new_lines(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """What was added to a log between two looks at its end."""
    start = next(at for at in range(len(before) + 1) if list(before[at:]) == list(now[: len(before) - at]))
    return list(now[len(before) - start :])


def follow_logs(
    client: Any,
    clients: Callable[[str], Any],
    params: Mapping[str, Any],
    heard: Heard,
    over: Callable[[], bool],
) -> dict[str, Any]:
    """Tell what is added to the logs until the time is up, or until ``over``; returns the result of the module.

    ``heard`` gets the lines, with the instance and the file of each.
    """
    if not params["progress_file"]:
        raise AnsibleBeanstalkRefusedError(
            message="follow prints lines as they come, which nobody would see here: it needs connection: local, "
            "without become and async."
        )
    deadline = Deadline(params["follow_timeout"], params["poll_interval"])
    follower = Follower(client, clients("s3"), params, heard)
    while not (deadline.over or over()):
        follower.look()
        # Each look is a command on every instance.
        deadline.pause(_TICKS * deadline.interval)
    return {"logs": {}, "files": [], "missing": []}


class Follower:
    """The logs of one logical environment, as far as they were told."""

    def __init__(self, client: Any, s3: Any, params: Mapping[str, Any], heard: Heard) -> None:
        self._client, self._s3, self._params, self._heard = client, s3, params, heard
        self._seen: dict[tuple[str, str], list[str]] = {}

    def look(self) -> None:
        """One look. While an operation runs, Elastic Beanstalk takes no request for logs: then it is its own log."""
        environment = find_one(self._client, self._params)
        if self._params["kind"] == "deployment" or environment.get("Status") != "Ready":
            self._deployment(environment)
            return
        limit = Deadline(_REQUEST_SECONDS, self._params["poll_interval"])
        tails = request_tails(self._client, environment["EnvironmentId"], self._params["instance_ids"], limit)
        for instance, sections in tails.items():
            for path, lines in sections.items():
                if self._params["file"] in path:
                    self._tell(instance, path, lines)

    def _deployment(self, environment: Mapping[str, Any]) -> None:
        bucket = own_bucket(str(environment.get("EnvironmentArn") or ""))
        log = deployment_log(self._s3, bucket, environment["EnvironmentId"]) if bucket else None
        if log is not None:
            self._tell(environment["EnvironmentId"], f"{ON_INSTANCE}/{log.name}", log.lines)

    def _tell(self, source: str, path: str, now: Sequence[str]) -> None:
        before = self._seen.get((source, path))
        self._seen[source, path] = list(now)
        added = list(now)[-self._params["lines"] or len(now) :] if before is None else new_lines(before, now)
        if before and len(added) >= _SENT_LINES:
            added.insert(0, "(so many lines came at once that some may be missing)")
        if added:
            self._heard(f"{source} {path.rpartition('/')[2]}", [shown(line) for line in added])
