# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option settings of one environment: what has to change, and what became of it.

After an update that succeeded, whatever is still not as it was asked for is what Elastic Beanstalk makes of it: it
takes options that it does not describe back, has a default where an option was removed, and spells values in ways of
its own. That is noted in the record object by names and digests, said as a warning, and not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError
from ..core.names import own_bucket
from ..option_settings import comparison
from ..option_settings.comparison import Change
from ..option_settings.given import doubts
from ..option_settings.keys import PROPERTIES, Key, Settings, own_properties
from ..option_settings.values import canonical
from .cache import EnvironmentCache
from .record import Record, can_settle, digests
from .record_store import RecordStore
from .security_groups import generated_groups

Environment = Mapping[str, Any]
Described = list[dict[str, Any]]
OURS, ALL = "ours", "all"


def purge_mode(given: Any) -> str:
    """``purge_properties`` as "", OURS or ALL. Raises AnsibleBeanstalkRefusedError for anything else."""
    text = str(given).strip().lower()
    if text in ("true", "yes", "1", OURS):
        return OURS
    if text in ("false", "no", "0", "none", ""):
        return ""
    if text == ALL:
        return ALL
    raise AnsibleBeanstalkRefusedError(message=f"purge_properties is {given!r}: give true, false or all.")


def record_store(client: Any, clients: Callable[[str], Any], params: Mapping[str, Any], arn: str = "") -> RecordStore:
    """The record of the logical environment that a module's parameters name, in the bucket of its lock.

    ``arn`` is that of anything of Elastic Beanstalk's in the account. An environment that is not named by its CNAME
    has a record by its own name.
    """

    def bucket() -> str:
        given = (params.get("lock") or {}).get("bucket") or params.get("bucket")
        return str(given or own_bucket(arn) or api.create_storage_location(client))

    logical = params["cname_prefix"] or f"@{params.get('name')}"
    return RecordStore(lambda: clients("s3"), bucket, params["application"], logical)


class EnvironmentSettings:
    """Plans the changes of one run, and remembers what was set. ``clients`` makes a client for a service.

    ``warnings`` are sentences for the user. ``right`` says whether the last environment had all wanted settings.
    """

    def __init__(
        self, client: Any, params: Mapping[str, Any], wanted: Settings, clients: Callable[[str], Any] | None = None
    ) -> None:
        self.client, self.params, self.wanted, self.clients = client, params, wanted, clients
        self.purge = purge_mode(params.get("purge_properties", False))
        self.right = False
        self.warnings = doubts(wanted)
        self._lasting: list[str] = []
        self._removed: list[Key] = []
        self._gone: frozenset[Key] = frozenset()
        self._store: RecordStore | None = None
        self._may_note = True

    # -- before ---------------------------------------------------------------------------------------------------

    def plan(self, environment: Environment) -> list[Change]:
        """What has to be set or removed. Reads only."""
        if not self.wanted and not self.purge:
            return []
        cache = EnvironmentCache(self.client, environment)
        lasting = cache.right_settings(environment, self._identity)
        if lasting is not None:
            self._lasting = lasting
            self._say(*lasting)
            self.right = True
            return []
        self._lasting, self._may_note = [], True
        described = self._describe(environment)
        changes = self._differences(environment, described)
        changes += cache.password_changes(self.wanted, [change.key for change in changes])
        changes += self._purged(environment, described)
        place = {"ApplicationName": environment["ApplicationName"], "EnvironmentName": environment["EnvironmentName"]}
        changes = without_defaults(self.client, self._without_settled(environment, changes), **place)
        self._removed = [change.key for change in changes if change.wanted is None]
        self.right = not changes
        if not changes:
            self.note(environment)
        return changes

    def note(self, environment: Environment) -> None:
        """These settings are what runs: the next run need not ask while nothing is changed."""
        if self._may_note:
            EnvironmentCache(self.client, environment).note_settings(environment, self._identity, self._lasting)

    @property
    def _identity(self) -> list[Any]:
        return [self.purge, *([*key, value] for key, value in sorted(self.wanted.items()))]

    def _describe(self, environment: Environment) -> Described:
        return api.describe_settings(self.client, environment["ApplicationName"], environment["EnvironmentName"])

    def _differences(self, environment: Environment, described: Described) -> list[Change]:
        changes = comparison.compare(self.wanted, described)
        if self.clients and any(change.only_has_more_groups for change in changes):
            try:
                generated = generated_groups(self.clients("ec2"), environment["EnvironmentId"])
            except AnsibleBeanstalkError as error:
                self._say(
                    f"Which security groups are Elastic Beanstalk's own could not be asked ({error}), so every group "
                    "that is not in the inventory counts as one to remove: allow ec2:DescribeSecurityGroups."
                )
            else:
                changes = comparison.compare(self.wanted, described, generated)
        return [change for change in changes if not self._is_platforms_own(environment, change)]

    def _is_platforms_own(self, environment: Environment, change: Change) -> bool:
        """Whether a property that is to be removed is set by the platform itself, which never ends that."""
        key = change.key
        if change.wanted is not None or key.namespace != PROPERTIES or key.option not in self._own(environment):
            return False
        if key in self._ours(environment):
            return False
        self._say(f"{key.option} is set by the platform itself and cannot be removed.")
        return True

    @staticmethod
    def _own(environment: Environment) -> frozenset[str]:
        return own_properties(str(environment.get("SolutionStackName") or environment.get("PlatformArn") or ""))

    def _purged(self, environment: Environment, described: Described) -> list[Change]:
        if not self.purge:
            return []
        store = self.record(environment)
        record = store.read() if store else None
        if store is not None and store.problem:
            self._may_note = False
            self._say(store.problem)
        if self.purge == ALL:
            own = self._own(environment) - (record.properties if record else frozenset())
            return comparison.superfluous(self.wanted, described, None, own)
        if store is None or record is None or not store.exists:
            self._may_note = False
            self._say("It is not known which environment properties this collection has set here: none was removed.")
            return []
        present = {key for key, value in comparison.current_settings(described).items() if value is not None}
        self._gone = frozenset(record.variables - present - set(self.wanted))
        return comparison.superfluous(self.wanted, described, record.variables, ())

    def _without_settled(self, environment: Environment, changes: list[Change]) -> list[Change]:
        if not any(can_settle(change.key, change.wanted) for change in changes):
            return changes
        store = self.record(environment)
        record = (store.read() if store else None) or Record()
        settled = record.settled_of(environment["EnvironmentId"])
        known = [
            change
            for change in changes
            if settled.get(change.key.label) == digests(change.key, change.wanted, change.current)
        ]
        self._tell_settled(known)
        return [change for change in changes if change not in known]

    def _tell_settled(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.wanted is None:
                continue  # its default is what was asked for
            text = (
                f"Elastic Beanstalk took the option {change.key.label} and does not describe it back: whether it is in "
                "force cannot be seen."
                if change.current is None
                else f"Elastic Beanstalk keeps {change.key.label} as {change.current} although {change.wanted} was set."
            )
            self._lasting.append(text)
            self._say(text)

    # -- around an update -----------------------------------------------------------------------------------------

    def record(self, environment: Environment | None) -> RecordStore | None:
        """Where it is noted what was set; None where no client for S3 can be had."""
        if self._store is None and self.clients is not None:
            name = (environment or {}).get("EnvironmentName") or self.params["name"]
            arn = str((environment or {}).get("EnvironmentArn") or "")
            self._store = record_store(self.client, self.clients, {**self.params, "name": name}, arn)
        return self._store

    def _ours(self, environment: Environment) -> frozenset[Key]:
        store = self.record(environment)
        record = store.read() if store else None
        return record.variables if record else frozenset()

    def before(self, environment: Environment | None) -> None:
        """Note the names of what is about to be set; before the call, so that no kill in between loses one."""
        self._write(environment, lambda record: record.with_names(self.wanted))

    def unchanged(self, environment: Environment) -> None:
        """Begin the record, or bring it up to date, where purging needs it and nothing else has to be done."""
        if self.purge and self.clients and self._store is not None:
            self._write(environment, lambda record: record.without(self._gone).with_names(self.wanted))

    def after(self, environment: Environment) -> None:
        """See what Elastic Beanstalk made of an update that succeeded, and note it."""
        described = self._describe(environment)
        left = self._differences(environment, described)
        settled = [change for change in left if can_settle(change.key, change.wanted)]
        self._lasting = []
        self._tell_settled(settled)
        pairs = {change.key.label: digests(change.key, change.wanted, change.current) for change in settled}
        one, removed = environment["EnvironmentId"], [key for key in self._removed if self.wanted.get(key) is None]

        def change(record: Record) -> Record:
            record = record.without(removed)
            return record if record.settled_of(one) == pairs else record.with_settled(one, pairs)

        self._write(environment, change)
        self.right = len(settled) == len(left)
        if self.right:
            self.note(environment)

    def _write(self, environment: Environment | None, change: Callable[[Record], Record]) -> None:
        store = self.record(environment)
        if store is not None and not store.change(change) and store.problem:
            self._say(store.problem)

    def _say(self, *sentences: str) -> None:
        self.warnings += [text for text in sentences if text not in self.warnings]


def without_defaults(client: Any, changes: list[Change], **place: str) -> list[Change]:
    """The changes without options that are to be removed and have their default already, as far as that can be asked.

    ``place`` names the environment or the saved configuration, as DescribeConfigurationOptions takes it. One call, and
    none where nothing is to be removed.
    """
    removed = [change for change in changes if change.wanted is None and not change.key.is_variable]
    if not removed:
        return changes
    asked = [comparison.specification(change.key) for change in removed]
    try:
        found = api.option_defaults(client, asked, **place)
    except AnsibleBeanstalkError:
        return changes
    defaults = {Key(one["Namespace"], one["Name"]): one.get("DefaultValue") for one in found}
    return [change for change in changes if change not in removed or not _is_default(change, defaults.get(change.key))]


def _is_default(change: Change, default: str | None) -> bool:
    return default is not None and canonical(change.key, default) == canonical(change.key, change.current or "")
