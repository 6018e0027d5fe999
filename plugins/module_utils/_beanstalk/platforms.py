# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: solution stack names, platform ARNs and platform branches, and which of them mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .common import AnsibleBeanstalkRefusedError

# "64bit Amazon Linux 2023 v4.3.0 running Docker", and with another order "64bit Windows Server Core 2022 v2.1 …".
_STACK = re.compile(r"(?P<system>.+) v(?P<version>\d+(?:\.\d+)+) running (?P<what>.+)")


def branch_of_stack(stack: str) -> tuple[str, tuple[int, ...]] | None:
    """Branch name and version of a solution stack: ("Docker running on 64bit Amazon Linux 2023", (4, 3, 0))."""
    found = _STACK.fullmatch(stack)
    if not found:
        return None
    version = tuple(int(part) for part in found["version"].split("."))
    return f"{found['what']} running on {found['system']}", version


def branch_of_arn(arn: str) -> str | None:
    """Branch name in a platform ARN: arn:aws:elasticbeanstalk:REGION::platform/BRANCH/VERSION."""
    parts = arn.split("/")
    return parts[1] if len(parts) == 3 and ":platform" in parts[0] else None


def arn_of_stack(stack: str, partition: str, region: str) -> str:
    """The platform ARN of one of AWS's solution stacks since Amazon Linux 2, "" for a name of another form."""
    found = branch_of_stack(stack)
    if not found:
        return ""
    return f"arn:{partition}:elasticbeanstalk:{region}::platform/{found[0]}/{'.'.join(map(str, found[1]))}"


def newest_of_branch(branch: str, stacks: Iterable[str]) -> str | None:
    """The newest solution stack of a branch; names are compared without regard to case."""
    best: tuple[tuple[int, ...], str] | None = None
    for stack in stacks:
        found = branch_of_stack(stack)
        if found and found[0].lower() == branch.lower() and (best is None or found[1] > best[0]):
            best = (found[1], stack)
    return best[1] if best else None


def is_arn(platform: str) -> bool:
    """Whether a platform is given as an ARN."""
    return platform.startswith("arn:")


def runs_on(environment: Mapping[str, Any], platform: str) -> bool:
    """Whether an environment's platform is the wanted one; a branch name is met by any of its versions."""
    stack, arn = environment.get("SolutionStackName") or "", environment.get("PlatformArn") or ""
    if platform in (stack, arn):
        return True
    if is_arn(platform) or branch_of_stack(platform):
        return False
    found = branch_of_stack(stack)
    names = [found[0] if found else "", branch_of_arn(arn) or ""]
    return platform.lower() in [name.lower() for name in names if name]


def resolve(platform: str, stacks: Iterable[str]) -> dict[str, str]:
    """The platform as parameters of a call; a branch name becomes its newest solution stack.

    Raises AnsibleBeanstalkRefusedError with similar names when there is no such platform.
    """
    if is_arn(platform):
        return {"PlatformArn": platform}
    known = list(stacks)
    if platform in known:
        return {"SolutionStackName": platform}
    newest = newest_of_branch(platform, known)
    if newest:
        return {"SolutionStackName": newest}
    words = set(platform.lower().split())
    close = sorted(known, key=lambda stack: -len(words & set(stack.lower().split())))[:3]
    hint = f" Similar ones: {'; '.join(close)}." if close else ""
    raise AnsibleBeanstalkRefusedError(message=f"There is no platform {platform!r} in this region.{hint}")
