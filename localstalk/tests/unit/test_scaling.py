# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto Scaling on the clock: busy processors add instances, idle ones remove them, lost ones are replaced."""

from __future__ import annotations

import pytest
from stalk import SINGLE, Stalk, option

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


def load(stalk: Stalk, percent: float, **fields: str) -> None:
    stalk.control.faults.clear()
    stalk.control.faults.add({"kind": "cpu", "percent": percent} | fields)


def instances(stalk: Stalk) -> dict[str, str]:
    found = stalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])
    return {each["InstanceId"]: each["Deployment"]["VersionLabel"] for each in found["InstanceHealthList"]}


def test_busy_processors_add_an_instance_that_deploys_by_itself(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 3), *CPU)
    stalk.version("v2")
    stalk.update(VersionLabel="v2")
    (first,) = instances(stalk)
    load(stalk, 95)
    stalk.advance(290)
    assert list(instances(stalk)) == [first]
    stalk.advance(90)
    assert stalk.environment()["Status"] == "Ready"
    assert list(instances(stalk).values()) == ["v2", "v2"]
    (event,) = [
        each for each in stalk.eb.describe_events(MaxRecords=6)["Events"] if each["Message"].startswith("Added")
    ]
    (added,) = instances(stalk).keys() - {first}
    assert (event["Message"], "RequestId" in event) == (f"Added instance [{added}] to your environment.", False)
    stalk.advance(60)
    assert stalk.environment()["HealthStatus"] == "Ok"


def test_it_never_grows_above_the_maximum_and_waits_between(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 3), *CPU, option("aws:autoscaling:asg", "Cooldown", "1200"))
    load(stalk, 100)
    stalk.advance(1200)
    assert len(instances(stalk)) == 2
    stalk.advance(20_000)
    assert len(instances(stalk)) == 3


def test_idle_processors_remove_the_oldest_down_to_the_minimum(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 3), *CPU)
    (first,) = instances(stalk)
    load(stalk, 95)
    stalk.advance(400)
    load(stalk, 50)
    stalk.advance(7200)
    assert len(instances(stalk)) == 2
    load(stalk, 5)
    stalk.advance(400)
    assert first not in instances(stalk)
    assert stalk.lines(MaxRecords=1) == ["Removed instance [i-x] from your environment."]
    stalk.advance(7200)
    assert len(instances(stalk)) == 1


def test_a_short_peak_changes_nothing(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 3), *CPU, option(TRIGGER, "EvaluationPeriods", "3"))
    load(stalk, 95)
    stalk.advance(800)
    load(stalk, 50)
    stalk.advance(60)
    load(stalk, 95)
    stalk.advance(800)
    assert len(instances(stalk)) == 1
    stalk.advance(400)
    assert len(instances(stalk)) == 2


@pytest.mark.parametrize(("statistic", "count"), [("Average", 2), ("Maximum", 3), ("Minimum", 2), ("Sum", 3)])
def test_statistics_over_the_instances(stalk: Stalk, statistic: str, count: int) -> None:
    stalk.create("env-one", *limits(2, 3), *CPU, option(TRIGGER, "Statistic", statistic))
    load(stalk, 95, instance=next(iter(instances(stalk))))
    stalk.advance(400)
    assert len(instances(stalk)) == count


def test_the_sim_driver_can_be_busy_by_itself(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 2), *CPU)
    stalk.driver.set_instance(next(iter(instances(stalk))), load=Load(cpu_percent=95))
    stalk.advance(400)
    assert len(instances(stalk)) == 2


def test_other_measures_and_single_instances_do_not_scale(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 3))
    stalk.create("env-two", SINGLE, *CPU)
    load(stalk, 100)
    stalk.advance(7200)
    assert len(instances(stalk)) == 1
    resources = stalk.eb.describe_environment_resources(EnvironmentName="env-two")["EnvironmentResources"]
    assert len(resources["Instances"]) == 1


def test_an_update_has_precedence_over_scaling(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 3), *CPU)
    stalk.version("v2")
    load(stalk, 95)
    stalk.advance(302)
    stalk.update(VersionLabel="v2")
    assert set(instances(stalk).values()) == {"v2"}
    assert stalk.environment()["VersionLabel"] == "v2"


def test_an_instance_that_cannot_start_is_an_event(stalk: Stalk) -> None:
    stalk.create("env-one", *limits(1, 2), *CPU)
    stalk.driver.launch_failures.append("There is no room for another instance.")
    load(stalk, 95)
    stalk.advance(320)
    assert "ERROR There is no room for another instance." in stalk.lines(EnvironmentName="env-one")
    assert (stalk.environment()["Status"], len(instances(stalk))) == ("Ready", 1)
    load(stalk, 50)
    stalk.advance(120)
    assert len(instances(stalk)) == 2


def test_a_scale_in_balances_zones(stalk: Stalk) -> None:
    stalk.create()
    environment = next(iter(stalk.region.environments.values()))
    now = stalk.control.clock.now()
    environment.instances = {
        name: Instance(name, now, age, zone=zone)
        for name, age, zone in (("i-1", 1.0, "a"), ("i-2", 2.0, "b"), ("i-3", 3.0, "b"), ("i-4", 4.0, "b"))
    }
    assert [each.id for each in surplus(environment, 3)] == ["i-2", "i-3", "i-1"]
