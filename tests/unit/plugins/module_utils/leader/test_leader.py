# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the leader is, from log tails and events as Elastic Beanstalk returns them.

See docs/elastic_beanstalk.md §3, §5.3 and §5.5.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader import evidence
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.timeline import Timeline, timeline
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.verdict import (
    DeploymentFacts,
    Verdict,
    decide,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.logs import split_tail, telling_lines

A, B, C = (f"i-0000000000000000{letter}" for letter in "abc")
RULE = "-" * 40


def engine_log(
    instance: str, won: bool, label: str = "v2", at: str = "12:38:46", invocation: str = "inv-1"
) -> list[str]:
    return [
        f"2026/03/03 {at}.100000 [INFO] Engine command: (app-deploy)",
        f"2026/03/03 {at}.150000 [INFO] Downloading: bucket: b, object: resources/environments/e-1/_runtime/_versions/"
        f"blog/{label}, expected bucket owner: 123456789012",
        f"2026/03/03 {at}.200000 [INFO] Executing instruction: ElectLeader",
        f"2026/03/03 {at}.231012 [INFO] Running command: /opt/aws/bin/cfn-elect-cmd-leader --stack s --command-name "
        f"ElasticBeanstalkCommand-ASG --invocation-id {invocation} --listener-id {instance} ",
        f"2026/03/03 {at}.300000 [INFO] Instance is {'' if won else 'NOT '}Leader.",
    ]


def hook_line(won: bool | None, name: str = "migrate", label: str = "v2", at: str = "12:39:10", **more: Any) -> str:
    record = {
        "at": f"2026-03-03T{at}Z",
        "hook": name,
        "phase": "postdeploy",
        "leader_only": name != "collectstatic",
        "leader": won,
        "ran": bool(won) or name == "collectstatic",
        "reason": "x",
        "rc": 0,
        "seconds": 1.5,
        "bundle_sha256": f"sha-of-{label}",
        "version_label": label,
        **more,
    }
    return json.dumps(record)


def tail(engine: list[str] | None = None, hooks: list[str] | None = None) -> dict[str, list[str]]:
    text = ""
    if engine is not None:
        text += "\n".join([RULE, "/var/log/eb-engine.log", RULE, *engine, "", ""])
    if hooks is not None:
        text += "\n".join([RULE, "/var/log/blog-hooks.log", RULE, *hooks, ""])
    return split_tail(text)


DEPLOYED = Timeline("2026-03-03T12:38:00.000Z", "2026-03-03T12:45:00.000Z", update=True)
LATER, DURING, BEFORE = "2026-03-03T13:00:00.000Z", "2026-03-03T12:40:00.000Z", "2026-03-03T11:00:00.000Z"


def ask(
    tails: dict[str, Any],
    existing: list[str] | None = None,
    label: str | None = "v2",
    *,
    enhanced: bool = True,
    tags: dict[str, str] | None = None,
    **times: Any,
) -> Verdict:
    told = evidence.gather(tails, "tail")
    told += [item for name, value in (tags or {}).items() for item in evidence.tag_evidence(name, value)]
    facts = DeploymentFacts(
        sorted(tails) if existing is None else existing, label, replace(DEPLOYED, **times), enhanced
    )
    return decide(told, facts)


def test_found_by_the_engine_log() -> None:
    verdict = ask({A: tail(engine_log(A, False)), B: tail(engine_log(B, True))})
    assert (verdict.state, verdict.instance_id) == ("found", B)
    assert verdict.chosen is not None
    assert verdict.chosen.at == "2026-03-03T12:38:46.300Z"
    assert (verdict.chosen.command, verdict.chosen.version_label) == ("app-deploy", "v2")


@pytest.mark.parametrize("label", ["Sample Application", "release 1,2", "v2"])
def test_labels_as_users_write_them(label: str) -> None:
    (item,) = evidence.engine_evidence(A, tail(engine_log(A, True, label)), "tail")
    assert item.version_label == label
    older = [line.partition(", expected")[0] for line in engine_log(A, True, label)]
    (item,) = evidence.engine_evidence(A, tail(older), "tail")
    assert item.version_label == label


def test_hooks_are_the_first_evidence() -> None:
    tails = {
        A: tail(engine_log(A, False), [hook_line(False), "half a li"]),
        B: tail(engine_log(B, True), [hook_line(True, "collectstatic"), hook_line(True)]),
    }
    verdict = ask(tails)
    assert (verdict.state, verdict.instance_id) == ("found", B)
    assert verdict.chosen is not None
    assert verdict.chosen.source == evidence.HOOK_LOG


def test_hooks_alone_are_enough_when_the_engine_log_scrolled_away() -> None:
    verdict = ask({A: tail(["no election here"], [hook_line(True)]), B: tail([], [hook_line(False)])})
    assert (verdict.state, verdict.instance_id) == ("found", A)


def test_what_a_hook_of_a_configuration_deployment_was_told_is_no_evidence() -> None:
    assert ask({A: tail([], [hook_line(True, config_deploy=True)])}).state == "unknown"


def test_none_when_every_instance_says_that_it_was_not_elected() -> None:
    verdict = ask({A: tail(engine_log(A, False)), B: tail(engine_log(B, False))})
    assert (verdict.state, verdict.instance_id) == ("none", None)


def test_none_although_the_instances_of_before_left() -> None:
    """Traffic splitting: the old fleet took no part in the deployment, even when EB notices late that it is gone."""
    tails = {A: tail(engine_log(A, False)), B: tail(engine_log(B, False))}
    for left in (DURING, LATER):
        assert ask(tails, added={A: DURING, B: DURING}, removed={C: left}).state == "none"


def test_lost_when_an_instance_left_since() -> None:
    tails = {A: tail(engine_log(A, False)), B: tail(engine_log(B, False))}
    verdict = ask(tails, removed={C: LATER})
    assert (verdict.state, verdict.instance_id) == ("lost", C)
    assert ask(tails, removed={C: LATER, "i-0000000000000000d": LATER}).instance_id is None
    # It was launched by the deployment, as the others were, and left.
    assert ask(tails, added={A: DURING, B: DURING, C: DURING}, removed={C: LATER}).instance_id == C
    # The deployment launched an additional batch, and went through the instances that were there.
    assert ask(tails, added={B: DURING}, removed={C: LATER}).instance_id == C
    # It was gone before, or came after: it never led this deployment.
    assert ask(tails, removed={C: BEFORE}).state == "none"
    assert ask(tails, added={C: LATER}, removed={C: LATER}).state == "none"


def test_lost_when_the_instance_that_says_it_led_is_gone() -> None:
    verdict = ask({A: tail(engine_log(A, False))}, tags={B: "leader 7 2026-03-03T12:39:00Z v2"})
    assert (verdict.state, verdict.instance_id) == ("lost", B)


def test_an_instance_that_auto_scaling_launched_is_not_the_leader_of_the_deployment() -> None:
    """It runs the same command alone, so it elects itself."""
    alone = engine_log(B, True, at="13:00:05", invocation="its-own")
    verdict = ask({A: tail(engine_log(A, False)), B: tail(alone)}, added={B: LATER}, removed={C: LATER})
    assert (verdict.state, verdict.instance_id) == ("lost", C)
    verdict = ask({A: tail(engine_log(A, True)), B: tail(alone)}, added={B: LATER}, removed={C: LATER})
    assert (verdict.state, verdict.instance_id) == ("found", A)
    verdict = ask({B: tail(alone)}, added={B: LATER}, removed={A: LATER})
    assert (verdict.state, verdict.instance_id) == ("lost", None)
    # EB may tell late that it has come, but its election was held within the deployment.
    assert ask({B: tail(engine_log(B, True, at="12:44:00"))}, added={B: LATER}).instance_id == B


def test_without_events_nobody_can_tell_none_from_lost() -> None:
    tails = {A: tail(engine_log(A, False))}
    assert ask(tails, start=None, end=None).state == "unknown"
    assert ask(tails, enhanced=False).state == "unknown"
    assert ask({A: tail(engine_log(A, True))}, start=None, end=None).instance_id == A


def test_unknown_when_an_instance_is_silent() -> None:
    verdict = ask({A: tail(engine_log(A, False))}, existing=[A, B])
    assert verdict.state == "unknown"
    assert B in verdict.reason


def test_unknown_without_evidence() -> None:
    assert ask({A: tail(["nothing"])}).reason == "no source tells of an election"
    assert ask({}, existing=[A]).state == "unknown"
    assert ask({}, existing=[]).reason == "the environment has no instance"


def test_unknown_when_two_won_the_same_election() -> None:
    verdict = ask({A: tail(engine_log(A, True)), B: tail(engine_log(B, True))})
    assert verdict.state == "unknown"
    assert "both say that they won the same election" in verdict.reason


def test_unknown_when_the_evidence_of_one_instance_contradicts_itself() -> None:
    for verdict in (
        ask({A: tail(engine_log(A, False), [hook_line(True)])}),
        ask({A: tail(engine_log(A, False))}, tags={A: "leader - 2026-03-03T12:39:00Z v2"}),
    ):
        assert verdict.state == "unknown"
        assert verdict.reason == f"the evidence of {A} contradicts itself"


def test_unknown_when_tag_and_log_name_different_leaders() -> None:
    verdict = ask({A: tail(engine_log(A, True))}, existing=[A, B], tags={B: "leader 7 2026-03-03T12:39:00Z v2"})
    assert (verdict.state, verdict.reason) == ("unknown", f"{A} and {B} both say that they are the leader")


def test_unknown_when_the_election_was_for_another_version() -> None:
    verdict = ask({A: tail(engine_log(A, True, label="v1"))})
    assert verdict.state == "unknown"
    assert "before the deployment of version v2" in verdict.reason


def test_a_deployment_in_batches_may_have_a_leader_of_each_batch_and_the_last_one_counts() -> None:
    tails = {
        A: tail(engine_log(A, True, at="12:38:46", invocation="batch-1")),
        B: tail(engine_log(B, True, at="12:40:46", invocation="batch-2")),
    }
    assert ask(tails, batches=True).instance_id == B
    assert ask(tails).state == "unknown"


def test_the_last_election_in_a_log_counts() -> None:
    log = engine_log(A, True, at="12:38:01", invocation="old") + engine_log(A, False, at="12:40:00", invocation="new")
    tails = {A: tail(log), B: tail(engine_log(B, True, at="12:40:00", invocation="new"))}
    assert ask(tails).instance_id == B


def test_hooks_of_an_earlier_deployment_of_the_same_version_do_not_count() -> None:
    tails = {
        A: tail(engine_log(A, False, at="12:44:00"), [hook_line(True, at="12:39:00")]),
        B: tail(engine_log(B, True, at="12:44:00"), [hook_line(False, at="12:39:00")]),
    }
    assert ask(tails).instance_id == B


def test_an_election_before_the_deployment_does_not_count() -> None:
    for lines in (["2026/03/03 02:00:00.000000 [INFO] Instance is Leader."], engine_log(A, True, at="12:37:59")):
        assert ask({A: tail(lines)}).state == "unknown"


@pytest.mark.parametrize(
    "value", [None, "", "true", "leader", "leader 7 yesterday v2", "chief 7 2026-03-03T12:39:00Z v2"]
)
def test_tags_that_are_not_ours(value: str | None) -> None:
    assert evidence.tag_evidence(A, value) == []


def test_a_tag() -> None:
    (item,) = evidence.tag_evidence(A, "not_leader 7 2026-03-03T12:39:00Z release 2.0")
    assert item.as_dict() == {
        "source": "ec2_tag",
        "via": "tags",
        "instance_id": A,
        "says": "not_leader",
        "at": "2026-03-03T12:39:00.000Z",
        "command": "app-deploy",
        "version_label": "release 2.0",
        "deployment_id": 7,
        "invocation_id": None,
    }


def told(*lines: str) -> list[dict[str, Any]]:
    """Events, oldest first: MINUTE REQUEST TEXT; returned newest first, as the service does."""
    events = []
    for line in lines:
        minute, request, text = line.split(" ", 2)
        moment = datetime(2026, 3, 3, 12, int(minute), tzinfo=UTC)
        events.append({"EventDate": moment, "RequestId": None if request == "-" else request, "Message": text})
    return events[::-1]


CREATED = (
    "00 r1 createEnvironment is starting.",
    f"01 - Added instance [{A}] to your environment.",
    "02 r1 Successfully launched environment: blog",
)
UPDATED = (
    "10 r2 Environment update is starting.",
    "11 r2 Deploying new version to instance(s).",
    "12 r2 New application version was deployed to running EC2 instances.",
    "13 r2 Environment update completed successfully.",
)
CONFIGURED = (
    "20 r3 Environment update is starting.",
    "21 r3 Successfully deployed new configuration to environment.",
    "22 r3 Environment update completed successfully.",
)


def at(minute: int) -> str:
    return f"2026-03-03T12:{minute:02d}:00.000Z"


def test_timeline_of_a_new_environment() -> None:
    found = timeline(told(*CREATED, f"30 - Added instances [{B}, {C}] to your environment."))
    assert (found.start, found.end, found.update) == (at(0), at(2), False)
    assert found.added == {A: at(1), B: at(30), C: at(30)}
    assert (found.joined_in(A), found.joined_in(B)) == (True, False)
    assert (found.joined_later(A, None), found.joined_later(B, None)) == (False, True)
    assert not found.replaced([A])


def test_timeline_ends_at_the_last_deployment() -> None:
    found = timeline(told(*CREATED, *UPDATED, *CONFIGURED, f"40 - Removed instance [{A}] from your environment."))
    assert (found.start, found.end, found.update, found.batches) == (at(10), at(13), True, False)
    assert (found.added, found.removed) == ({}, {A: at(40)})
    assert not found.replaced([A])


def test_timeline_of_batches_and_of_a_deployment_under_way() -> None:
    batch = "11 r2 Batch 1: Starting application deployment command execution."
    found = timeline(told(*CREATED, UPDATED[0], batch, UPDATED[2]))
    assert (found.start, found.end, found.batches) == (at(10), None, True)


def test_an_update_that_replaced_the_instances_deployed_to_them() -> None:
    replaced = (*CONFIGURED[:1], f"21 - Added instance [{B}] to your environment.", CONFIGURED[2])
    found = timeline(told(*CREATED, *UPDATED, *replaced))
    assert (found.start, found.end) == (at(20), at(22))
    assert found.replaced([B])


def test_a_deployment_that_failed_is_not_the_last_one() -> None:
    failed = ("20 r3 Environment update is starting.", "21 r3 Failed to deploy application.")
    assert timeline(told(*CREATED, *UPDATED, *failed)).start == at(10)


def test_events_that_are_too_young() -> None:
    found = timeline(told(f"40 - Added instance [{A}] to your environment."))
    assert (found.start, found.joined_later(A, None)) == (None, True)


def test_legacy_platform() -> None:
    lines = [
        "[2026-03-03T12:41:43.325Z] INFO  [3633]  - [Application update v2@24/AppDeployStage0] : Starting activity...",
        "[2026-03-03T12:41:43.400Z] INFO  [3633]  - Instance is Leader.",
    ]
    text = "\n".join([RULE, "/var/log/eb-activity.log", RULE, *lines])
    verdict = ask({A: split_tail(text)})
    assert (verdict.state, verdict.instance_id) == ("found", A)
    assert verdict.chosen is not None
    assert (verdict.chosen.version_label, verdict.chosen.deployment_id) == ("v2", 24)


def test_hook_results_are_of_the_newest_bundle() -> None:
    old, new = hook_line(True, label="v1", at="10:00:00"), hook_line(False, at="12:00:00")
    results = evidence.hook_results({A: tail([], [old, new, hook_line(False, "collectstatic")])})
    assert [(item["name"], item["ran"], item["leader_only"]) for item in results] == [
        ("migrate", False, True),
        ("collectstatic", True, False),
    ]


def test_hook_results_of_a_version_that_was_deployed_twice_are_of_the_second_time() -> None:
    first, second = hook_line(True, at="10:00:00", deployment_id=3), hook_line(False, at="12:00:00", deployment_id=4)
    (result,) = evidence.hook_results({A: tail([], [first, second])})
    assert (result["deployment_id"], result["ran"]) == (4, False)


@pytest.mark.parametrize("lines", [["{}"], ["[1]"], ["{"], [""], [hook_line(None)]])
def test_records_that_say_nothing(lines: list[str]) -> None:
    assert evidence.gather({A: tail(None, lines)}, "tail") == []


def test_telling_lines_are_the_ends_of_the_logs_that_matter() -> None:
    sections = tail([f"line {number}" for number in range(90)], [hook_line(True)])
    told = telling_lines(sections, limit=3)
    assert told == ["/var/log/eb-engine.log:", "  line 87", "  line 88", "  line 89"]
