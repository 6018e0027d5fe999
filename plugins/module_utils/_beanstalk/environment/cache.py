# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this controller caches of an environment: its settings, as hashes, how long it takes, who led."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.cache import Cache, cache_of
from ..core.transformations import iso
from ..option_settings.comparison import Change
from ..option_settings.keys import PASSWORD, Key, Settings

Environment = Mapping[str, Any]


class EnvironmentCache:
    """The cache of one environment, as it was last described."""

    def __init__(self, client: Any, environment: Environment) -> None:
        self.file: Cache = cache_of(client, str(environment["EnvironmentId"]))

    def right_settings(self, environment: Environment, wanted: Any) -> list[str] | None:
        """None unless these settings were what ran, and Elastic Beanstalk has changed nothing since then.

        Else what has to be said of them all the same.
        """
        known = self.file.get("settings") or {}
        updated = environment.get("DateUpdated")
        if updated is None or known.get("updated") != iso(updated) or known.get("hash") != self.file.digest(wanted):
            return None
        return list(known.get("notes") or [])

    def note_settings(self, environment: Environment, wanted: Any, notes: Sequence[str] = ()) -> None:
        """These settings are what runs. ``notes`` are sentences that are said whenever that is found so."""
        if environment.get("DateUpdated") is not None and environment.get("Status") == "Ready":
            found = {"updated": iso(environment["DateUpdated"]), "hash": self.file.digest(wanted), "notes": list(notes)}
            self.file.put(settings=found)

    def password_changes(self, wanted: Settings, known: Sequence[Key]) -> list[Change]:
        """A change of the database's password since it was last seen here, unless that is among the known changes."""
        password, before = wanted.get(PASSWORD), self.file.get("password")
        if not password or not before or PASSWORD in known or before == self.file.digest(password):
            return []
        return [Change(PASSWORD, None, password)]

    def note_password(self, wanted: Settings) -> None:
        """This is the password of the coupled database, which the service does not tell."""
        if (password := wanted.get(PASSWORD)) and self.file.get("password") != (seen := self.file.digest(password)):
            self.file.put(password=seen)

    def ended(self, environment: Environment) -> bool:
        """Whether a run of this controller came to its end, and Elastic Beanstalk has changed nothing since then."""
        updated = environment.get("DateUpdated")
        return updated is not None and self.file.get("ended") == iso(updated)

    def note_end(self, environment: Environment) -> None:
        """A run came to its end, and this is what it left."""
        if environment.get("DateUpdated") is not None and not self.ended(environment):
            self.file.put(ended=iso(environment["DateUpdated"]))

    @property
    def seconds(self) -> float | None:
        """What the last deployment of a version took."""
        found = self.file.get("seconds")
        return float(found) if isinstance(found, (int, float)) else None

    def note_seconds(self, seconds: float | None) -> None:
        """A deployment of a version took so long."""
        if seconds:
            self.file.put(seconds=round(seconds, 1))

    def leader(
        self, instances: Sequence[Mapping[str, Any]] | None, ask: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """The answer on the leader of the deployments that the instances have; asked for when it is not known."""
        have = [
            [item["InstanceId"], *map(str, ((item.get("Deployment") or {}).get(key) for key in _DEPLOYMENT))]
            for item in instances or []
        ]
        known = self.file.get("leader") or {}
        if have and known.get("of") == have:
            return {key: known["answer"][key] for key in ("leader", "hooks")}
        answer = ask()
        if have and answer["leader"]["state"] in ("found", "none", "lost"):
            self.file.put(leader={"of": have, "answer": {key: answer[key] for key in ("leader", "hooks")}})
        return answer


_DEPLOYMENT = ("DeploymentId", "VersionLabel", "DeploymentTime")
