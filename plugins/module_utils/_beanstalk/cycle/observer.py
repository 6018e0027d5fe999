# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at AWS and say what a cycle needs to know. Reads only.

The application's environments, their tags, its versions and saved configurations are shared with the other cycles of
this controller, as each has to know which of them are its own. Settings and tags of an environment are asked for once,
and again when it changed; nothing is decided by those of one that is being updated, nor between swap and drained but
by the tags that the cycle itself sets, so what they were before will do. What changes without a sign (instances,
requests) is asked again with every tick in which it decides something, and after everything that this cycle did; of a
candidate, which has no visitors yet, only when what is known is too old.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from ..core import api, cnames
from ..core.memory import memory_of
from ..core.tags import user_tags
from ..lock.lease import Claim, Lease
from ..observe.lookup import loses_database
from ..observe.shared import SharedLooks, timed
from ..observe.verification import Instance
from ..observe.verifier import read_facts
from ..option_settings.comparison import current_values
from .account import ASG
from .planner.base import stem
from .planner.model import TAG_CYCLE, TAG_LOGICAL, TAG_ROLE, Environment, Journal, Lock, Record, Status, Version
from .record import from_document
from .tags import TagReader

Answer = dict[str, Any]
_Got = TypeVar("_Got")
# One that nothing but its tags may make ours is left alone while it changes.
_LEFT_OVER = ("Ready", "Launching")


class Observer:
    """What one run knows of one application. ``raw`` keeps the service's answers of the last look, by id.

    What a candidate's instances say is good for ``fresh`` seconds while Elastic Beanstalk has not changed it. Before a
    cycle, those of the live environment are asked when it has the version ``wanted`` already.
    """

    def __init__(self, client: Any, application: str, prefix: str, fresh: float = 0.0, wanted: str = "") -> None:
        self.client, self.application, self.prefix = client, application, cnames.key_of(prefix)
        self.region = api.region_of(client)
        self.logical = cnames.logical_name(application, prefix)
        self.raw: dict[str, Answer] = {}
        self._seen: dict[str, Answer] = {}
        self._strangers: dict[str, tuple[Answer, Environment]] = {}
        self._tags = TagReader(client, memory_of(client, application, "tags"), self.logical)
        self._looks = SharedLooks(client, application)
        self._settings: dict[str, tuple[Any, list[Answer]]] = {}
        self._last_tags: dict[str, dict[str, str]] = {}
        self._fresh = fresh
        self._wanted = wanted
        self._not_before = 0.0
        self._counting = False
        self._draining = False
        self._answers: dict[tuple[str, str], tuple[Answer | None, float, Any]] = {}

    def environments(self, record: Record, not_before: float, *, counting: bool = False) -> tuple[Environment, ...]:
        """All environments of the application, in the detail that each needs, as of a (monotonic) moment or later.

        ``counting`` says that requests decide something now.
        """
        self._not_before = not_before
        self._counting = counting
        before, raw = self._seen, self.raw
        self._seen = {one["EnvironmentId"]: one for one in self._looks.plain_environments(not_before)}
        self.raw = {one: raw[one] if found is before.get(one) else timed(found) for one, found in self._seen.items()}
        self._draining = self._is_draining(record.journal)
        if record.journal is None:
            # Anything may be left over from an earlier cycle.
            self._tags.learn(one for one in self._seen.values() if one["Status"] in _LEFT_OVER)
        known = {one.environment for one in record.retired}
        if record.journal is not None:
            known |= {record.journal.live, record.journal.candidate}
        return tuple(self._environment(one, record.journal, known) for one in self.raw.values())

    def recent(self, what: str, environment_id: str, ask: Callable[[], _Got], age: float = 0.0) -> _Got:
        """An answer about an environment that is what it was: of this look, or ``age`` seconds ago, or else of now."""
        raw = self.raw.get(environment_id)
        found = self._answers.get((what, environment_id))
        if found is None or found[0] != raw or found[1] < self._since(age):
            found = (raw, time.monotonic(), ask())
            self._answers[what, environment_id] = found
        return found[2]

    def _since(self, age: float) -> float:
        """The (monotonic) moment since which an answer is good: that of this look, or ``age`` seconds ago."""
        return min(self._not_before, time.monotonic() - age)

    def unchanged(self, ids: Collection[str], not_before: float) -> bool:
        """Whether environments were what they were at the last look, at that (monotonic) moment or later."""
        return self._looks.unchanged(ids, not_before)

    def cname(self, environments: tuple[Environment, ...]) -> str:
        """The live name in full; the bare prefix when nobody holds it."""
        held = [one.cname for one in environments if cnames.prefix_of(one.cname, self.region) == self.prefix]
        return held[0] if held else self.prefix

    def unclear(self, name: str) -> str:
        """Why it cannot be told which environment is live; empty when it can, or when one can be made.

        ``name`` is the user's for the environments of the cycle; empty when there is none.
        """
        return cnames.unclear(self.raw.values(), self.application, self.prefix, self.region, name)

    def settings(self, environment: Mapping[str, Any], *, of_any_age: bool = False) -> list[Answer]:
        """Option settings of an environment; asked again when it has changed, unless those known before will do."""
        one, changed = environment["EnvironmentId"], environment.get("DateUpdated")
        updating = environment["Status"] == "Updating"
        known = self._settings.get(one)
        if known is None or not (updating or of_any_age or known[0] == changed):
            found = api.describe_settings(self.client, self.application, environment["EnvironmentName"])
            # Those of one that is being updated are good until it is Ready.
            known = self._settings[one] = (None if updating else changed, found)
        return known[1]

    def user_tags(self, environment: Mapping[str, Any]) -> dict[str, str]:
        """The tags that a candidate takes over: the user's, not AWS's and not those of earlier cycles."""
        tags = user_tags(self._tags_of(environment))
        return {key: value for key, value in tags.items() if key not in (TAG_CYCLE, TAG_LOGICAL, TAG_ROLE)}

    def versions(self, environments: tuple[Environment, ...], age: float = 0.0) -> tuple[Version, ...]:
        """The application's versions, of this look or ``age`` seconds ago, with whether any environment runs them."""
        used = {one.version_label for one in environments} | {
            label for one in environments for label in one.instance_labels
        }
        return tuple(
            Version(one["VersionLabel"], _seconds(one.get("DateCreated")), one["VersionLabel"] in used)
            for one in self._looks.versions(self._since(age))
        )

    def templates(self, base: str, environments: tuple[Environment, ...]) -> tuple[str, ...]:
        """Saved configurations that carry the name of an environment of an earlier cycle, and nothing else does now.

        ``eb config save`` names them after the environment. Others are the user's own and are never listed.
        """
        names = self._looks.templates(self._not_before)
        used = {str(one.get("TemplateName")) for one in self.raw.values()}
        there = tuple(one.name for one in environments if not one.gone)
        made = re.compile(re.escape(base) + r"-\d{6}-\d{6}(?:-.+)?")
        return tuple(one for one in names if made.fullmatch(one) and one not in used and not one.startswith(there))

    def _environment(self, raw: Answer, journal: Journal | None, known: Collection[str]) -> Environment:
        ours = raw["EnvironmentId"] in known or self._is_live(raw)
        if not (ours or _may_be_ours(raw, journal)):
            return self._stranger(raw)
        tags = self._tags_of(raw)
        if not (ours or (TAG_CYCLE in tags and tags.get(TAG_LOGICAL) == self.logical)):
            return self._stranger(raw)
        decided = raw["Status"] not in ("Launching", "Terminating")
        values = current_values(self.settings(raw, of_any_age=self._draining)) if decided else {}
        database = values.get("aws:rds:dbinstance", {})
        balancer = values.get("aws:elasticbeanstalk:environment", {}).get("LoadBalancerIsShared") or ""
        return replace(
            _described(raw),
            **self._instances(raw, journal),
            tags=tags,
            requests=self._requests(raw, journal),
            database_loss=_loss(database) if loses_database(database) else "",
            shared_load_balancer=balancer.lower() == "true",
            min_size=_number(values.get(ASG, {}).get("MinSize")),
        )

    def _stranger(self, raw: Answer) -> Environment:
        """One of another logical environment: in a fleet nearly all are, and few have changed since the last look."""
        known = self._strangers.get(raw["EnvironmentId"])
        if known is None or known[0] is not raw:
            known = self._strangers[raw["EnvironmentId"]] = (raw, _described(raw))
        return known[1]

    def _tags_of(self, raw: Mapping[str, Any]) -> dict[str, str]:
        one = raw["EnvironmentId"]
        known = self._draining or raw["Status"] in ("Updating", "Terminating")
        if not known or one not in self._last_tags:
            self._last_tags[one] = self._tags.of(self._seen[one])
        return self._last_tags[one]

    def tagged(self, environment_id: str, tags: Mapping[str, str]) -> None:
        """Tags that were just set."""
        self._last_tags[environment_id] = self._last_tags.get(environment_id, {}) | dict(tags)

    def _is_draining(self, journal: Journal | None) -> bool:
        """Whether the cycle is between swap and drained: the candidate has the live name, and the old one is left."""
        if journal is None or journal.drained is not None or journal.failed:
            return False
        swapped = journal.last_swap is not None and self._is_live(self.raw.get(journal.candidate, {}))
        return journal.swapped is not None or swapped

    def _is_live(self, raw: Answer) -> bool:
        return cnames.prefix_of(raw.get("CNAME"), self.region) == self.prefix

    def _instances(self, raw: Answer, journal: Journal | None) -> dict[str, Any]:
        """What the instances of a candidate say, or those of the live one that has the wanted version already."""
        if raw["Status"] != "Ready" or (journal is not None and (journal.swapped or self._draining)):
            return {}
        if journal is None:
            asked = bool(self._wanted) and raw.get("VersionLabel") == self._wanted and self._is_live(raw)
        else:
            asked = raw["EnvironmentId"] != journal.live
        if not asked:
            return {}
        return self.recent("instances", raw["EnvironmentId"], lambda: self._ask_for_instances(raw), self._fresh)

    def _ask_for_instances(self, raw: Answer) -> dict[str, Any]:
        facts, instances = read_facts(self.client, raw)
        if instances is not None:
            return {"instances": facts.instances or ()}
        there = api.describe_resources(self.client, raw["EnvironmentId"]).get("Instances", [])
        counted = tuple(Instance(str(one["Id"]), facts.label) for one in there)
        return {"instances": counted, "enhanced": False, "failure": facts.failure}

    def _requests(self, raw: Answer, journal: Journal | None) -> int | None:
        """Requests per minute of the one that has no visitors yet, or should have none any more."""
        if journal is None or raw["Status"] != "Ready" or not self._counting:
            return None
        one, age = (journal.candidate, self._fresh) if journal.swapped is None else (journal.live, 0.0)
        if raw["EnvironmentId"] != one or (self._draining and journal.swapped is None):
            return None
        return self.recent("requests", one, lambda: self._ask_for_requests(one), age)

    def _ask_for_requests(self, environment_id: str) -> int | None:
        metrics = api.describe_environment_health(self.client, environment_id).get("ApplicationMetrics") or {}
        if metrics.get("RequestCount") is None:
            return None
        return round(float(metrics["RequestCount"]) * 60 / float(metrics.get("Duration") or 10))


def _described(raw: Mapping[str, Any]) -> Environment:
    """What DescribeEnvironments says of an environment."""
    return Environment(
        id=raw["EnvironmentId"],
        name=raw["EnvironmentName"],
        application=raw["ApplicationName"],
        status=Status(raw["Status"]),
        health=raw.get("Health", "Grey"),
        health_status=raw.get("HealthStatus") or "",
        cname=(raw.get("CNAME") or "").lower(),
        version_label=raw.get("VersionLabel") or "",
        created=_seconds(raw.get("DateCreated")),
        updated=_seconds(raw.get("DateUpdated")),
        tier=(raw.get("Tier") or {}).get("Name", "WebServer"),
        abortable=bool(raw.get("AbortableOperationInProgress")),
    )


def _may_be_ours(raw: Mapping[str, Any], journal: Journal | None) -> bool:
    """Whether tags may make it ours: before a cycle anything left over, in a cycle its candidate, by any attempt."""
    if raw["Status"] not in _LEFT_OVER:
        return False
    return journal is None or stem(raw["EnvironmentName"]) == stem(journal.candidate_name)


def lock_of(lease: Lease, owner: str, now: float) -> Lock:
    """The lease as the planner sees it."""
    return Lock(
        owner=lease.owner,
        reason=lease.reason,
        token=lease.token,
        expires=lease.expires,
        holder_gone=lease.claim(owner, now) is Claim.ORPHANED,
        record=from_document(lease.record),
    )


def _loss(database: Mapping[str, str | None]) -> str:
    return f"DBDeletionPolicy is {database.get('DBDeletionPolicy') or 'Delete'}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _seconds(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else 0.0
