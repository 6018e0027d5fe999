# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be set or removed, from what is wanted and what DescribeConfigurationSettings says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from .keys import PASSWORD, PROPERTIES, SCHEDULED_ACTION, SECRETS, Key, Settings, is_hidden, own_resource
from .values import GROUP_OPTIONS, equal, groups_in

HIDDEN = "(hidden)"
_OTHER_KIND = {PROPERTIES: SECRETS, SECRETS: PROPERTIES}


class Change(NamedTuple):
    """One option that differs. `wanted` is None when it is to be removed."""

    key: Key
    current: str | None
    wanted: str | None

    def shown(self) -> tuple[Any, Any]:
        """Before and after for a diff, with secret values hidden."""
        if not is_hidden(self.key):
            return self.current, self.wanted
        before = None if self.current is None else HIDDEN
        after = None if self.wanted is None else HIDDEN + " (new value)"
        return before, after

    @property
    def only_has_more_groups(self) -> bool:
        """Whether all wanted security groups are there, and others that may be the environment's own."""
        if self.wanted is None or self.key.is_variable or self.key.option.lower() not in GROUP_OPTIONS:
            return False
        return groups_in(self.wanted) < groups_in(self.current or "")


def key_of(item: Mapping[str, Any]) -> Key:
    """The key of one of the service's settings; only scheduled actions keep their resource name."""
    namespace = str(item["Namespace"])
    resource = own_resource(str(item.get("ResourceName") or "")) if namespace == SCHEDULED_ACTION else ""
    return Key(namespace, str(item["OptionName"]), resource)


def current_settings(described: Iterable[Mapping[str, Any]]) -> Settings:
    """DescribeConfigurationSettings' list by key; None where a setting has no value."""
    return {key_of(item): None if (value := item.get("Value")) is None else str(value) for item in described}


def current_values(described: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str | None]]:
    """The list as namespace -> option -> value, to read ordinary options from."""
    result: dict[str, dict[str, str | None]] = {}
    for key, value in current_settings(described).items():
        result.setdefault(key.namespace, {})[key.option] = value
    return result


def compare(
    wanted: Settings, described: Iterable[Mapping[str, Any]], generated: frozenset[str] = frozenset()
) -> list[Change]:
    """What has to be set or removed, in a fixed order. A password that is there counts as the wanted one.

    Of an option that is wanted as null the current value is a change, whatever it is: whether it is the default that
    stays when the option is removed is not known here.
    """
    current = current_settings(described)
    changes = []
    for key in sorted(wanted):
        value, was = wanted[key], current.get(key)
        if value is None:
            if was if not key.is_variable else was is not None:
                changes.append(Change(key, was, None))
        elif key == PASSWORD and key in current and not (was or "").strip("*"):
            continue  # it is there, and the service tells nobody what it is
        elif not equal(key, value, was, generated) or (key.is_variable and was is None):
            changes.append(Change(key, was, value))
    return changes + _moved(wanted, current)


def _moved(wanted: Settings, current: Settings) -> list[Change]:
    """What is a plain property and is wanted as a reference, or the reverse, goes from where it was."""
    moved = []
    for key in sorted(wanted):
        if not key.is_variable or wanted[key] is None:
            continue
        other = Key(_OTHER_KIND[key.namespace], key.option)
        if current.get(other) is not None and other not in wanted:
            moved.append(Change(other, current[other], None))
    return moved


def superfluous(
    wanted: Settings, described: Iterable[Mapping[str, Any]], ours: Collection[Key] | None, own: Collection[str]
) -> list[Change]:
    """Properties and references that are set but not wanted: those among ``ours``, or all (None).

    ``own`` are names of properties that the platform sets itself; they stay unless they are ours.
    """
    names = {key.option for key in wanted if key.is_variable}
    return [
        Change(key, value, None)
        for key, value in sorted(current_settings(described).items())
        if key.is_variable
        and value is not None
        and key.option not in names
        and (key in ours if ours is not None else key.option not in own)
    ]


def to_api(changes: Iterable[Change]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """OptionSettings and OptionsToRemove of an UpdateEnvironment call."""
    to_set, to_remove = [], []
    for change in changes:
        if change.wanted is None:
            to_remove.append(specification(change.key))
        else:
            to_set.append({**specification(change.key), "Value": change.wanted})
    return to_set, to_remove


def specification(key: Key) -> dict[str, str]:
    """A key as calls have it."""
    named = {"ResourceName": key.resource} if key.resource else {}
    return {"Namespace": key.namespace, "OptionName": key.option, **named}
