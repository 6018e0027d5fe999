# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where evidence comes from, for many environments at once, and what each source costs.

tags    the EC2 tag of each instance: nothing more than the call that lists the instances
ssm     one SendCommand for 50 environments, which reads whole logs; a page of answers for 50 instances
tail    a log request for each environment, and one or more polls for its answer; the last 100 lines of each log
bundle  the same with whole logs
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..core import api
from ..core.errors import AnsibleBeanstalkError, is_busy
from ..core.transformations import tags_out
from ..core.waiters import Deadline
from ..observe.logs import LogRequest, collect, split_tail
from ..observe.unpacking import gunzip
from .evidence import LEADER_TAG, Evidence, Sections, gather, tag_evidence
from .instances import ID_TAG

TAGS, SSM, TAIL, BUNDLE = "tags", "ssm", "tail", "bundle"
SOURCES = (TAGS, SSM, TAIL, BUNDLE)

_VALUES_AT_ONCE = 200
"""Values of one filter (API reference of EC2)."""
_TARGETS_AT_ONCE = 50
"""Values of one target (API reference of AWS Systems Manager)."""
_SCRIPT_SECONDS = 30
_GONE = ("shutting-down", "terminated")
_OVER = ("Success", "Failed", "TimedOut", "Cancelled")

# Prints the lines that matter in the layout of EB's log tails, packed, as the service returns 2500 characters only.
_SCRIPT = r"""
told='Engine command: \(|_runtime/_versions/|--invocation-id|Instance is (NOT )?Leader|@[0-9]+/AppDeployStage0\]'
show() { printf '%s\n%s\n%s\n' ---------- "$1" ----------; cat; }
pick() {
  for log in /var/log/eb-engine.log /var/log/eb-activity.log; do
    [ ! -r "$log" ] || grep -hE -e "$told" "$log" | tail -n "$1" | show "$log"
  done
  for log in /var/log/*-hooks.log; do
    [ ! -r "$log" ] || [ "$log" = /var/log/eb-hooks.log ] || tail -n "$1" "$log" | show "$log"
  done
}
for lines in 24 12 6; do
  packed=$(pick "$lines" | gzip -9 | base64 | tr -d '\n')
  [ "${#packed}" -gt 2400 ] || break
done
echo "$packed"
"""


class Services(NamedTuple):
    """Clients; `ssm` is None where Systems Manager is not to be asked. `scaling` makes one of Auto Scaling."""

    eb: Any
    ec2: Any
    ssm: Any = None
    scaling: Callable[[], Any] | None = None


class Instance(NamedTuple):
    """An EC2 instance of an environment; it is known for about an hour after its end."""

    instance_id: str
    environment_id: str
    exists: bool
    leader_tag: str | None


def read_instances(ec2: Any, environments: Sequence[str]) -> dict[str, list[Instance]]:
    """Instances by environment id: one call for each 200 environments and 1000 instances."""
    found: dict[str, list[Instance]] = {name: [] for name in environments}
    for start in range(0, len(environments), _VALUES_AT_ONCE):
        part = environments[start : start + _VALUES_AT_ONCE]
        for item in api.describe_ec2_instances(ec2, ID_TAG, part):
            tags = tags_out(item.get("Tags", []))
            exists = (item.get("State") or {}).get("Name") not in _GONE
            one = Instance(item["InstanceId"], tags[ID_TAG], exists, tags.get(LEADER_TAG))
            found[one.environment_id].append(one)
    return found


class Found(NamedTuple):
    """What one source told about one environment; `problem` says why it told nothing."""

    evidence: list[Evidence]
    tails: Mapping[str, Sections]
    problem: str = ""


def from_tags(instances: Sequence[Instance]) -> Found:
    """Evidence in tags; instances that are gone may still show theirs."""
    return Found([item for one in instances for item in tag_evidence(one.instance_id, one.leader_tag)], {})


def from_ssm(ssm: Any, environments: Sequence[str], owner: Mapping[str, str], deadline: Deadline) -> dict[str, Found]:
    """Evidence in the logs of all managed instances of the environments; `owner` is the environment by instance.

    Where Systems Manager may not be asked, that is the problem of every environment, and no error.
    """
    tails: dict[str, dict[str, Sections]] = {name: {} for name in environments}
    problem = "no instance answered to Systems Manager"
    try:
        for start in range(0, len(environments), _TARGETS_AT_ONCE):
            part = environments[start : start + _TARGETS_AT_ONCE]
            command = api.send_to_tagged(ssm, ID_TAG, part, _SCRIPT, _SCRIPT_SECONDS)
            while api.command_status(ssm, command) not in _OVER and not deadline.over:
                deadline.pause()
            for instance, output in api.command_outputs(ssm, command).items():
                if instance in owner and (sections := _unpacked(output)):
                    tails[owner[instance]][instance] = sections
    except AnsibleBeanstalkError as error:
        problem = f"Systems Manager cannot be asked: {error}"
    return {name: Found(gather(told, SSM), told, "" if told else problem) for name, told in tails.items()}


def _unpacked(output: str) -> Sections:
    try:
        # Both streams come in one text.
        packed = output.partition("\n----------ERROR-------")[0].strip()
        return split_tail(gunzip(base64.b64decode(packed, validate=True)).decode(errors="replace"))
    except ValueError:
        return {}


def from_logs(eb: Any, kind: str, wanted: Mapping[str, Sequence[str]], deadline: Deadline) -> dict[str, Found]:
    """Evidence in log tails or bundles of instances by environment: all are asked before the first is waited for."""
    found, requests = {}, []
    for environment_id, instances in wanted.items():
        try:
            requests.append(LogRequest(eb, environment_id, instances, kind))
        except AnsibleBeanstalkError as error:
            # An operation is running, so a new leader may be elected: that is an answer, not a failure.
            if not is_busy(error):
                raise
            found[environment_id] = Found([], {}, "an operation is running, so its logs cannot be read now")
    told = collect(requests, deadline)
    for request in requests:
        tails = told[request.environment_id]
        found[request.environment_id] = Found(gather(tails, kind), tails, request.problem)
    return found
