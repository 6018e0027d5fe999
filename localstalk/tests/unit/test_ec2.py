# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 of a large fleet: the quicker searches answer as moto's own do."""

from __future__ import annotations

from typing import Any

import pytest
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.tags import TagBackend

from localstalk import ec2

_SIZE = 3


@pytest.fixture
def backend() -> Any:
    ec2.install()
    return EC2Backend("us-east-1", "123456789012")


@pytest.fixture
def ids(backend: Any) -> list[str]:
    tags = {"instance": {"a": "1"}}
    made = backend.run_instances("ami-12c6146b", _SIZE, None, [], is_instance_type_default=True, tags=tags)
    return [instance.id for instance in made.instances]


def test_an_instance_is_found_by_its_id_before_and_after_others_came(backend: Any, ids: list[str]) -> None:
    first = backend.get_instance(ids[0])
    later = backend.run_instances("ami-12c6146b", 1, None, [], is_instance_type_default=True).instances[0]
    assert backend.get_instance(later.id) is later
    assert [backend.get_instance(each).id for each in ids] == ids
    assert backend.get_instance(ids[0]) is first


def test_an_unknown_instance_is_refused_as_by_moto(backend: Any, ids: list[str]) -> None:
    with pytest.raises(InvalidInstanceIdError, match="i-0123"):
        backend.get_instance("i-0123")
    assert backend.get_instance(ids[-1]).id == ids[-1]


def test_a_reset_backend_forgets_its_instances(backend: Any, ids: list[str]) -> None:
    assert backend.get_instance(ids[0])
    backend.reset()
    with pytest.raises(InvalidInstanceIdError, match=ids[0]):
        backend.get_instance(ids[0])


def test_installed_twice_it_replaces_once(backend: Any) -> None:
    found = TagBackend.describe_tags
    ec2.install()
    assert TagBackend.describe_tags is found


@pytest.mark.parametrize("more", [{}, {"key": ["a"]}, {"key": ["b"]}, {"value": ["2*"]}, {"resource-type": ["volume"]}])
def test_tags_of_one_resource_are_those_among_all(backend: Any, ids: list[str], more: dict[str, list[str]]) -> None:
    backend.create_tags([ids[1]], {"b": "22"})
    wanted = [tag for tag in backend.describe_tags(more or None) if tag["resource_id"] == ids[1]]
    assert backend.describe_tags({"resource-id": [ids[1]], **more}) == wanted
    assert backend.describe_tags({"resource-id": [ids[1][:-1] + "?"], **more}) == wanted


def test_a_resource_without_tags_has_none(backend: Any, ids: list[str]) -> None:
    assert backend.describe_tags({"resource-id": ["i-0123"]}) == []
    assert "i-0123" not in backend.tags
