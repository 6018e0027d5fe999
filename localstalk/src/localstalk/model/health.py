# SPDX-License-Identifier: GPL-3.0-or-later
"""Enhanced health judged: status, color and causes in EB's words. Pure: ``now`` is in the clock's seconds.

Source: Developer Guide, "Health colors and statuses" and "Enhanced health reporting and monitoring".
"""

from __future__ import annotations

from collections.abc import Mapping

from localstalk.model.state import Environment, Instance

COLORS = {
    "Ok": "Green", "Info": "Green", "Warning": "Yellow", "Degraded": "Red", "Severe": "Red",
    "Pending": "Grey", "Unknown": "Grey", "Suspended": "Grey", "NoData": "Grey",
}  # fmt: skip
BAD = ("Warning", "Degraded", "Severe")
_GRACE = 30.0
"""An application that stops answering turns red only after several checks: health lags."""
Judgement = tuple[str, list[str]]
"""Status and causes of one instance."""


def judge_instance(environment: Environment, instance: Instance, now: float) -> Judgement:
    """Status and causes of one instance."""
    deployment = instance.deployment
    if deployment is None or not instance.address:
        return "Pending", ["Instance initialization in progress."]
    if deployment.status == "In Progress":
        running = duration(now - environment.deployment_started)
        return "Info", [f"Application deployment in progress (running for {running})."]
    causes = []
    status = "Ok"
    if deployment.status == "Failed":
        status = "Degraded"
        causes.append(
            f"Application deployment failed at {deployment.time:%Y-%m-%dT%H:%M:%SZ} with exit status 1 and error: "
            "Engine execution has encountered an error."
        )
    elif environment.operation is None and deployment.label != environment.version_label:
        status = "Degraded"
        causes.append(
            f'Incorrect application version "{deployment.label}" (deployment {deployment.id}). '
            f'Expected version "{environment.version_label}" (deployment {_expected_id(environment)}).'
        )
    if instance.failing_since is not None and now - instance.failing_since >= _GRACE:
        status = "Severe"
        minutes = int((now - instance.failing_since) // 60)
        since = f" for {minutes} minutes" if minutes > 1 else ""
        causes.append(f"Process default has been unhealthy{since} (Target.FailedHealthChecks).")
    return status, causes


def _expected_id(environment: Environment) -> int:
    ids = [
        each.deployment.id
        for each in environment.instances.values()
        if each.deployment and each.deployment.label == environment.version_label
    ]
    return max(ids, default=max(1, environment.deployment_id - 1))


def judge_environment(
    environment: Environment, judged: Mapping[str, Judgement], now: float, forced: tuple[str, str] | None = None
) -> tuple[str, str, list[str]]:
    """Color, status and causes. ``judged``: its instances by id; ``forced``: color and status that a fault wants."""
    if forced is not None:
        return *forced, ["Environment health was set by a fault."]
    operation = environment.operation
    if environment.status == "Launching":
        causes = [f"Initialization in progress (running for {duration(now - environment.started_at)})."]
        return "Grey", "Pending", [*causes, "There are no instances."] if not judged else causes
    if operation is not None and operation.kind in ("deploy", "config", "restart"):
        return "Green", "Info", [_progress(environment, now)]
    if not judged:
        return "Grey", "NoData", ["There are no instances."]
    bad = [status for status, _ in judged.values() if status in BAD]
    if not bad:
        pending = any(status == "Pending" for status, _ in judged.values())
        return ("Grey", "Pending", []) if pending else ("Green", "Ok", [])
    severe = bad.count("Severe")
    status = "Severe" if severe * 2 >= len(judged) and severe else "Degraded"
    return COLORS[status], status, _causes(environment, judged)


def _progress(environment: Environment, now: float) -> str:
    total = len(environment.instances)
    done = sum(
        1
        for each in environment.instances.values()
        if each.deployment and each.deployment.id == environment.deployment_id and each.deployment.status == "Deployed"
    )
    return (
        f"{environment.deployment_kind} update in progress on {_instances(total)}. {done} out of "
        f"{_instances(total)} completed (running for {duration(now - environment.deployment_started)})."
    )


def _causes(environment: Environment, judged: Mapping[str, Judgement]) -> list[str]:
    causes = []
    total = len(judged)
    wrong = [
        each
        for each in environment.instances.values()
        if each.deployment and each.deployment.label != environment.version_label
    ]
    if wrong:
        causes.append(
            f"Incorrect application version found on {_share(len(wrong), total)}. Expected version "
            f'"{environment.version_label}" (deployment {_expected_id(environment)}).'
        )
    severe = sum(1 for status, _ in judged.values() if status == "Severe")
    if severe:
        causes.append(f"ELB processes are not healthy on {_share(severe, total)}.")
    failed = sum(1 for each in environment.instances.values() if each.deployment and each.deployment.status == "Failed")
    if failed and not wrong:
        causes.append(f"Application deployment failed on {_share(failed, total)}.")
    return causes


def transition(environment: Environment, before: str | None, now: float) -> str:
    """The text of the event for a new status; ``before`` None: it is the first."""
    origin = "" if before is None else f"from {before} "
    # The first judgement follows "Pending", which every environment begins with.
    said = environment.health.causes or _recovery(environment, before or "Pending", now)
    return " ".join([f"Environment health has transitioned {origin}to {environment.health.status}.", *said])


def _recovery(environment: Environment, before: str, now: float) -> list[str]:
    if before == "Pending" and environment.ready_at:
        took = duration(environment.ready_at - environment.started_at)
        return [f"Initialization completed {duration(now - environment.ready_at)} ago and took {took}."]
    if before == "Info" and environment.deployment_ended:
        took = duration(environment.deployment_ended - environment.deployment_started)
        ago = duration(now - environment.deployment_ended)
        return [f"{environment.deployment_kind} update completed {ago} ago and took {took}."]
    return []


def _instances(count: int) -> str:
    return "1 instance" if count == 1 else f"{count} instances"


def _share(count: int, total: int) -> str:
    return "all instances" if count == total else f"{count} out of {_instances(total)}"


def duration(seconds: float) -> str:
    """A length of time in EB's words: seconds below a minute, else whole minutes, hours or days."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    count = max(0, int(seconds))
    return f"{count} second" + ("" if count == 1 else "s")
