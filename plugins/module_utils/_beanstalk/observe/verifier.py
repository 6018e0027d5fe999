# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a verification needs, and polls until the verdict is final."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkWaitError
from ..core.transformations import environment_out, event_out, instance_out
from . import events
from .verification import STRICT, TOLERANT, Facts, State, Verdict, judge

Environment = Mapping[str, Any]
Instances = list[dict[str, Any]]

# Looks that an environment gets after an operation, until its instances and its health have to be right.
SETTLE_POLLS = 24
# What instances say is refreshed every 10 seconds (developer guide, "Enhanced health reporting"), so that one poll too
# early is no reason to deploy again.
CONFIRM_POLLS = 3
_EVENT_PAGES = 3


def read_facts(
    client: Any, environment: Environment, scaling: Callable[[], Any] | None = None
) -> tuple[Facts, Instances | None]:
    """What is known of an environment; and its instances as they were described, None with basic health reporting.

    One call where there are instances with enhanced health. ``scaling`` makes a client of Auto Scaling, needed where
    there are none.
    """
    environment_id = str(environment["EnvironmentId"])
    instances = api.describe_instances_health(client, environment_id)
    if instances is None:
        return _read_basic(client, environment, scaling), None
    more = {} if instances else {"desired": desired_size(client, scaling, environment_id)}
    return Facts.of(environment, instances, **more), instances


def _read_basic(client: Any, environment: Environment, scaling: Callable[[], Any] | None) -> Facts:
    environment_id = str(environment["EnvironmentId"])
    pages = api.event_pages(client, _EVENT_PAGES, EnvironmentId=environment_id)
    more: dict[str, Any] = {"failure": events.failed_deployment(event for page in pages for event in page)}
    if environment.get("Health") not in STRICT:
        more["count"] = len(api.describe_resources(client, environment_id).get("Instances", []))
        if not more["count"]:
            more["desired"] = desired_size(client, scaling, environment_id)
    return Facts.of(environment, None, **more)


def desired_size(client: Any, scaling: Callable[[], Any] | None, environment_id: str) -> int | None:
    """How many instances Auto Scaling shall keep for an environment; None when that cannot be known."""
    if scaling is None:
        return None
    groups = [str(one["Name"]) for one in api.describe_resources(client, environment_id).get("AutoScalingGroups", [])]
    return desired_of(scaling, groups)


def desired_of(scaling: Callable[[], Any], groups: Sequence[str]) -> int | None:
    """The desired capacity of Auto Scaling groups together; None without any, or where they may not be asked for."""
    if not groups:
        return None
    try:
        found = api.describe_scaling_groups(scaling(), groups)
    except AnsibleBeanstalkError:
        return None
    return sum(int(one["DesiredCapacity"]) for one in found)


class NotVerifiedError(AnsibleBeanstalkWaitError):
    """What runs is not what should; ``verdict`` says why."""

    def __init__(self, message: str, report: Mapping[str, Any], verdict: Verdict) -> None:
        super().__init__(message, report)
        self.verdict = verdict


class Verifier:
    """Judges one environment at every poll, and says when the verdict is final.

    ``label`` is the version that shall run, None for any. ``polls`` is how many polls a bad verdict has to last. Health
    that is accepted with a warning only is so after an operation when it lasts as long.
    """

    def __init__(
        self, client: Any, label: str | None, polls: int = CONFIRM_POLLS, scaling: Callable[[], Any] | None = None
    ) -> None:
        self.client, self.label, self._limit, self._scaling = client, label, polls, scaling
        self.instances: Instances | None = None
        self.verdict = Verdict(State.WAITING)
        self._polls = 0

    def poll(self, environment: Environment, *, over: bool) -> Verdict | None:
        """Look once; the verdict when it is final, or the time is ``over``, else None."""
        self._polls += 1
        facts, self.instances = read_facts(self.client, environment, self._scaling)
        # Auto Scaling may be replacing the only instance.
        settled = over or self._polls >= (SETTLE_POLLS if facts.empty else self._limit)
        tolerant = settled or self._limit < SETTLE_POLLS
        self.verdict = judge(facts, self.label, TOLERANT if tolerant else STRICT)
        if self.verdict.state is State.VERIFIED or over:
            return self.verdict
        return self.verdict if settled and self.verdict.state is not State.WAITING else None

    def report(self, environment: Environment, seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What a failure returns beside its sentence. ``seen`` are events, oldest first."""
        failing = [*events.failing_instances(map(dict, seen)), *self.verdict.instances]
        return {
            "environment": environment_out(environment, api.region_of(self.client)),
            "events": [event_out(event) for event in seen],
            "instances": [instance_out(item) for item in self.instances or []],
            "failing_instances": list(dict.fromkeys(failing)),
            "causes": list(self.verdict.causes),
        }


def warnings_of(environment: Environment, verdict: Verdict) -> list[str]:
    """What was accepted, as sentences."""
    return [f"The environment {environment.get('EnvironmentName')}: {clause}." for clause in verdict.warnings]
