# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Giving a CNAME to another environment, until the service describes it so.

Where visitors are led is what a cycle checks (cycle/checks.py), which also swaps back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import api, cnames, waiters
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError, AnsibleBeanstalkWaitError, is_busy
from ..core.transformations import environment_out, event_out
from ..observe import events
from ..observe.lookup import live_or_refused
from ..observe.verification import STRICT, State, judge
from ..observe.verifier import read_facts

Environment = dict[str, Any]


class Swap:
    """One run of the environment_swap module. The wanted state: `environment_id` (or `name`) holds `cname_prefix`."""

    def __init__(self, client: Any, params: Mapping[str, Any], check_mode: bool) -> None:
        self.client = client
        self.region = api.region_of(client)
        self.params = params
        self.check_mode = check_mode
        self.deadline = waiters.Deadline(params["wait_timeout"], params["poll_interval"])
        self.events: list[dict[str, Any]] = []

    def ensure(self) -> tuple[bool, dict[str, Any]]:
        """Swap unless the environment holds the CNAME already; returns (changed, result)."""
        taker, holder = self._find()
        before = _pair(taker, holder)
        if taker is holder:
            return False, self._result(taker, None, before, before)
        self._check(taker)
        if self.check_mode:
            after = {taker["EnvironmentId"]: holder.get("CNAME"), holder["EnvironmentId"]: taker.get("CNAME")}
            return True, self._result(taker, holder, before, after)
        self._wait_for_both(taker, holder)
        if taker.get("Status") != "Ready":
            self._check_verified(self._describe([taker["EnvironmentId"]])[0])
        answer = self._call(taker, holder)
        taker, holder = self._exchanged(taker, holder, before, answer)
        return True, self._result(taker, holder, before, _pair(taker, holder))

    def _find(self) -> tuple[Environment, Environment]:
        application, prefix = self.params["application"], self.params["cname_prefix"]
        found = api.describe_environments(self.client, ApplicationName=application)
        wanted = self.params["environment_id"] or self.params["name"]
        taker = next((item for item in found if wanted in (item["EnvironmentId"], item["EnvironmentName"])), None)
        if taker is None:
            raise AnsibleBeanstalkRefusedError(message=f"The application {application} has no environment {wanted}.")
        holder = live_or_refused(found, prefix, self.region, application)
        if holder is None:
            raise AnsibleBeanstalkRefusedError(
                message=f"No environment of {application} holds the CNAME prefix {prefix}, so there is nothing to swap."
            )
        return taker, holder

    def _check(self, taker: Environment) -> None:
        """A name goes only to an environment that was healthy and verified when it got it."""
        name = taker["EnvironmentName"]
        if not taker.get("CNAME"):
            why = "a worker environment, which has no CNAME" if cnames.is_worker(taker) else "without a CNAME yet"
            raise AnsibleBeanstalkRefusedError(message=f"The environment {name} is {why}: there is nothing to swap.")
        if taker.get("Status") == "Ready":
            self._check_verified(taker)

    def _check_verified(self, taker: Environment) -> None:
        if not self.params["require_health"]:
            return
        facts, _instances = read_facts(self.client, taker)
        verdict = judge(facts, accepted=STRICT)
        if facts.empty or verdict.state is not State.VERIFIED:
            reason = "it has no instance" if facts.empty else verdict.reason
            raise AnsibleBeanstalkRefusedError(
                message=f"The environment {taker['EnvironmentName']} is not fit to serve ({reason}), so it does not "
                f"get the CNAME prefix {self.params['cname_prefix']}."
            )

    def _wait_for_both(self, taker: Environment, holder: Environment) -> None:
        for environment in (taker, holder):
            if environment.get("Status") != "Ready":
                waiters.wait_until_ready(self.client, environment["EnvironmentId"], self.deadline)

    def _call(self, taker: Environment, holder: Environment) -> dict[str, Any]:
        while True:
            try:
                return api.swap_cnames(self.client, taker["EnvironmentId"], holder["EnvironmentId"])
            except AnsibleBeanstalkError as error:
                if not is_busy(error) or self.deadline.over:
                    raise
                self.deadline.pause()
                self._wait_for_both({**taker, "Status": "?"}, {**holder, "Status": "?"})

    def _exchanged(
        self, taker: Environment, holder: Environment, before: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> tuple[Environment, Environment]:
        """Wait until the service itself describes the CNAMEs as exchanged and both environments as Ready."""
        ids = [taker["EnvironmentId"], holder["EnvironmentId"]]
        cursor = events.EventCursor(self.client, waiters.started_at(answer), EnvironmentId=ids[0])
        wanted = {ids[0]: before[ids[1]], ids[1]: before[ids[0]]}
        while True:
            self.deadline.pause()
            found = {item["EnvironmentId"]: item for item in self._describe(ids)}
            if set(found) == set(ids):
                now = _pair(*found.values())
                if _lower(now) == _lower(wanted) and all(item.get("Status") == "Ready" for item in found.values()):
                    self.events = cursor.poll()
                    return found[ids[0]], found[ids[1]]
            if self.deadline.over or events.failures(cursor.poll(), waiters.request_id(answer)):
                raise AnsibleBeanstalkWaitError(
                    f"The CNAMEs of {taker['EnvironmentName']} and {holder['EnvironmentName']} were not exchanged "
                    f"within {self.deadline.timeout:.0f} seconds",
                    {
                        "environments": [environment_out(item, self.region) for item in found.values()],
                        "events": [event_out(event) for event in cursor.events],
                    },
                )

    def _describe(self, ids: list[str]) -> list[Environment]:
        return api.describe_environments(self.client, EnvironmentIds=ids)

    def _result(
        self, taker: Environment, holder: Environment | None, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> dict[str, Any]:
        live = environment_out({**taker, "CNAME": after[taker["EnvironmentId"]]}, self.region)
        return {
            "environment": live,
            "previous_id": holder["EnvironmentId"] if holder else None,
            "before": dict(before),
            "after": dict(after),
            "events": [event_out(event) for event in self.events],
            "diff": {"before": dict(before), "after": dict(after)},
        }


def _pair(*environments: Environment) -> dict[str, Any]:
    return {item["EnvironmentId"]: item.get("CNAME") for item in environments}


def _lower(pair: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(cname or "").lower() for key, cname in pair.items()}
