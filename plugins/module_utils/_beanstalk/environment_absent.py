# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import api, waiters
from .common import AnsibleBeanstalkError, is_busy
from .environments import check_may_terminate
from .progress import Progress
from .transformations import tags_out

Environment = dict[str, Any]


class Termination:
    """Terminates environments that may be; ``events`` are those of what it waited for, oldest first."""

    def __init__(
        self, client: Any, params: Mapping[str, Any], deadline: waiters.Deadline, progress: Progress | None
    ) -> None:
        self._client, self._params, self._deadline, self._progress = client, params, deadline, progress
        self.events: list[dict[str, Any]] = []

    def check(self, environment: Environment) -> None:
        """Refuse what must not go."""
        known = tags_out(api.list_tags(self._client, environment.get("EnvironmentArn") or ""))
        check_may_terminate(self._client, environment, known, self._params["cname_prefix"])

    def run(self, environment: Environment) -> None:
        """Request the end, in line with others' operations, and wait for it where that is wanted."""
        answer = self._request(environment["EnvironmentId"])
        self.wait(answer)

    def wait(self, environment: Environment) -> None:
        """Wait for an end that was requested."""
        if self._params["wait"]:
            outcome = waiters.wait_terminated(self._client, environment, self._deadline, self._progress)
            self.events += outcome.events

    def _request(self, environment_id: str) -> Environment:
        while True:
            try:
                return api.terminate_environment(self._client, environment_id)
            except AnsibleBeanstalkError as error:
                if not is_busy(error) or self._deadline.over:
                    raise
                self._deadline.pause()
                waiters.wait_until_ready(self._client, environment_id, self._deadline)
