# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at AWS and say what a cycle needs to know of environments. Reads only.

Environments come with the snapshot of their application, which all cycles of a run share, as they do tags, versions
and saved configurations. Settings and tags of an environment are asked for once, and again when it changed; nothing is
decided by those of one that is being updated, nor between swap and drained but by the tags that the cycle itself sets,
so what they were before will do. What changes without a sign (instances, requests) is asked again with every tick in
which it decides something, and after everything that this cycle did; of a candidate, which has no visitors yet, only
when what is known is too old.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from ..core import api, cnames
from ..core.clock import Clock
from ..core.tags import user_tags
from ..observe.lookup import loses_database
from ..observe.verification import Instance
from ..observe.verifier import read_facts
from ..option_settings.comparison import current_values
from ..run.single_flight import SingleFlight
from ..run.watcher import Snapshot
from .account import ASG
from .planner.base import stem
from .planner.model import TAG_CYCLE, TAG_LOGICAL, TAG_ROLE, Environment, Journal, Record, Status, Version
from .tags import TagCache

Answer = dict[str, Any]
_Got = TypeVar("_Got")
# One that nothing but its tags may make ours is left alone while it changes.
_LEFT_OVER = ("Ready", "Launching")


class Observer:
    """What one cycle knows of its application. ``raw`` are the service's answers of the last observation, by id.

    What a candidate's instances say is good for ``fresh`` seconds while Elastic Beanstalk has not changed it. Before a
    cycle, those of the live environment are asked when it has the version ``wanted`` already. Times are of the lane's
    clock.
    """

    def __init__(
        self,
        client: Any,
        clock: Clock,
        answers: SingleFlight,
        application: str,
        prefix: str,
        fresh: float = 0.0,
        wanted: str = "",
    ) -> None:
        self.client, self.application, self.prefix = client, application, cnames.key_of(prefix)
        self.region = api.region_of(client)
        self.logical = cnames.logical_name(application, prefix)
        self.raw: Mapping[str, Answer] = {}
        self._clock, self._shared = clock, answers
        self._tags: TagCache = answers.get(("tags", application), -math.inf, lambda: TagCache(client))
        self._settings: dict[str, tuple[Any, list[Answer]]] = {}
        self._last_tags: dict[str, dict[str, str]] = {}
        self._fresh = fresh
        self._wanted = wanted
        self._not_before = 0.0
        self._counting = False
        self._draining = False
        self._answers: dict[tuple[str, str], tuple[Answer | None, float, Any]] = {}

    @property
    def warnings(self) -> list[str]:
        """Sentences about environments that concern this cycle."""
        return [text for one in sorted(self._last_tags) for text in self._tags.dropped.get(one, ())]

    def environments(self, snapshot: Snapshot, record: Record, *, counting: bool = False) -> tuple[Environment, ...]:
        """The environments that concern this cycle, in the detail that each needs; all where nobody is live.

        ``counting`` says that requests decide something now.
        """
        self._not_before, self.raw = snapshot.environments_at, snapshot.environments
        self._counting = counting
        self._draining = self._is_draining(record.journal)
        known = {one.environment for one in record.retired}
        if record.journal is not None:
            known |= {record.journal.live, record.journal.candidate}
        mine = [one for one in self.raw.values() if self._is_mine(one, record.journal, known)]
        found = tuple(self._environment(one, record.journal) for one in mine)
        if any(self._is_live(one) for one in mine):
            return found
        ids = {one.id for one in found}
        return (*found, *(described(one) for key, one in self.raw.items() if key not in ids))

    def recent(self, what: str, environment_id: str, ask: Callable[[], _Got], age: float = 0.0) -> _Got:
        """An answer about an environment that is what it was, as old as this observation or ``age`` seconds, or new."""
        raw = self.raw.get(environment_id)
        found = self._answers.get((what, environment_id))
        if found is None or found[0] != raw or found[1] < self._since(age):
            found = (raw, self._clock.now(), ask())
            self._answers[what, environment_id] = found
        return found[2]

    def _since(self, age: float) -> float:
        """The moment since which an answer is good: that of this observation, or ``age`` seconds ago."""
        return min(self._not_before, self._clock.now() - age)

    def unchanged(self, ids: Collection[str], snapshot: Snapshot) -> bool:
        """Whether environments are in a snapshot what they were at the last observation."""
        return all(snapshot.environments.get(one) == self.raw.get(one) for one in ids)

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
        """The application's versions, up to ``age`` seconds older than the observation, with whether any runs them."""
        used = {str(one.get("VersionLabel")) for one in self.raw.values()}
        used |= {label for one in environments for label in one.instance_labels}
        ask = functools.partial(api.describe_versions, self.client, self.application)
        return tuple(
            Version(
                one["VersionLabel"],
                _seconds(one.get("DateCreated")),
                one["VersionLabel"] in used,
                one.get("Description") or "",
            )
            for one in self._shared.get(("versions", self.application), self._since(age), ask)
        )

    def templates(self, base: str) -> tuple[str, ...]:
        """Saved configurations that carry the name of an environment of an earlier cycle, and nothing else does now.

        ``eb config save`` names them after the environment. Others are the user's own and are never listed.
        """
        names = self._shared.get(("templates", self.application), self._not_before, self._ask_for_templates)
        used = {str(one.get("TemplateName")) for one in self.raw.values()}
        there = tuple(str(one["EnvironmentName"]) for one in self.raw.values() if one["Status"] != "Terminated")
        made = re.compile(re.escape(base) + r"-\d{6}-\d{6}(?:-.+)?")
        return tuple(one for one in names if made.fullmatch(one) and one not in used and not one.startswith(there))

    def _ask_for_templates(self) -> list[str]:
        found = api.describe_applications(self.client, [self.application])
        return [str(name) for one in found for name in one.get("ConfigurationTemplates", [])]

    def _is_mine(self, raw: Answer, journal: Journal | None, known: Collection[str]) -> bool:
        """Whether it is live, or the record or its tags say that it belongs to this logical environment's cycles."""
        if raw["EnvironmentId"] in known or self._is_live(raw):
            return True
        if not _may_be_ours(raw, journal):
            return False
        tags = self._tags_of(raw)
        return TAG_CYCLE in tags and tags.get(TAG_LOGICAL) == self.logical

    def _environment(self, raw: Answer, journal: Journal | None) -> Environment:
        tags = self._tags_of(raw)
        decided = raw["Status"] not in ("Launching", "Terminating")
        values = current_values(self.settings(raw, of_any_age=self._draining)) if decided else {}
        database = values.get("aws:rds:dbinstance", {})
        balancer = values.get("aws:elasticbeanstalk:environment", {}).get("LoadBalancerIsShared") or ""
        return replace(
            described(raw),
            **self._instances(raw, journal),
            tags=tags,
            requests=self._requests(raw, journal),
            database_loss=_loss(database) if loses_database(database) else "",
            shared_load_balancer=balancer.lower() == "true",
            min_size=_number(values.get(ASG, {}).get("MinSize")),
        )

    def _tags_of(self, raw: Mapping[str, Any]) -> dict[str, str]:
        one = raw["EnvironmentId"]
        known = self._draining or raw["Status"] in ("Updating", "Terminating")
        if not known or one not in self._last_tags:
            self._last_tags[one] = self._tags.of(raw, self.logical)
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
        one, age = journal.live, 0.0
        if journal.swapped is None:
            one, counted = journal.candidate, self._answers.get(("requests", journal.candidate))
            # Each count of the bake time tells more of the health checks, which come unevenly.
            again = journal.healthy is not None and counted is not None and counted[2] is not None
            age = 0.0 if again else self._fresh
        if raw["EnvironmentId"] != one or (self._draining and journal.swapped is None):
            return None
        return self.recent("requests", one, lambda: self._ask_for_requests(one), age)

    def _ask_for_requests(self, environment_id: str) -> int | None:
        metrics = api.describe_environment_health(self.client, environment_id).get("ApplicationMetrics") or {}
        if metrics.get("RequestCount") is None:
            return None
        return round(float(metrics["RequestCount"]) * 60 / float(metrics.get("Duration") or 10))


def described(raw: Mapping[str, Any]) -> Environment:
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


def _loss(database: Mapping[str, str | None]) -> str:
    return f"DBDeletionPolicy is {database.get('DBDeletionPolicy') or 'Delete'}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _seconds(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else 0.0
