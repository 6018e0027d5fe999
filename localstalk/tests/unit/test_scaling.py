# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto Scaling on the clock: busy processors add instances, idle ones remove them, lost ones are replaced."""

from __future__ import annotations

import pytest
from control_plane import SINGLE, Localstalk, option

from localstalk.driver import Load
from localstalk.model.state import Instance
from localstalk.workflows.scaling import surplus

TRIGGER = "aws:autoscaling:trigger"
CPU = [
    option(TRIGGER, "MeasureName", "CPUUtilization"),
    option(TRIGGER, "Unit", "Percent"),
    option(TRIGGER, "UpperThreshold", "90"),
    option(TRIGGER, "LowerThreshold", "20"),
]


def limits(least: int, most: int) -> list[dict[str, str]]:
    asg = "aws:autoscaling:asg"
    return [option(asg, "MinSize", str(least)), option(asg, "MaxSize", str(most))]


def load(localstalk: Localstalk, percent: float, **fields: str) -> None:
    localstalk.control.faults.clear()
    localstalk.control.faults.add({"kind": "cpu", "percent": percent} | fields)


def instances(localstalk: Localstalk) -> dict[str, str]:
    found = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])
    return {each["InstanceId"]: each["Deployment"]["VersionLabel"] for each in found["InstanceHealthList"]}


def test_busy_processors_add_an_instance_that_deploys_by_itself(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 3), *CPU)
    localstalk.version("v2")
    localstalk.update(VersionLabel="v2")
    (first,) = instances(localstalk)
    load(localstalk, 95)
    localstalk.advance(290)
    assert list(instances(localstalk)) == [first]
    localstalk.advance(90)
    assert localstalk.environment()["Status"] == "Ready"
    assert list(instances(localstalk).values()) == ["v2", "v2"]
    (event,) = [
        each for each in localstalk.eb.describe_events(MaxRecords=6)["Events"] if each["Message"].startswith("Added")
    ]
    (added,) = instances(localstalk).keys() - {first}
    assert (event["Message"], "RequestId" in event) == (f"Added instance [{added}] to your environment.", False)
    localstalk.advance(60)
    assert localstalk.environment()["HealthStatus"] == "Ok"


def test_it_never_grows_above_the_maximum_and_waits_between(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 3), *CPU, option("aws:autoscaling:asg", "Cooldown", "1200"))
    load(localstalk, 100)
    localstalk.advance(1200)
    assert len(instances(localstalk)) == 2
    localstalk.advance(20_000)
    assert len(instances(localstalk)) == 3


def test_idle_processors_remove_the_oldest_down_to_the_minimum(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 3), *CPU)
    (first,) = instances(localstalk)
    load(localstalk, 95)
    localstalk.advance(400)
    load(localstalk, 50)
    localstalk.advance(7200)
    assert len(instances(localstalk)) == 2
    load(localstalk, 5)
    localstalk.advance(400)
    assert first not in instances(localstalk)
    assert localstalk.lines(MaxRecords=1) == ["Removed instance [i-x] from your environment."]
    localstalk.advance(7200)
    assert len(instances(localstalk)) == 1


def test_a_short_peak_changes_nothing(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 3), *CPU, option(TRIGGER, "EvaluationPeriods", "3"))
    load(localstalk, 95)
    localstalk.advance(800)
    load(localstalk, 50)
    localstalk.advance(60)
    load(localstalk, 95)
    localstalk.advance(800)
    assert len(instances(localstalk)) == 1
    localstalk.advance(400)
    assert len(instances(localstalk)) == 2


@pytest.mark.parametrize(("statistic", "count"), [("Average", 2), ("Maximum", 3), ("Minimum", 2), ("Sum", 3)])
def test_statistics_over_the_instances(localstalk: Localstalk, statistic: str, count: int) -> None:
    localstalk.create("env-one", *limits(2, 3), *CPU, option(TRIGGER, "Statistic", statistic))
    load(localstalk, 95, instance=next(iter(instances(localstalk))))
    localstalk.advance(400)
    assert len(instances(localstalk)) == count


def test_the_sim_driver_can_be_busy_by_itself(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 2), *CPU)
    localstalk.driver.set_instance(next(iter(instances(localstalk))), load=Load(cpu_percent=95))
    localstalk.advance(400)
    assert len(instances(localstalk)) == 2


def test_other_measures_and_single_instances_do_not_scale(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 3))
    localstalk.create("env-two", SINGLE, *CPU)
    load(localstalk, 100)
    localstalk.advance(7200)
    assert len(instances(localstalk)) == 1
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-two")["EnvironmentResources"]
    assert len(resources["Instances"]) == 1


def test_an_update_has_precedence_over_scaling(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 3), *CPU)
    localstalk.version("v2")
    load(localstalk, 95)
    localstalk.advance(302)
    localstalk.update(VersionLabel="v2")
    assert set(instances(localstalk).values()) == {"v2"}
    assert localstalk.environment()["VersionLabel"] == "v2"


def test_an_instance_that_cannot_start_is_an_event(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *limits(1, 2), *CPU)
    localstalk.driver.launch_failures.append("There is no room for another instance.")
    load(localstalk, 95)
    localstalk.advance(320)
    assert "ERROR There is no room for another instance." in localstalk.lines(EnvironmentName="env-one")
    assert (localstalk.environment()["Status"], len(instances(localstalk))) == ("Ready", 1)
    load(localstalk, 50)
    localstalk.advance(120)
    assert len(instances(localstalk)) == 2


def test_a_scale_in_balances_zones(localstalk: Localstalk) -> None:
    localstalk.create()
    environment = next(iter(localstalk.region.environments.values()))
    now = localstalk.control.clock.now()
    environment.instances = {
        name: Instance(name, now, age, zone=zone)
        for name, age, zone in (("i-1", 1.0, "a"), ("i-2", 2.0, "b"), ("i-3", 3.0, "b"), ("i-4", 4.0, "b"))
    }
    assert [each.id for each in surplus(environment, 3)] == ["i-2", "i-3", "i-1"]
