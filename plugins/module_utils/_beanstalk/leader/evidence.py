# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What logs and tags of instances say about who was elected leader.

No API tells the leader. It is elected anew for every deployment command. What is left of an election are the generated
hooks' own records, the platform engine's "Instance is Leader.", and the EC2 tag that a hook may set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..core.shape import FLAG, NOTHING, Kind, ShapeError, load, number, text, whole
from ..core.shown import all_shown

HOOK_LOG = "hook_log"
ENGINE_LOG = "engine_log"
EC2_TAG = "ec2_tag"
TRUST = (HOOK_LOG, ENGINE_LOG, EC2_TAG)
"""Most trustworthy first: the hook acted on the election, the engine saw it, a tag can be set by anybody."""

LEADER = "leader"
NOT_LEADER = "not_leader"

LEADER_TAG = "jack:leader"
"""Its value, parted by spaces: leader or not_leader, the deployment's number or -, ISO 8601 time, version label."""

_ENGINE_FILES = ("/eb-engine.log", "/eb-activity.log", "/eb-commandprocessor.log")
_STAMP = re.compile(r"^\[?(\d{4})[/-](\d\d)[/-](\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d+))?Z?\]?")
_COMMAND = re.compile(r"Engine command: \(([\w-]+)\)")
_VERSION = re.compile(
    r"object: resources/environments/[^/]+/_runtime/_versions/[^/]+/(.+?)(?:, expected bucket owner.*)?$"
)
_INVOCATION = re.compile(r"cfn-elect-cmd-leader .*--invocation-id (\S+)")
_LEGACY_COMMAND = re.compile(r"\[Application (?:update|deployment) (.+?)@(\d+)[/\]]")
_TAG = re.compile(rf"({LEADER}|{NOT_LEADER}) (\d+|-) (\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (.+)")

_TEXT = (text(4096), NOTHING)
_WHOLE = (whole(0, 1 << 53), NOTHING)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_RECORD = {
    "at": Kind("a time", lambda value: isinstance(value, str) and bool(_MOMENT.fullmatch(value))),
    "hook": Kind("a name", lambda value: bool(value) and text(4096).holds(value)),
    "phase?": _TEXT,
    "config_deploy?": FLAG,
    "leader_only?": FLAG,
    "leader?": (FLAG, NOTHING),
    "ledger?": _TEXT,
    "ran?": FLAG,
    "reason?": _TEXT,
    "rc?": (whole(-1, 1 << 31), NOTHING),
    "seconds?": (number(0, 1e9), NOTHING),
    "bundle_sha256?": _TEXT,
    "version_label?": _TEXT,
    "deployment_id?": _WHOLE,
}
"""A line that a generated hook writes; see hooks.sh."""

Sections = Mapping[str, Sequence[str]]


class Evidence(NamedTuple):
    """What one source on one instance says about one election. Unknown parts are None."""

    source: str
    via: str
    instance_id: str
    says: str
    at: str | None
    command: str | None
    version_label: str | None
    deployment_id: int | None
    invocation_id: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the evidence as the module reports it."""
        return self._asdict()


def stamp(line: str) -> str | None:
    """Time of a log line as ISO 8601 in UTC (EB's instances log in UTC), or None."""
    found = _STAMP.match(line)
    if not found:
        return None
    year, month, day, clock, fraction = found.groups()
    return f"{year}-{month}-{day}T{clock}.{(fraction or '0')[:3].ljust(3, '0')}Z"


def hook_records(sections: Sections) -> list[dict[str, Any]]:
    """Records of the generated hooks: one JSON object a line in a file that ends in -hooks.log."""
    records = []
    for path, lines in sections.items():
        if not path.endswith("-hooks.log"):
            continue
        for line in lines:
            try:
                # A tail may begin in the middle of a line, a line may be in the making, and anybody may write one.
                records.append(all_shown(load(line, _RECORD)))
            except ShapeError:
                continue
    return sorted(records, key=lambda record: str(record["at"]))


def hook_evidence(instance_id: str, records: Sequence[Mapping[str, Any]], via: str) -> list[Evidence]:
    """The word of the last hook that ran on whether its instance was the leader."""
    told = [each for each in records if isinstance(each.get("leader"), bool) and not each.get("config_deploy")]
    if not told:
        return []
    # All hooks of one deployment see the same election; an older record may be of an earlier deployment.
    newest = told[-1]
    says = LEADER if newest["leader"] else NOT_LEADER
    label, number = newest.get("version_label") or None, newest.get("deployment_id")
    at = _whole(str(newest["at"]))
    return [Evidence(HOOK_LOG, via, instance_id, says, at, "app-deploy", label, number, None)]


def _whole(at: str) -> str:
    return at if "." in at else at.replace("Z", ".000Z")


def engine_evidence(instance_id: str, sections: Sections, via: str) -> list[Evidence]:
    """Elections in the platform engine's log, oldest first."""
    found: list[Evidence] = []
    for path, lines in sections.items():
        if path.endswith(_ENGINE_FILES):
            found += _elections(instance_id, lines, via)
    return found


def _elections(instance_id: str, lines: Iterable[str], via: str) -> list[Evidence]:
    found = []
    command = label = invocation = at = number = None
    for line in lines:
        at = stamp(line) or at
        if started := _COMMAND.search(line):
            command, label, number, invocation = started.group(1), None, None, None
        if version := _VERSION.search(line):
            label, command = version.group(1), command or "app-deploy"
        elif version := _LEGACY_COMMAND.search(line):
            label, number, command = version.group(1), int(version.group(2)), command or "app-deploy"
        if elected := _INVOCATION.search(line):
            invocation = elected.group(1)
        if says := _verdict(line):
            found.append(Evidence(ENGINE_LOG, via, instance_id, says, at, command, label, number, invocation))
    return found


def _verdict(line: str) -> str | None:
    if "Instance is NOT Leader." in line:
        return NOT_LEADER
    return LEADER if "Instance is Leader." in line else None


def tag_evidence(instance_id: str, value: str | None) -> list[Evidence]:
    """What the EC2 tag of an instance says; nothing when there is none or it is not ours."""
    found = _TAG.fullmatch(value or "")
    if not found:
        return []
    says, number, at, label = found.groups()
    deployment = None if number == "-" else int(number)
    return [Evidence(EC2_TAG, "tags", instance_id, says, _whole(at), "app-deploy", label, deployment, None)]


def gather(tails: Mapping[str, Sections], via: str) -> list[Evidence]:
    """All evidence in the instances' logs, which came by `via`: of each instance and kind of log the last election."""
    hooks = [item for name in sorted(tails) for item in hook_evidence(name, hook_records(tails[name]), via)]
    engine = [item for name in sorted(tails) for item in engine_evidence(name, tails[name], via)[-1:]]
    return hooks + engine


def _deployment(record: Mapping[str, Any]) -> tuple[Any, Any]:
    return record.get("bundle_sha256"), record.get("deployment_id")


def hook_results(tails: Mapping[str, Sections]) -> list[dict[str, Any]]:
    """What the hooks of the newest deployment did on each instance; the same bundle may be deployed more than once."""
    results = []
    for instance in sorted(tails):
        records = hook_records(tails[instance])
        newest = _deployment(records[-1]) if records else None
        for record in records:
            if _deployment(record) == newest:
                results.append(
                    {
                        "instance_id": instance,
                        "name": record["hook"],
                        "phase": record.get("phase"),
                        "config_deploy": bool(record.get("config_deploy")),
                        "leader_only": bool(record.get("leader_only")),
                        "leader": record.get("leader"),
                        "once_store": record.get("once_store"),
                        "ran": bool(record.get("ran")),
                        "reason": record.get("reason"),
                        "rc": record.get("rc"),
                        "seconds": record.get("seconds"),
                        "at": record["at"],
                        "version_label": record.get("version_label") or None,
                        "deployment_id": record.get("deployment_id"),
                    }
                )
    return results
