# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments under faults: SIGKILL at every effect, lost answers, throttling, races, wrong clocks, a stale writer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import LeaseState
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from chaos.local import add_version, client, deploy, environments, fault, run

EFFECTS = range(1, 15)
PHASES = ("before", "after")


def to(label: str) -> tuple[str, ...]:
    return (f"version_label:{label}", "lock.ttl:12")


def prepared(aws: dict[str, str], application: str) -> str:
    """An application that runs v1 and has a v2; the id of its environment."""
    first = deploy(aws, application)
    add_version(aws, application, "v2")
    return first


def check(aws: dict[str, str], application: str, first: str, label: str = "v2") -> None:
    """The same environment runs the version, verified, and its lock may be taken."""
    (live,) = environments(aws, application)
    assert (live["EnvironmentId"], live["VersionLabel"], live["Status"], live["Health"]) == (
        first,
        label,
        "Ready",
        "Green",
    )
    eb = client(aws, "elasticbeanstalk")
    told = eb.describe_instances_health(EnvironmentId=first, AttributeNames=["All"])["InstanceHealthList"]
    assert {one["Deployment"]["VersionLabel"] for one in told} == {label}
    store = LockStore(client(aws, "s3"), eb.create_storage_location()["S3Bucket"], application, f"{application}-live")
    # A run that finds nothing to do leaves the lock alone, also that of a dead one, which is in nobody's way.
    assert store.read().state("somebody", store.now) is not LeaseState.HELD


def updates(aws: dict[str, str], application: str) -> int:
    """How many updates of its environment have begun."""
    events = client(aws, "elasticbeanstalk").describe_events(ApplicationName=application)["Events"]
    return sum(one["Message"] == "Environment update is starting." for one in events)


def test_killed_at_every_effect_and_again_in_the_resumed_run(aws: dict[str, str]) -> None:
    def one(number: int) -> int:
        application = f"slain{number}"
        first = prepared(aws, application)
        status, _ = run(aws, application, *to("v2"), f"kill:{PHASES[number % 2]}:{number}", kind="deployment")
        run(aws, application, *to("v2"), f"kill:{PHASES[(number + 1) % 2]}:3", kind="deployment")
        ended = run(aws, application, *to("v2"), kind="deployment")[1]
        assert not ended.get("failed"), ended
        check(aws, application, first)
        assert updates(aws, application) == 1, "what was begun is not begun again"
        return status

    with ThreadPoolExecutor(4) as pool:
        killed = list(pool.map(one, EFFECTS))
    assert killed.count(-9) >= 6, killed


def test_a_lost_answer_changes_nothing(aws: dict[str, str]) -> None:
    first = prepared(aws, "lost-update")
    run(aws, "lost-update", *to("v2"), "lose:update", kind="deployment")
    assert not run(aws, "lost-update", *to("v2"), kind="deployment")[1].get("failed")
    check(aws, "lost-update", first)
    assert updates(aws, "lost-update") == 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("throttle", {"rate": 3, "burst": 5}),
        ("error", {"code": "InternalFailure", "http_status": 500, "probability": 0.15, "seed": 7}),
    ],
)
def test_trouble_with_every_call_delays_a_deployment_and_does_not_fail_it(
    aws: dict[str, str], kind: str, fields: dict[str, Any]
) -> None:
    application = f"bother-{kind}"
    first = prepared(aws, application)
    with fault(aws, kind, service="elasticbeanstalk", **fields):
        ended = run(aws, application, *to("v2"), kind="deployment")[1]
    assert not ended.get("failed"), ended
    check(aws, application, first)


def test_two_with_clocks_hours_apart_follow_each_other(aws: dict[str, str]) -> None:
    first = prepared(aws, "hours")
    with ThreadPoolExecutor(2) as pool:
        ended = list(
            pool.map(lambda skew: run(aws, "hours", *to("v2"), f"skew:{skew}", kind="deployment"), (-7200, 7200))
        )
    assert not any(result.get("failed") for _status, result in ended), ended
    check(aws, "hours", first)
    assert updates(aws, "hours") == 1


def test_the_lock_of_a_dead_run_on_another_machine_is_waited_for_until_it_ends(aws: dict[str, str]) -> None:
    first = prepared(aws, "dead")
    bucket = client(aws, "elasticbeanstalk").create_storage_location()["S3Bucket"]
    store = LockStore(client(aws, "s3"), bucket, "dead", "dead-live")
    lease = store.acquire("a dead one", "deploy", 5)
    ended = run(aws, "dead", *to("v2"), kind="deployment")[1]
    assert not ended.get("failed"), ended
    check(aws, "dead", first)
    assert store.read().token == lease.token + 1


def test_a_run_whose_lock_was_taken_does_nothing_more(aws: dict[str, str]) -> None:
    first = prepared(aws, "robbed")
    bucket = client(aws, "elasticbeanstalk").create_storage_location()["S3Bucket"]
    store = LockStore(client(aws, "s3"), bucket, "robbed", "robbed-live")
    store.take(store.read(), "the thief", "restoring a dump", 600)
    ended = run(aws, "robbed", *to("v2"), "lock.wait_timeout:1", kind="deployment")[1]
    assert "the thief holds the lock (restoring a dump)" in ended["msg"]
    assert updates(aws, "robbed") == 0
    assert environments(aws, "robbed")[0]["EnvironmentId"] == first
