# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option settings of a new environment that is to be like another one.

What DescribeConfigurationSettings says is more than what somebody set: Elastic Beanstalk adds what it chose and made
for that one environment. That is left out, or the copy would depend on the original.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .comparison import current_settings, specification
from .keys import DATABASE, LAUNCH, PROPERTIES, SECRETS, TEMPLATE_PARAMETERS, Key, Settings
from .values import GROUP_OPTIONS, groups_in

IMAGE = Key(LAUNCH, "ImageId")
# What belongs to one environment only: a coupled database, its stack's parameters.
_NEVER_COPIED = frozenset({DATABASE, TEMPLATE_PARAMETERS})
_TOPICS = "aws:elasticbeanstalk:sns:topics"
_OWN_TOPIC = "ElasticBeanstalkNotifications-Environment-"  # EB's name for the topic that it makes for an endpoint
# Reported where nobody chose a role; the service-linked role cannot be chosen.
_OWN_ROLE = "AWSServiceRoleForElasticBeanstalk"
# Two options for one thing, of which EB reports both and heeds the second.
_PAIR = (Key(LAUNCH, "InstanceType"), Key("aws:ec2:instances", "InstanceTypes"))


def security_groups(described: Iterable[Mapping[str, Any]]) -> set[str]:
    """All security groups that option settings name."""
    named = {key: value for key, value in current_settings(described).items() if _names_groups(key)}
    return {group for value in named.values() for group in groups_in(value or "")}


def image(described: Iterable[Mapping[str, Any]]) -> str:
    """The machine image that is reported, whoever chose it; empty for none."""
    return current_settings(described).get(IMAGE) or ""


def copied_settings(
    described: Iterable[Mapping[str, Any]], generated: Collection[str] = (), own_properties: Collection[str] = ()
) -> Settings:
    """The settings of an environment minus what must not be copied.

    ``generated`` are ids and names of security groups and machine images that nobody chose, ``own_properties`` names of
    properties that the platform sets itself.
    """
    current = current_settings(described)
    copied: Settings = {}
    for key, value in current.items():
        # An empty environment property is one; of any other option it says that nothing is set.
        if value is None or (value == "" and key.namespace != PROPERTIES) or key.namespace in _NEVER_COPIED:
            continue
        if _is_own(key, value, generated, own_properties) or (key == _PAIR[0] and current.get(_PAIR[1])):
            continue
        if _names_groups(key):
            value = ",".join(group.strip() for group in value.split(",") if group.strip() not in generated)
            if not value:
                continue
        copied[key] = value
    return copied


def _is_own(key: Key, value: str, generated: Collection[str], own_properties: Collection[str]) -> bool:
    if key.namespace == PROPERTIES:
        return key.option in own_properties
    return (
        (key.namespace == _TOPICS and _OWN_TOPIC in value)
        or (key == IMAGE and value in generated)
        or (key.option == "ServiceRole" and value.rpartition("/")[2] == _OWN_ROLE)
    )


def _names_groups(key: Key) -> bool:
    return key.option.lower() in GROUP_OPTIONS and not key.is_variable


def replaced(copied: Settings, wanted: Settings) -> Settings:
    """The copied settings with the user's in place of the same ones; None drops one.

    What says the same thing by another option goes, too: the other one of InstanceType and InstanceTypes, and a plain
    property that is a secret by reference now, or the reverse.
    """
    others = dict([_PAIR, _PAIR[::-1]])
    gone = set(wanted)
    for key, value in wanted.items():
        if value is not None and key in others:
            gone.add(others[key])
        elif value is not None and key.is_variable:
            gone.add(Key(SECRETS if key.namespace == PROPERTIES else PROPERTIES, key.option))
    kept = {key: value for key, value in copied.items() if key not in gone}
    return kept | {key: value for key, value in wanted.items() if value is not None}


def to_call(settings: Settings) -> list[dict[str, str]]:
    """OptionSettings of a CreateEnvironment call."""
    return [{**specification(key), "Value": value} for key, value in sorted(settings.items()) if value is not None]
