# SPDX-License-Identifier: GPL-3.0-or-later
"""What users do to instances and Auto Scaling groups by EC2's and Auto Scaling's own API: EB follows."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import SINGLE, Localstalk, option

ASG = "aws:autoscaling:asg"
TWO = (option(ASG, "MinSize", "2"), option(ASG, "MaxSize", "4"))
CPU = (option("aws:autoscaling:trigger", "MeasureName", "CPUUtilization"),)


def listed(localstalk: Localstalk) -> list[str]:
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    return sorted(each["Id"] for each in resources["Instances"])


def deployed(localstalk: Localstalk) -> dict[str, str]:
    found = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])[
        "InstanceHealthList"
    ]
    return {each["InstanceId"]: each["Deployment"]["VersionLabel"] for each in found}


def group(localstalk: Localstalk) -> dict[str, Any]:
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    (name,) = (each["Name"] for each in resources["AutoScalingGroups"])
    found: dict[str, Any] = localstalk.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ][0]
    return found


def members(localstalk: Localstalk) -> list[str]:
    return sorted(each["InstanceId"] for each in group(localstalk)["Instances"])


def states(localstalk: Localstalk, *ids: str) -> list[str]:
    pages = localstalk.client("ec2").describe_instances(InstanceIds=list(ids))["Reservations"]
    return [each["State"]["Name"] for page in pages for each in page["Instances"]]


def test_an_instance_terminated_in_ec2_is_replaced(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    localstalk.version("v2")
    localstalk.update(VersionLabel="v2")
    victim, other = listed(localstalk)
    localstalk.client("ec2").terminate_instances(InstanceIds=[victim])
    localstalk.advance(120)
    assert victim not in listed(localstalk)
    assert other in listed(localstalk)
    assert listed(localstalk) == members(localstalk)
    assert list(deployed(localstalk).values()) == ["v2", "v2"]
    (new,) = set(listed(localstalk)) - {other}
    assert states(localstalk, new) == ["running"]
    messages = [
        each["Message"] for each in localstalk.eb.describe_events(EnvironmentName="env-one", MaxRecords=8)["Events"]
    ]
    assert f"Removed instance [{victim}] from your environment." in messages
    assert f"Added instance [{new}] to your environment." in messages
    assert localstalk.environment()["Status"] == "Ready"
    localstalk.advance(60)
    assert localstalk.environment()["HealthStatus"] == "Ok"


def test_a_stopped_instance_is_replaced(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    victim, _ = listed(localstalk)
    localstalk.client("ec2").stop_instances(InstanceIds=[victim])
    localstalk.advance(120)
    assert len(listed(localstalk)) == 2
    assert victim not in listed(localstalk)
    assert states(localstalk, victim) == ["terminated"]
    assert listed(localstalk) == members(localstalk)


def test_a_group_of_zero_leaves_nothing_and_turns_grey(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    name = group(localstalk)["AutoScalingGroupName"]
    scaling = localstalk.client("autoscaling")
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0)
    localstalk.advance(60)
    assert listed(localstalk) == members(localstalk) == []
    assert (localstalk.environment()["Status"], localstalk.environment()["Health"]) == ("Ready", "Grey")
    localstalk.version("v2")
    localstalk.update(VersionLabel="v2")
    assert listed(localstalk) == []
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1, MaxSize=2, DesiredCapacity=1)
    localstalk.advance(120)
    assert list(deployed(localstalk).values()) == ["v2"]
    assert localstalk.environment()["HealthStatus"] == "Ok"


def test_a_new_capacity_launches_and_terminates(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    before = set(listed(localstalk))
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    localstalk.advance(120)
    assert len(listed(localstalk)) == 4
    assert before < set(listed(localstalk))
    assert set(deployed(localstalk).values()) == {"v1"}
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    localstalk.advance(120)
    assert len(listed(localstalk)) == 2
    assert listed(localstalk) == members(localstalk)


def test_an_instance_terminated_in_its_group_takes_the_capacity_along(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option(ASG, "MinSize", "1"), option(ASG, "MaxSize", "4"))
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    localstalk.advance(120)
    victim, other = listed(localstalk)
    scaling.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=True)
    localstalk.advance(120)
    assert listed(localstalk) == [other]
    assert group(localstalk)["DesiredCapacity"] == 1


def test_a_detached_instance_leaves_the_environment(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option(ASG, "MinSize", "1"), option(ASG, "MaxSize", "4"))
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    localstalk.advance(120)
    detached, other = listed(localstalk)
    scaling.detach_instances(AutoScalingGroupName=name, InstanceIds=[detached], ShouldDecrementDesiredCapacity=True)
    localstalk.advance(120)
    assert listed(localstalk) == members(localstalk) == [other]
    assert states(localstalk, detached) == ["terminated"]


def test_a_suspended_launch_waits_until_it_is_resumed(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    victim, other = listed(localstalk)
    localstalk.client("ec2").terminate_instances(InstanceIds=[victim])
    localstalk.advance(300)
    assert listed(localstalk) == members(localstalk) == [other]
    scaling.resume_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    localstalk.advance(120)
    assert len(listed(localstalk)) == 2
    assert listed(localstalk) == members(localstalk)


@pytest.mark.parametrize("process", ["ReplaceUnhealthy", "HealthCheck"])
def test_without_replacement_a_dead_instance_stays_and_is_severe(localstalk: Localstalk, process: str) -> None:
    localstalk.create("env-one", *TWO)
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=[process])
    victim, other = listed(localstalk)
    localstalk.client("ec2").terminate_instances(InstanceIds=[victim])
    localstalk.advance(120)
    assert listed(localstalk) == members(localstalk) == sorted([victim, other])
    health = {
        each["InstanceId"]: each["HealthStatus"]
        for each in localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])[
            "InstanceHealthList"
        ]
    }
    assert health == {victim: "Severe", other: "Ok"}
    scaling.resume_processes(AutoScalingGroupName=name)
    localstalk.advance(120)
    assert victim not in listed(localstalk)
    assert len(listed(localstalk)) == 2


def test_a_suspended_termination_waits_until_it_is_resumed(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Terminate"])
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1, DesiredCapacity=1)
    localstalk.advance(300)
    assert len(listed(localstalk)) == 2
    scaling.resume_processes(AutoScalingGroupName=name)
    localstalk.advance(120)
    assert len(listed(localstalk)) == 1


def test_suspended_alarms_add_nothing(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO, *CPU, option("aws:autoscaling:trigger", "UpperThreshold", "90"))
    name, scaling = group(localstalk)["AutoScalingGroupName"], localstalk.client("autoscaling")
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["AlarmNotification"])
    localstalk.control.faults.add({"kind": "cpu", "percent": 95})
    localstalk.advance(1200)
    assert len(listed(localstalk)) == 2
    scaling.resume_processes(AutoScalingGroupName=name)
    localstalk.advance(120)
    assert len(listed(localstalk)) == 3


def test_alarms_keep_to_the_limits_that_the_group_has_now(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO, *CPU, option("aws:autoscaling:trigger", "UpperThreshold", "90"))
    name = group(localstalk)["AutoScalingGroupName"]
    localstalk.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MaxSize=2)
    localstalk.control.faults.add({"kind": "cpu", "percent": 95})
    localstalk.advance(3600)
    assert len(listed(localstalk)) == 2


def test_an_instance_of_a_group_that_cannot_start_is_tried_again(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *TWO)
    localstalk.driver.launch_failures.append("There is no room for another instance.")
    localstalk.client("ec2").terminate_instances(InstanceIds=[listed(localstalk)[0]])
    localstalk.advance(30)
    assert "ERROR There is no room for another instance." in localstalk.lines(EnvironmentName="env-one")
    localstalk.advance(180)
    assert len(listed(localstalk)) == 2
    assert listed(localstalk) == members(localstalk)


def test_the_elastic_ip_of_a_single_instance_is_one_address_everywhere(localstalk: Localstalk) -> None:
    localstalk.create("env-one", SINGLE)
    ec2 = localstalk.client("ec2")
    for _ in range(2):
        (instance,) = listed(localstalk)
        (address,) = ec2.describe_addresses()["Addresses"]
        (shown,) = (
            each
            for page in ec2.describe_instances(InstanceIds=[instance])["Reservations"]
            for each in page["Instances"]
        )
        endpoint = localstalk.environment()["EndpointURL"]
        assert (address["PublicIp"], address["InstanceId"]) == (endpoint, instance)
        assert shown["PublicIpAddress"] == endpoint
        assert f"Created EIP: {endpoint}" in localstalk.lines(EnvironmentName="env-one")
        ec2.terminate_instances(InstanceIds=[instance])
        localstalk.advance(120)
        assert listed(localstalk) != [instance]
