# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms: solution stacks, branches and versions, from a data file of what the service offers."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from localstalk.elasticbeanstalk.api import Answer, Params, page
from localstalk.model.errors import InvalidParameterValue, ServiceError
from localstalk.model.machines import ARM, X86
from localstalk.model.region import Region
from localstalk.model.state import Call, Platform

_DATA = Path(__file__).parent / "data" / "platforms.json"
_RELEASED = datetime(2026, 9, 1, tzinfo=UTC)
# The Amazon Linux AMI was retired then (docs/elastic_beanstalk.md §5), so that none of its versions is younger.
_RETIRED = datetime(2022, 7, 18, tzinfo=UTC)
_BUILDER = "Packer Builder"
_ARN = re.compile(
    r"arn:aws:elasticbeanstalk:(?P<region>[^:]*):(?P<account>[^:]*):platform/(?P<name>[^/]+)(/(?P<version>[^/]+))?"
)


@cache
def catalogue(region: str) -> tuple[Platform, ...]:
    """The platform versions that AWS offers, the newest of every branch first."""
    return tuple(
        Platform(
            arn=f"arn:aws:elasticbeanstalk:{region}::platform/{row['name']}/{row['version']}",
            name=row["name"],
            version=row["version"],
            branch=row["branch"],
            branch_order=row["order"],
            branch_state=row["state"],
            solution_stack=row["stack"],
            operating_system=row["os"],
            operating_system_version=row["os_version"],
            generation=row["generation"],
            lifecycle=row["lifecycle"],
            category=row["category"],
            file_types=tuple(row["file_types"]),
            languages=tuple((name, version) for name, version in row["languages"]),
        )
        for row in json.loads(_DATA.read_text(encoding="utf-8"))
    )


class Platforms:
    """Operations on platforms; custom platforms are accepted and kept, nothing is built."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.custom_platforms: dict[str, Platform] = {}
        self.platform_tags: dict[str, dict[str, str]] = {}

    def platforms(self) -> list[Platform]:
        """AWS's platform versions, then the account's own."""
        return [*catalogue(self.region.name), *self.custom_platforms.values()]

    def platform_by_stack(self, stack: str) -> Platform:
        """The platform of a solution stack name, or the service's error."""
        for platform in self.platforms():
            if platform.solution_stack == stack:
                return platform
        raise InvalidParameterValue(f"No Solution Stack named '{stack}' found.")

    def platform_by_arn(self, arn: str) -> Platform:
        """The platform of an ARN; one without a version means the newest. AWS's own need no region."""
        match = _ARN.fullmatch(arn)
        found = [
            platform
            for platform in self.platforms()
            if match
            and match["region"] in ("" if not match["account"] else self.region.name, self.region.name)
            and match["account"] == platform.arn.split(":")[4]
            and match["name"] == platform.name
            and match["version"] in (None, platform.version)
        ]
        if not found:
            raise InvalidParameterValue(f"Platform ARN is invalid: {arn}")
        return max(found, key=lambda platform: version_numbers(platform.version))

    def chosen(self, params: Params) -> Platform | None:
        """What SolutionStackName or PlatformArn name, if any."""
        if params.get("SolutionStackName") is not None:
            return self.platform_by_stack(params["SolutionStackName"])
        if params.get("PlatformArn") is not None:
            return self.platform_by_arn(params["PlatformArn"])
        return None

    def list_available_solution_stacks(self, call: Call, params: Params) -> Answer:
        """All names, and what files each takes."""
        stacks = [platform for platform in catalogue(self.region.name) if platform.branch_state != "Retired"]
        stacks += [platform for platform in catalogue(self.region.name) if platform.branch_state == "Retired"]
        return {
            "SolutionStacks": [platform.solution_stack for platform in stacks],
            "SolutionStackDetails": [
                {"SolutionStackName": platform.solution_stack, "PermittedFileTypes": list(platform.file_types)}
                for platform in stacks
            ],
        }

    def list_platform_branches(self, call: Call, params: Params) -> Answer:
        """One line per branch; filters by Attribute, Operator and Values."""
        branches: dict[str, dict[str, Any]] = {}
        for platform in catalogue(self.region.name):
            branches.setdefault(
                platform.branch,
                {
                    "PlatformName": platform.category,
                    "BranchName": platform.branch,
                    "LifecycleState": platform.branch_state,
                    "BranchOrder": platform.branch_order,
                    "SupportedTierList": list(platform.tiers),
                },
            )
        found = [
            branch
            for branch in sorted(branches.values(), key=lambda branch: int(branch["BranchOrder"]), reverse=True)
            if all(_branch_matches(branch, rule) for rule in params.get("Filters") or ())
        ]
        items, token = page(found, params)
        return {"PlatformBranchSummaryList": items, "NextToken": token}

    def list_platform_versions(self, call: Call, params: Params) -> Answer:
        """One line per version; filters by Type, Operator and Values."""
        filters = params.get("Filters") or ()
        found = [
            platform_summary(platform)
            for platform in self.platforms()
            if all(_version_matches(platform, rule) for rule in filters)
        ]
        items, token = page(found, params)
        return {"PlatformSummaryList": items, "NextToken": token}

    def describe_platform_version(self, call: Call, params: Params) -> Answer:
        """Everything about one version."""
        if params.get("PlatformArn") is None:
            raise ServiceError("MissingRequiredParameter", "PlatformArn must be specified.")
        platform = self.platform_by_arn(params["PlatformArn"])
        released = _RETIRED if platform.generation == "al1" else _RELEASED
        description = platform_summary(platform) | {
            "PlatformName": platform.name,
            "SolutionStackName": platform.solution_stack,
            "DateCreated": released,
            "DateUpdated": released,
            "Description": f"{platform.name}, version {platform.version}",
            "Maintainer": "AWS" if platform.owner == "AWSElasticBeanstalk" else self.region.account,
            "ProgrammingLanguages": [{"Name": name, "Version": version} for name, version in platform.languages],
            "Frameworks": [],
            "CustomAmiList": [
                {"VirtualizationType": "hvm", "ImageId": self.region.fleet.image(platform, architecture)}
                for architecture in ((X86,) if platform.generation == "al1" else (X86, ARM))
            ],
        }
        return {"PlatformDescription": description}

    def create_platform_version(self, call: Call, params: Params) -> Answer:
        """Keep a custom platform; it is Ready at once because no builder runs here."""
        name, version = params["PlatformName"], params["PlatformVersion"]
        arn = f"arn:aws:elasticbeanstalk:{self.region.name}:{self.region.account}:platform/{name}/{version}"
        if arn in self.custom_platforms:
            raise InvalidParameterValue(f"Platform {name} version {version} already exists.")
        self.region.check_quota(
            "CustomPlatform", "Custom Platforms", len(self.custom_platforms), "TooManyPlatformsException"
        )
        base = catalogue(self.region.name)[0]
        platform = Platform(
            arn, name, version, name, 2000, "Supported", None, base.operating_system, base.operating_system_version,
            base.generation, owner="self", category="custom",
        )  # fmt: skip
        self.custom_platforms[arn] = platform
        for text in (
            f"Initiated platform version creation for '{name}/{version}'.",
            f"Successfully created platform version '{name}/{version}'.",
        ):
            self.region.events.record(text, request_id=call.request_id, platform_arn=arn)
        return {"PlatformSummary": platform_summary(platform), "Builder": {"ARN": self.region.arn("builder", _BUILDER)}}

    def delete_platform_version(self, call: Call, params: Params) -> Answer:
        """Forget a custom platform unless an environment still uses it."""
        arn = params.get("PlatformArn") or ""
        platform = self.custom_platforms.get(arn)
        if platform is None:
            raise InvalidParameterValue(f"Platform ARN is invalid: {arn}")
        if any(environment.platform.arn == arn for environment in self.region.running()):
            raise ServiceError("PlatformVersionStillReferencedException", f"Platform {arn} is in use.")
        del self.custom_platforms[arn]
        return {"PlatformSummary": platform_summary(platform) | {"PlatformStatus": "Deleting"}}


def version_numbers(version: str) -> tuple[int, ...]:
    """A platform's version, to be compared."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def platform_summary(platform: Platform) -> Answer:
    """ListPlatformVersions' view of a platform."""
    return {
        "PlatformArn": platform.arn,
        "PlatformOwner": platform.owner,
        "PlatformStatus": platform.status,
        "PlatformCategory": platform.category,
        "OperatingSystemName": platform.operating_system,
        "OperatingSystemVersion": platform.operating_system_version,
        "SupportedTierList": list(platform.tiers),
        "SupportedAddonList": list(platform.addons),
        "PlatformLifecycleState": platform.lifecycle or None,
        "PlatformVersion": platform.version,
        "PlatformBranchName": platform.branch,
        "PlatformBranchLifecycleState": platform.branch_state,
    }


def _branch_matches(branch: dict[str, Any], rule: dict[str, Any]) -> bool:
    attribute, values = rule.get("Attribute", ""), rule.get("Values") or []
    if attribute == "TierType":
        have = [tier.partition("/")[2] for tier in branch["SupportedTierList"]]
    elif attribute in ("BranchName", "LifecycleState", "PlatformName"):
        have = [str(branch[attribute])]
    else:
        raise InvalidParameterValue(f"Unsupported filter attribute: {attribute}")
    return _compare(have, rule.get("Operator") or "=", values)


def _version_matches(platform: Platform, rule: dict[str, Any]) -> bool:
    newest = platform.lifecycle == "Recommended"
    have = {
        "PlatformName": platform.name,
        "PlatformVersion": "latest" if "latest" in (rule.get("Values") or []) and newest else platform.version,
        "PlatformStatus": platform.status,
        "PlatformBranchName": platform.branch,
        "PlatformLifecycleState": platform.lifecycle,
        "PlatformOwner": platform.owner,
        "SupportedTier": None,
        "SupportedAddon": None,
        "ProgrammingLanguageName": platform.languages[0][0] if platform.languages else "",
        "OperatingSystemName": platform.operating_system,
    }
    kind = rule.get("Type", "")
    if kind not in have:
        raise InvalidParameterValue(f"Unsupported filter type: {kind}")
    several = {"SupportedTier": platform.tiers, "SupportedAddon": platform.addons}
    values = list(several[kind]) if kind in several else [str(have[kind])]
    return _compare(values, rule.get("Operator") or "=", rule.get("Values") or [])


def _compare(have: list[str], operator: str, values: list[str]) -> bool:
    tests: dict[str, Callable[[str, str], bool]] = {
        "=": lambda item, value: item == value,
        "in": lambda item, value: item == value,
        "contains": lambda item, value: value in item,
        "begins_with": lambda item, value: item.startswith(value),
        "ends_with": lambda item, value: item.endswith(value),
        "like": lambda item, value: fnmatch.fnmatchcase(item, value),
    }
    if operator in ("!=", "not_in"):
        return all(item != value for item in have for value in values)
    if operator not in tests:
        raise InvalidParameterValue(f"Unsupported filter operator: {operator}")
    return any(tests[operator](item, value) for item in have for value in values)
