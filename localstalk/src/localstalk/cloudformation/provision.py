# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing what a stack has in line with its template: one resource after the other, on localstalk's clock.

Creation, update, deletion and the ways back from each are one procedure with different wishes. What a change
replaces is kept until the end, so that a rollback finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from moto.cloudformation.parsing import (
    ResourceMap,
    clean_json,
    parse_and_create_resource,
    parse_and_delete_resource,
    parse_and_update_resource,
)

from localstalk.cloudformation.kinds import PREFIX
from localstalk.cloudformation.template import in_order
from localstalk.scheduler import sleep

_LOOK_SECONDS = 5.0


class Superseded(Exception):  # noqa: N818 - an outcome
    """The stack is being deleted instead."""


class ResourcesFailed(Exception):  # noqa: N818 - an outcome
    """A resource failed; the text is the reason of the stack's next event."""


@dataclass
class Made:
    """A resource that a stack has: moto's object for it (None: a type that moto does not know) and its template."""

    name: str
    body: dict[str, Any]
    resource: Any
    rank: int = 0
    """Its place in the order of the template: higher ones need lower ones."""

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.body["Type"])

    @property
    def physical_id(self) -> str:
        """Its name or id, "" without one."""
        return str(getattr(self.resource, "physical_resource_id", None) or "")


@dataclass
class Holdings:
    """What a stack has now, by logical id, and what was replaced or is no longer wanted."""

    made: dict[str, Made] = field(default_factory=dict)
    spare: list[Made] = field(default_factory=list)


class Resources(ResourceMap):  # type: ignore[misc]
    """moto's resources of a stack. It makes them when they are asked for, unless there are ``holdings`` of ours."""

    holdings: Holdings | None = None

    def __getitem__(self, key: str) -> Any:
        if self.holdings is None or key not in self.resources:
            return super().__getitem__(key)
        made = self.holdings.made.get(key)
        return made.resource if made else None


class Provisioned(Protocol):
    """What this module needs of a stack."""

    account_id: str
    region_name: str
    template_dict: dict[str, Any]
    resource_map: Resources
    holdings: Holdings
    tags: dict[str, str]

    def record(self, made: Made, status: str, reason: str | None = None) -> None:
        """Write an event of a resource."""


def adopt(stack: Provisioned) -> Holdings:
    """What moto has made of a stack that had nothing of ours."""
    resources = stack.resource_map
    return Holdings(
        {
            name: Made(name, clean_json(stack.template_dict["Resources"][name], resources), resources[name], rank)
            for rank, name in enumerate(in_order(stack.template_dict) if stack.template_dict else ())
            if resources[name] is not None
        }
    )


class Provision:
    """One operation on one stack. ``go_on`` raises :class:`Superseded` when another has taken over."""

    def __init__(self, stack: Provisioned, go_on: Callable[[], None]) -> None:
        self.stack = stack
        self.go_on = go_on
        self.where = (stack.account_id, stack.region_name)

    @property
    def holdings(self) -> Holdings:
        """What the stack has."""
        return self.stack.holdings

    async def make(self) -> None:
        """Make and change what the template says. Raises :class:`ResourcesFailed`."""
        for rank, name in enumerate(in_order(self.stack.template_dict)):
            template = self.stack.template_dict["Resources"][name]
            condition = template.get("Condition")
            if condition and not self.stack.resource_map.lazy_condition_map[condition]:
                continue
            verb = "UPDATE" if name in self.holdings.made else "CREATE"
            try:
                await self._make(name, template, rank)
            except (Superseded, ResourcesFailed):
                raise
            except Exception as error:
                made = self.holdings.made.get(name) or Made(name, template, None)
                self.stack.record(made, f"{verb}_FAILED", str(error))
                word = verb.lower()
                raise ResourcesFailed(f"The following resource(s) failed to {word}: [{name}]. ") from error

    async def _make(self, name: str, template: dict[str, Any], rank: int) -> None:
        body = self._resolved(template)
        old = self.holdings.made.get(name)
        if old is not None and old.body == body:
            old.rank = rank
            return
        made = self._changed(old, body) if old else self._created(name, body)
        made.rank = rank
        await self._until(getattr(made.resource, "is_created", _at_once))
        self.stack.record(made, "UPDATE_COMPLETE" if old else "CREATE_COMPLETE")

    def _resolved(self, template: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = clean_json(template, self.stack.resource_map)
        body.setdefault("Properties", {})
        if body["Type"] == f"{PREFIX}Environment" and self.stack.tags:
            given = body["Properties"].get("Tags") or []
            names = {each["Key"] for each in given}
            inherited = [{"Key": key, "Value": value} for key, value in self.stack.tags.items() if key not in names]
            body["Properties"]["Tags"] = [*given, *inherited]
        return body

    def _created(self, name: str, body: dict[str, Any]) -> Made:
        self.stack.record(Made(name, body, None), "CREATE_IN_PROGRESS")
        resource = parse_and_create_resource(name, body, self.stack.resource_map, *self.where)
        made = self.holdings.made[name] = Made(name, body, resource)
        return made

    def _changed(self, old: Made, body: dict[str, Any]) -> Made:
        self.stack.record(old, "UPDATE_IN_PROGRESS")
        kept = next((each for each in self.holdings.spare if (each.name, each.body) == (old.name, body)), None)
        if kept is not None:
            self.holdings.spare.remove(kept)
            made = kept
        else:
            resource = parse_and_update_resource(old.name, body, self.stack.resource_map, *self.where)
            made = Made(old.name, body, resource or old.resource)
        if made.resource is not old.resource and made.kind.startswith(PREFIX):
            # What moto replaces, it deletes by itself.
            self.holdings.spare.append(old)
        self.holdings.made[old.name] = made
        return made

    async def clean_up(self, *, everything: bool = False) -> None:
        """Delete what was replaced and what the template has no more. Raises :class:`ResourcesFailed`."""
        wanted = set() if everything else self._wanted()
        holdings = self.holdings
        for name in [each for each in holdings.made if each not in wanted]:
            holdings.spare.append(holdings.made.pop(name))
        failed = []
        for made in sorted(holdings.spare, key=lambda each: each.rank, reverse=True):
            try:
                await self._delete(made)
            except Superseded:
                raise
            except Exception as error:
                self.stack.record(made, "DELETE_FAILED", str(error))
                failed.append(made.name)
            else:
                holdings.spare.remove(made)
        if failed:
            raise ResourcesFailed(f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")

    def _wanted(self) -> set[str]:
        conditions = self.stack.resource_map.lazy_condition_map
        return {
            name
            for name, body in self.stack.template_dict["Resources"].items()
            if not body.get("Condition") or conditions[body["Condition"]]
        }

    async def _delete(self, made: Made) -> None:
        policy = "UpdateReplacePolicy" if made.name in self.holdings.made else "DeletionPolicy"
        if made.body.get(policy) == "Retain":
            self.stack.record(made, "DELETE_SKIPPED")
            return
        self.stack.record(made, "DELETE_IN_PROGRESS")
        if made.resource is not None and not made.kind.startswith(PREFIX):
            self._delete_of_moto(made)
        await self._until(getattr(made.resource, "is_deleted", _at_once))
        self.stack.record(made, "DELETE_COMPLETE")

    def _delete_of_moto(self, made: Made) -> None:
        try:
            made.resource.delete(*self.where)
        except (TypeError, AttributeError):
            parse_and_delete_resource(made.physical_id, made.body, *self.where)

    async def _until(self, is_done: Callable[[], bool]) -> None:
        self.go_on()
        while not is_done():
            await sleep(_LOOK_SECONDS)
            self.go_on()


def _at_once() -> bool:
    return True
