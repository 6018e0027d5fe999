# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a cycle: smoke tests of an environment, the CNAME check after a swap, what leader tasks did.

They take as long as the environments that they ask, so they run in the background.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..leader.query import LeaderQuery, choose
from ..leader.sources import Services
from .access_log_check import who_answers
from .evidence import leader_trouble
from .observer import Observer
from .planner.model import CheckResult, Observation, Policy
from .smoke_tests import SmokeTester

_LOG_SECONDS = 45.0


class Checks:
    """``now`` is the service's clock in seconds, ``client`` makes a client of a service by its name."""

    def __init__(
        self,
        observer: Observer,
        tester: SmokeTester,
        policy: Policy,
        client: Callable[[str], Any],
        now: Callable[[], float],
    ) -> None:
        self._observer, self._tester, self._policy, self._client, self._now = observer, tester, policy, client, now

    def smoke_test(self, observation: Observation, environment_id: str) -> CheckResult:
        """Whether an environment, asked at its own address, answers visitors of the live name as the tests want it."""
        environment, live = observation.by_id(environment_id), observation.live
        cname = environment.cname if environment else ""
        good, problem = self._tester.run(cname, self._policy.smoke_test_successes, live.cname if live else "")
        return CheckResult(environment_id, self._now(), good, problem)

    def sample(self, observation: Observation) -> dict[str, Any] | None:
        """One request to the live name, for the report; None where there is no smoke test."""
        answer = self._tester.sample(observation.cname)
        return answer and {"at": observation.now, "seconds": round(answer[0], 3), "problem": answer[1]}

    def cname(self, observation: Observation, environment_id: str) -> CheckResult:
        """Whether the live name leads to the environment that has it now."""
        wanted, policy = self._policy.smoke_test_successes, self._policy
        good, problem = self._tester.run(observation.cname, wanted)
        journal = observation.lock.record.journal
        new, old = (self._observer.raw.get(one, {}) for one in (environment_id, journal.live if journal else ""))
        # Once the TTL is over it is this machine's resolver that is late, which says nothing about the swap.
        late = observation.now - ((journal and journal.swapped) or 0.0) > policy.dns_ttl + policy.dns_margin
        if not late and self._tester.leads_to_old(observation.cname, new.get("EndpointURL"), old.get("EndpointURL")):
            good, problem = 0, f"DNS still leads {observation.cname} to the environment that was live before"
        elif good >= wanted and self._tester.checks:
            good, problem = self._answered(observation, environment_id, old.get("EnvironmentId", ""), good, late=late)
        return CheckResult(environment_id, self._now(), good, problem)

    def _answered(self, observation: Observation, new: str, old: str, good: int, *, late: bool) -> tuple[int, str]:
        """Good answers of the new environment count; those of the old one do not while DNS may still be on its way."""
        there = [one for one in (new, old) if one and observation.by_id(one)]
        send: Callable[[str], None] = lambda word: self._tester.call(observation.cname, word)  # noqa: E731
        who, instance = who_answers(self._client("elasticbeanstalk"), send, there, _LOG_SECONDS)
        if who == old and who and not late:
            return 0, f"{instance} of the environment that was live before still answers"
        return good, f"seen in the log of {instance}" if who == new else "no log tells which environment answered"

    def leader_tasks(self, environment_id: str) -> CheckResult:
        """Whether the logs of an environment show that its leader tasks ran well."""
        limits = {"wait_timeout": min(_LOG_SECONDS, self._policy.verify_timeout), "poll_interval": 2.0}
        services = Services(self._client("elasticbeanstalk"), self._client("ec2"))
        query = LeaderQuery(services, limits, lambda: 0)
        (told,) = query.ask(choose(services.eb, {"ids": [environment_id]}))
        problem = leader_trouble(told)
        return CheckResult(environment_id, self._now(), 0 if problem else 1, problem)
