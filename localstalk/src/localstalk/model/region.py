# SPDX-License-Identifier: GPL-3.0-or-later
"""One account and region: what is in it, how it is found, and the services that its environments are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from localstalk.model.control import Control
from localstalk.model.databases import Databases
from localstalk.model.errors import (
    InvalidParameterValue,
    MissingRequiredParameter,
    ServiceError,
    environment_not_found,
    must_be_ready,
)
from localstalk.model.events import EventLog
from localstalk.model.fleet import Fleet
from localstalk.model.state import Application, Environment, Swap, Version
from localstalk.model.storage import Storage

_LISTED_SECONDS = 3600.0
"""For which a terminated environment is still described without IncludeDeleted: API reference, "up to an hour"."""
_LISTED_REAL_SECONDS = 60.0
"""Clients wait in real time, however fast the clock: the waiters of the SDKs and of the AWS CLI look every 20 seconds,
and never end when they find nothing."""
_RESTORABLE = timedelta(days=42)


class Region:
    """Applications, environments and events of one account and region."""

    def __init__(self, control: Control, account: str, name: str) -> None:
        self.control = control
        self.account = account
        self.name = name
        self.applications: dict[str, Application] = {}
        self.environments: dict[str, Environment] = {}
        """By id; terminated ones stay, because they can be described and restored."""
        self.events = EventLog(control.clock)
        self.swaps: list[Swap] = []
        """Oldest first."""
        self.storage = Storage(account, name, control.keys.administrator)
        self.fleet = Fleet(control, account, name)
        self.databases = Databases(account, name)

    @property
    def bucket(self) -> str:
        """Name of the storage location."""
        return f"elasticbeanstalk-{self.name}-{self.account}"

    def arn(self, kind: str, *path: str) -> str:
        """ARN of one of our resources."""
        return f"arn:aws:elasticbeanstalk:{self.name}:{self.account}:{kind}/{'/'.join(path)}"

    def check_quota(self, kind: str, words: str, count: int, code: str) -> None:
        """Raise TooMany... when there are as many as the account may have."""
        quota = self.control.quotas[kind]
        if count >= quota:
            text = f"You cannot have more than {quota} {words}. Either remove some {words} or request a limit increase."
            raise ServiceError(code, text)

    # --- what is in it ---

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

    def running(self) -> Iterable[Environment]:
        """Environments that were not terminated."""
        return (environment for environment in self.environments.values() if environment.status != "Terminated")

    def by_name(self, name: str) -> Environment | None:
        """The environment that holds a name now."""
        return next((environment for environment in self.running() if environment.name == name), None)

    def find(self, params: Mapping[str, str], prefix: str = "") -> Environment:
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

    def find_ready(self, params: Mapping[str, str], prefix: str = "") -> Environment:
        """Like :meth:`find`, and it must be Ready."""
        environment = self.find(params, prefix)
        if environment.status != "Ready":
            raise must_be_ready(environment.name)
        return environment

    def is_listed(self, environment: Environment) -> bool:
        """Whether an environment shows without being asked for: also for a while after it was terminated."""
        ended, clock = environment.terminated_at, self.control.clock
        limit = max(_LISTED_SECONDS, _LISTED_REAL_SECONDS * clock.speed)
        return ended is None or clock.seconds() - ended <= limit

    def is_restorable(self, environment: Environment) -> bool:
        """Whether a terminated environment can be restored (42 days)."""
        ended = environment.terminated
        return ended is not None and self.control.clock.now() - ended <= _RESTORABLE

    # --- public names ---

    @property
    def domain(self) -> str:
        """What public names of the region end in (Public Suffix List: China has a domain of its own)."""
        return f"{self.name}.{'eb.amazonaws.com.cn' if self.name.startswith('cn-') else 'elasticbeanstalk.com'}"

    def full_name(self, prefix: str) -> str:
        """The public name of a CNAME prefix."""
        return f"{prefix.lower()}.{self.domain}"

    def new_name(self, environment_name: str) -> str:
        """A public name for an environment that is made without a prefix; capital letters of its name stay."""
        return f"{environment_name}.eba-{self.control.letters(8)}.{self.domain}"

    # DNS knows no upper case.

    def is_free(self, cname: str) -> bool:
        """Whether nobody, in any account, holds a public name of this region."""
        return self.holder(cname) is None

    def holder(self, cname: str) -> str | None:
        """Id of the environment that holds a public name."""
        return self.control.names.get((self.name, cname.lower()))

    def hold(self, cname: str, environment_id: str) -> None:
        """Note who holds a public name from now on."""
        self.control.names[self.name, cname.lower()] = environment_id

    def free(self, cname: str) -> None:
        """Note that nobody holds a public name."""
        self.control.names.pop((self.name, cname.lower()), None)

    def public_url(self, name: str) -> str | None:
        """The plain URL of a CNAME or CNAME prefix held by an environment here."""
        wanted = name.lower()
        for cname in (wanted, self.full_name(wanted)):
            if not self.is_free(cname):
                return self.control.driver.url(cname)
        return None

    def overview(self) -> list[dict[str, object]]:
        """One line per environment that was not terminated."""
        return [
            {
                "application": each.application,
                "name": each.name,
                "id": each.id,
                "region": self.name,
                "status": each.status,
                "health": each.health.color,
                "version": each.version_label,
                "cname": each.cname,
                "url": self.control.driver.url(each.cname) if each.cname else None,
                "instances": list(each.instances),
            }
            for each in self.running()
        ]
