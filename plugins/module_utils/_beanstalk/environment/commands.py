# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shell scripts on the instances of one environment, by Systems Manager's Run Command."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkRefusedError, AnsibleBeanstalkWaitError
from ..core.shown import all_shown, shown
from ..core.waiters import Deadline
from ..leader.query import LeaderQuery
from ..leader.sources import Services
from ..observe import environments

_AT_ONCE = 50
"""SendCommand takes so many instances (API reference of AWS Systems Manager)."""

_BUSY = ("", "Pending", "InProgress", "Delayed", "Cancelling")
_KEPT_CHARACTERS = 24_000
"""GetCommandInvocation returns so much of each stream, and nothing at all before the end (API reference)."""

_FOLDER = "/run/jack.beanstalk"
# The output goes to a file of its own, which other commands read meanwhile. What a killed run left goes after a day.
_KEEPING = """umask 077
mkdir -p {folder}
find {parent} -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {{}} +
cat >{folder}/script <<'{end}'
{script}
{end}
cd / && /bin/bash {folder}/script >{folder}/output 2>&1 </dev/null
rc=$?
[ -z "$(tail -c 1 {folder}/output)" ] || echo >>{folder}/output
head -c 24000 {folder}/output
exit $rc
"""
# Whole lines only: what is not yet ended, or cut off, is read with the next part.
_READING = """file={folder}/output
whole=$(wc -l <"$file" 2>/dev/null) || exit 0
[ "$whole" -le {seen} ] || sed -n "$(({seen} + 1)),${{whole}}p;${{whole}}q" "$file" | cut -c 1-2000 | head -c 20000
"""

Result = dict[str, Any]
Heard = Callable[[str, Sequence[str]], None]
"""Called with an instance and lines that it printed."""


def choose_instances(services: Services, environment: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """The instances that the parameters mean, in order; AnsibleBeanstalkRefusedError when there are none."""
    environment_id = environment["EnvironmentId"]
    resources = api.describe_resources(services.eb, environment_id)
    present = sorted(item["Id"] for item in resources.get("Instances", []))
    if not present:
        raise AnsibleBeanstalkRefusedError(message=f"The environment {environment_id} has no instance.")
    if params["target"] == "all":
        return present
    if params["target"] == "one":
        return present[:1]
    (answer,) = LeaderQuery(services, params, lambda: 0).ask([environment])
    leader = answer["leader"]
    if leader["state"] != "found":
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {environment_id} has no leader to run the command on ({leader['state']}): "
            f"{leader['reason']}."
        )
    return [leader["instance_id"]]


def _outcome(instance_id: str, answer: Mapping[str, Any]) -> Result:
    return {
        "instance_id": instance_id,
        "status": answer.get("Status", "Pending"),
        "rc": answer.get("ResponseCode", -1),
        "stdout": answer.get("StandardOutputContent", ""),
        "stderr": answer.get("StandardErrorContent", ""),
    }


class Output:
    """What a command prints while it goes on, told by whole lines."""

    def __init__(self, ssm: Any, heard: Heard, deadline: Deadline) -> None:
        self._ssm, self._heard, self._deadline = ssm, heard, deadline
        self._folder = f"{_FOLDER}/{secrets.token_hex(8)}"
        self._seen: dict[str, int] = {}

    def keep(self, script: str) -> str:
        """The script that also keeps its output on the instance; error output is among it, as on a terminal."""
        end = f"END_OF_SCRIPT_{secrets.token_hex(8)}"
        return _KEEPING.format(folder=self._folder, parent=_FOLDER, script=script, end=end)

    def follow(self, instances: Sequence[str]) -> None:
        """Tell what came since; an instance that cannot be read now is read again."""
        for seen in {self._seen.get(name, 0) for name in instances}:
            same = [name for name in instances if self._seen.get(name, 0) == seen]
            script = _READING.format(folder=self._folder, seen=seen)
            for result in run_on(self._ssm, same, script, self._deadline, 30):
                self._tell(result["instance_id"], result["stdout"].split("\n")[:-1])

    def end(self, results: Sequence[Result]) -> None:
        """Tell the rest, and leave nothing on the instances."""
        for result in results:
            name, text = result["instance_id"], result["stdout"]
            if result["status"] in ("Success", "Failed") and len(text.encode()) < _KEPT_CHARACTERS:
                self._tell(name, text.splitlines()[self._seen.get(name, 0) :])
                continue
            before = -1
            while before < self._seen.get(name, 0) and not self._deadline.over:
                before = self._seen.get(name, 0)
                self.follow([name])
        for start in range(0, len(results), _AT_ONCE):
            part = [result["instance_id"] for result in results[start : start + _AT_ONCE]]
            api.send_command(self._ssm, part, f"rm -rf {self._folder}", 30)

    def _tell(self, name: str, lines: Sequence[str]) -> None:
        self._seen[name] = self._seen.get(name, 0) + len(lines)
        if lines:
            self._heard(name, [shown(line) for line in lines])


def run_on(
    ssm: Any, instances: Sequence[str], script: str, deadline: Deadline, timeout: int, output: Output | None = None
) -> list[Result]:
    """Run the script on the instances and wait for all of them; raises AnsibleBeanstalkWaitError after the deadline."""
    commands = {}
    for start in range(0, len(instances), _AT_ONCE):
        part = instances[start : start + _AT_ONCE]
        sent = api.send_command(ssm, part, output.keep(script) if output else script, timeout)
        commands.update(dict.fromkeys(part, sent))
    answers: dict[str, dict[str, Any]] = {}
    waiting = list(commands)
    while waiting:
        for instance_id in waiting:
            answers[instance_id] = api.command_invocation(ssm, commands[instance_id], instance_id)
        waiting = [name for name in waiting if answers[name].get("Status", "") in _BUSY]
        if waiting and deadline.over:
            results = [_outcome(name, answers[name]) for name in commands]
            raise AnsibleBeanstalkWaitError(
                f"The command did not end within {deadline.timeout:.0f} seconds on {', '.join(waiting)}.",
                {"results": results},
            )
        if waiting:
            # What ends at once is not worth another command.
            if output and deadline.elapsed > deadline.interval:
                output.follow(waiting)
            deadline.pause()
    results = [_outcome(name, answers[name]) for name in commands]
    if output:
        output.end(results)
    return results


def run_command(services: Services, params: Mapping[str, Any], check_mode: bool, heard: Heard | None = None) -> Result:
    """Run a script on the leader, on one instance or on all; returns the outcome on each.

    With ``heard`` its lines are told as they come.
    """
    environment = environments.find_one(services.eb, params)
    environment_id = environment["EnvironmentId"]
    instances = choose_instances(services, environment, params)
    if check_mode:
        return {"environment_id": environment_id, "results": [_outcome(name, {}) for name in instances]}
    deadline = Deadline(params["wait_timeout"], params["poll_interval"])
    output = Output(services.ssm, heard, deadline) if heard else None
    results = all_shown(run_on(services.ssm, instances, params["script"], deadline, params["timeout"], output))
    failed = [item for item in results if item["status"] != "Success"]
    if failed and params["fail_on_rc"]:
        first = failed[0]
        said = (first["stderr"].strip() or first["stdout"].strip()).splitlines()
        raise AnsibleBeanstalkWaitError(
            f"The command failed on {len(failed)} of {len(results)} instance(s), first on {first['instance_id']} "
            f"({first['status']}, exit code {first['rc']}){': ' + said[-1] if said else ''}.",
            {"results": results},
        )
    return {"environment_id": environment_id, "results": results}
