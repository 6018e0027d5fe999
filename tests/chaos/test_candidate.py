# SPDX-License-Identifier: GPL-3.0-or-later
"""What a candidate is made of, and when there is none: capacity of now, settings, quota, leader tasks, leftovers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from chaos.local import check_end, client, deploy, environments, fault, localstalk, run, setting, settings

ASG = "aws:autoscaling:asg"
TRIGGER = "aws:autoscaling:trigger"
BUSY = [
    setting(ASG, "MinSize", "1"),
    setting(ASG, "MaxSize", "3"),
    setting(ASG, "Cooldown", "60"),
    setting(TRIGGER, "MeasureName", "CPUUtilization"),
    setting(TRIGGER, "Unit", "Percent"),
    setting(TRIGGER, "UpperThreshold", "70"),
    setting(TRIGGER, "LowerThreshold", "0"),
    setting(TRIGGER, "BreachDuration", "1"),
    setting(TRIGGER, "Period", "1"),
]


def instances(aws: dict[str, str], environment: dict[str, Any]) -> int:
    eb = client(aws, "elasticbeanstalk")
    found = eb.describe_environment_resources(EnvironmentId=environment["EnvironmentId"])
    return len(found["EnvironmentResources"]["Instances"])


def created_with(aws: dict[str, str], application: str, environment: dict[str, Any]) -> list[str]:
    """What the events of an environment say of instances that it was launched with."""
    eb = client(aws, "elasticbeanstalk")
    told = eb.describe_events(ApplicationName=application, EnvironmentId=environment["EnvironmentId"])["Events"]
    return [one["Message"] for one in told if one["Message"].startswith("Added instance")]


def test_a_candidate_starts_with_as_many_instances_as_run_now(aws: dict[str, str]) -> None:
    """And the settings are the live environment's own again afterwards."""
    first = deploy(aws, "busy", options=BUSY)
    with fault(aws, "cpu", percent=95, environment="busy-first"):
        deadline = time.monotonic() + 60
        while instances(aws, environments(aws, "busy")[0]) < 3:
            assert time.monotonic() < deadline, "the environment does not scale out"
            time.sleep(0.2)
        status, ended = run(aws, "busy")
    assert (status, ended["result"]) == (0, "done"), ended
    assert "resize" in ended["steps"]
    check_end(aws, "busy", first)
    live = environments(aws, "busy")[0]
    assert settings(aws, live)[ASG, "MinSize"] == "1"
    assert instances(aws, live) == 3
    assert all(text.count("i-") == 3 for text in created_with(aws, "busy", live)), created_with(aws, "busy", live)


def test_a_lost_answer_to_the_resize_changes_nothing(aws: dict[str, str]) -> None:
    first = deploy(aws, "lost-size", options=[setting(ASG, "MinSize", "1"), setting(ASG, "MaxSize", "4")])
    group = client(aws, "elasticbeanstalk").describe_environment_resources(EnvironmentId=first)
    name = group["EnvironmentResources"]["AutoScalingGroups"][0]["Name"]
    client(aws, "autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    assert run(aws, "lost-size", "lose:resize")[1]["result"] == "done"
    check_end(aws, "lost-size", first)
    assert settings(aws, environments(aws, "lost-size")[0])[ASG, "MinSize"] == "1"


def test_a_sleeping_environment_is_left_alone(aws: dict[str, str]) -> None:
    first = deploy(aws, "asleep", options=[setting(ASG, "MinSize", "1"), setting(ASG, "MaxSize", "2")])
    group = client(aws, "elasticbeanstalk").describe_environment_resources(EnvironmentId=first)
    name = group["EnvironmentResources"]["AutoScalingGroups"][0]["Name"]
    scaling = client(aws, "autoscaling")
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0)
    ended = run(aws, "asleep", "force:false", "min_age:0")[1]
    assert ended["result"] == "skipped", ended
    assert "has no instances now" in ended["sentence"]
    assert [one["EnvironmentId"] for one in environments(aws, "asleep")] == [first]


def test_leader_tasks_are_asked_for_on_request(aws: dict[str, str]) -> None:
    first = deploy(aws, "led")
    ended = run(aws, "led", "require_leader_tasks:true")[1]
    assert ended["result"] == "done", ended
    assert ended["steps"].index("ask_leader") < ended["steps"].index("swap")
    check_end(aws, "led", first)


def test_a_candidate_whose_leader_is_not_known_does_not_go_live(aws: dict[str, str]) -> None:
    first = deploy(aws, "leaderless")
    # Whole logs are asked for when tails do not tell, and may just come in time.
    with fault(aws, "command", command="tail-log"), fault(aws, "command", command="bundle-log"):
        ended = run(aws, "leaderless", "require_leader_tasks:true", "verify_timeout:3")[1]
    assert ended["result"] == "failed_rolled_back", ended
    assert "its leader tasks did not run" in ended["sentence"]
    assert [one["EnvironmentId"] for one in environments(aws, "leaderless")] == [first]


def test_a_full_quota_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with localstalk(tmp_path, "sim", 200, "--quota", "Environment=1") as aws:
        first = deploy(aws, "full")
        ended = run(aws, "full")[1]
        assert ended["result"] == "refused", ended
        assert ended["sentence"] == (
            "There is no room for a candidate: the region's quota of 1 environments is used up."
        )
        assert ended["steps"] == ["finish"]
        assert [one["EnvironmentId"] for one in environments(aws, "full")] == [first]


def test_saved_configurations_of_dead_environments_go(aws: dict[str, str]) -> None:
    first = deploy(aws, "saved")
    eb = client(aws, "elasticbeanstalk")
    for name in ("my-own", "saved-260101-020000-sc"):
        eb.create_configuration_template(ApplicationName="saved", TemplateName=name, EnvironmentId=first)
    assert run(aws, "saved")[1]["result"] == "done"
    (application,) = eb.describe_applications(ApplicationNames=["saved"])["Applications"]
    assert application["ConfigurationTemplates"] == ["my-own"]
    check_end(aws, "saved", first)
