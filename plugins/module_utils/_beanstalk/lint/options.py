# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option_settings of configuration files against the catalogue of options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..option_settings import catalogue
from .document import MAPPING, NULL, SEQUENCE, Node
from .findings import ERROR, WARNING, Finding, finding

PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
_ENTRY_KEYS = ("namespace", "option_name", "value", "resource_name")

_SECRET_NAME = re.compile(
    r"(?i)(^|_)(password|passwd|pwd|secret|secret_?key|token|api_?key|private_?key|access_?key|credentials?)$"
    r"|(password|secret_?access_?key|auth_?token|api_?token)"
)
_SECRET_VALUE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\b\w+://[^/\s:@]+:[^/\s:@]{3,}@")
# A value that stands for another: a reference, a placeholder of a sample, a switch, a number.
_NO_SECRET = re.compile(
    r"(?i)\s*$|`|\{\{|\$|arn:|<.*>$|(true|false|yes|no|on|off|none|null|\d+)$|.*(change|replace|your|example|placeholder)"
    r"|x{3,}|\*{3,}|\.{3,}|todo|/"
)


@dataclass(frozen=True)
class Setting:
    """One option setting and where it stands."""

    file: str
    namespace: str
    option: str
    name_node: Node
    value: Node


def is_function(node: Node) -> bool:
    """Tell whether the mapping is a CloudFormation function as {"Ref": ...} or {"Fn::GetOptionSetting": ...}."""
    return len(node.pairs) == 1 and (node.pairs[0][0].text == "Ref" or node.pairs[0][0].text.startswith("Fn::"))


def suggest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """Return " (did you mean X?)" for the closest known word, or ""."""

    def flat(text: str) -> str:
        return re.sub(r"[-_ ]", "", text).lower()

    by_flat = {flat(name): name for name in known}
    close = difflib.get_close_matches(flat(word), by_flat, n=1, cutoff=0.7)
    return f" (did you mean {by_flat[close[0]]}?)" if close else ""


class OptionLinter:
    """Collects the settings of all files of a bundle, in the order in which EB reads them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.settings: list[Setting] = []

    def read(self, file: str, section: Node) -> None:
        """Look at the option_settings of one file."""
        for setting in self._settings(file, section):
            self.settings.append(setting)
            self._check(setting)

    def finish(self) -> list[Finding]:
        """Look at what the files say together and return all findings."""
        in_force = {(setting.namespace, setting.option): setting for setting in self.settings}
        self._check_sum(in_force)
        for problem in _combinations({key: setting.value.text for key, setting in in_force.items()}):
            setting = in_force[problem[0]]
            self._add("option-combination", setting, problem[1])
        return self.findings

    def _add(self, rule: str, setting: Setting, message: str, severity: str = "") -> None:
        self.findings.append(finding(rule, setting.file, setting.name_node.line, message, severity))

    def _settings(self, file: str, section: Node) -> Iterator[Setting]:
        if section.kind == SEQUENCE:
            for entry in section.items:
                yield from self._entry(file, entry)
        elif section.kind == MAPPING:
            for name, options in section.pairs:
                yield from self._namespace(file, name, options)
        elif section.kind != NULL:
            self.findings.append(finding("wrong-type", file, section.line, "option_settings takes a mapping or a list"))

    def _namespace(self, file: str, name: Node, options: Node) -> Iterator[Setting]:
        if options.kind == MAPPING and not is_function(options):
            for option, value in options.pairs:
                # "ScheduledScaleUp.aws:autoscaling:scheduledaction" names a resource in front of the namespace.
                yield Setting(file, re.sub(r"^[\w-]+\.(?=aws:)", "", name.text), option.text, option, value)
        elif options.kind != NULL:
            message = f"{name.text} stands directly under option_settings, without a namespace"
            if name.text.startswith("aws:"):
                message = f"{name.text} takes options with their values"
            self.findings.append(finding("option-without-namespace", file, name.line, message, ERROR))

    def _entry(self, file: str, entry: Node) -> Iterator[Setting]:
        if entry.kind != MAPPING:
            self.findings.append(
                finding("wrong-type", file, entry.line, "an option setting takes namespace, option_name and value")
            )
            return
        for key, _value in entry.pairs:
            if key.text not in _ENTRY_KEYS:
                hint = suggest(key.text, _ENTRY_KEYS)
                self.findings.append(
                    finding("unknown-key", file, key.line, f"{key.text} is no key of an option setting{hint}")
                )
        namespace, option = entry.get("namespace"), entry.get("option_name")
        if option is None or entry.get("value") is None:
            missing = "option_name" if option is None else "value"
            self.findings.append(finding("missing-key", file, entry.line, f"the option setting has no {missing}"))
            return
        if namespace is None:
            self._without_namespace(file, option)
        yield Setting(
            file, namespace.text if namespace else PROPERTIES, option.text, option, entry.get("value") or entry
        )

    def _without_namespace(self, file: str, option: Node) -> None:
        # The documented short form for environment properties, as long as the name looks like one.
        known = catalogue.namespaces_of(option.text)
        if known:
            message = f"{option.text} is an option of {' and '.join(known)}, but has no namespace"
            self.findings.append(finding("option-without-namespace", file, option.line, message, ERROR))
        elif not re.fullmatch(r"[A-Z_][A-Z0-9_]*", option.text):
            message = f"{option.text} has no namespace"
            self.findings.append(finding("option-without-namespace", file, option.line, message))

    def _check(self, setting: Setting) -> None:
        namespace = catalogue.find(setting.namespace)
        if namespace is None:
            hint = suggest(setting.namespace, catalogue.names())
            self._add("unknown-namespace", setting, f"there is no namespace {setting.namespace}{hint}")
            return
        if setting.namespace == "aws:elasticbeanstalk:customoption":  # read by Fn::GetOptionSetting, whatever it holds
            return
        if setting.value.kind == SEQUENCE or (setting.value.kind == MAPPING and not is_function(setting.value)):
            self._add("wrong-type", setting, f"{setting.option} takes one value; write lists as a,b,c")
            return
        check = namespace.options.get(setting.option)
        if check is None and namespace.closed:
            hint = suggest(setting.option, list(namespace.options)) or _elsewhere(setting.option)
            # AWS's guide itself writes `rules` for Rules: whether EB minds is not known.
            severity = WARNING if setting.option.lower() in map(str.lower, namespace.options) else ERROR
            self._add("unknown-option", setting, f"{setting.namespace} has no option {setting.option}{hint}", severity)
        elif setting.value.is_scalar:
            self._check_value(setting, check)

    def _check_value(self, setting: Setting, check: catalogue.Check | None) -> None:
        value = setting.value.text.strip()
        if setting.namespace == PROPERTIES:
            self._check_property(setting, value)
        elif setting.option == "DBPassword" and not _NO_SECRET.match(value):
            self._add("secret-in-property", setting, "DBPassword is written out")
        if setting.option == "DBDeletionPolicy" and value == "Delete":
            self._add("rds-deletion-policy", setting, "DBDeletionPolicy is Delete")
        # A backtick encloses a CloudFormation function, {{resolve:...}} is a dynamic reference: EB fills them in later.
        if setting.value.kind == NULL or not value or value.startswith(("`", "{{")):
            return
        if setting.namespace == SECRETS and not re.match(r"arn:aws[\w-]*:(secretsmanager|ssm):", value):
            self._add("option-value", setting, f"{setting.option}: it takes the ARN of a secret or a parameter")
        problem = check(value) if check else ""
        if problem:
            severity = WARNING if problem.startswith(catalogue.CASE_ONLY) else ERROR
            self._add("option-value", setting, f"{setting.option}: {value!r}: {problem}", severity)

    def _check_property(self, setting: Setting, value: str) -> None:
        # Never quote the value.
        if _SECRET_VALUE.search(value) or (_SECRET_NAME.search(setting.option) and not _NO_SECRET.match(value)):
            self._add("secret-in-property", setting, f"{setting.option} is a secret in a plain property")
        if len(setting.option) > 128:
            self._add(
                "option-value", setting, f"{setting.option[:20]}...: a property name takes at most 128 characters"
            )

    def _check_sum(self, in_force: dict[tuple[str, str], Setting]) -> None:
        properties = [setting for (namespace, _option), setting in in_force.items() if namespace == PROPERTIES]
        size = sum(len(f"{item.option}={item.value.text}".encode()) for item in properties)
        if size > 4096:
            self._add("properties-too-long", properties[-1], f"the environment properties take {size} bytes")


def _elsewhere(option: str) -> str:
    known = catalogue.namespaces_of(option)
    return f" (it is one of {' and '.join(known)})" if known else ""


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() else None


def _combinations(values: dict[tuple[str, str], str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (setting, message) for settings that EB refuses together."""
    command, group = "aws:elasticbeanstalk:command", "aws:autoscaling:asg"
    environment = "aws:elasticbeanstalk:environment"
    policy = values.get((command, "DeploymentPolicy"))
    if values.get((environment, "EnvironmentType")) == "SingleInstance" and policy not in (
        None,
        "AllAtOnce",
        "Immutable",
    ):
        yield (command, "DeploymentPolicy"), f"{policy} needs a load balancer; the environment is SingleInstance"
    balancer = values.get((environment, "LoadBalancerType"))
    if policy == "TrafficSplitting" and balancer not in (None, "application"):
        yield (command, "DeploymentPolicy"), f"TrafficSplitting needs an application load balancer, not {balancer}"
    batch = _number(values.get((command, "BatchSize")))
    if batch and batch > 100 and values.get((command, "BatchSizeType"), "Percentage") == "Percentage":
        yield (command, "BatchSize"), f"BatchSize is {batch} percent"
    smallest, largest = (_number(values.get((group, name))) for name in ("MinSize", "MaxSize"))
    if smallest is not None and largest is not None and smallest > largest:
        yield (group, "MinSize"), f"MinSize {smallest} is larger than MaxSize {largest}"
