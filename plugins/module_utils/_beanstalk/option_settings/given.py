# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option settings as the user gives them: a dictionary, or Elastic Beanstalk's own second form, a list.

Both forms are those of ``option_settings`` in .ebextensions ("Option settings" of the AWS Elastic Beanstalk Developer
Guide): namespace to option to value, and entries with ``namespace``, ``resource_name``, ``option_name`` and ``value``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.shown import shown
from .keys import PROPERTIES, SCHEDULED_ACTION, SECRETS, TEMPLATE_PARAMETERS, Key, Settings, own_resource
from .values import JSON_OPTIONS, text_value

MAX_PROPERTIES_BYTES = 4096
# What the console takes. The API has taken longer ones, so it is no reason to refuse them.
_LONG_NAME, _LONG_VALUE = 128, 256
_ENTRY_KEYS = frozenset({"namespace", "resource_name", "option_name", "value"})
_NAMED_NAMESPACE = re.compile(r"([\w-]+)\.(aws:.+)")


def parse(given: Any) -> Settings:
    """The user's settings by their keys, as texts; None (YAML null) stays and means "remove this option".

    Raises AnsibleBeanstalkRefusedError with one sentence for what is in neither form, and for what cannot be meant.
    """
    settings: Settings = {}
    for key, value in _entries(given):
        _check_name(key)
        text = _text(key, value)
        if settings.setdefault(key, text) != text:
            raise AnsibleBeanstalkRefusedError(message=f"The option settings give {key.label} twice, with two values.")
    _check_variables(settings)
    return settings


def merged(given: Any, more: Mapping[str, Mapping[str, Any]]) -> Any:
    """Settings in either form, and in that form, with others in place of the same ones.

    ``more`` is namespace to option to value.
    """
    if isinstance(given, Mapping):
        return {space: {**(given.get(space) or {}), **(more.get(space) or {})} for space in [*given, *more]}
    if not isinstance(given, (list, tuple)):
        return given if given else {space: dict(options) for space, options in more.items()}
    said = {(space, option) for space, options in more.items() for option in options}
    kept = [
        one
        for one in given
        if not isinstance(one, Mapping) or (one.get("namespace"), one.get("option_name")) not in said
    ]
    return kept + [
        {"namespace": space, "option_name": option, "value": value}
        for space, options in more.items()
        for option, value in options.items()
    ]


def _entries(given: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(given, str) and given.strip()[:1] in ("{", "["):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise AnsibleBeanstalkRefusedError(message="The option settings are a text that is no JSON.") from error
    if isinstance(given, Mapping):
        for namespace, options in given.items():
            yield from _of_namespace(str(namespace), options)
    elif isinstance(given, (list, tuple)):
        for number, entry in enumerate(given, 1):
            yield _of_entry(number, entry)
    elif given is not None and given != "":
        raise AnsibleBeanstalkRefusedError(
            message="The option settings are neither a dictionary of namespaces nor a list of entries with namespace, "
            "option_name and value."
        )


def _of_namespace(name: str, options: Any) -> Iterator[tuple[Key, Any]]:
    # `eb config save` writes NAME.NAMESPACE.
    named = _NAMED_NAMESPACE.fullmatch(name)
    namespace, resource = (named[2], own_resource(named[1])) if named else (name, "")
    if not isinstance(options, Mapping):
        raise AnsibleBeanstalkRefusedError(
            message=f"The option settings of {name} are not a dictionary of option names and values."
        )
    for option, value in options.items():
        yield Key(namespace, str(option), resource), value


def _of_entry(number: int, entry: Any) -> tuple[Key, Any]:
    if not isinstance(entry, Mapping):
        raise AnsibleBeanstalkRefusedError(
            message=f"Entry {number} of the option settings is not a dictionary of namespace, option_name and value."
        )
    if unknown := sorted(set(entry) - _ENTRY_KEYS):
        names = shown(", ".join(map(str, unknown)))
        raise AnsibleBeanstalkRefusedError(
            message=f"Entry {number} of the option settings has {names}: it takes namespace, "
            "resource_name, option_name and value."
        )
    for name in ("namespace", "option_name"):
        if not entry.get(name):
            raise AnsibleBeanstalkRefusedError(message=f"Entry {number} of the option settings has no {name}.")
    if "value" not in entry:
        raise AnsibleBeanstalkRefusedError(
            message=f"Entry {number} of the option settings ({entry['option_name']}) has no value; null removes an "
            "option."
        )
    resource = own_resource(str(entry.get("resource_name") or ""))
    return Key(str(entry["namespace"]), str(entry["option_name"]), resource), entry["value"]


def _check_name(key: Key) -> None:
    if key.namespace == SCHEDULED_ACTION and not key.resource:
        raise AnsibleBeanstalkRefusedError(
            message=f"The option {key.option} in {SCHEDULED_ACTION} is of no action: give option settings as a list of "
            "namespace, resource_name, option_name and value, with the name of the scheduled action as resource_name."
        )
    if key.resource and key.namespace != SCHEDULED_ACTION:
        raise AnsibleBeanstalkRefusedError(
            message=f"The option {key.option} in {key.namespace} has the resource_name {key.resource}: only scheduled "
            "actions have names of their own; leave it out."
        )
    if key.namespace == TEMPLATE_PARAMETERS:
        raise AnsibleBeanstalkRefusedError(
            message=f"{TEMPLATE_PARAMETERS} ({key.option}) is Elastic Beanstalk's own; leave it out."
        )


def _text(key: Key, value: Any) -> str | None:
    if value is None:
        return None
    is_json = key.option.lower() in JSON_OPTIONS and not key.is_variable
    if isinstance(value, Mapping) and not is_json:
        raise AnsibleBeanstalkRefusedError(
            message=f"The value of the option {key.option} in {key.namespace} is a dictionary, not a plain value."
        )
    text = text_value(value)
    if is_json and text:
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise AnsibleBeanstalkRefusedError(
                message=f"The value of the option {key.option} in {key.namespace} is no JSON: {error}."
            ) from error
    return text


def _check_variables(settings: Settings) -> None:
    total = 0
    for key, value in settings.items():
        if key.namespace != PROPERTIES or value is None:
            continue
        if settings.get(Key(SECRETS, key.option)) is not None:
            raise AnsibleBeanstalkRefusedError(
                message=f"{key.option} is given both as an environment property and as a secret by ARN: keep one, or "
                "make the property null."
            )
        total += len(f"{key.option}={value}".encode())
    if total > MAX_PROPERTIES_BYTES:
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment properties have {total} bytes together; Elastic Beanstalk takes "
            f"{MAX_PROPERTIES_BYTES}. Put some into the bundle or into a secret store."
        )


def doubts(settings: Settings) -> list[str]:
    """What Elastic Beanstalk may refuse, a sentence each; without values."""
    return [
        f"The environment property {key.option} is longer than Elastic Beanstalk's console takes (name {_LONG_NAME}, "
        f"value {_LONG_VALUE} characters)."
        for key, value in settings.items()
        if key.namespace == PROPERTIES and value and (len(key.option) > _LONG_NAME or len(value) > _LONG_VALUE)
    ]
