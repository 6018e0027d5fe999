# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The leader of an environment that was just looked at, asked for with what is known of it already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..environment.cache import EnvironmentCache
from ..leader.query import Case, LeaderQuery
from ..leader.sources import Instance, Services
from ..leader.timeline import timeline

_LOGS_SECONDS = 90.0
_LOGS_INTERVAL = 2.0


def ask_leader(
    client: Any,
    ec2: Callable[[], Any],
    environment: Mapping[str, Any],
    instances: Sequence[Mapping[str, Any]] | None,
    events: Sequence[Mapping[str, Any]],
    interval: float,
) -> dict[str, Any]:
    """Leader and hook results; ``instances`` as their health was described, ``events`` oldest first.

    ``ec2`` makes a client, which takes a tenth of a second and is seldom needed.
    """

    def ask() -> dict[str, Any]:
        params = {"poll_interval": min(interval, _LOGS_INTERVAL), "wait_timeout": _LOGS_SECONDS}
        seen = timeline(reversed(events))
        if seen.start is None or instances is None:
            return LeaderQuery(Services(client, ec2()), params, lambda: 0).ask([environment])[0]
        # The deployment was followed from its start, so nothing has to be asked but the logs.
        name = str(environment["EnvironmentId"])
        present = [Instance(item["InstanceId"], name, True, None) for item in instances]
        query = LeaderQuery(Services(client, ec2=None), params, lambda: 0)
        return query.answer([Case(environment, present, seen)])[0]

    answer = EnvironmentCache(client, environment).leader(instances, ask)
    return {key: answer[key] for key in ("leader", "hooks")}


def leader_unknown(reason: str) -> dict[str, Any]:
    """The answer where the question failed: it reports only, so the deployment stands."""
    names = ("instance_id", "version_label", "deployment_id", "command", "at")
    return {"leader": {"state": "unknown", **dict.fromkeys(names), "reason": reason, "evidence": []}, "hooks": []}
