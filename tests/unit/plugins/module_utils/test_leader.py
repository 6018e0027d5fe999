# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the leader is, from log tails such as Elastic Beanstalk returns them (eb-facts §5.5, §5.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk import leader
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.logs import split_tail, telling_lines

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


def ask(
    tails: dict[str, Any], existing: list[str] | None = None, label: str | None = "v2", **more: Any
) -> leader.Verdict:
    return leader.decide(leader.gather(tails), existing or sorted(tails), label, **more)


def test_found_by_the_engine_log() -> None:
    verdict = ask({A: tail(engine_log(A, False)), B: tail(engine_log(B, True))})
    assert (verdict.state, verdict.instance_id) == ("found", B)
    assert verdict.chosen is not None
    assert verdict.chosen.at == "2026-03-03T12:38:46.300Z"
    assert (verdict.chosen.command, verdict.chosen.version_label) == ("app-deploy", "v2")


def test_hooks_are_the_first_evidence() -> None:
    tails = {
        A: tail(engine_log(A, False), [hook_line(False), "half a li"]),
        B: tail(engine_log(B, True), [hook_line(True, "collectstatic"), hook_line(True)]),
    }
    verdict = ask(tails)
    assert (verdict.state, verdict.instance_id) == ("found", B)
    assert verdict.chosen is not None
    assert verdict.chosen.source == leader.HOOK_LOG


def test_hooks_alone_are_enough_when_the_engine_log_scrolled_away() -> None:
    verdict = ask({A: tail(["no election here"], [hook_line(True)]), B: tail([], [hook_line(False)])})
    assert (verdict.state, verdict.instance_id) == ("found", A)


def test_none_when_every_instance_says_that_it_was_not_elected() -> None:
    verdict = ask({A: tail(engine_log(A, False)), B: tail(engine_log(B, False))})
    assert (verdict.state, verdict.instance_id) == ("none", None)


def test_lost_when_an_instance_left_since() -> None:
    tails = {A: tail(engine_log(A, False)), B: tail(engine_log(B, False))}
    verdict = ask(tails, removed=[C])
    assert (verdict.state, verdict.instance_id) == ("lost", C)
    assert ask(tails, removed=[C, "i-0000000000000000d"]).instance_id is None


def test_lost_when_the_claim_is_of_an_instance_that_is_gone() -> None:
    tails = {A: tail(engine_log(A, False)), B: tail(engine_log(B, True))}
    assert ask(tails, existing=[A]).state == "lost"


def test_unknown_when_an_instance_is_silent() -> None:
    verdict = ask({A: tail(engine_log(A, False))}, existing=[A, B])
    assert verdict.state == "unknown"
    assert B in verdict.reason


def test_unknown_without_evidence() -> None:
    assert ask({A: tail(["nothing"])}).reason == "no log that could be read tells of an election"
    assert ask({}, existing=[A]).state == "unknown"


def test_unknown_when_two_won_the_same_election() -> None:
    verdict = ask({A: tail(engine_log(A, True)), B: tail(engine_log(B, True))})
    assert verdict.state == "unknown"
    assert "both say that they won the same election" in verdict.reason


def test_unknown_when_the_logs_of_one_instance_contradict_each_other() -> None:
    verdict = ask({A: tail(engine_log(A, False), [hook_line(True)])})
    assert verdict.state == "unknown"
    assert verdict.reason == f"the logs of {A} contradict each other"


def test_unknown_when_the_election_was_for_another_version() -> None:
    verdict = ask({A: tail(engine_log(A, True, label="v1"))})
    assert verdict.state == "unknown"
    assert "before version v2" in verdict.reason


def test_a_rolling_deployment_has_one_leader_a_batch_and_the_last_one_counts() -> None:
    tails = {
        A: tail(engine_log(A, True, at="12:38:46", invocation="batch-1")),
        B: tail(engine_log(B, True, at="12:40:46", invocation="batch-2")),
    }
    assert ask(tails).instance_id == B


def test_the_last_election_in_a_log_counts() -> None:
    log = engine_log(A, True, at="11:00:00", invocation="old") + engine_log(A, False, at="12:00:00", invocation="new")
    tails = {A: tail(log), B: tail(engine_log(B, True, at="12:00:00", invocation="new"))}
    assert ask(tails).instance_id == B


def test_hooks_of_an_earlier_deployment_of_the_same_version_do_not_count() -> None:
    tails = {
        A: tail(engine_log(A, False, at="14:00:00"), [hook_line(True, at="12:00:00")]),
        B: tail(engine_log(B, True, at="14:00:00"), [hook_line(False, at="12:00:00")]),
    }
    assert ask(tails).instance_id == B


def test_an_old_election_without_label_does_not_count() -> None:
    lines = ["2026/03/03 02:00:00.000000 [INFO] Instance is Leader."]
    verdict = ask({A: tail(lines)}, deployed_at={A: "2026-03-03T12:00:00.000Z"})
    assert verdict.state == "unknown"


def test_legacy_platform() -> None:
    lines = [
        "[2026-03-03T12:21:43.325Z] INFO  [3633]  - [Application update v2@24/AppDeployStage0] : Starting activity...",
        "[2026-03-03T12:21:43.400Z] INFO  [3633]  - Instance is Leader.",
    ]
    text = "\n".join([RULE, "/var/log/eb-activity.log", RULE, *lines])
    verdict = ask({A: split_tail(text)})
    assert (verdict.state, verdict.instance_id) == ("found", A)
    assert verdict.chosen is not None
    assert verdict.chosen.version_label == "v2"


def test_hook_results_are_of_the_newest_bundle() -> None:
    old, new = hook_line(True, label="v1", at="10:00:00"), hook_line(False, at="12:00:00")
    results = leader.hook_results({A: tail([], [old, new, hook_line(False, "collectstatic")])})
    assert [(item["name"], item["ran"], item["leader_only"]) for item in results] == [
        ("migrate", False, True),
        ("collectstatic", True, False),
    ]


def test_hook_results_of_a_version_that_was_deployed_twice_are_of_the_second_time() -> None:
    first, second = hook_line(True, at="10:00:00", deployment_id=3), hook_line(False, at="12:00:00", deployment_id=4)
    (result,) = leader.hook_results({A: tail([], [first, second])})
    assert (result["deployment_id"], result["ran"]) == (4, False)


@pytest.mark.parametrize("lines", [["{}"], ["[1]"], ["{"], [""], [hook_line(None)]])
def test_records_that_say_nothing(lines: list[str]) -> None:
    assert leader.gather({A: tail(None, lines)}) == []


def test_telling_lines_are_the_ends_of_the_logs_that_matter() -> None:
    sections = tail([f"line {number}" for number in range(90)], [hook_line(True)])
    told = telling_lines(sections, limit=3)
    assert told == ["/var/log/eb-engine.log:", "  line 87", "  line 88", "  line 89"]
