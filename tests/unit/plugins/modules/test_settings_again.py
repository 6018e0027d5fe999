# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as people write them: the second run changes nothing, although the service spells them otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
PROFILE = {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}

SETTINGS: dict[str, dict[str, Any]] = {
    "aws:autoscaling:asg": {"MinSize": 2, "MaxSize": "4", "Cooldown": 360, "Availability Zones": "Any"},
    "aws:autoscaling:launchconfiguration": {
        "IamInstanceProfile": "arn:aws:iam::123456789012:instance-profile/aws-elasticbeanstalk-ec2-role",
        "MonitoringInterval": "5 minute",
        "DisableIMDSv1": True,
        "RootVolumeType": "gp3",
        "RootVolumeSize": 20,
        "SSHSourceRestriction": "tcp,22,22,10.0.0.0/8",
    },
    "aws:ec2:instances": {"InstanceTypes": ["t3.small", "t3.medium"], "EnableSpot": False},
    "aws:autoscaling:trigger": {
        "MeasureName": "CPUUtilization",
        "Statistic": "Average",
        "Unit": "Percent",
        "UpperThreshold": 90,
        "LowerThreshold": 30,
        "Period": 5,
        "EvaluationPeriods": 1,
        "BreachDuration": 5,
        "UpperBreachScaleIncrement": 1,
        "LowerBreachScaleIncrement": -1,
    },
    "aws:autoscaling:updatepolicy:rollingupdate": {
        "RollingUpdateEnabled": True,
        "RollingUpdateType": "Health",
        "MaxBatchSize": 1,
        "MinInstancesInService": 1,
        "Timeout": "PT30M",
    },
    "aws:elasticbeanstalk:command": {
        "DeploymentPolicy": "Rolling",
        "BatchSizeType": "Percentage",
        "BatchSize": 50,
        "Timeout": 900,
        "IgnoreHealthCheck": "False",
    },
    "aws:elasticbeanstalk:environment": {
        "EnvironmentType": "LoadBalanced",
        "LoadBalancerType": "application",
        "ServiceRole": "arn:aws:iam::123456789012:role/service-role/aws-elasticbeanstalk-service-role",
    },
    "aws:elasticbeanstalk:environment:process:default": {
        "Port": 80,
        "Protocol": "HTTP",
        "HealthCheckPath": "/health/",
        "HealthCheckInterval": 15,
        "HealthCheckTimeout": "5",
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 5,
        "MatcherHTTPCode": 200,
        "DeregistrationDelay": 20,
        "StickinessEnabled": False,
    },
    "aws:elasticbeanstalk:healthreporting:system": {"SystemType": "enhanced", "HealthCheckSuccessThreshold": "Ok"},
    "aws:elasticbeanstalk:managedactions": {"ManagedActionsEnabled": False},
    "aws:elasticbeanstalk:cloudwatch:logs": {"StreamLogs": True, "DeleteOnTerminate": False, "RetentionInDays": 7},
    "aws:elasticbeanstalk:application:environment": {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": False,
        "WORKERS": 3,
        "EMPTY": "",
    },
}


def test_the_second_run_changes_nothing(run: Run) -> None:
    assert sum(len(options) for options in SETTINGS.values()) >= 40
    run("application", name="spelling")
    params = {
        "application": "spelling",
        "name": "spelling-one",
        "platform": "Docker running on 64bit Amazon Linux 2023",
        "option_settings": SETTINGS,
        "poll_interval": 0.2,
        "wait_timeout": 120,
    }
    made = run("environment", **params)
    assert not made.get("failed"), made["msg"]
    again = run("environment", **params)
    assert not again["changed"], again["diff"]
    otherwise = {
        space: {option: str(value) for option, value in options.items()} for space, options in SETTINGS.items()
    }
    otherwise["aws:ec2:instances"]["InstanceTypes"] = "t3.small, t3.medium"
    otherwise["aws:autoscaling:launchconfiguration"]["SSHSourceRestriction"] = "tcp, 22, 22, 10.0.0.0/8"
    otherwise["aws:autoscaling:launchconfiguration"]["IamInstanceProfile"] = "aws-elasticbeanstalk-ec2-role"
    otherwise["aws:elasticbeanstalk:application:environment"]["DEBUG"] = "false"
    texts = run("environment", check=True, **{**params, "option_settings": otherwise})
    assert not texts["changed"], texts["diff"]
    assert run("environment", **params, state="absent")["changed"]


def test_the_password_of_a_database_that_nobody_can_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("application", name="spelling")

    def have(password: str) -> dict[str, Any]:
        database = {"DBEngine": "postgres", "DBUser": "shop", "DBPassword": password, "DBDeletionPolicy": "Snapshot"}
        done = run(
            "environment",
            application="spelling",
            name="spelling-database",
            platform="Docker running on 64bit Amazon Linux 2023",
            option_settings={"aws:rds:dbinstance": database, "aws:autoscaling:launchconfiguration": PROFILE},
            poll_interval=0.2,
            wait_timeout=120,
        )
        assert not done.get("failed"), done["msg"]
        assert password not in json.dumps(done)
        return done

    assert have("first-password")["actions"] == ["create"]
    assert not have("first-password")["changed"]
    changed = have("second-password")
    assert changed["actions"] == ["update_settings"]
    assert changed["diff"]["after"] == {"aws:rds:dbinstance:DBPassword": "(hidden) (new value)"}
    assert not have("second-password")["changed"]
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert not have("third-password")["changed"], "a controller that has not seen it before"
    assert have("fourth-password")["changed"]
    absent = run("environment", application="spelling", name="spelling-database", state="absent", poll_interval=0.2)
    assert absent["actions"] == ["terminate"]
