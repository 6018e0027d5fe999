# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cycle module does: parameters in, one stretch of a run, the result out."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ..core import api
from ..core.budget import SharedBudget
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError
from ..core.memory import memory_of
from ..core.transformations import event_out, iso
from ..environment.settings import purge_mode, record_store
from ..lock.store import LockStore
from ..observe.shared import asked_together
from ..option_settings.given import parse
from ..run.progress import ItemProgress
from . import calls
from .account import Account
from .cost import instance_minutes
from .executor import Executor, Run
from .observer import Observer
from .planner.model import Environment, Goal, Journal, Policy, Step, World
from .settings import CandidateSettings
from .smoke_tests import Check, Prober
from .stages import Stage

# What a cycle asks Elastic Beanstalk from its lock to its end, with its share of the looks that all have together:
# `bench throttled_recreates` counts them.
_REQUESTS = 28
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")


def window(text: str | None) -> tuple[int, int] | None:
    """ "02:00-04:30" as minutes after midnight UTC; None and "" are no window."""
    if not text:
        return None
    found = _CLOCK.fullmatch(text.replace(" ", ""))
    if not found:
        raise AnsibleBeanstalkRefusedError(message=f"The window {text} is not of the form 02:00-04:30.")
    hours = [int(part) for part in found.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


def policy_of(params: Mapping[str, Any]) -> Policy:
    """The planner's policy from the module's parameters, which have the same names."""
    known = {field.name for field in fields(Policy)}
    given = {key: value for key, value in params.items() if key in known and value is not None}
    given |= {
        "goal": Goal(params["goal"]),
        "window": window(params["window"]),
        "accepted_health": tuple(params["accepted_health"]),
        "base_name": params["name"] or "",
        "poll": params["poll_interval"],
    }
    policy = Policy(**given)
    if policy.goal is Goal.DEPLOY and not policy.version_label:
        raise AnsibleBeanstalkRefusedError(message="version_label is needed for the goal deploy.")
    if policy.settle <= policy.step_fresh:
        raise AnsibleBeanstalkRefusedError(message="settle must be longer than step_fresh.")
    return policy


def checks_of(params: Mapping[str, Any]) -> list[Check]:
    """The smoke probes."""
    return [
        Check(
            path=one["path"],
            status=tuple(one["status"]),
            body=one["body"] or "",
            headers=one["headers"] or {},
            latency=one["latency"],
            timeout=one["timeout"],
        )
        for one in params["probes"]
    ]


def writer_config(params: Mapping[str, Any]) -> dict[str, Any]:
    """The SDK's settings for calls that change something: the user's (a proxy, say), but never a repeated request."""
    return {**(params.get("aws_config") or {}), **copy.deepcopy(calls.ONE_ATTEMPT)}  # botocore writes into it


def run_cycle(
    client: Callable[..., Any],
    params: Mapping[str, Any],
    check_mode: bool,
    progress: ItemProgress | None = None,
    counter: api.CallCounter | None = None,
) -> tuple[bool, dict[str, Any]]:
    """One stretch of a run. ``client`` makes a client for a service. Returns (changed, result).

    ``counter`` knows of changes also when the run ends with an error.
    """

    def tell(step: Step) -> None:
        if progress and not check_mode:
            progress.tell(step.action.upper(), step.reason)

    @cache  # a client takes as long as several requests
    def metered(service: str) -> Any:
        return api.CallCounter().attach(client(service))

    policy = policy_of(params)
    reader = metered("elasticbeanstalk")
    writer = client("elasticbeanstalk", aws_config=writer_config(params))
    if counter is not None:
        counter.note_changes(writer)
    bucket = params["bucket"] or asked_together(reader, "bucket", lambda: api.create_storage_location(reader))
    application, prefix = params["application"], params["cname_prefix"]
    budget = SharedBudget(writer, ahead=True)
    account = Account(metered)
    candidate = CandidateSettings(
        reader,
        account,
        parse(params["option_settings"]),
        platform=params["platform"] or "",
        downgrade=params["platform_downgrade"],
        purge=purge_mode(params["purge_properties"]),
        record=record_store(reader, client, {**params, "bucket": bucket}),
    )
    executor = Executor(
        reader,
        writer,
        LockStore(client("s3"), bucket, application, prefix, memory=memory_of(reader, application, "lock")),
        Observer(reader, application, prefix, policy.step_fresh, policy.version_label),
        policy,
        owner=params["owner"],
        prober=Prober(checks_of(params), params["url_service"] or ""),
        account=account,
        candidate=candidate,
        turn=budget.turn,
        begin=lambda: budget.begin(_REQUESTS),
        tell=tell,
    )
    until = Stage(params["until"]) if params["until"] else None
    run = executor.run(until, stage_ttl=params["stage_ttl"], dry=check_mode)
    result = _result(run, policy) | {"warnings": candidate.warnings}
    if run.result and run.journal and not check_mode:
        told = _events(reader, run.journal, application)
        result["events"] = [event_out(event) for event in told]
        end = datetime.fromtimestamp(executor.store.now, tz=UTC)
        result["instance_minutes"] = instance_minutes(told, run.journal.candidate_name, end)
    return run.changed or (check_mode and run.result is None), result


def _events(client: Any, journal: Journal, application: str) -> list[dict[str, Any]]:
    """What Elastic Beanstalk said of the cycle's two environments since it began; nothing when it does not answer."""
    since = datetime.fromtimestamp(journal.started, tz=UTC)
    try:
        told = [
            event
            for one in (journal.live, journal.candidate)
            if one
            for event in api.describe_events(client, since, ApplicationName=application, EnvironmentId=one)
        ]
    except AnsibleBeanstalkError:
        return []
    return sorted(told, key=lambda one: one["EventDate"])


def _moment(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, tz=UTC)) or ""


def _result(run: Run, policy: Policy) -> dict[str, Any]:
    world = run.world
    if world is None:
        raise AssertionError("a run looks at least once")
    journal = run.journal or world.lock.record.journal
    candidate = world.by_id(journal.candidate) if journal else None
    previous = world.by_id(journal.live) if journal else None
    return {
        "logical": world.logical,
        "goal": policy.goal,
        "stage": run.stage,
        "result": run.result or "",
        "sentence": run.sentence,
        "cycle": journal.cycle if journal else None,
        "live": _environment(world.live),
        "candidate": _environment(candidate),
        "previous": _environment(previous),
        "failure": run.failure,
        "events": [],
        "instance_minutes": None,
        "samples": [{**one, "at": _moment(one["at"])} for one in run.samples],
        "steps": [{**one, "at": _moment(one["at"])} for one in run.steps],
        "plan": _plan(world, policy) if journal is None and run.result is None else [],
    }


def _environment(environment: Environment | None) -> dict[str, Any] | None:
    if environment is None:
        return None
    return {
        "environment_id": environment.id,
        "environment_name": environment.name,
        "cname": environment.cname,
        "version_label": environment.version_label,
        "status": str(environment.status),
        "health": environment.health,
    }


def _plan(world: World, policy: Policy) -> list[str]:
    """What a whole run would do, for check mode."""
    live = world.live
    if live is None:
        return []
    label = policy.version_label or live.version_label
    return [
        f"would create an environment like {live.name} ({live.id}), running {label}",
        f"would give it the name {world.cname} when it is verified and stayed healthy for {policy.soak:.0f} seconds",
        f"would keep {live.name} ({live.id}) for at least {policy.dns_ttl + policy.dns_margin:.0f} seconds to drain it",
        f"would terminate {live.name} ({live.id}), {live.cname}"
        + (f", {policy.keep_retired:.0f} seconds later" if policy.keep_retired else ""),
    ]
