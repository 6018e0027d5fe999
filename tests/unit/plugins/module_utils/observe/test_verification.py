# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on an environment, as a table: what Elastic Beanstalk answers, what is wanted, what to make of it.

Answers have the shape of DescribeEnvironments, DescribeInstancesHealth and DescribeEvents in the API reference.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.events import failed_deployment
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.verification import (
    STRICT,
    TOLERANT,
    Facts,
    State,
    judge,
)

Answer = dict[str, Any]


def environment(**changes: Any) -> Answer:
    ready = {"Status": "Ready", "VersionLabel": "v2", "Health": "Green", "HealthStatus": "Ok"}
    return {**ready, **changes}


def instance(name: str = "i-a", label: str = "v2", status: str = "Deployed", health: str = "Ok", **more: Any) -> Answer:
    deployment = {"VersionLabel": label, "Status": status, "DeploymentId": 4}
    return {"InstanceId": name, "HealthStatus": health, "Deployment": deployment, **more}


def launched(health: str) -> Answer:
    return {"InstanceId": "i-new", "HealthStatus": health, "Causes": []}


RED = {"Health": "Red", "HealthStatus": "Severe"}
YELLOW = {"Health": "Yellow", "HealthStatus": "Warning"}

CASES: list[tuple[str, Answer, list[Answer], State, str]] = [
    ("good", environment(), [instance(), instance("i-b")], State.VERIFIED, ""),
    ("an update goes on", environment(Status="Updating"), [instance()], State.WAITING, "its status is Updating"),
    (
        "EB's own label differs",
        environment(VersionLabel="v1"),
        [instance(label="v1")],
        State.REDEPLOY,
        "it runs version v1, not v2",
    ),
    ("no version at all", environment(VersionLabel=None), [instance()], State.REDEPLOY, "it runs version none, not v2"),
    (
        "an instance missed it",
        environment(),
        [instance(), instance("i-b", "v1")],
        State.REDEPLOY,
        "not every instance runs version v2: i-b (v1, Deployed)",
    ),
    (
        "its deployment failed",
        environment(**RED),
        [instance(status="Failed", health="Degraded")],
        State.REDEPLOY,
        "not every instance runs version v2: i-a (v2, Failed)",
    ),
    (
        "failed on one, and that one is well",
        environment(),
        [instance(), instance("i-b", status="Failed")],
        State.REDEPLOY,
        "not every instance runs version v2: i-b (v2, Failed)",
    ),
    (
        "sick, with the right version",
        environment(**RED),
        [instance(), instance("i-b", health="Severe")],
        State.FAILED,
        "not every instance is healthy: i-b is Severe; its health is Red",
    ),
    ("red for another reason", environment(**RED), [instance()], State.FAILED, "its health is Red"),
    (
        "no data of an instance",
        environment(Health="Grey", HealthStatus="No Data"),
        [instance(health="No Data")],
        State.FAILED,
        "not every instance is healthy: i-a is No Data; its health is Grey",
    ),
    (
        "deploying on its own",
        environment(),
        [instance(), instance("i-b", status="In Progress", health="Info")],
        State.WAITING,
        "not every instance has started: i-b (In Progress)",
    ),
    (
        "launched a moment ago",
        environment(**RED),
        [instance("i-b", "v1"), launched("Pending")],
        State.WAITING,
        "not every instance has started: i-new (Pending)",
    ),
    (
        "nothing known of it yet",
        environment(),
        [instance(), launched("No Data")],
        State.WAITING,
        "not every instance has started: i-new (No Data)",
    ),
    (
        "never deployed and broken",
        environment(**RED),
        [launched("Severe")],
        State.FAILED,
        "not every instance is healthy: i-new is Severe; its health is Red",
    ),
    (
        "health comes after the launch",
        environment(Health="Grey", HealthStatus="Pending"),
        [instance()],
        State.WAITING,
        "its health is Pending",
    ),
    ("in an operation's last seconds", environment(HealthStatus="Info"), [instance(health="Info")], State.VERIFIED, ""),
]


@pytest.mark.parametrize(
    ("described", "instances", "state", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_verdict_with_enhanced_health(described: Answer, instances: list[Answer], state: State, reason: str) -> None:
    verdict = judge(Facts.of(described, instances), "v2")
    assert (verdict.state, verdict.reason) == (state, reason)
    assert verdict.warnings == ()


def test_any_version_will_do_where_none_is_wanted() -> None:
    described = environment(VersionLabel=None)
    assert judge(Facts.of(described, [instance(label="Sample Application")])).state is State.VERIFIED
    verdict = judge(Facts.of(described, [instance(label="Sample Application", status="Failed")]))
    assert verdict.reason == "not every deployment succeeded: i-a (Sample Application, Failed)"
    mixed = judge(Facts.of(environment(), [instance(), instance("i-b", "v1")]))
    assert (mixed.state, mixed.instances) == (State.REDEPLOY, ("i-b",)), "all run the environment's own version"


@pytest.mark.parametrize("described", [environment(**YELLOW), environment()])
def test_warning_is_accepted_only_where_it_may_be(described: Answer) -> None:
    facts = Facts.of(described, [instance(health="Warning")])
    tolerant = judge(facts, "v2", TOLERANT)
    assert (tolerant.state, tolerant.warnings) == (State.VERIFIED, ("not every instance is healthy: i-a is Warning",))
    assert judge(facts, "v2", STRICT).state is State.FAILED


def test_yellow_environment_with_good_instances_warns() -> None:
    verdict = judge(Facts.of(environment(**YELLOW), [instance()]), "v2")
    assert (verdict.state, verdict.warnings) == (State.VERIFIED, ("its health is Yellow",))


def test_causes_are_those_of_what_is_bad() -> None:
    sick = instance("i-b", health="Severe", Causes=["100.0 % of the requests are failing with HTTP 5xx."])
    well = instance(Causes=["Not worth a word."])
    verdict = judge(Facts.of(environment(**RED), [well, sick], causes=("ELB is not healthy.",)), "v2")
    assert verdict.causes == ("ELB is not healthy.", "i-b: 100.0 % of the requests are failing with HTTP 5xx.")
    assert verdict.instances == ("i-b",)


@pytest.mark.parametrize(
    ("desired", "state", "words"),
    [
        (0, State.VERIFIED, "it has no instances, as its desired size is 0: nothing shows that version v2 runs"),
        (2, State.FAILED, "it has no instance, and 2 are wanted"),
        (None, State.FAILED, "it has no instance, and it is not known how many it should have"),
    ],
)
def test_no_instances(desired: int | None, state: State, words: str) -> None:
    grey = environment(Health="Grey", HealthStatus="No Data")
    basic = Facts.of(environment(Health="Grey", HealthStatus=None), None, count=0, desired=desired)
    for facts in (Facts.of(grey, [], desired=desired), basic):
        verdict = judge(facts, "v2")
        assert verdict.state is state
        assert words in (verdict.reason, *verdict.warnings)


@pytest.mark.parametrize(
    ("changes", "more", "state", "reason"),
    [
        ({}, {}, State.VERIFIED, ""),
        (
            {},
            {"failure": "Failed to deploy application."},
            State.REDEPLOY,
            "its last deployment failed (Failed to deploy application)",
        ),
        ({"VersionLabel": "v1"}, {}, State.REDEPLOY, "it runs version v1, not v2"),
        ({"Health": "Red"}, {"count": 1}, State.FAILED, "its health is Red"),
        ({"Health": "Grey"}, {"count": 1}, State.FAILED, "its health is Grey"),
    ],
)
def test_verdict_with_basic_health(changes: Answer, more: Answer, state: State, reason: str) -> None:
    verdict = judge(Facts.of(environment(HealthStatus=None, **changes), None, **more), "v2")
    assert (verdict.state, verdict.reason) == (state, reason)


DEPLOYED = "New application version was deployed to running EC2 instances."
DONE = "Environment update completed successfully."
ABORTED = (
    "During an aborted deployment, some instances may have deployed the new application version. To ensure all "
    "instances are running the same version, re-deploy the appropriate application version."
)
CREATED_BADLY = (
    "Create environment operation is complete, but with errors. For more information, see troubleshooting "
    "documentation."
)


@pytest.mark.parametrize(
    ("newest_first", "failure"),
    [
        ([], ""),
        ([DONE, DEPLOYED], ""),
        (["Successfully launched environment: blog-prod", "createEnvironment is starting."], ""),
        ([ABORTED, "Failed to deploy application.", DEPLOYED], ABORTED),
        ([DONE, DEPLOYED, ABORTED], ""),
        # New settings were put in place since; that did not deploy anything.
        ([DONE, "Successfully deployed new configuration to environment.", ABORTED, DEPLOYED], ABORTED),
        ([CREATED_BADLY], CREATED_BADLY),
        (["Failed to deploy configuration.", DONE, DEPLOYED], ""),
        (
            ["Launched environment: blog-prod. However, there were issues during launch. See event log for details."],
            "Launched environment: blog-prod. However, there were issues during launch. See event log for details.",
        ),
    ],
)
def test_outcome_of_the_last_deployment_in_events(newest_first: list[str], failure: str) -> None:
    assert failed_deployment({"Message": text} for text in newest_first) == failure
