# SPDX-License-Identifier: GPL-3.0-or-later
"""Option definitions: namespaces, defaults, allowed values (``data/options.json``; source: the developer guide)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from localstalk.model import schedule
from localstalk.model.errors import InvalidParameterCombination, InvalidParameterValue, ServiceError
from localstalk.model.state import Option, Settings

_DATA = Path(__file__).parent / "data" / "options.json"
ENVIRONMENT = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
_FREE = frozenset(
    {
        ENVIRONMENT,
        SECRETS,
        "aws:elasticbeanstalk:environment:proxy:staticfiles",
        "aws:elasticbeanstalk:container:python:staticfiles",
        "aws:elasticbeanstalk:customoption",
        "aws:cloudformation:template:parameter",
    }
)
"""Namespaces in which users choose the option names."""
_MANY = (
    "aws:elasticbeanstalk:environment:process:",
    "aws:elb:listener:",
    "aws:elb:policies:",
    "aws:elbv2:listener:",
    "aws:elbv2:listenerrule:",
)
"""Namespaces that end in a name chosen by the user; the data file has them once, under ``*``."""
SCHEDULED = "aws:autoscaling:scheduledaction"
"""Its options belong to actions that users name by ResourceName."""
_OWN_RESOURCES = "AWSEB"
"""What the names of resources begin with that Elastic Beanstalk makes: one of each kind, so they tell nothing apart."""
_MINUTES = re.compile(r"(?<=\d )(minute)s$")


@dataclass(frozen=True)
class Definition:
    """One option, as DescribeConfigurationOptions tells it."""

    namespace: str
    name: str
    default: str | None = None
    severity: str = "NoInterruption"
    resource: str | None = None
    """The resource of the environment that it belongs to, as answers name it."""
    shown: bool = True
    """Whether it is described where nobody has set it."""
    type: str = "Scalar"
    values: tuple[str, ...] = ()
    min: int | None = None
    max: int | None = None
    number: bool = False
    regex: dict[str, str] = field(default_factory=dict)
    user_defined: bool = False


@cache
def definitions() -> dict[Option, Definition]:
    """All definitions by namespace and name."""
    rows = json.loads(_DATA.read_text(encoding="utf-8"))
    made = (Definition(**(row | {"values": tuple(row.get("values", ()))})) for row in rows)
    return {(definition.namespace, definition.name): definition for definition in made}


@cache
def defaults() -> Settings:
    """Default values; the process, listener and so on called "default" stand for their families."""
    found = {}
    for (namespace, name), definition in definitions().items():
        if definition.default is not None and not namespace.startswith("aws:rds:") and namespace != SCHEDULED:
            if namespace.endswith(":*"):
                if namespace != "aws:elasticbeanstalk:environment:process:*":
                    continue
                namespace = namespace[:-1] + "default"
            found[namespace, name] = definition.default
    return found


def qualify(namespace: str, name: str, resource: str | None = None) -> Option:
    """The option of a setting, from its members in a call or a configuration file.

    A name before the namespace is not that of a scheduled action there, as users report
    (awsdocs/aws-elastic-beanstalk-developer-guide#89), and must not become one here.
    """
    resource = resource or ""
    if namespace == SCHEDULED or split(namespace)[0] or (resource and not is_own(resource)):
        return f"{resource}.{namespace}", name
    return namespace, name


def is_own(resource: str) -> bool:
    """Whether Elastic Beanstalk itself makes the resource."""
    return resource.startswith(_OWN_RESOURCES)


def split(namespace: str) -> tuple[str, str]:
    """The name of a resource, or "", and the namespace itself."""
    resource, dot, rest = namespace.partition(".")
    return (resource, rest) if dot and rest.startswith("aws:") else ("", namespace)


def family(namespace: str) -> tuple[str, str] | None:
    """The family of a namespace that ends in a name chosen by the user, as the data file has it, and that name."""
    for start in _MANY:
        if namespace.startswith(start):
            return f"{start}*", namespace.removeprefix(start)
    return None


def define(namespace: str, name: str) -> Definition | None:
    """The definition of an option, or None when there is no such option."""
    resource, bare = split(namespace)
    if resource and bare == SCHEDULED:
        namespace = SCHEDULED
    if namespace in _FREE:
        severity = "RestartApplicationServer"
        return Definition(namespace, name, severity=severity, user_defined=True)
    found = family(namespace)
    return definitions().get((found[0] if found else namespace, name))


@dataclass(frozen=True)
class Problem:
    """Why a setting is refused. ``bare``: in the service's words for parameters, not for settings."""

    namespace: str
    name: str
    message: str
    bare: bool = False

    def error(self) -> ServiceError:
        """As the API answers it (docs/elastic_beanstalk.md §13)."""
        if self.bare:
            return InvalidParameterValue(self.message)
        return ServiceError("ConfigurationValidationException", f"Configuration validation exception: {self.message}")


def check(namespace: str, name: str, value: str) -> Problem | None:
    """What is wrong with a setting, if anything (texts: docs/elastic_beanstalk.md §1.2)."""
    if namespace == f".{SCHEDULED}":
        return Problem(SCHEDULED, name, "The scheduled action name cannot be blank.", bare=True)
    definition = define(namespace, name)
    if definition is None:
        where = f"(Namespace: '{namespace.removeprefix('.')}', OptionName: '{name}')"
        text = f"Invalid option specification {where}: Unknown configuration setting."
        return Problem(namespace, name, text)
    reason = _reason(definition, value)
    if reason is None:
        return None
    text = f"Invalid option value: '{value}' (Namespace: '{split(namespace)[1]}', OptionName: '{name}'): {reason}"
    return Problem(namespace, name, text)


def _reason(definition: Definition, value: str) -> str | None:
    if definition.values and value.lower() not in (choice.lower() for choice in definition.values):
        return f"Value is not one of the allowed values: [{', '.join(definition.values)}]"
    if definition.number and value != "":
        return _number_reason(definition, value)
    if definition.type == "Json" and value and _one_line(value) is None:
        return "Value is not a JSON document"
    if definition.regex and not re.fullmatch(definition.regex["pattern"], value):
        return f"Value does not match the pattern: {definition.regex['label']}"
    if definition.namespace == SCHEDULED and value:
        return schedule.problem(definition.name, value)
    return None


def _number_reason(definition: Definition, value: str) -> str | None:
    try:
        number = int(value)
    except ValueError:
        return "Value is not a number"
    if definition.min is not None and number < definition.min:
        return f"Value is less than minimum allowed value: {definition.min}"
    if definition.max is not None and number > definition.max:
        return f"Value is greater than maximum allowed value: {definition.max}"
    return None


def check_all(settings: Settings) -> list[Problem]:
    """Problems of single options and of combinations (limits of environment properties: elastic_beanstalk.md §8.2)."""
    found = [problem for (namespace, name), value in settings.items() if (problem := check(namespace, name, value))]
    least, most = (settings.get(("aws:autoscaling:asg", name), "") for name in ("MinSize", "MaxSize"))
    if least.isdigit() and most.isdigit() and int(least) > int(most):
        text = (
            f"Invalid option value: '{least}' (Namespace: 'aws:autoscaling:asg', OptionName: 'MinSize'): "
            f"Value is greater than MaxSize: {most}"
        )
        found.append(Problem("aws:autoscaling:asg", "MinSize", text))
    size = sum(len(f"{name}={value}".encode()) for (space, name), value in settings.items() if space == ENVIRONMENT)
    if size > 4096:
        text = f"Invalid option value: all properties have {size} bytes, more than 4096 (Namespace: '{ENVIRONMENT}')"
        found.append(Problem(ENVIRONMENT, "", text))
    return found


def refuse(settings: Settings) -> None:
    """Raise the error of the first setting that is wrong."""
    for problem in check_all(settings):
        raise problem.error()


def refuse_overlap(given: Settings, removed: Iterable[Option]) -> None:
    """An option cannot be set and removed in one call."""
    for namespace, name in removed:
        if (namespace, name) in given:
            text = f"Option '{name}' of namespace '{namespace}' cannot be both set and removed."
            raise InvalidParameterCombination(text)


def normalize(namespace: str, name: str, value: str) -> str:
    """A value as the service gives it back: canonical spelling of choices (``5 Minutes`` is ``5 minute``), a profile's
    name for its ARN, documents on one line, lists in their own punctuation (docs/elastic_beanstalk.md §8.3, §13)."""
    if name == "IamInstanceProfile" and ":instance-profile/" in value:
        return value.rpartition("/")[2]
    if name == "SSHSourceRestriction":
        return value.replace(" ", "")
    if name == "InstanceTypes":
        return ", ".join(elements(value))
    definition = define(namespace, name)
    if definition is not None:
        if definition.type == "Json":
            return _one_line(value) or value
        for choice in definition.values:
            if choice.lower() == _MINUTES.sub(r"\1", value.lower()):
                return choice
    return value


def elements(value: str) -> list[str]:
    """The elements of a list."""
    return [part.strip() for part in value.split(",") if part.strip()]


def _one_line(document: str) -> str | None:
    try:
        return json.dumps(json.loads(document), separators=(",", ":"))
    except ValueError:
        return None


def read(items: Iterable[dict[str, str]] | None) -> Settings:
    """OptionSettings of a call as our own settings, normalized. An option without a value is left out."""
    found: Settings = {}
    for item in items or ():
        namespace, name = _option(item)
        value = item.get("Value")
        if value is not None:
            found[namespace, name] = normalize(namespace, name, value)
    return found


def read_names(items: Iterable[dict[str, str]] | None) -> set[Option]:
    """OptionsToRemove of a call."""
    return {_option(item) for item in items or ()}


def _option(item: dict[str, str]) -> Option:
    return qualify(item.get("Namespace", ""), item.get("OptionName", ""), item.get("ResourceName"))


def order(option: Option) -> tuple[str, str, str]:
    """By what settings are sorted in answers."""
    resource, namespace = split(option[0])
    return namespace, option[1], resource


def members(option: Option) -> dict[str, str]:
    """The members of an option setting, but its value, as calls and answers have them."""
    resource, namespace = split(option[0])
    found = {"Namespace": namespace, "OptionName": option[1]}
    return found | {"ResourceName": resource} if resource else found
