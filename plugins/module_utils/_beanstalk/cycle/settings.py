# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option settings of a candidate: those of the live environment, with the user's in place of the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core import api
from ..environment.record import Record
from ..environment.record_store import RecordStore
from ..environment.settings import ALL, purge_mode, record_store
from ..option_settings.comparison import current_settings, superfluous
from ..option_settings.copying import copied_settings, image, replaced, security_groups
from ..option_settings.given import doubts, parse
from ..option_settings.keys import Key, Settings, own_properties
from ..platform import resolution
from ..run.engine import Services
from .account import Account

MIN_SIZE = Key("aws:autoscaling:asg", "MinSize")
Described = Sequence[Mapping[str, Any]]


class CandidateSettings:
    """What one run wants of its candidate. ``warnings`` are sentences for the user.

    ``platform`` is any name of a platform, or empty for the live environment's; ``downgrade`` allows an older version
    than that has. ``purge`` says which properties that are not wanted are left out, as EnvironmentSettings has it.
    """

    def __init__(
        self,
        reader: Any,
        account: Account,
        wanted: Settings | None = None,
        *,
        platform: str = "",
        downgrade: bool = False,
        purge: str = "",
        record: RecordStore | None = None,
    ) -> None:
        self.reader, self.account, self.wanted = reader, account, dict(wanted or {})
        self._platform, self._downgrade, self._purge, self._store = platform, downgrade, purge, record
        # Before anything is done: a platform that does not exist is refused.
        self._chosen = resolution.choose(reader, platform) if platform else {}
        self.warnings = doubts(self.wanted)

    @classmethod
    def of(cls, services: Services, account: Account, params: Mapping[str, Any]) -> CandidateSettings:
        """As the parameters of the module ``cycle`` say. It asks for the platform and for the bucket of the record."""
        bucket = params["lock"]["bucket"] or services.storage_location()
        return cls(
            services.eb,
            account,
            parse(params["option_settings"]),
            platform=params["platform"] or "",
            downgrade=params["platform_downgrade"],
            purge=purge_mode(params["purge_properties"]),
            record=record_store(services.eb, services.clients.get, {**params, "lock": {"bucket": bucket}}),
        )

    def platform(self, live: Mapping[str, Any]) -> dict[str, str]:
        """The candidate's platform as parameters of a call; empty for the live environment's own."""
        if not self._platform or self._downgrade or resolution.fit(live, self._platform) is not resolution.Fit.NEWER:
            return self._chosen
        self._say(resolution.newer_sentence(live, self._platform))
        return {}

    def predicted(self, described: Described) -> Settings:
        """The settings as far as size and kind of the candidate depend on them; nothing is asked for it."""
        return replaced(current_settings(described), self.wanted)

    def make(self, live: Mapping[str, Any], described: Described, start_size: int | None) -> Settings:
        """The settings of the candidate, with as many instances as it shall begin with. Notes their names."""
        wanted = dict(self.wanted)
        record = self._begin_record()
        own = own_properties(str(live.get("SolutionStackName") or live.get("PlatformArn") or ""))
        own -= record.properties
        copied = copied_settings(described, self._generated(live, described), own)
        for key in self._superfluous(described, record, own):
            copied.pop(key, None)
        self._tell_lost(described, record)
        if start_size is not None:
            wanted[MIN_SIZE] = str(start_size)
        return replaced(copied, wanted)

    def _begin_record(self) -> Record:
        """The record, with the names of what the candidate gets; before the call, so that a kill loses none."""
        if self._store is None:
            return Record()
        if self.wanted:
            self._store.change(lambda record: record.with_names(self.wanted))
        record = self._store.read()
        if self._store.problem:
            self._say(self._store.problem)
        return record or Record()

    def _superfluous(self, described: Described, record: Record, own: frozenset[str]) -> list[Key]:
        if not self._purge:
            return []
        ours = None if self._purge == ALL else record.variables
        return [change.key for change in superfluous(self.wanted, described, ours, own)]

    def _generated(self, live: Mapping[str, Any], described: Described) -> frozenset[str]:
        """Security groups and machine images that came with the live environment and nobody chose."""
        found = frozenset[str]()
        if image(described) and live.get("PlatformArn"):
            found |= frozenset(api.platform_images(self.reader, live["PlatformArn"]))
        if security_groups(described):
            found |= self.account.generated_groups(live["EnvironmentId"])
        return found

    def _tell_lost(self, described: Described, record: Record) -> None:
        """Options that were set once and that nobody can read back are not in the copy."""
        there = {key.label for key in current_settings(described)} | {key.label for key in self.wanted}
        if lost := sorted(record.options - there):
            self._say(
                f"Elastic Beanstalk does not describe {', '.join(lost)}: the new environment is made without, and the "
                "next deployment sets it."
            )

    def _say(self, sentence: str) -> None:
        self.warnings += [] if sentence in self.warnings else [sentence]
