# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to an application on AWS Elastic Beanstalk, for Event-Driven Ansible.

ansible-rulebook runs this file in an interpreter of its own, where collections cannot be imported: it needs boto3 only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = r"""
short_description: Events and changes of health of an application on AWS Elastic Beanstalk
description:
  - Asks for the events and the environments of one application in each interval, two requests however many environments
    there are, and passes on what is new. It begins with what happens after its start.
  - 'An event is V({"kind": "event"}) with C(application), C(environment), C(severity), C(message), C(date) (ISO 8601),
    C(request_id) and C(version_label); the last two are V("") where AWS says none.'
  - 'A change of health is V({"kind": "health"}) with C(application), C(environment), C(environment_id), C(cname),
    C(version_label), C(status), C(health), C(health_status), C(previous_health) and C(previous_health_status).
    A new environment has V("") as its previous health. With basic health reports, C(health_status) is V("").'
  - A request that fails is tried again in the next interval, with a warning; nothing that happened meanwhile is lost.
  - Needs the actions C(elasticbeanstalk:DescribeEvents) and C(elasticbeanstalk:DescribeEnvironments).
options:
  application:
    description: Name of the application.
    type: str
    required: true
  environments:
    description: Names of the environments to hear of; all of the application without it.
    type: list
    elements: str
    default: []
  severity:
    description: Events of this severity or a higher one.
    type: str
    choices: [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]
    default: INFO
  poll_interval:
    description: Seconds between two looks, 1 or more.
    type: float
    default: 30
  region:
    description: Region; without it, where boto3 finds one.
    type: str
  profile:
    description: Profile of the shared configuration files; without it, credentials are where boto3 finds them.
    type: str
  endpoint_url:
    description: Another address of the service, such as that of localstalk.
    type: str
"""

EXAMPLES = r"""
- name: Watch the shop
  hosts: all
  sources:
    - jack.beanstalk.events:
        application: shop
        severity: WARN
  rules:
    - name: Go back when a deployment failed
      condition: event.kind == "event" and event.message is search("Failed to deploy application")
      action:
        run_playbook:
          name: jack.beanstalk.rollback
"""

_OPTIONS = ("application", "environments", "severity", "poll_interval", "region", "profile", "endpoint_url")
_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# The service may store an event a little late, so the last seconds are read again.
_OVERLAP = timedelta(seconds=15)
_IDENTITY = ("EventDate", "Severity", "Message", "RequestId", "EnvironmentName")
_TIMEOUT_SECONDS = 20
_log = logging.getLogger(__name__)


class Source:
    """One application: each :meth:`poll` returns what is new since the last one.

    ``client`` is a boto3 client of Elastic Beanstalk, ``environments`` names to hear of (none: all).
    """

    def __init__(self, client: Any, application: str, environments: list[str], severity: str) -> None:
        self._client, self._application, self._severity = client, application, severity
        self._environments = frozenset(environments)
        self._since: datetime | None = None
        self._seen: Counter[tuple[Any, ...]] = Counter()
        self._known: dict[str, dict[str, Any]] | None = None
        self._untold: list[dict[str, Any]] = []

    def poll(self) -> list[dict[str, Any]]:
        """Ask twice: events, oldest first, then changes of health. The first call only looks where to begin.

        When the second request fails, the next call returns the events that the first one had found.
        """
        self._untold += self._new_events()
        self._untold += self._changes()
        told, self._untold = self._untold, []
        return told

    def _new_events(self) -> list[dict[str, Any]]:
        begun = self._since is not None
        wanted = {"ApplicationName": self._application, "Severity": self._severity}
        if not begun:
            # Where to begin is the service's own time: the controller's clock may be wrong.
            newest = self._client.describe_events(ApplicationName=self._application, MaxRecords=1)["Events"]
            self._since = newest[0]["EventDate"] - _OVERLAP if newest else datetime(2011, 1, 1, tzinfo=UTC)
        pages = self._client.get_paginator("describe_events").paginate(**wanted, StartTime=self._since)
        found = [event for page in pages for event in page["Events"]]
        # Events have no id, and equal ones (one per instance) may share a millisecond: they are counted.
        counts: Counter[tuple[Any, ...]] = Counter()
        new = []
        for event in reversed(found):
            key = tuple(event.get(name) for name in _IDENTITY)
            counts[key] += 1
            if counts[key] > self._seen[key]:
                new.append(event)
        self._seen = counts
        if found:
            self._since = max(self._since, found[0]["EventDate"] - _OVERLAP)
        return [self._event(event) for event in new if begun and self._wants(event.get("EnvironmentName"))]

    def _event(self, event: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "event",
            "application": self._application,
            "environment": event.get("EnvironmentName", ""),
            "severity": event.get("Severity", ""),
            "message": event.get("Message", ""),
            "date": event["EventDate"].isoformat(),
            "request_id": event.get("RequestId", ""),
            "version_label": event.get("VersionLabel", ""),
        }

    def _changes(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("describe_environments").paginate(
            ApplicationName=self._application, IncludeDeleted=False
        )
        found = {one["EnvironmentId"]: one for page in pages for one in page["Environments"]}
        before, self._known = self._known, found
        if before is None:
            return []
        changed = [
            (one, before.get(key, {}))
            for key, one in found.items()
            if self._wants(one["EnvironmentName"]) and _health(one) != _health(before.get(key, {}))
        ]
        return [
            {
                "kind": "health",
                "application": self._application,
                "environment": one["EnvironmentName"],
                "environment_id": one["EnvironmentId"],
                "cname": one.get("CNAME", ""),
                "version_label": one.get("VersionLabel", ""),
                "status": one.get("Status", ""),
                "health": _health(one)[0],
                "health_status": _health(one)[1],
                "previous_health": _health(old)[0],
                "previous_health_status": _health(old)[1],
            }
            for one, old in changed
        ]

    def _wants(self, name: str | None) -> bool:
        return not self._environments or name in self._environments


def _health(environment: dict[str, Any]) -> tuple[str, str]:
    return environment.get("Health", ""), environment.get("HealthStatus", "")


def checked(args: dict[str, Any]) -> dict[str, Any]:
    """The options with their defaults. Raises ValueError with a sentence that says what is wrong and what to write."""
    prefix = "jack.beanstalk.events: "
    unknown = sorted(set(args) - set(_OPTIONS))
    if unknown:
        raise ValueError(f"{prefix}there is no option {unknown[0]}; there are {', '.join(_OPTIONS)}")
    given = {"environments": [], "severity": "INFO", "poll_interval": 30} | args
    application, names = given.get("application"), given["environments"]
    if not isinstance(application, str) or not application:
        raise ValueError(f"{prefix}write application: and the name of one application")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{prefix}environments is a list of names, and not {names!r}")
    if given["severity"] not in _SEVERITIES:
        raise ValueError(f"{prefix}severity is one of {', '.join(_SEVERITIES)}, and not {given['severity']!r}")
    interval = given["poll_interval"]
    if isinstance(interval, bool) or not isinstance(interval, (int, float)) or interval < 1:
        raise ValueError(f"{prefix}poll_interval is a number of seconds, 1 or more, and not {interval!r}")
    return given


def _connect(given: dict[str, Any]) -> Any:
    session = boto3.Session(profile_name=given.get("profile"), region_name=given.get("region"))
    config = Config(
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        retries={"mode": "standard", "max_attempts": 3},
        user_agent_extra="jack.beanstalk",
    )
    return session.client("elasticbeanstalk", endpoint_url=given.get("endpoint_url"), config=config)


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Fill ``queue`` until it is cancelled. Wrong options raise ValueError; so do missing credentials or no region."""
    given = checked(args)
    try:
        client = _connect(given)
    except BotoCoreError as error:
        raise ValueError(f"jack.beanstalk.events: {error}") from error
    application, interval = given["application"], given["poll_interval"]
    source = Source(client, application, given["environments"], given["severity"])
    while True:
        try:
            happened = await asyncio.to_thread(source.poll)
        except (BotoCoreError, ClientError) as error:
            _log.warning(
                "jack.beanstalk.events: %s of %s: asked again in %g s",
                error,
                given["application"],
                given["poll_interval"],
            )
            happened = []
        for one in happened:
            await queue.put(one)
        await asyncio.sleep(interval)
