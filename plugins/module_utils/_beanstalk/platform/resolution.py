# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: solution stack names, platform ARNs and platform branches, and which of them mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from ..core import api
from ..core.errors import AnsibleBeanstalkRefusedError

# "64bit Amazon Linux 2023 v4.3.0 running Docker", and with another order "64bit Windows Server Core 2022 v2.1 …".
_STACK = re.compile(r"(?P<system>.+) v(?P<version>\d+(?:\.\d+)+) running (?P<what>.+)")
# Region, account and version may be left out: "Platform ARN" in the AWS Elastic Beanstalk Developer Guide, and the
# README of aws-actions/aws-elasticbeanstalk-deploy.
_ARN = re.compile(
    r"arn:[^:]*:elasticbeanstalk:(?P<region>[^:]*):(?P<account>[^:]*)"
    r":platform/(?P<branch>[^/]+)(?:/(?P<version>[^/]*))?"
)
# The stack "… running Tomcat 10 Corretto 17" is of the branch "Tomcat 10 with Corretto 17 running on …".
_TOMCAT = re.compile(r"(Tomcat [\d.]+) (?=Corretto|Java)", re.IGNORECASE)
_BRANCH = re.compile(r"(?P<what>.+) running on (?P<system>.+)")
_SYSTEM = re.compile(r"(?P<bits>\d+)bit (?P<name>.+)")
_LEGACY = "Amazon Linux AMI"

Version = tuple[int, ...]


class Wanted(NamedTuple):
    """A platform as it was asked for; what is empty may be anything."""

    branch: str
    version: Version = ()
    region: str = ""
    account: str = ""


class Fit(Enum):
    """What an environment's platform is to the wanted one."""

    RIGHT = "right"
    NEWER = "newer"  # of the wanted branch, and newer than the wanted version
    CHANGE = "change"  # another version, or another branch of the same kind
    OTHER_KIND = "other kind"  # another family, generation or architecture


def _version(text: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def branch_of_stack(stack: str) -> tuple[str, Version] | None:
    """Branch name and version of a solution stack: ("Docker running on 64bit Amazon Linux 2023", (4, 3, 0))."""
    found = _STACK.fullmatch(stack)
    if not found:
        return None
    return _official(f"{found['what']} running on {found['system']}"), _version(found["version"])


def _official(branch: str) -> str:
    """The name that AWS gives a branch."""
    return _TOMCAT.sub(r"\1 with ", branch)


def is_same_branch(one: str, other: str) -> bool:
    """Whether two names mean one branch."""
    return _official(one).lower() == _official(other).lower()


def wanted_platform(platform: str) -> Wanted:
    """A platform by any of its names: ARN with or without version and region, solution stack, branch."""
    if found := _ARN.fullmatch(platform):
        return Wanted(_official(found["branch"]), _version(found["version"] or ""), found["region"], found["account"])
    stack = branch_of_stack(platform)
    return Wanted(*stack) if stack else Wanted(_official(platform))


def arn_of_stack(stack: str, partition: str, region: str) -> str:
    """The platform ARN of one of AWS's solution stacks since Amazon Linux 2, "" for a name of another form."""
    found = branch_of_stack(stack)
    if not found:
        return ""
    return f"arn:{partition}:elasticbeanstalk:{region}::platform/{found[0]}/{'.'.join(map(str, found[1]))}"


def newest_of_branch(branch: str, stacks: Iterable[str]) -> str | None:
    """The newest solution stack of a branch; names are compared without regard to case."""
    best: tuple[Version, str] | None = None
    for stack in stacks:
        found = branch_of_stack(stack)
        if found and is_same_branch(found[0], branch) and (best is None or found[1] > best[0]):
            best = (found[1], stack)
    return best[1] if best else None


def is_arn(platform: str) -> bool:
    """Whether a platform is given as an ARN."""
    return platform.startswith("arn:")


def is_whole(platform: str) -> bool:
    """Whether it is an ARN for which nothing has to be looked up: with region and version, or of one's own account."""
    found = _ARN.fullmatch(platform)
    return bool(found and ((found["region"] and found["version"]) or found["account"]))


def fit(environment: Mapping[str, Any], platform: str) -> Fit:
    """What the platform of an environment is to the wanted one."""
    stack, arn = environment.get("SolutionStackName") or "", environment.get("PlatformArn") or ""
    if platform in (stack, arn):
        return Fit.RIGHT
    wanted = wanted_platform(platform)
    names = [wanted_platform(name) for name in (arn, stack) if name]
    by_arn = is_arn(platform) and is_arn(arn)
    for has in names[:1] if by_arn else names:
        if not _is_of(has, wanted, by_arn=by_arn):
            continue
        if not wanted.version or has.version == wanted.version:
            return Fit.RIGHT
        return Fit.NEWER if has.version > wanted.version else Fit.CHANGE
    kinds = [kind for kind in (_kind(name.branch) for name in names) if kind]
    new = _kind(wanted.branch)
    return Fit.OTHER_KIND if new and kinds and new not in kinds else Fit.CHANGE


def other_platforms(environments: Iterable[Mapping[str, Any]], platform: str) -> list[Mapping[str, Any]]:
    """Those environments, as ``environment_info`` returns them, whose platform is neither the wanted one nor newer."""
    return [one for one in environments if fit(_described(one), platform) not in (Fit.RIGHT, Fit.NEWER)]


def _described(environment: Mapping[str, Any]) -> dict[str, str]:
    name = environment["platform"] or ""
    return {"PlatformArn" if is_arn(name) else "SolutionStackName": name}


def _is_of(has: Wanted, wanted: Wanted, *, by_arn: bool) -> bool:
    """Whether a platform is one of the wanted branch; ARNs say besides whose it is."""
    if not is_same_branch(has.branch, wanted.branch):
        return False
    return not by_arn or (has.account == wanted.account and wanted.region in ("", has.region))


def _kind(branch: str) -> tuple[str, str, str] | None:
    """Family, generation and architecture; None for a platform of somebody's own.

    "Python 3.11 running on 64bit Amazon Linux 2023" is ("python", "amazon linux 2023", "64").
    """
    found = _BRANCH.fullmatch(branch)
    system = _SYSTEM.fullmatch(found["system"]) if found else None
    if not found or not system:
        return None
    words = [word for word in found["what"].split() if not re.match(r"[\d(]", word)]
    name = _LEGACY if re.match(r"Amazon Linux(?: 201\d\.\d\d| AMI)?$", system["name"]) else system["name"]
    return " ".join(words).lower(), name.lower(), system["bits"]


def refuse_other_kind(environment: Mapping[str, Any], platform: str) -> None:
    """Raise AnsibleBeanstalkRefusedError where a platform cannot be replaced in place.

    Source: "Updating your Elastic Beanstalk environment's platform version" of the Developer Guide, which asks for a
    new environment and a swap of CNAMEs.
    """
    if fit(environment, platform) is Fit.OTHER_KIND:
        now = environment.get("SolutionStackName") or environment.get("PlatformArn")
        raise AnsibleBeanstalkRefusedError(
            message=f"The environment {environment.get('EnvironmentName')} runs {now}, and {platform} is of another "
            "family, generation or architecture: a platform like that needs a new environment "
            "(eb_deploy_strategy: swap, or the module cycle with platform)."
        )


def newer_sentence(environment: Mapping[str, Any], platform: str) -> str:
    """What is said where an environment runs a newer version than the pinned one."""
    now = environment.get("SolutionStackName") or environment.get("PlatformArn")
    return (
        f"The environment {environment.get('EnvironmentName')} runs {now}, which is newer than the wanted {platform}, "
        "and keeps it: name the newer version, or the branch without a version; eb_platform_downgrade: true "
        "(platform_downgrade of the modules) goes back."
    )


def choose(client: Any, platform: str) -> dict[str, str]:
    """The platform as parameters of a call; asks for the solution stacks where that is needed. See :func:`resolve`."""
    return resolve(platform, [] if is_whole(platform) else api.solution_stacks(client))


def resolve(platform: str, stacks: Iterable[str]) -> dict[str, str]:
    """The platform as parameters of a call; a branch, or an ARN without version or region, becomes its newest stack.

    Raises AnsibleBeanstalkRefusedError with similar names when there is no such platform.
    """
    wanted = wanted_platform(platform)
    if is_whole(platform):
        return {"PlatformArn": platform}
    known = list(stacks)
    if platform in known:
        return {"SolutionStackName": platform}
    if wanted.version:
        same = [stack for stack in known if branch_of_stack(stack) == (wanted.branch, wanted.version)]
        newest = same[0] if same else None
    else:
        newest = newest_of_branch(wanted.branch, known)
    if newest:
        return {"SolutionStackName": newest}
    words = set(platform.lower().split())
    close = sorted(known, key=lambda stack: -len(words & set(stack.lower().split())))[:3]
    hint = f" Similar ones: {'; '.join(close)}." if close else ""
    raise AnsibleBeanstalkRefusedError(message=f"There is no platform {platform!r} in this region.{hint}")
