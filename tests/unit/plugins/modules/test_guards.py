# SPDX-License-Identifier: GPL-3.0-or-later
"""What is never terminated, and what is when the reason has gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.lookup import loses_database

Run = Callable[..., dict[str, Any]]
DATABASE = "aws:rds:dbinstance"
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}


def environment(name: str, **more: Any) -> dict[str, Any]:
    return {
        "application": "guards",
        "name": name,
        "cname_prefix": name,
        "platform": "Docker running on 64bit Amazon Linux 2023",
        "option_settings": PROFILE,
        **QUICK,
        **more,
    }


@pytest.fixture
def made(run: Run) -> Iterator[Callable[..., dict[str, Any]]]:
    """Make environments; afterwards terminates those that a guard kept."""
    run("application", name="guards")
    names: list[str] = []

    def make(name: str, **more: Any) -> dict[str, Any]:
        result = run("environment", **environment(name, **more))
        assert not result.get("failed"), result["msg"]
        names.append(name)
        return result

    yield make
    for name in names:
        decoupled = {**PROFILE, DATABASE: {"DBDeletionPolicy": "Retain"}}
        if run("environment_info", application="guards", names=[name])["environments"]:
            run("environment", **environment(name, tags={}, option_settings=decoupled))
            assert run("environment", **environment(name, state="absent"))["changed"]


@pytest.mark.parametrize(
    ("database", "loses"),
    [
        ({}, False),
        ({"HasCoupledDatabase": "false", "DBEngine": "postgres"}, False),
        ({"HasCoupledDatabase": "true"}, True),
        ({"HasCoupledDatabase": "true", "DBDeletionPolicy": "Delete"}, True),
        ({"HasCoupledDatabase": "true", "DBDeletionPolicy": "Snapshot"}, False),
        ({"HasCoupledDatabase": "True", "DBDeletionPolicy": "Retain"}, False),
        ({"DBEngine": "postgres"}, True),
        ({"DBUser": "ebroot", "DBDeletionPolicy": "retain"}, False),
    ],
)
def test_what_loses_a_database(database: dict[str, str | None], loses: bool) -> None:
    assert loses_database(database) is loses


def test_a_coupled_database(run: Run, made: Callable[..., dict[str, Any]]) -> None:
    database = {"HasCoupledDatabase": True, "DBEngine": "postgres", "DBPassword": "not-a-secret"}
    settings = {**PROFILE, DATABASE: database}
    made("guards-database", option_settings=settings)
    absent = environment("guards-database", state="absent")
    for check in (True, False):
        refused = run("environment", check=check, **absent)
        assert refused["msg"] == (
            "The environment guards-database has a coupled database that would be deleted with it; set "
            "DBDeletionPolicy in aws:rds:dbinstance to Retain or Snapshot first, or decouple the database."
        )
    kept = {**settings, DATABASE: {"DBDeletionPolicy": "Snapshot"}}
    assert run("environment", **environment("guards-database", option_settings=kept))["changed"]
    assert run("environment", **absent)["actions"] == ["terminate"]


def test_the_protected_tag(run: Run, made: Callable[..., dict[str, Any]]) -> None:
    made("guards-tagged", tags={"jack:protected": "true"})
    absent = environment("guards-tagged", state="absent")
    for check in (True, False):
        assert run("environment", check=check, **absent)["msg"] == (
            "The environment guards-tagged is protected by its tag jack:protected; remove the tag first."
        )
    run("environment", **environment("guards-tagged", tags={"jack:protected": "false"}))
    assert run("environment", **absent)["changed"]


def test_an_environment_of_another_application(run: Run, made: Callable[..., dict[str, Any]]) -> None:
    theirs = made("guards-theirs")["environment"]["environment_id"]
    run("application", name="strangers")
    by_id = {"application": "strangers", "environment_id": theirs, "state": "absent", **QUICK}
    assert run("environment", **by_id)["msg"] == (
        "The environment guards-theirs belongs to the application guards, not to strangers."
    )
    by_name = {"application": "strangers", "name": "guards-theirs", "state": "absent", **QUICK}
    assert not run("environment", **by_name)["changed"]
    assert run("environment_info", ids=[theirs])["environments"][0]["status"] == "Ready"


def test_the_holder_of_a_live_name(run: Run, made: Callable[..., dict[str, Any]]) -> None:
    """By name or id only an environment that is not live can be meant: whoever means the live one says its CNAME."""
    logical = {"tags": {"jack:logical": "guards/guards-live"}}
    live = made("guards-live", **logical)["environment"]["environment_id"]
    candidate = made("guards-next", **logical)["environment"]["environment_id"]
    by_name = {"application": "guards", "name": "guards-live", "state": "absent", **QUICK}
    by_id = {"application": "guards", "environment_id": live, "state": "absent", **QUICK}
    for params in (by_name, by_id):
        assert run("environment", **params)["msg"] == (
            "The environment guards-live holds the live CNAME guards-live; swap it away first, or name the "
            "environment by cname_prefix if the whole logical environment shall go."
        )
    swap = {"application": "guards", "cname_prefix": "guards-live", "environment_id": candidate, "poll_interval": 0.2}
    assert run("environment_swap", **swap)["changed"]
    assert run("environment", **{**by_id, "environment_id": candidate})["failed"]
    assert run("environment", **by_id)["actions"] == ["terminate"]
    whole = environment("guards-next", cname_prefix="guards-live", state="absent")
    assert run("environment", **whole)["actions"] == ["terminate"]
