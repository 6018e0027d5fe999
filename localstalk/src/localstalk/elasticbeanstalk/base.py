# SPDX-License-Identifier: GPL-3.0-or-later
"""State of one account and region, and what every topic needs of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from localstalk.elasticbeanstalk.control import Control
from localstalk.elasticbeanstalk.errors import (
    InvalidParameterValue,
    MissingRequiredParameter,
    ServiceError,
    environment_not_found,
    must_be_ready,
)
from localstalk.elasticbeanstalk.state import Application, Environment, Event, Severity, Swap, Version

T = TypeVar("T")
INDEXED = ("environment_name", "environment_id", "request_id")
"""Fields of events by which they are kept besides the list of all."""
_LINGER = 3600.0
"""Seconds for which a terminated environment is still described without IncludeDeleted (eb-facts §1.6: 1 to 1.5 h)."""
_RESTORABLE = timedelta(days=42)


class RegionBase:
    """Applications, environments and events of one account and region."""

    def __init__(self, control: Control, account: str, name: str) -> None:
        self.control = control
        self.account = account
        self.name = name
        self.applications: dict[str, Application] = {}
        self.environments: dict[str, Environment] = {}
        """By id; terminated ones stay, because they can be described and restored."""
        self.events: list[Event] = []
        """Oldest first; dates strictly increase."""
        self.events_by: dict[tuple[str, str], list[Event]] = {}
        """The same by environment name, environment id and request id: with thousands of environments a client asks
        for one of them, again and again."""
        self.swaps: list[Swap] = []
        """Oldest first."""

    @property
    def bucket(self) -> str:
        """Name of the storage location."""
        return f"elasticbeanstalk-{self.name}-{self.account}"

    def check_quota(self, kind: str, words: str, count: int, code: str) -> None:
        """Raise TooMany... when there are as many as the account may have."""
        quota = self.control.quotas[kind]
        if count >= quota:
            text = f"You cannot have more than {quota} {words}. Either remove some {words} or request a limit increase."
            raise ServiceError(code, text)

    def arn(self, kind: str, *path: str) -> str:
        """ARN of one of our resources."""
        return f"arn:aws:elasticbeanstalk:{self.name}:{self.account}:{kind}/{'/'.join(path)}"

    def record(
        self,
        message: str,
        severity: Severity = "INFO",
        *,
        application: str | None = None,
        environment: Environment | None = None,
        request_id: str | None = None,
        **more: str | None,
    ) -> Event:
        """Write an event. Dates increase by at least a millisecond: clients ask for "the last date plus 1 ms"."""
        date = self.control.clock.now()
        if self.events:
            date = max(date, self.events[-1].date + timedelta(milliseconds=1))
        event = Event(
            date,
            message,
            severity,
            application=environment.application if environment else application,
            environment_name=environment.name if environment else None,
            environment_id=environment.id if environment else None,
            request_id=request_id,
            **more,
        )
        self.events.append(event)
        for field in INDEXED:
            value = getattr(event, field)
            if value is not None:
                self.events_by.setdefault((field, value), []).append(event)
        return event

    def application(self, name: str) -> Application:
        """The application, or the service's error."""
        try:
            return self.applications[name]
        except KeyError:
            raise InvalidParameterValue(f"No Application named '{name}' found.") from None

    def version(self, application: str, label: str) -> Version:
        """The application version, or the service's error."""
        try:
            return self.applications[application].versions[label]
        except KeyError:
            raise InvalidParameterValue(f"No Application Version named '{label}' found.") from None

    def alive(self) -> Iterable[Environment]:
        """Environments that were not terminated."""
        return (environment for environment in self.environments.values() if environment.status != "Terminated")

    def by_name(self, name: str) -> Environment | None:
        """The environment that holds a name now."""
        return next((environment for environment in self.alive() if environment.name == name), None)

    def named(self, params: dict[str, Any], prefix: str = "") -> Environment:
        """The environment that EnvironmentId or EnvironmentName mean; raises the service's error."""
        environment_id, name = params.get(f"{prefix}EnvironmentId"), params.get(f"{prefix}EnvironmentName")
        if environment_id is None and name is None:
            raise MissingRequiredParameter("Either EnvironmentId or EnvironmentName must be specified.")
        if environment_id is not None:
            found = self.environments.get(environment_id)
            if found is None or found.status == "Terminated" or name not in (None, found.name):
                raise environment_not_found(environment_id=environment_id)
            return found
        found = self.by_name(name or "")
        if found is None or params.get("ApplicationName") not in (None, found.application):
            raise environment_not_found(name)
        return found

    def ready(self, params: dict[str, Any], prefix: str = "") -> Environment:
        """Like :meth:`named`, and it must be Ready."""
        environment = self.named(params, prefix)
        if environment.status != "Ready":
            raise must_be_ready(environment.name)
        return environment

    def lingers(self, environment: Environment) -> bool:
        """Whether a terminated environment still shows without being asked for."""
        ended = environment.terminated_at
        return ended is None or self.control.clock.seconds() - ended <= _LINGER

    def restorable(self, environment: Environment) -> bool:
        """Whether a terminated environment can be restored (42 days)."""
        ended = environment.terminated
        return ended is not None and self.control.clock.now() - ended <= _RESTORABLE


def page(
    items: Sequence[T], params: dict[str, Any], size: str = "MaxRecords", largest: int = 1000
) -> tuple[list[T], str | None]:
    """One page and the token of the next. Tokens are offsets; a token that we did not give is refused."""
    token = params.get("NextToken")
    start = 0
    if token is not None:
        if not str(token).isdigit() or int(token) > len(items):
            raise InvalidParameterValue(f"Invalid NextToken: {token}")
        start = int(token)
    end = start + min(int(params.get(size) or largest), largest)
    return list(items[start:end]), str(end) if end < len(items) else None
