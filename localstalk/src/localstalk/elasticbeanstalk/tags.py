# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of everything that has an ARN of ours."""

from __future__ import annotations

from collections.abc import Iterable

from localstalk.elasticbeanstalk.api import Answer, Params, read_tags
from localstalk.elasticbeanstalk.platforms import Platforms
from localstalk.model.errors import InvalidParameterValue, MissingRequiredParameter, ServiceError, must_be_ready
from localstalk.model.region import Region
from localstalk.model.state import Call, Template, Version
from localstalk.workflows import changes
from localstalk.workflows.runner import Runner

_MAX_TAGS = 50
_MAX_ENVIRONMENT_TAGS = 47
"""Elastic Beanstalk needs the others (Developer Guide, "Tagging Elastic Beanstalk environments")."""


def environment_tags(params: Params) -> dict[str, str]:
    """Tags for a new environment, or the service's error."""
    tags = read_tags(params)
    _check_reserved(tags)
    _check_count(len(tags), _MAX_ENVIRONMENT_TAGS)
    return tags


def _check_reserved(keys: Iterable[str]) -> None:
    for key in keys:
        if key.lower().startswith(("aws:", "elasticbeanstalk:")):
            raise InvalidParameterValue(f"Tag key '{key}' is reserved.")


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise ServiceError("TooManyTagsException", f"A resource cannot have more than {most} tags.")


class Tags:
    """The two operations on tags."""

    def __init__(self, region: Region, runner: Runner, platforms: Platforms) -> None:
        self.region = region
        self.runner = runner
        self.platforms = platforms

    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Tags of anything with an ARN of ours."""
        arn = params["ResourceArn"]
        tags = self._tags_of(arn) | self._own_tags(arn)
        pairs = [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
        return {"ResourceArn": arn, "ResourceTags": pairs}

    def update_tags_for_resource(self, call: Call, params: Params) -> None:
        """Add and remove; on an environment this is an update, during which it is busy (elastic_beanstalk.md §1.7)."""
        arn = params["ResourceArn"]
        added = read_tags(params, "TagsToAdd")
        removed = list(params.get("TagsToRemove") or ())
        if not added and not removed:
            raise MissingRequiredParameter("At least one of TagsToAdd or TagsToRemove must be specified.")
        if set(added) & set(removed):
            raise InvalidParameterValue("A tag cannot be both added and removed in one call.")
        _check_reserved(added)
        if "Name" in added:
            # At creation it is taken (cloudposse/terraform-aws-elastic-beanstalk-environment#37).
            raise InvalidParameterValue("Tag key 'Name' is reserved.")
        tags = self._tags_of(arn)
        environment = next((each for each in self.region.running() if each.arn == arn), None)
        count = len((set(tags) | set(added)) - set(removed))
        _check_count(count, _MAX_TAGS if environment is None else _MAX_ENVIRONMENT_TAGS)
        if environment is None:
            self._change_tags(tags, added, removed)
            return
        if environment.status != "Ready":
            raise must_be_ready(environment.name)
        context = self.runner.context(environment, call)
        self.runner.begin(environment, call, "tags", "Updating", changes.retag(context, added, removed))

    def _own_tags(self, arn: str) -> dict[str, str]:
        """What the service itself puts on an environment (Developer Guide, eb3-tags: output)."""
        return next((environment.own_tags for environment in self.region.running() if environment.arn == arn), {})

    @staticmethod
    def _change_tags(tags: dict[str, str], added: dict[str, str], removed: list[str]) -> None:
        tags.update(added)
        for key in removed:
            tags.pop(key, None)

    def _tags_of(self, arn: str) -> dict[str, str]:
        for environment in self.region.running():
            if environment.arn == arn:
                return environment.tags
        for application in self.region.applications.values():
            if application.arn == arn:
                return application.tags
            parts: list[Version | Template] = [*application.versions.values(), *application.templates.values()]
            for part in parts:
                if part.arn == arn:
                    return part.tags
        if arn in self.platforms.custom_platforms:
            return self.platforms.platform_tags.setdefault(arn, {})
        if not arn.startswith(f"arn:aws:elasticbeanstalk:{self.region.name}:"):
            text = f"Invalid resource ARN: {arn}"
            raise InvalidParameterValue(text)
        raise ServiceError("ResourceNotFoundException", f"Resource not found for ARN '{arn}'.")
