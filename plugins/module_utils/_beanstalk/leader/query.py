# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The leaders of one or many environments: which sources are asked, in which order, until the answer is known.

What every environment needs costs three calls, however many there are: the environments, their instances with tags,
and the events. The sources follow, the cheap ones first, each for those environments whose answer is open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.shown import all_shown
from ..core.transformations import environment_out
from ..core.waiters import Deadline
from ..observe.lookup import live_or_refused
from ..observe.verification import Facts, judge
from ..observe.verifier import desired_size
from ..option_settings.comparison import current_values
from .evidence import ENGINE_LOG, HOOK_LOG, TRUST, Evidence, Sections, hook_results
from .sources import (
    BUNDLE,
    SSM,
    TAGS,
    TAIL,
    Found,
    Instance,
    Services,
    from_logs,
    from_ssm,
    from_tags,
    read_instances,
)
from .timeline import Timeline, read_timelines
from .verdict import DeploymentFacts, Verdict, decide

Environment = Mapping[str, Any]

_COMMAND = "aws:elasticbeanstalk:command"
_ONE = (TAGS, TAIL, BUNDLE)
_MANY = (TAGS, SSM, TAIL, BUNDLE)


class Case:
    """One environment whose leader is sought."""

    def __init__(
        self,
        environment: Environment,
        instances: Sequence[Instance],
        timeline: Timeline,
        desired: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.environment = environment
        self.environment_id = str(environment["EnvironmentId"])
        self.instances = instances
        self.existing = [one.instance_id for one in instances if one.exists]
        self.evidence: list[Evidence] = []
        self.tails: dict[str, Sections] = {}
        self.problems: list[str] = []
        self._deployment_facts = DeploymentFacts(
            self.existing, environment.get("VersionLabel"), timeline, environment.get("HealthStatus") is not None
        )
        self.verdict = self._decide()
        count = len(self.existing)
        self._facts = Facts.of(
            environment, None, failure=timeline.failure, count=count, desired=None if count else desired()
        )

    def take(self, found: Found) -> None:
        """Weigh anew with what a source told."""
        self.evidence = sorted([*self.evidence, *found.evidence], key=lambda item: TRUST.index(item.source))
        self.tails |= found.tails
        if found.problem:
            self.problems.append(found.problem)
        self.verdict = self._decide()

    def _decide(self) -> Verdict:
        # A new leader may be elected just now, so the one of before is no answer.
        if self.environment.get("Status") != "Ready":
            return Verdict("unknown", None, f"an operation is running ({self.environment.get('Status')})")
        return decide(self.evidence, self._deployment_facts)

    @property
    def ready(self) -> bool:
        """Whether there is anything to ask: instances, and no operation that may elect a new leader."""
        return bool(self.existing) and self.environment.get("Status") == "Ready"

    @property
    def silent(self) -> list[str]:
        """Instances of whose logs no election is known."""
        told = {item.instance_id for item in self.evidence if item.source in (HOOK_LOG, ENGINE_LOG)}
        return [name for name in self.existing if name not in told]

    @property
    def open(self) -> bool:
        """Whether another source may bring the answer; more of the same does not settle a contradiction."""
        return self.verdict.state == "unknown" and bool(self.silent)

    def settle(self, policy: str) -> None:
        """Nobody was elected and somebody left: in a traffic splitting deployment there was no leader to lose."""
        if policy == "TrafficSplitting" and self._deployment_facts.timeline.replaced(self.existing):
            self.verdict = Verdict("none", None, "traffic splitting elects no leader")

    def result(self, region: str) -> dict[str, Any]:
        """The answer as the module returns it."""
        verdict, chosen = self.verdict, self.verdict.chosen
        reason = verdict.reason
        if verdict.state == "unknown" and self.problems:
            reason = "; ".join(dict.fromkeys([reason, *self.problems]))
        known = verdict.state in ("found", "lost")
        numbers = [item.deployment_id for item in self.evidence if chosen and item.instance_id == chosen.instance_id]
        answer = {
            "environment": environment_out(self.environment, region),
            "leader": {
                "state": verdict.state,
                "instance_id": verdict.instance_id,
                "version_label": self.environment.get("VersionLabel") if known else None,
                "deployment_id": next((number for number in numbers if number is not None), None),
                "command": chosen.command if chosen else None,
                "at": chosen.at if chosen else None,
                "reason": reason,
                "evidence": [item.as_dict() for item in self.evidence],
            },
            "hooks": hook_results(self.tails),
            "verification": judge(self._facts).as_dict(),
        }
        return dict(all_shown(answer))


def choose(client: Any, params: Mapping[str, Any]) -> list[Environment]:
    """The environments that the parameters name, by one call; AnsibleBeanstalkRefusedError when one is missing."""
    application = params.get("application")
    wanted = {key: params.get(key) or [] for key in ("ids", "names", "cname_prefixes")}
    found = api.describe_environments(
        client, ApplicationName=application, EnvironmentIds=wanted["ids"], EnvironmentNames=wanted["names"]
    )
    have: dict[str, Callable[[Environment], Any]] = {
        "ids": lambda item: item["EnvironmentId"],
        "names": lambda item: item["EnvironmentName"],
    }
    for key, told in have.items():
        _refuse_missing(application, set(wanted[key]) - {told(item) for item in found})
        found = [item for item in found if not wanted[key] or told(item) in wanted[key]]
    if wanted["cname_prefixes"]:
        region = api.region_of(client)
        live = {prefix: live_or_refused(found, prefix, region, application) for prefix in wanted["cname_prefixes"]}
        _refuse_missing(application, {prefix for prefix, item in live.items() if item is None})
        found = list({item["EnvironmentId"]: item for item in live.values() if item}.values())
    return sorted(found, key=lambda item: (item["ApplicationName"], item["EnvironmentName"]))


def _refuse_missing(application: str | None, missing: Collection[str]) -> None:
    if missing:
        where = f"The application {application}" if application else "This region"
        raise AnsibleBeanstalkRefusedError(message=f"{where} has no environment {', '.join(sorted(missing))}.")


class LeaderQuery:
    """One question for the leaders of some environments. `calls` tells the number of requests so far."""

    def __init__(self, services: Services, params: Mapping[str, Any], calls: Callable[[], int]) -> None:
        self._services, self._params, self._calls = services, params, calls
        self._deadline = Deadline(params["wait_timeout"], params["poll_interval"])
        self.costs: list[dict[str, Any]] = []

    def ask(self, environments: Sequence[Environment]) -> list[dict[str, Any]]:
        """Answers in the order of the environments."""
        cases = self._cases(environments)
        self._note("description", cases, 0)
        return self.answer(cases)

    def answer(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """Answers on environments whose instances and events are known."""
        # Sources that were named are all asked, as evidence that disagrees is to be seen; otherwise until it is clear.
        named = self._params.get("sources")
        alone = len(cases) == 1
        for source in named or (_ONE if alone else _MANY):
            # What the hooks did is in the logs only: one environment's are read in any case.
            always = named or (alone and source == TAIL)
            asked = [case for case in cases if case.ready and (always or case.open)]
            before = self._calls()
            if asked:
                self._ask(source, asked, everyone=bool(always))
                self._note(source, asked, before)
        self._settle([case for case in cases if case.verdict.state == "lost" and case.verdict.chosen is None])
        return [case.result(api.region_of(self._services.eb)) for case in cases]

    def _settle(self, cases: Sequence[Case]) -> None:
        before = self._calls()
        for case in cases:
            described = api.describe_settings(
                self._services.eb, case.environment["ApplicationName"], case.environment["EnvironmentName"]
            )
            case.settle(current_values(described).get(_COMMAND, {}).get("DeploymentPolicy") or "")
        if cases:
            self._note("settings", cases, before)

    def _note(self, source: str, cases: Sequence[Case], before: int) -> None:
        self.costs.append({"source": source, "environments": len(cases), "api_calls": self._calls() - before})

    def _cases(self, environments: Sequence[Environment]) -> list[Case]:
        ids = [item["EnvironmentId"] for item in environments]
        instances = read_instances(self._services.ec2, ids)
        timelines = read_timelines(self._services.eb, environments)
        return [
            Case(item, instances[name], timelines[name], partial(self._desired, name))
            for item, name in zip(environments, ids, strict=True)
        ]

    def _desired(self, environment_id: str) -> int | None:
        return desired_size(self._services.eb, self._services.scaling, environment_id)

    def _ask(self, source: str, cases: Sequence[Case], everyone: bool) -> None:
        if source == TAGS:
            found = {case.environment_id: from_tags(case.instances) for case in cases}
        elif source == SSM:
            owner = {name: case.environment_id for case in cases for name in case.existing}
            found = from_ssm(self._services.ssm, [case.environment_id for case in cases], owner, self._deadline)
        else:
            wanted = {case.environment_id: case.existing if everyone else case.silent for case in cases}
            found = from_logs(self._services.eb, source, wanted, self._deadline)
        for case in cases:
            case.take(found[case.environment_id])
