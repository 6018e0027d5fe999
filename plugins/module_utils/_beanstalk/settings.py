# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option settings: what the user wants against what Elastic Beanstalk says that it has.

The service normalises values (an instance profile's ARN becomes its name, "5 Minutes" becomes "5 minute", lists come
back in another order, its own security groups are added), so a plain comparison would update for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .common import AnsibleBeanstalkRefusedError

PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
PASSWORD = ("aws:rds:dbinstance", "DBPassword")
HIDDEN = "(hidden)"
MAX_PROPERTIES_BYTES = 4096

Settings = dict[str, dict[str, "str | None"]]

# Options whose value is a list in any order, separated by commas.
_LISTS = frozenset(
    {
        "securitygroups",
        "subnets",
        "elbsubnets",
        "dbsubnets",
        "custom availability zones",
        "managedsecuritygroup",
        "sslcertificatearns",
        "rules",
        "hostheaders",
        "pathpatterns",
        "instancetypes",
        "supportedarchitectures",
    }
)
_NAMED_BY_ARN = frozenset({"iaminstanceprofile", "servicerole", "serviceroleformanagedupdates"})
_ARN = re.compile(r"arn:[^:]*:iam::\d*:(?:instance-profile|role)/(?:.*/)?([^/]+)")
_GENERATED_GROUP = re.compile(r"awseb-|sg-[0-9a-f]+$")
_NUMBER = re.compile(r"-?\d+(?:\.0+)?")
_WORDS = re.compile(r"(\d+) (minute|second|hour)s?", re.IGNORECASE)


class Change(NamedTuple):
    """One option that differs. `wanted` is None when it is to be removed."""

    namespace: str
    option: str
    current: str | None
    wanted: str | None

    @property
    def secret(self) -> bool:
        """Whether its values are never shown."""
        return is_hidden(self.namespace, self.option)


def is_hidden(namespace: str, option: str) -> bool:
    """Whether values are never shown: those of environment properties, and the coupled database's password."""
    return namespace == PROPERTIES or (namespace, option) == PASSWORD


def text_value(value: Any) -> str:
    """An option value as the API takes it: booleans in lower case, lists joined with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set)):
        return ",".join(text_value(item) for item in value)
    return str(value)


def normalise(settings: Mapping[str, Any] | None) -> Settings:
    """The user's settings with text values; None (YAML null) stays and means "remove this option".

    Raises AnsibleBeanstalkRefusedError for anything that is not a dictionary of dictionaries.
    """
    result: Settings = {}
    for namespace, options in (settings or {}).items():
        if not isinstance(options, Mapping):
            raise AnsibleBeanstalkRefusedError(
                message=f"The option settings of {namespace} are not a dictionary of option names and values."
            )
        for option, value in options.items():
            if isinstance(value, Mapping):
                raise AnsibleBeanstalkRefusedError(
                    message=f"The value of the option {option} in {namespace} is a dictionary, not a plain value."
                )
        result[str(namespace)] = {str(key): None if val is None else text_value(val) for key, val in options.items()}
    _check_properties(result.get(PROPERTIES, {}))
    return result


def _check_properties(properties: Mapping[str, str | None]) -> None:
    total = 0
    for name, value in properties.items():
        if value is None:
            continue
        if len(name) > 128 or len(value) > 256:
            raise AnsibleBeanstalkRefusedError(
                message=f"The environment property {name} is longer than Elastic Beanstalk takes "
                "(name 128, value 256 characters); put it into the bundle or into a secret store."
            )
        total += len(f"{name}={value}".encode())
    if total > MAX_PROPERTIES_BYTES:
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment properties have {total} bytes together; Elastic Beanstalk takes "
            f"{MAX_PROPERTIES_BYTES}. Put some into the bundle or into a secret store."
        )


def canonical(namespace: str, option: str, value: str) -> str:
    """A value in the one spelling in which equal values are equal."""
    if namespace in (PROPERTIES, SECRETS):
        return value
    name = option.lower()
    text = value.strip()
    if name in _LISTS:
        return ",".join(sorted({part.strip() for part in text.split(",") if part.strip()}))
    if name in _NAMED_BY_ARN:
        found = _ARN.fullmatch(text)
        return found.group(1) if found else text
    if _NUMBER.fullmatch(text):
        return text.split(".")[0]
    if text.lower() in ("true", "false"):
        return text.lower()
    words = _WORDS.fullmatch(text)
    return f"{words.group(1)} {words.group(2).lower()}" if words else text


def equal(namespace: str, option: str, wanted: str, current: str | None) -> bool:
    """Whether the service has what the user wants. An option that is not reported counts as empty."""
    have = canonical(namespace, option, current or "")
    want = canonical(namespace, option, wanted)
    if have == want:
        return True
    if namespace == "aws:autoscaling:launchconfiguration" and option.lower() == "securitygroups":
        missing = set(want.split(",")) - set(have.split(","))
        extra = set(have.split(",")) - set(want.split(","))
        # One generated group is always added; where it has an id, nothing tells it from a group of the user's.
        return not missing and len(extra) <= 1 and all(_GENERATED_GROUP.match(group) for group in extra)
    return False


def current_values(described: Iterable[Mapping[str, Any]]) -> Settings:
    """DescribeConfigurationSettings' list as namespace -> option -> value."""
    result: Settings = {}
    for item in described:
        value = item.get("Value")
        namespace = str(item["Namespace"])
        result.setdefault(namespace, {})[str(item["OptionName"])] = None if value is None else str(value)
    return result


def compare(wanted: Settings, described: Iterable[Mapping[str, Any]]) -> list[Change]:
    """What has to be set or removed, in a fixed order. A password that is there counts as the wanted one."""
    current = current_values(described)
    changes = []
    for namespace in sorted(wanted):
        have = current.get(namespace, {})
        for option in sorted(wanted[namespace]):
            value, was = wanted[namespace][option], have.get(option)
            if value is None:
                # Only properties can vanish; any other option falls back to a default that is reported for ever.
                if was is not None and namespace in (PROPERTIES, SECRETS):
                    changes.append(Change(namespace, option, was, None))
            elif (namespace, option) == PASSWORD and option in have and not (was or "").strip("*"):
                continue  # it is there, and the service tells nobody what it is
            elif not equal(namespace, option, value, was):
                changes.append(Change(namespace, option, was, value))
    return changes


def purge_changes(wanted: Settings, described: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Environment properties that are set but not wanted."""
    current = current_values(described).get(PROPERTIES, {})
    keep = wanted.get(PROPERTIES, {})
    return [
        Change(PROPERTIES, name, current[name], None)
        for name in sorted(current)
        if name not in keep and current[name] is not None
    ]


def to_api(changes: Iterable[Change]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """OptionSettings and OptionsToRemove of an UpdateEnvironment call."""
    to_set, to_remove = [], []
    for change in changes:
        if change.wanted is None:
            to_remove.append({"Namespace": change.namespace, "OptionName": change.option})
        else:
            to_set.append({"Namespace": change.namespace, "OptionName": change.option, "Value": change.wanted})
    return to_set, to_remove


def shown(change: Change) -> tuple[Any, Any]:
    """Before and after for a diff, with secret values hidden."""
    if not change.secret:
        return change.current, change.wanted
    before = None if change.current is None else HIDDEN
    after = None if change.wanted is None else HIDDEN + " (new value)"
    return before, after


_SECRET_NAME = re.compile(r"SECRET|PASSW|TOKEN|KEY|CREDENTIAL|DSN|DATABASE_URL", re.IGNORECASE)


def secret_values(settings: Any) -> set[str]:
    """Values that must never be shown: passwords and properties with a telling name, unless too short to search for."""
    found = set()
    for namespace, options in settings.items() if isinstance(settings, Mapping) else ():
        for option, value in options.items() if isinstance(options, Mapping) else ():
            if is_hidden(namespace, option) and _SECRET_NAME.search(str(option)) and len(str(value)) >= 8:
                found.add(str(value))
    return found


def hide_values(settings: Any) -> Any:
    """The settings with all hidden values replaced, to show what a module was called with."""
    if not isinstance(settings, Mapping):
        return settings
    return {
        namespace: {option: HIDDEN if is_hidden(namespace, option) else value for option, value in options.items()}
        if isinstance(options, Mapping)
        else options
        for namespace, options in settings.items()
    }
