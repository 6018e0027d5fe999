# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings as AWS answers them, made of localstalk's: see ``captured`` for an answer of AWS's own.

localstalk echoes what was sent. AWS adds resource names, its own security group, machine image and parameters, spells
values in its way, and leaves options out that do not belong to the environment's kind. Everything here is plain data,
so that ``dressed_service`` can put it between modules and localstalk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .captured import captured

Setting = dict[str, str]
Option = tuple[str, str]

PROPERTIES = "aws:elasticbeanstalk:application:environment"
PARAMETERS = "aws:cloudformation:template:parameter"
ACTION = "aws:autoscaling:scheduledaction"
LAUNCH = "aws:autoscaling:launchconfiguration"
TYPES = ("aws:ec2:instances", "InstanceTypes")
TYPE = (LAUNCH, "InstanceType")
ENVIRONMENT = "aws:elasticbeanstalk:environment"
_NEVER_DESCRIBED = ("aws:elasticbeanstalk:customoption",)
_CLASSIC = "aws:elb:"
_PYTHON = "aws:elasticbeanstalk:container:python"


def refusal(settings: Iterable[Mapping[str, str]]) -> str:
    """Why AWS would refuse the settings of a call, or why nobody should send them; "" for nothing."""
    for one in settings:
        name, resource = one.get("OptionName", ""), one.get("ResourceName", "")
        if resource.startswith("AWSEB"):
            return f"{name} was sent with the resource name {resource}, which is AWS's own."
        if one.get("Namespace") == PARAMETERS:
            return f"{name} of {PARAMETERS} was sent."
        if name == "ServiceRole" and one.get("Value", "").startswith("AWSServiceRole"):
            return "The service-linked role was sent."
    return ""


def dress(given: Sequence[Mapping[str, str]], stack: str, group: str, image: str) -> list[Setting]:
    """localstalk's settings as AWS describes them.

    ``group`` is the id of the security group that was generated for the environment, ``image`` that of the platform's
    machine image.
    """
    have: dict[Option, str | None] = {(one["Namespace"], one["OptionName"]): one.get("Value") for one in given}
    own = {(one["Namespace"], one["OptionName"]): one for one in captured()}
    kind = have.get((ENVIRONMENT, "LoadBalancerType")) or "classic"
    classic = kind == "classic" and have.get((ENVIRONMENT, "EnvironmentType")) != "SingleInstance"
    python = " running Python " in stack
    for option, one in own.items():
        foreign = option[0] == _PYTHON or option == (PROPERTIES, "PYTHONPATH")
        if option not in have and (python or not foreign):
            have[option] = one.get("Value")
    types = have.get(TYPES) if TYPES in {(one["Namespace"], one["OptionName"]) for one in given} else have.get(TYPE)
    have[TYPES] = ", ".join(re.split(r"\s*,\s*", types or "t3.micro"))
    have[TYPE] = str(have[TYPES]).split(",", maxsplit=1)[0]
    have[LAUNCH, "SecurityGroups"] = _with_group(given, group)
    have[LAUNCH, "ImageId"] = image if (LAUNCH, "ImageId") not in _options(given) else have[LAUNCH, "ImageId"]
    have[PARAMETERS, "EnvironmentVariables"] = ",".join(
        f"{name}={value}" for (space, name), value in have.items() if space == PROPERTIES
    )
    if (ENVIRONMENT, "ServiceRole") not in _options(given):
        have[ENVIRONMENT, "ServiceRole"] = "AWSServiceRoleForElasticBeanstalk"
    dressed = [
        _setting(option, value, own.get(option, {}).get("ResourceName"))
        for option, value in sorted(have.items())
        if option[0] not in (*_NEVER_DESCRIBED, ACTION) and (classic or not option[0].startswith(_CLASSIC))
    ]
    return dressed + [dict(one) for one in given if one["Namespace"] == ACTION]


def _options(given: Iterable[Mapping[str, str]]) -> set[Option]:
    return {(one["Namespace"], one["OptionName"]) for one in given}


def _with_group(given: Iterable[Mapping[str, str]], group: str) -> str:
    named = (LAUNCH, "SecurityGroups")
    mine = [one.get("Value", "") for one in given if (one["Namespace"], one["OptionName"]) == named]
    groups = [part.strip() for text in mine for part in text.split(",")]
    return ",".join([group, *(one for one in groups if one not in ("", group, "elasticbeanstalk-default"))])


def _setting(option: Option, value: str | None, resource: str | None) -> Setting:
    namespace, name = option
    found = {"Namespace": namespace, "OptionName": name}
    found |= {"ResourceName": resource} if resource else {}
    if value is not None and name == "SSHSourceRestriction":
        value = value.replace(" ", "")
    if value is not None and name == "ConfigDocument" and value.startswith("{"):
        value = json.dumps(json.loads(value), separators=(",", ":"))
    return found | ({"Value": value} if value is not None else {})


def flat(params: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """A list of structures in a query: ``OptionSettings.member.1.Namespace``."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in params.items():
        parts = re.fullmatch(rf"{name}\.members?\.(\d+)\.(\w+)", key)
        if parts:
            found.setdefault(int(parts[1]), {})[parts[2]] = value
    return [found[number] for number in sorted(found)]
