# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template says about its resources: which there are, and which one needs which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from localstalk.cloudformation.kinds import PREFIX

_NESTED = "AWS::CloudFormation::Stack"
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9:]+)[.}]")


class TemplateError(Exception):
    """CloudFormation's sentence about a template that it refuses."""


def is_ours(template: Mapping[str, Any]) -> bool:
    """Whether a template holds Elastic Beanstalk's resources, or stacks, which may."""
    kinds = [str(body.get("Type")) for body in (template.get("Resources") or {}).values() if isinstance(body, dict)]
    return any(kind.startswith(PREFIX) or kind == _NESTED for kind in kinds)


def in_order(template: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after those that it needs. Raises :class:`TemplateError`."""
    resources: Mapping[str, Any] = template["Resources"]
    known = resources.keys() | (template.get("Parameters") or {}).keys()
    needs: dict[str, list[str]] = {}
    for name, body in resources.items():
        found = list(_references(body))
        missing = sorted({each for each in found if each not in known and not each.startswith("AWS::")})
        if missing:
            raise TemplateError(
                f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the Resources "
                "block of the template"
            )
        needs[name] = [each for each in found if each in resources]
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        names = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Circular dependency between resources: [{names}]") from None


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "Ref":
            yield str(item)
        elif key == "Fn::GetAtt":
            yield str(item[0] if isinstance(item, list) else item.partition(".")[0])
        elif key == "Fn::Sub":
            yield from _variables(item)
        elif key == "DependsOn":
            yield from [item] if isinstance(item, str) else item
        else:
            yield from _references(item)


def _variables(item: str | list[Any]) -> Iterator[str]:
    text, given = (item[0], item[1]) if isinstance(item, list) else (item, {})
    yield from (name for name in _VARIABLE.findall(text) if name not in given)
    yield from _references(given)
