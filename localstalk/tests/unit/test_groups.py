# SPDX-License-Identifier: GPL-3.0-or-later
"""What users do to instances and Auto Scaling groups by EC2's and Auto Scaling's own API: EB follows."""

from __future__ import annotations

from typing import Any

import pytest
from stalk import SINGLE, Stalk, option

ASG = "aws:autoscaling:asg"
TWO = (option(ASG, "MinSize", "2"), option(ASG, "MaxSize", "4"))
CPU = (option("aws:autoscaling:trigger", "MeasureName", "CPUUtilization"),)


def listed(stalk: Stalk) -> list[str]:
    resources = stalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    return sorted(each["Id"] for each in resources["Instances"])


def deployed(stalk: Stalk) -> dict[str, str]:
    found = stalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])["InstanceHealthList"]
    return {each["InstanceId"]: each["Deployment"]["VersionLabel"] for each in found}


def group(stalk: Stalk) -> dict[str, Any]:
    resources = stalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    (name,) = (each["Name"] for each in resources["AutoScalingGroups"])
    found: dict[str, Any] = stalk.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ][0]
    return found


def members(stalk: Stalk) -> list[str]:
    return sorted(each["InstanceId"] for each in group(stalk)["Instances"])


def states(stalk: Stalk, *ids: str) -> list[str]:
    pages = stalk.client("ec2").describe_instances(InstanceIds=list(ids))["Reservations"]
    return [each["State"]["Name"] for page in pages for each in page["Instances"]]


def test_an_instance_terminated_in_ec2_is_replaced(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    stalk.version("v2")
    stalk.update(VersionLabel="v2")
    victim, other = listed(stalk)
    stalk.client("ec2").terminate_instances(InstanceIds=[victim])
    stalk.advance(120)
    assert victim not in listed(stalk)
    assert other in listed(stalk)
    assert listed(stalk) == members(stalk)
    assert list(deployed(stalk).values()) == ["v2", "v2"]
    (new,) = set(listed(stalk)) - {other}
    assert states(stalk, new) == ["running"]
    messages = [each["Message"] for each in stalk.eb.describe_events(EnvironmentName="env-one", MaxRecords=8)["Events"]]
    assert f"Removed instance [{victim}] from your environment." in messages
    assert f"Added instance [{new}] to your environment." in messages
    assert stalk.environment()["Status"] == "Ready"
    stalk.advance(60)
    assert stalk.environment()["HealthStatus"] == "Ok"


def test_a_stopped_instance_is_replaced(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    victim, _ = listed(stalk)
    stalk.client("ec2").stop_instances(InstanceIds=[victim])
    stalk.advance(120)
    assert len(listed(stalk)) == 2
    assert victim not in listed(stalk)
    assert states(stalk, victim) == ["terminated"]
    assert listed(stalk) == members(stalk)


def test_a_group_of_zero_leaves_nothing_and_turns_grey(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    name = group(stalk)["AutoScalingGroupName"]
    scaling = stalk.client("autoscaling")
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0)
    stalk.advance(60)
    assert listed(stalk) == members(stalk) == []
    assert (stalk.environment()["Status"], stalk.environment()["Health"]) == ("Ready", "Grey")
    stalk.version("v2")
    stalk.update(VersionLabel="v2")
    assert listed(stalk) == []
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1, MaxSize=2, DesiredCapacity=1)
    stalk.advance(120)
    assert list(deployed(stalk).values()) == ["v2"]
    assert stalk.environment()["HealthStatus"] == "Ok"


def test_a_new_capacity_launches_and_terminates(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    before = set(listed(stalk))
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    stalk.advance(120)
    assert len(listed(stalk)) == 4
    assert before < set(listed(stalk))
    assert set(deployed(stalk).values()) == {"v1"}
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    stalk.advance(120)
    assert len(listed(stalk)) == 2
    assert listed(stalk) == members(stalk)


def test_an_instance_terminated_in_its_group_takes_the_capacity_along(stalk: Stalk) -> None:
    stalk.create("env-one", option(ASG, "MinSize", "1"), option(ASG, "MaxSize", "4"))
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    stalk.advance(120)
    victim, other = listed(stalk)
    scaling.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=True)
    stalk.advance(120)
    assert listed(stalk) == [other]
    assert group(stalk)["DesiredCapacity"] == 1


def test_a_detached_instance_leaves_the_environment(stalk: Stalk) -> None:
    stalk.create("env-one", option(ASG, "MinSize", "1"), option(ASG, "MaxSize", "4"))
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    stalk.advance(120)
    detached, other = listed(stalk)
    scaling.detach_instances(AutoScalingGroupName=name, InstanceIds=[detached], ShouldDecrementDesiredCapacity=True)
    stalk.advance(120)
    assert listed(stalk) == members(stalk) == [other]
    assert states(stalk, detached) == ["terminated"]


def test_a_suspended_launch_waits_until_it_is_resumed(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    victim, other = listed(stalk)
    stalk.client("ec2").terminate_instances(InstanceIds=[victim])
    stalk.advance(300)
    assert listed(stalk) == members(stalk) == [other]
    scaling.resume_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    stalk.advance(120)
    assert len(listed(stalk)) == 2
    assert listed(stalk) == members(stalk)


@pytest.mark.parametrize("process", ["ReplaceUnhealthy", "HealthCheck"])
def test_without_replacement_a_dead_instance_stays_and_is_severe(stalk: Stalk, process: str) -> None:
    stalk.create("env-one", *TWO)
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=[process])
    victim, other = listed(stalk)
    stalk.client("ec2").terminate_instances(InstanceIds=[victim])
    stalk.advance(120)
    assert listed(stalk) == members(stalk) == sorted([victim, other])
    health = {
        each["InstanceId"]: each["HealthStatus"]
        for each in stalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])[
            "InstanceHealthList"
        ]
    }
    assert health == {victim: "Severe", other: "Ok"}
    scaling.resume_processes(AutoScalingGroupName=name)
    stalk.advance(120)
    assert victim not in listed(stalk)
    assert len(listed(stalk)) == 2


def test_a_suspended_termination_waits_until_it_is_resumed(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Terminate"])
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1, DesiredCapacity=1)
    stalk.advance(300)
    assert len(listed(stalk)) == 2
    scaling.resume_processes(AutoScalingGroupName=name)
    stalk.advance(120)
    assert len(listed(stalk)) == 1


def test_suspended_alarms_add_nothing(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO, *CPU, option("aws:autoscaling:trigger", "UpperThreshold", "90"))
    name, scaling = group(stalk)["AutoScalingGroupName"], stalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["AlarmNotification"])
    stalk.control.faults.add({"kind": "cpu", "percent": 95})
    stalk.advance(1200)
    assert len(listed(stalk)) == 2
    scaling.resume_processes(AutoScalingGroupName=name)
    stalk.advance(120)
    assert len(listed(stalk)) == 3


def test_alarms_keep_to_the_limits_that_the_group_has_now(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO, *CPU, option("aws:autoscaling:trigger", "UpperThreshold", "90"))
    name = group(stalk)["AutoScalingGroupName"]
    stalk.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MaxSize=2)
    stalk.control.faults.add({"kind": "cpu", "percent": 95})
    stalk.advance(3600)
    assert len(listed(stalk)) == 2


def test_an_instance_of_a_group_that_cannot_start_is_tried_again(stalk: Stalk) -> None:
    stalk.create("env-one", *TWO)
    stalk.driver.launch_failures.append("There is no room for another instance.")
    stalk.client("ec2").terminate_instances(InstanceIds=[listed(stalk)[0]])
    stalk.advance(30)
    assert "ERROR There is no room for another instance." in stalk.lines(EnvironmentName="env-one")
    stalk.advance(180)
    assert len(listed(stalk)) == 2
    assert listed(stalk) == members(stalk)


def test_the_elastic_ip_of_a_single_instance_is_one_address_everywhere(stalk: Stalk) -> None:
    stalk.create("env-one", SINGLE)
    ec2 = stalk.client("ec2")
    for _ in range(2):
        (instance,) = listed(stalk)
        (address,) = ec2.describe_addresses()["Addresses"]
        (shown,) = (
            each
            for page in ec2.describe_instances(InstanceIds=[instance])["Reservations"]
            for each in page["Instances"]
        )
        endpoint = stalk.environment()["EndpointURL"]
        assert (address["PublicIp"], address["InstanceId"]) == (endpoint, instance)
        assert shown["PublicIpAddress"] == endpoint
        assert f"Created EIP: {endpoint}" in stalk.lines(EnvironmentName="env-one")
        ec2.terminate_instances(InstanceIds=[instance])
        stalk.advance(120)
        assert listed(stalk) != [instance]
