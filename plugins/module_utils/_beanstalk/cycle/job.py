# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cycle as an item of a run, and its result as a module returns it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError
from ..core.transformations import event_out, iso
from ..run.effects import Call, Reconciler
from ..run.engine import Item, Services
from ..run.items import failure_sentence, mask_of
from ..run.progress import ItemProgress, ProgressFile
from .arguments import policy_of
from .cost import instance_minutes
from .findings import Run
from .planner.guards import described, rollback_target, wanted_label
from .planner.model import Environment, Goal, Journal, Observation, Policy
from .reconciler import CycleReconciler

# For what waits before a cycle begins, beside the limits that a cycle has: until there is room for it.
_QUEUE_SECONDS = 6 * 3600.0


class CycleJob:
    """``params`` are those of the module ``cycle``, connection arguments included."""

    def __init__(self, params: Mapping[str, Any], check_mode: bool) -> None:
        self._params, self._check_mode = params, check_mode
        self._reconciler: CycleReconciler | None = None

    def reconcile(self, services: Services, progress: ItemProgress) -> Reconciler:
        """Carry the cycle out; the result is a dictionary with ``changed``."""
        reconciler = self._reconciler = CycleReconciler(services, self._params, self._check_mode, progress)
        run: Run = yield from reconciler.run()
        result = result_of(run, reconciler.policy)
        if run.result and run.journal and not self._check_mode:
            ask = functools.partial(events_of, services.eb, run.journal, self._params["application"])
            told = yield Call(ask)
            result["events"] = [event_out(event) for event in told]
            end = datetime.fromtimestamp(reconciler.now(), tz=UTC)
            result["instance_minutes"] = instance_minutes(told, run.journal.candidate_name, end)
        changed = run.changed or (self._check_mode and run.result is None)
        return self._warned({**result, "changed": changed})

    def failed(self, error: BaseException) -> dict[str, Any]:
        """The result of an item that ended with an exception: what is wrong, what to do, and whether it had changed."""
        run = self._reconciler.run_so_far if self._reconciler else Run()
        return self._warned(
            {"failed": True, "msg": failure_sentence(error), "changed": run.changed, "steps": steps_of(run)}
        )

    def _warned(self, result: dict[str, Any]) -> dict[str, Any]:
        warnings = self._reconciler.warnings if self._reconciler else []
        return {**result, "warnings": list(warnings)} if warnings else result


def cycle_item(name: str, params: Mapping[str, Any], check_mode: bool, file: ProgressFile) -> Item:
    """An item for the engine. Its lines and its result are masked with its own secrets, and nobody else's."""
    mask = mask_of(params, str(params.get("url_service") or ""))
    return Item(
        name=name,
        params=params,
        timeout=limit(policy_of(params)),
        # Once a cycle has begun, an AWS that is silent for a while is waited for: it goes on where it stood.
        silence_timeout=params["ready_timeout"],
        waits_out_silence=True,
        interval=params["poll_interval"],
        job=CycleJob(params, check_mode),
        progress=ItemProgress(file, name, mask),
    )


def limit(policy: Policy) -> float:
    """Seconds after which a cycle is left, if it was not ended before by the limits of its steps."""
    before = policy.jitter + policy.lock_wait_timeout + policy.ready_timeout + _QUEUE_SECONDS
    after = policy.swap_timeout + policy.swap_verify_timeout + policy.drain_timeout + policy.rollback_timeout
    # A leftover of an earlier cycle may be terminated before it begins.
    return before + policy.cycle_timeout + after + 2 * policy.terminate_timeout


def events_of(client: Any, journal: Journal, application: str) -> list[dict[str, Any]]:
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


def result_of(run: Run, policy: Policy) -> dict[str, Any]:
    """The result, before what is asked for at the end."""
    observation = run.observation
    if observation is None:
        raise AssertionError("a run observes at least once")
    journal = run.journal or observation.lock.record.journal
    candidate = observation.by_id(journal.candidate) if journal else None
    previous = observation.by_id(journal.live) if journal else None
    return {
        "logical": observation.logical,
        "goal": str(policy.goal),
        "stage": str(run.stage),
        "result": str(run.result or ""),
        "sentence": run.sentence,
        "cycle": journal.cycle if journal else None,
        "live": _environment(observation.live),
        "candidate": _environment(candidate),
        "previous": _environment(previous),
        "failure": dict(run.failure),
        "events": [],
        "instance_minutes": None,
        "samples": [{**one, "at": _moment(one["at"])} for one in run.samples],
        "steps": steps_of(run),
        "plan": _plan(observation, policy) if journal is None and run.result is None else [],
    }


def steps_of(run: Run) -> list[dict[str, Any]]:
    """What was done, with times as text."""
    return [{**one, "at": _moment(one["at"])} for one in run.steps]


def _moment(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, tz=UTC)) or ""


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


def _plan(observation: Observation, policy: Policy) -> list[str]:
    """What a whole run would do, for check mode."""
    live = observation.live
    if live is None:
        return []
    label = wanted_label(observation, policy)
    what = described(observation, label)
    named = f"{live.name} ({live.id})"
    target = rollback_target(observation, policy.version_label) if policy.goal is Goal.ROLLBACK else None
    if target is not None:
        return [f"would give {observation.cname} back to {target[1].name} ({target[1].id}), running {what}"]
    later = f", {policy.retain_old_for:.0f} seconds later" if policy.retain_old_for else ""
    return [
        f"would create an environment like {named}, running {what}",
        f"would give it the name {observation.cname} when it is verified and stayed healthy for "
        f"{policy.bake_time:.0f} seconds",
        f"would keep {named} for at least {policy.dns_ttl + policy.dns_margin:.0f} seconds to drain it",
        f"would terminate {named}, {live.cname}{later}",
    ]
