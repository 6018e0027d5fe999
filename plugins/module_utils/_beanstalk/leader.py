# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which instance was elected leader: evidence from logs, weighed against the instances that exist now.

No API tells the leader. It is elected anew for every deployment command, and the only traces are in logs: the generated
hooks' own records (they know the version), and the platform engine's "Instance is Leader." Nothing here guesses:
evidence that is missing gives "unknown", evidence that disagrees gives "unknown" and says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

HOOK_LOG = "hook_log"
ENGINE_LOG = "engine_log"
LEADER = "leader"
NOT_LEADER = "not_leader"

_ENGINE_FILES = ("/eb-engine.log", "/eb-activity.log", "/eb-commandprocessor.log")
_STAMP = re.compile(r"^\[?(\d{4})[/-](\d\d)[/-](\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d+))?Z?\]?")
_COMMAND = re.compile(r"Engine command: \(([\w-]+)\)")
_VERSION = re.compile(r"object: resources/environments/[^/]+/_runtime/_versions/[^/]+/([^,\s]+)")
_INVOCATION = re.compile(r"cfn-elect-cmd-leader .*--invocation-id (\S+)")
_LEGACY_COMMAND = re.compile(r"\[Application (?:update|deployment) (\S+)@\d+")

Sections = Mapping[str, Sequence[str]]


class Evidence(NamedTuple):
    """What one source on one instance says about one election. Unknown parts are None."""

    source: str
    instance_id: str
    says: str
    at: str | None
    command: str | None
    version_label: str | None
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
                record = json.loads(line)
            except ValueError:
                # A tail may begin in the middle of a line, and a line may be in the making.
                continue
            if isinstance(record, dict) and record.get("hook") and record.get("at"):
                records.append(record)
    return sorted(records, key=lambda record: str(record["at"]))


def hook_evidence(instance_id: str, records: Sequence[Mapping[str, Any]]) -> list[Evidence]:
    """The word of the last hook that ran on whether its instance was the leader."""
    told = [record for record in records if isinstance(record.get("leader"), bool)]
    if not told:
        return []
    # All hooks of one deployment see the same election; an older record may be of an earlier deployment.
    newest = told[-1]
    says = LEADER if newest["leader"] else NOT_LEADER
    label = newest.get("version_label") or None
    return [Evidence(HOOK_LOG, instance_id, says, _hook_time(newest["at"]), "app-deploy", label, None)]


def _hook_time(text: Any) -> str:
    value = str(text)
    return value if "." in value else value.replace("Z", ".000Z")


def engine_evidence(instance_id: str, sections: Sections) -> list[Evidence]:
    """Elections in the platform engine's log, oldest first."""
    found: list[Evidence] = []
    for path, lines in sections.items():
        if path.endswith(_ENGINE_FILES):
            found += _elections(instance_id, lines)
    return found


def _elections(instance_id: str, lines: Iterable[str]) -> list[Evidence]:
    found = []
    command = label = invocation = at = None
    for line in lines:
        at = stamp(line) or at
        started = _COMMAND.search(line)
        if started:
            command, label, invocation = started.group(1), None, None
        version = _VERSION.search(line) or _LEGACY_COMMAND.search(line)
        if version:
            label = version.group(1)
            command = command or "app-deploy"
        elected = _INVOCATION.search(line)
        if elected:
            invocation = elected.group(1)
        says = _verdict(line)
        if says:
            found.append(Evidence(ENGINE_LOG, instance_id, says, at, command, label, invocation))
    return found


def _verdict(line: str) -> str | None:
    if "Instance is NOT Leader." in line:
        return NOT_LEADER
    return LEADER if "Instance is Leader." in line else None


def gather(tails: Mapping[str, Sections]) -> list[Evidence]:
    """All evidence in the instances' log tails: hook logs first, they are the most trustworthy."""
    hooks = [item for instance in sorted(tails) for item in hook_evidence(instance, hook_records(tails[instance]))]
    engine = [item for instance in sorted(tails) for item in engine_evidence(instance, tails[instance])[-1:]]
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
                        "ledger": record.get("ledger"),
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


class Verdict(NamedTuple):
    """The answer, and why."""

    state: str
    instance_id: str | None
    reason: str
    chosen: Evidence | None


def decide(
    evidence: Sequence[Evidence],
    existing: Sequence[str],
    label: str | None,
    deployed_at: Mapping[str, str] | None = None,
    removed: Sequence[str] = (),
) -> Verdict:
    """Weigh the evidence.

    `existing` are the instances of now, `label` the version that the environment runs, `deployed_at` when each
    instance got its deployment (ISO 8601), `removed` the instances that left since then.
    """
    usable = [item for item in evidence if label is None or item.version_label in (None, label)]
    usable = [item for item in usable if not _outdated(item, deployed_at or {})]
    usable = [item for item in usable if not _overtaken(item, usable)]
    if not usable:
        if evidence:
            return Verdict("unknown", None, f"the logs tell only of elections before version {label}", None)
        return Verdict("unknown", None, "no log that could be read tells of an election", None)
    contradiction = _contradiction(usable)
    if contradiction:
        return Verdict("unknown", None, contradiction, None)
    claims = _newest_claims(usable)
    if claims:
        chosen = claims[0]
        if chosen.instance_id not in existing:
            return Verdict("lost", chosen.instance_id, "the leader does not exist any more", chosen)
        return Verdict("found", chosen.instance_id, "its own log says so", chosen)
    denied = {item.instance_id for item in usable}
    silent = sorted(set(existing) - denied)
    if silent:
        return Verdict("unknown", None, f"nothing is known of {', '.join(silent)}", None)
    if removed:
        which = ", ".join(sorted(removed))
        gone = removed[0] if len(set(removed)) == 1 else None
        return Verdict("lost", gone, f"no instance was elected, and {which} left since then", None)
    return Verdict("none", None, "every instance says that it was not elected", None)


def _outdated(item: Evidence, deployed_at: Mapping[str, str]) -> bool:
    """An election that ended long before the instance's own deployment was another deployment's."""
    since = deployed_at.get(item.instance_id)
    if not since or not item.at or item.version_label is not None:
        return False
    return _minutes(since) - _minutes(item.at) > _MAX_DEPLOY_MINUTES


def _overtaken(item: Evidence, others: Sequence[Evidence]) -> bool:
    """Hooks run after the election: a hook's record older than the engine's last election is of another deployment."""
    if item.source != HOOK_LOG or not item.at:
        return False
    later = (other for other in others if other.instance_id == item.instance_id and other.source == ENGINE_LOG)
    # The hooks' time has whole seconds.
    return any(other.at is not None and other.at[:19] > item.at[:19] for other in later)


# The command timeout is at most 3600 s, and Elastic Beanstalk adds 240 s.
_MAX_DEPLOY_MINUTES = 64


def _minutes(text: str) -> float:
    day, clock = text[:10], text[11:19]
    year, month, date = (int(part) for part in day.split("-"))
    hour, minute, second = (int(part) for part in clock.split(":"))
    # Months have 31 days here; only differences of an hour or so matter.
    return ((year * 12 + month) * 31 + date) * 1440 + hour * 60 + minute + second / 60


def _contradiction(usable: Sequence[Evidence]) -> str | None:
    by_instance: dict[str, set[str]] = {}
    for item in usable:
        by_instance.setdefault(item.instance_id, set()).add(item.says)
    torn = sorted(instance for instance, says in by_instance.items() if len(says) > 1)
    if torn:
        return f"the logs of {', '.join(torn)} contradict each other"
    by_invocation: dict[str, set[str]] = {}
    for item in usable:
        if item.says == LEADER and item.invocation_id:
            by_invocation.setdefault(item.invocation_id, set()).add(item.instance_id)
    double = sorted(name for name, instances in by_invocation.items() if len(instances) > 1)
    if double:
        return f"{' and '.join(sorted(by_invocation[double[0]]))} both say that they won the same election"
    return None


def _newest_claims(usable: Sequence[Evidence]) -> list[Evidence]:
    """Claims to be leader: a batch of a rolling deployment elects its own, so the newest election counts."""
    claims = [item for item in usable if item.says == LEADER]
    newest: dict[str, str] = {}
    for item in claims:
        newest[item.instance_id] = max(newest.get(item.instance_id, ""), item.at or "")
    order = {HOOK_LOG: 0, ENGINE_LOG: 1}
    return sorted(claims, key=lambda item: (_reversed(newest[item.instance_id]), order[item.source]))


def _reversed(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)
