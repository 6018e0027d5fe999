# SPDX-License-Identifier: GPL-3.0-or-later
"""Each playbook works with its policy in docs/iam, and names what is missing when any action is taken away.

The policies are those of a table (core/permissions.py), for all ways that a playbook may go; what a run was seen to ask
must be in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import needed

from .least_privilege import (
    APPLICATION,
    EVERYTHING,
    FAILED_DEPLOYMENT,
    KEEPING,
    NO_INSTANCE,
    PLAYBOOKS,
    Recorded,
    World,
    enforcing,
    filled_in,
    first_failure,
    names,
    shipped,
    uncovered,
    without,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with enforcing(tmp_path_factory.mktemp("iam")) as made:
        yield made


@pytest.fixture(scope="module")
def recorded(world: World, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Deploy, deploy a change; status, a cycle, a rollback, another cycle, a clean-up; and a deployment that fails."""
    for name in PLAYBOOKS:
        world.allow(f"recorded-{name}", filled_in(shipped(name), APPLICATION))
    made = Recorded(world)
    made.run("deploy", eb_tags={"team": "web"})
    world.write("two")
    made.run("deploy", eb_tags={"team": "shop"}, eb_environment_properties={"GREETING": "hello"})
    made.run("status")
    world.forget_lock(APPLICATION)
    made.run("recreate_and_swap", eb_recreate=KEEPING)
    with pytest.MonkeyPatch.context() as another_controller:
        # This one would know the bucket's name from the cycle before, if that began a moment ago.
        another_controller.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        made.run("rollback")
    made.run("recreate_and_swap")
    made.run("clean_hooks")
    world.write("three")
    with world.failing_deployments():
        made.run("deploy", eb_environment_properties={"GREETING": "hello"})
    return made


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_works_with_its_policy(recorded: Recorded, name: str) -> None:
    for number, run in enumerate(recorded.runs[name]):
        if (name, number) == ("deploy", 2):
            assert "may not do this" not in run.output, run.output
            assert FAILED_DEPLOYMENT in run.output, run.output
            assert "eb-engine.log" in run.output, run.output
        else:
            recorded.check(name, number)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_nothing_is_asked_that_is_not_in_the_policy(recorded: Recorded, name: str) -> None:
    asked = recorded.world.asked(f"recorded-{name}")
    assert asked
    found = uncovered(filled_in(shipped(name), APPLICATION), asked)
    assert [one for one in found if one[0] != ALWAYS_ALLOWED] == []


BEFORE = {"deploy": (), "rollback": (("deploy", 0), ("recreate_and_swap", 0))}
"""What an administrator did before, by playbook and run: other playbooks need a deployment."""

ON_FAILURE = "elasticbeanstalk:DescribeEnvironmentHealth"
"""What deploy.yml asks for only when a deployment failed, beside the log tails that it reads for the leader too."""

ALWAYS_ALLOWED = "sts:GetCallerIdentity"


def missed(name: str) -> set[str]:
    """The actions without which a playbook cannot do its work; others are for reports, or to know more beforehand."""
    return set(needed([name], {}, reports=False))


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_it_says_which_action_was_taken_away(
    recorded: Recorded, name: str, subtests: pytest.Subtests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failing run leaves its work to the next, as a killed one does: all together cost little more than one."""
    world, application, user = recorded.world, f"pears-{name.replace('_', '-')}", f"denied-{name}"
    whole = filled_in(shipped(name), application)
    world.allow(user, EVERYTHING)
    for playbook, number in BEFORE.get(name, (("deploy", 0),)):
        assert first_failure(recorded.calls[playbook][number], world.connection(user), application) == ""
    if name == "recreate_and_swap":
        world.forget_lock(application)
    pending = recorded.calls[name][:2]
    asked = [action for action in world.asked(f"recorded-{name}") if action in missed(name)]
    assert asked
    for number, action in enumerate(asked):
        # What this controller remembered would spare it the call.
        (tmp_path / str(number)).mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / str(number)))
        world.allow(user, without(whole, action))
        said = ""
        while pending and not (said := first_failure(pending[0], world.connection(user), application)):
            pending.pop(0)
        with subtests.test(action=action):
            assert names(action, said), said
    world.allow(user, whole)
    for run in pending:
        said = first_failure(run, world.connection(user), application)
        assert said == "" or NO_INSTANCE in said


def test_a_failed_deployment_says_what_its_report_lacks(recorded: Recorded) -> None:
    world, user = recorded.world, "denied-on-failure"
    world.allow(user, EVERYTHING)
    assert first_failure(recorded.calls["deploy"][0], world.connection(user), "plums") == ""
    world.allow(user, without(filled_in(shipped("deploy"), "plums"), ON_FAILURE))
    with world.failing_deployments():
        said = first_failure(recorded.calls["deploy"][2], world.connection(user), "plums")
    assert FAILED_DEPLOYMENT in said
    assert f"not authorized to perform: {ON_FAILURE}" in said
