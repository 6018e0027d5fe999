# SPDX-License-Identifier: GPL-3.0-or-later
"""moto's EC2 for fleets of thousands: one instance, or the tags of one, is found without looking through all.

moto copies every reservation to find one instance, and compares every resource's id to tell the tags of one: launching
and describing 10,000 instances then takes the square of that. The answers are moto's own.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

_WILDCARDS = frozenset("*?[]\\")


def install() -> None:
    """Replace the searches, once."""
    from moto.ec2.models.instances import InstanceBackend
    from moto.ec2.models.tags import TagBackend

    if InstanceBackend.get_instance.__module__ != __name__:
        InstanceBackend.get_instance = _found_first(InstanceBackend.get_instance)
        TagBackend.describe_tags = _narrowed(TagBackend.describe_tags)


def _found_first(search: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """``get_instance``: what was found once is remembered, and new instances are looked for from the newest back."""

    def get_instance(self: Any, instance_id: str) -> Any:
        known: dict[str, Any] = self.__dict__.setdefault("_instances_by_id", {})
        if instance_id not in known:
            for reservation in reversed(list(self.reservations.values())):
                known.update((instance.id, instance) for instance in reservation.instances)
                if instance_id in known:
                    break
        return known.get(instance_id) or search(self, instance_id)

    return get_instance


def _narrowed(describe: Callable[..., list[dict[str, str]]]) -> Callable[..., list[dict[str, str]]]:
    """``describe_tags``: of resources whose ids are given in full, only their own tags are compared."""

    def describe_tags(self: Any, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
        ids = (filters or {}).get("resource-id")
        if not ids or any(_WILDCARDS & set(each) for each in ids):
            return describe(self, filters)
        tags = {each: self.tags[each] for each in ids if each in self.tags}
        return describe(SimpleNamespace(tags=tags, VALID_TAG_FILTERS=self.VALID_TAG_FILTERS), filters)

    return describe_tags
