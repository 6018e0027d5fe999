# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of an operation that failed: a sentence, the failing step's own output, and what to do next.

Events and whole logs are not said again: events were told as they came, and all of it is in the result and in the file
of the run (``details``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkWaitError
from ..core.waiters import Deadline
from .deployment_log import ON_INSTANCE, DeploymentLog, failed_step
from .logs import TELLING, request_tails

LINES = 10
"""So much of a failing step's output is said."""
_COLUMNS = 500
_STAMP = re.compile(r"^\d{4}[/-]\d\d[/-]\d\d [\d:.,]+ (?:\[\w+\] )?")
# elastic_beanstalk.md §5.5
_STOPPED = re.compile(r"An error occurred during execution of command \[[^\]]*\](?: - \[([^\]]*)\])?")
_BEGUN = "Executing instruction: "
_HOOK = "Running platform hook: "
_ERROR = "[ERROR] "
_AGAIN = "then run the same command again: it deploys to every instance that is behind"
_NEXT = (
    ("hook", f"Mend that hook, {_AGAIN}."),
    ("extension", f"Mend that command in .ebextensions, {_AGAIN}."),
    ("docker", f"Mend the Dockerfile or what the container starts, {_AGAIN}."),
)

Sections = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Cause:
    """What the failing step of an instance printed: ``log`` is the file, ``step`` Elastic Beanstalk's name for it.

    Without a step these are the last lines of a log that names none. ``instance`` is "" where it is not known.
    """

    instance: str
    log: str
    step: str
    lines: tuple[str, ...]

    @property
    def heading(self) -> str:
        """Where the lines are from."""
        place = self.log.rpartition("/")[2] + (f" of {self.instance}" if self.instance else "")
        return f"Cause ({self.step}, {place}):" if self.step else f"Last lines of {place}:"

    @property
    def next_step(self) -> str:
        """What to do about it."""
        step = self.step.lower()
        return next((text for word, text in _NEXT if word in step), f"Mend what is named there, {_AGAIN}.")


def find_cause(instance: str, sections: Sections) -> Cause | None:
    """The failing step's own output among an instance's log tails; None where they say nothing."""
    named = {path.rpartition("/")[2]: path for path in sections}
    engine = [] if "eb-engine.log" not in named else list(sections[named["eb-engine.log"]])
    stops = [at for at, line in enumerate(engine) if _STOPPED.search(line)]
    if not stops:
        # Amazon Linux AMI has no log of an engine, so what there is may tell; one without such a line tells nothing.
        others = [] if engine else [named[name] for name in TELLING if name in named]
        path = next((path for path in others if any(map(str.strip, sections[path]))), "")
        return Cause(instance, path, "", _last(sections[path])) if path else None
    found = _STOPPED.search(engine[stops[-1]])
    step = (found[1] if found else "") or "deployment"
    if "Hook" in step and (printed := _of_last_hook(sections.get(named.get("eb-hooks.log", ""), ()))):
        return Cause(
            instance, named["eb-hooks.log"], f"hook {printed[0]}", _last(printed[1:]) or ("it printed nothing",)
        )
    if "EbExtension" in step and (commands := sections.get(named.get("cfn-init-cmd.log", ""), ())):
        return Cause(instance, named["cfn-init-cmd.log"], step, _last(commands))
    return Cause(instance, named["eb-engine.log"], step, _last(_of_step(engine, stops[-1])))


def logged_cause(log: DeploymentLog, instance: str = "") -> Cause | None:
    """The failing step's own output in Elastic Beanstalk's log of the deployment; None where that has none.

    One instance uploads it, of which only an environment of one instance says which it is.
    """
    failed = failed_step(log.lines)
    # The last line says that the whole deployment failed.
    printed = _last(failed[1:-1] if failed and _ERROR in failed[-1] else failed[1:])
    if not printed:
        return None
    step = failed[0].partition(_ERROR)[2].removesuffix(" failed")
    if "Hook" in step and (hook := _of_last_hook(log.lines[: -len(failed)])):
        step = f"hook {hook[0]}"
    return Cause(instance, f"{ON_INSTANCE}/{log.name}", step, printed)


def _of_last_hook(lines: Sequence[str]) -> list[str]:
    """The name of the hook that ran last, then what it printed."""
    starts = [at for at, line in enumerate(lines) if _HOOK in line]
    return [lines[starts[-1]].partition(_HOOK)[2], *lines[starts[-1] + 1 :]] if starts else []


def _of_step(engine: Sequence[str], stop: int) -> list[str]:
    """The lines of the step that ended at a line, with the lines that its error goes on in."""
    start = max((at for at in range(stop) if _BEGUN in engine[at]), default=stop - 1)
    end = next((at for at in range(stop + 1, len(engine)) if _STAMP.match(engine[at])), len(engine))
    return list(engine[start + 1 : end])


def _last(lines: Sequence[str]) -> tuple[str, ...]:
    """The end of it: one line each, without dates, none that is empty or has been said."""
    plain = [_STAMP.sub("", line).rstrip() for line in lines]
    kept = list(dict.fromkeys(line for line in plain if line))[-LINES:]
    return tuple(_shorter(line) for line in kept)


def _shorter(line: str) -> str:
    """Its beginning and its end, where it says what went wrong."""
    half = _COLUMNS // 2
    return line if len(line) <= _COLUMNS else f"{line[:half]} … {line[-half:]}"


def explained(
    client: Any,
    error: AnsibleBeanstalkWaitError,
    environment_id: str,
    interval: float,
    actions: Sequence[str],
    *,
    request: bool = True,
    deployment_log: Callable[[], DeploymentLog | None] = lambda: None,
) -> AnsibleBeanstalkWaitError:
    """The error with its cause and what to do; its report gets causes of bad health and the failing instances' logs.

    ``interval``: seconds. Without ``request`` no log is requested, which check mode must not do. ``deployment_log``
    reads Elastic Beanstalk's own, after the others, as the instance may still upload the end of it.
    """
    report = dict(error.report)
    state = (report.get("environment") or {}).get("status")
    report["causes"], report["logs"] = list(report.get("causes") or []), {}
    try:
        if state == "Ready":
            told = api.describe_environment_health(client, environment_id).get("Causes", [])
            report["causes"] = list(dict.fromkeys([*told, *report["causes"]]))
        if state == "Ready" and request:
            limit = Deadline(max(30.0, 12 * interval), min(interval, 3))
            failing = report.get("failing_instances") or []
            report["logs"] = request_tails(client, environment_id, failing[:2], limit)
    except AnsibleBeanstalkError as problem:
        report["logs_error"] = str(problem)
    found = [find_cause(instance, sections) for instance, sections in report["logs"].items()]
    found.insert(0, _read_cause(report, environment_id, deployment_log))
    cause = next((one for one in found if one is not None), None)
    report["cause"] = short_cause(cause, [error.reason, *report["causes"]])
    text = failure_text(str(error.message), error.reason, cause, report)
    return AnsibleBeanstalkWaitError(text, {**report, "actions": list(actions)})


def _read_cause(
    report: dict[str, Any], environment_id: str, deployment_log: Callable[[], DeploymentLog | None]
) -> Cause | None:
    """What the deployment log says, which joins the report's logs. One that cannot be read is none."""
    try:
        log = deployment_log()
    except AnsibleBeanstalkError as problem:
        report.setdefault("logs_error", str(problem))
        return None
    if log is None:
        return None
    instances = [one["instance_id"] for one in report.get("instances") or []]
    instance = instances[0] if len(instances) == 1 else ""
    sections = report["logs"].setdefault(instance or environment_id, {})
    sections[f"{ON_INSTANCE}/{log.name}"] = log.lines
    return logged_cause(log, instance)


def short_cause(cause: Cause | None, others: Sequence[str]) -> str:
    """The cause in one line, for a table; the first of ``others`` that says something where no log has it."""
    if cause is None:
        return next(filter(None, others), "")
    return f"{cause.step}: {cause.lines[-1]}" if cause.step else cause.lines[-1]


def failure_text(sentence: str, reason: str, cause: Cause | None, report: Mapping[str, Any]) -> str:
    """The sentence, the cause, what to do. ``reason`` is an event in the sentence; a step's output says more."""
    if reason and cause is not None:
        sentence = sentence.removesuffix(f": {reason}")
    lines = [sentence.strip().rstrip(".") + "."]
    # What is in progress is no cause.
    if causes := [one for one in report.get("causes") or [] if " in progress " not in one]:
        lines += ["Health:", *(f"  {one}" for one in causes[:3])]
    if cause is not None:
        lines += [cause.heading, *(f"  {line}" for line in cause.lines), f"Next: {cause.next_step}"]
    else:
        lines += [f"No log could be had: {report['logs_error']}"] if report.get("logs_error") else []
        lines += [f"Next: Mend the cause, {_AGAIN}."]
    return "\n".join(lines)


def details(item: str, result: Mapping[str, Any]) -> list[str]:
    """All that is known of an item that failed, as lines for a file; empty where its message says it all."""
    events, logs = result.get("events") or [], result.get("logs") or {}
    if not (events or logs):
        return []
    lines = [f"== {item} ==", *str(result.get("msg", "")).splitlines()]
    lines += ["", "Events:"] if events else []
    lines += [f"  {event['event_date']} {event['severity']} {event['message']}" for event in events]
    if result.get("causes"):
        lines += ["", "Causes of bad health:", *(f"  {cause}" for cause in result["causes"])]
    for instance, sections in logs.items():
        for path, content in sections.items():
            lines += ["", f"{instance} {path}:", *(f"  {line}" for line in content)]
    return [*lines, ""]
