# SPDX-License-Identifier: GPL-3.0-or-later
"""DescribeEvents."""

from __future__ import annotations

from datetime import UTC, datetime

from localstalk.elasticbeanstalk.api import Answer, Params, page
from localstalk.model.region import Region
from localstalk.model.state import Call, Event

_ORDER = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_FILTERS = {
    "ApplicationName": "application",
    "VersionLabel": "version_label",
    "TemplateName": "template",
    "EnvironmentId": "environment_id",
    "EnvironmentName": "environment_name",
    "PlatformArn": "platform_arn",
    "RequestId": "request_id",
}


class Events:
    """The operation on events."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def describe_events(self, call: Call, params: Params) -> Answer:
        """Newest first; StartTime is inclusive, EndTime exclusive (docs/elastic_beanstalk.md §1.6)."""
        wanted = [(field, params[name]) for name, field in _FILTERS.items() if params.get(name) is not None]
        least = _ORDER.index(params.get("Severity") or "TRACE")
        end = _aware(params.get("EndTime"))
        found = [
            event
            for event in reversed(self.region.events.since(_aware(params.get("StartTime")), wanted))
            if (end is None or event.date < end)
            and _ORDER.index(event.severity) >= least
            and all(getattr(event, field) == value for field, value in wanted)
        ]
        items, token = page(found, params)
        return {"Events": [_describe(event) for event in items], "NextToken": token}


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _describe(event: Event) -> Answer:
    return {
        "EventDate": event.date,
        "Message": event.message,
        "ApplicationName": event.application,
        "VersionLabel": event.version_label,
        "TemplateName": event.template,
        "EnvironmentName": event.environment_name,
        "PlatformArn": event.platform_arn,
        "RequestId": event.request_id,
        "Severity": event.severity,
    }
