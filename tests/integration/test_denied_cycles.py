# SPDX-License-Identifier: GPL-3.0-or-later
"""A swap and a rollback that lack one action name it before any environment has changed, and leave no lock."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import needed

from .least_privilege import APPLICATION, EVERYTHING, World, enforcing, filled_in, shipped, without

pytestmark = pytest.mark.slow

WAYS = {"deploy": ("deploy", "recreate_and_swap"), "rollback": ("rollback",)}
"""Whose policies a playbook is run with; deploy.yml with the strategy swap is two."""

CASES = [(playbook, action) for playbook, names in WAYS.items() for action in needed(names[-1:], {}, reports=False)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two versions were deployed."""
    with enforcing(tmp_path_factory.mktemp("iam")) as made:
        made.allow("administrator", EVERYTHING)
        for text in ("one", "two"):
            made.write(text)
            done = made.play("deploy.yml", "administrator", made.folder / f"{text}.jsonl")
            assert done.rc == 0, done.output
        yield made


def environments(world: World) -> list[tuple[Any, ...]]:
    """All there ever were, with what a cycle changes of them."""
    found = world.localstalk.client("elasticbeanstalk").describe_environments(IncludeDeleted=True)["Environments"]
    return sorted((one["EnvironmentId"], one["Status"], one.get("VersionLabel"), one.get("CNAME")) for one in found)


def owners(world: World) -> set[str]:
    """Who has the locks of the application; "" is nobody."""
    bucket = world.localstalk.client("elasticbeanstalk").create_storage_location()["S3Bucket"]
    lock = world.localstalk.client("s3").get_object(Bucket=bucket, Key=f"jack.beanstalk/locks/{APPLICATION}.json")
    return {one["owner"] for one in json.loads(lock["Body"].read())["leases"].values()}


@pytest.mark.parametrize(("playbook", "action"), CASES)
def test_one_action_less_changes_no_environment_and_leaves_no_lock(
    world: World, playbook: str, action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this controller remembered would spare it the call.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    statements = [one for name in WAYS[playbook] for one in shipped(name)["Statement"]]
    whole = filled_in({"Version": "2012-10-17", "Statement": statements}, APPLICATION)
    user = f"less-{playbook}-{action.replace(':', '-')}"
    world.allow(user, without(whole, action))
    world.write(uuid.uuid4().hex)
    before = environments(world)
    strategy = {"eb_deploy_strategy": "swap"} if playbook == "deploy" else {}
    done = world.play(f"{playbook}.yml", user, tmp_path / "calls.jsonl", **strategy)
    assert owners(world) <= {""}, done.output
    if done.rc == 0:
        assert action not in world.asked(user), "it went well because this was not needed this time"
        return
    assert done.rc == 2, done.output
    assert action in " ".join(done.output.split()), done.output
    assert environments(world) == before, done.output
