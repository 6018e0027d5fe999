# SPDX-License-Identifier: GPL-3.0-or-later
"""Each playbook works with its policy in docs/iam, and names an action that is taken away from it.

Every single action is taken away in test_least_privilege.py, which takes minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .least_privilege import (
    APPLICATION,
    KEEPING,
    PLAYBOOKS,
    Recorded,
    enforcing,
    filled_in,
    names,
    shipped,
    uncovered,
    without,
)

pytestmark = pytest.mark.slow

SWAP = "elasticbeanstalk:SwapEnvironmentCNAMEs"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Deploy, look, recreate, go back (at first without the permission to swap), and clean up."""
    with enforcing(tmp_path_factory.mktemp("iam")) as world:
        made = Recorded(world)
        for name in PLAYBOOKS:
            world.allow(f"recorded-{name}", filled_in(shipped(name), APPLICATION))
            if name == "rollback":
                world.allow(f"recorded-{name}", without(filled_in(shipped(name), APPLICATION), SWAP))
                made.run(name)
                world.allow(f"recorded-{name}", filled_in(shipped(name), APPLICATION))
            made.run(name, **({"eb_recreate": KEEPING} if name == "recreate_and_swap" else {}))
        yield made


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_works_with_its_policy(recorded: Recorded, name: str) -> None:
    recorded.check(name, -1)


def test_a_swap_and_a_rollback_without_a_retired_environment_run_whole(recorded: Recorded) -> None:
    """Each under its own policy; for a swap that is two."""
    world = recorded.world
    both = shipped("deploy") | {"Statement": shipped("deploy")["Statement"] + shipped("recreate_and_swap")["Statement"]}
    world.allow("swaps", filled_in(both, APPLICATION))
    world.write("swapped")
    swapped = world.play("deploy.yml", "swaps", world.folder / "swapped.jsonl", eb_deploy_strategy="swap")
    assert swapped.rc == 0, swapped.output
    world.allow("goes-back", filled_in(shipped("rollback"), APPLICATION))
    back = world.play("rollback.yml", "goes-back", world.folder / "back.jsonl")
    assert back.rc == 0, back.output
    for user, given in (("swaps", both), ("goes-back", shipped("rollback"))):
        found = uncovered(filled_in(given, APPLICATION), world.asked(user))
        assert [one for one in found if one[0] != "sts:GetCallerIdentity"] == []
    bucket = world.stalk.client("elasticbeanstalk").create_storage_location()["S3Bucket"]
    lock = world.stalk.client("s3").get_object(Bucket=bucket, Key=f"jack.beanstalk/locks/{APPLICATION}.json")
    assert {one["owner"] for one in json.loads(lock["Body"].read())["leases"].values()} == {""}


def test_a_playbook_stops_at_the_action_that_it_lacks(recorded: Recorded) -> None:
    stopped = recorded.runs["rollback"][0]
    assert stopped.rc == 2
    assert re.search(
        rf"Failed to .+ \(the credentials may not do this: allow .*{SWAP}\b.* see docs/iam", stopped.output
    )


@pytest.mark.parametrize(
    ("name", "action", "application"),
    [
        ("deploy", "elasticbeanstalk:CreateEnvironment", "pears"),
        ("status", "ec2:DescribeInstances", APPLICATION),
        ("recreate_and_swap", "elasticbeanstalk:CreateEnvironment", APPLICATION),
        ("clean_hooks", "ssm:SendCommand", APPLICATION),
    ],
)
def test_it_says_which_action_was_taken_away(
    recorded: Recorded, name: str, action: str, application: str, tmp_path: Path
) -> None:
    """By the playbook itself: the modules that work for a whole batch do not tell what they were called with."""
    world, user, whole = recorded.world, f"denied-{name}", filled_in(shipped(name), application)
    assert without(whole, action) != whole
    world.allow(user, without(whole, action))
    live = f"{application}-live"
    place = {"eb_application": application, "eb_cname_prefix": live, "eb_environment_name": live}
    run = world.play(f"{name}.yml", user, tmp_path / "calls.jsonl", **place)
    assert run.rc == 2, run.output
    assert names(action, " ".join(run.output.split())), run.output
