# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be read of Elastic Beanstalk, and a world in which there is something of each kind to be read."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localstalk.testing import Localstalk

APPLICATION, VERSION, TEMPLATE, ENVIRONMENT, WORKER = "shop", "v1", "saved", "shop-web", "shop-jobs"
PYTHON = "arn:aws:elasticbeanstalk:::platform/Python 3.13 running on 64bit Amazon Linux 2023"
STACK = "64bit Amazon Linux 2023 v4.7.2 running Docker"
SECONDS = 60.0


def option(namespace: str, name: str, value: str) -> dict[str, str]:
    return {"Namespace": namespace, "OptionName": name, "Value": value}


ROLE = "arn:aws:iam::123456789012:role/aws-elasticbeanstalk-service-role"
MANAGED = "aws:elasticbeanstalk:managedactions"
SETTINGS = [
    option("aws:autoscaling:launchconfiguration", "IamInstanceProfile", "aws-elasticbeanstalk-ec2-role"),
    option("aws:elasticbeanstalk:environment", "ServiceRole", "aws-elasticbeanstalk-service-role"),
    option(MANAGED, "ManagedActionsEnabled", "true"),
    option(MANAGED, "PreferredStartTime", "Sun:10:00"),
    option(MANAGED, "ServiceRoleForManagedUpdates", ROLE),
    option(f"{MANAGED}:platformupdate", "UpdateLevel", "minor"),
    option("aws:autoscaling:scheduledaction", "MinSize", "1") | {"ResourceName": "Night"},
]
ABSENT = {
    "ApplicationMetrics.Latency": "no latencies are told",
    "ApplicationVersions.BuildArn": "nothing is built by CodeBuild",
    "ApplicationVersions.ImageBuildConfiguration": "versions of images belong to Beanstalk Cluster",
    "ApplicationVersions.ImageSource": "versions of images belong to Beanstalk Cluster",
    "EnvironmentResources.Cluster": "there is no Beanstalk Cluster",
    "EnvironmentResources.LaunchConfigurations": "new accounts have launch templates",
    "Environments.EnvironmentLinks": "no links are made",
    "Events.TemplateName": "no event is about a saved configuration",
    "InstanceHealthList.ApplicationMetrics.Latency": "no latencies are told",
    "InstanceHealthList.System.CPUUtilization.Privileged": "of Windows only",
    "NextToken of DescribeInstancesHealth": "all instances are told at once",
    "Options.MaxLength": "no option's greatest length is known",
    "PlatformDescription.DefaultAmiList": "localstalk has no AMIs of its own",
    "PlatformDescription.Frameworks": "no platform that is here has one",
}
"""What localstalk's answers do not have, and why."""


@dataclass(frozen=True)
class World:
    """Names of what there is."""

    environment_arn: str = ""
    application: str = APPLICATION
    environment: str = ENVIRONMENT
    worker: str = WORKER

    def reads(self) -> dict[str, list[dict[str, Any]]]:
        """Inputs of every operation that reads: together their answers are to have all members."""
        application = {"ApplicationName": self.application}
        environment, worker = {"EnvironmentName": self.environment}, {"EnvironmentName": self.worker}
        everything = {"AttributeNames": ["All"]}
        wrong = option("aws:autoscaling:asg", "MinSize", "many")
        return {
            "CheckDNSAvailability": [{"CNAMEPrefix": "shop-free"}],
            "DescribeAccountAttributes": [{}],
            "DescribeApplicationVersions": [application, {"MaxRecords": 1}],
            "DescribeApplications": [{}],
            "DescribeConfigurationOptions": [application | environment],
            "DescribeConfigurationSettings": [application | environment, application | {"TemplateName": TEMPLATE}],
            "DescribeEnvironmentHealth": [environment | everything, worker | everything],
            "DescribeEnvironmentManagedActionHistory": [worker | {"MaxItems": 1}],
            "DescribeEnvironmentManagedActions": [worker],
            "DescribeEnvironmentResources": [environment, worker],
            "DescribeEnvironments": [{"IncludeDeleted": False}, {"MaxRecords": 1}],
            "DescribeEvents": [{}, {"MaxRecords": 2}],
            "DescribeInstancesHealth": [environment | everything, worker | everything],
            "DescribePlatformVersion": [{"PlatformArn": PYTHON}],
            "ListAvailableSolutionStacks": [{}],
            "ListPlatformBranches": [{"MaxRecords": 3}],
            "ListPlatformVersions": [{"MaxRecords": 3}],
            "ListTagsForResource": [{"ResourceArn": self.environment_arn}],
            "RetrieveEnvironmentInfo": [environment | {"InfoType": "tail"}],
            "ValidateConfigurationSettings": [application | environment | {"OptionSettings": [wrong]}],
        }


def wait_for(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def make(localstalk: Localstalk) -> World:
    """Build the world with boto3: a web server that is well, and a worker that is ill and whose updates fail."""
    eb = localstalk.client("elasticbeanstalk")
    bucket = eb.create_storage_location()["S3Bucket"]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Dockerfile", "FROM scratch\n")
    source = {"S3Bucket": bucket, "S3Key": "shop/v1.zip"}
    localstalk.client("s3").put_object(Bucket=bucket, Key=source["S3Key"], Body=content.getvalue())
    lifecycle = {"MaxCountRule": {"Enabled": True, "MaxCount": 9, "DeleteSourceFromS3": True}}
    eb.create_application(
        ApplicationName=APPLICATION,
        Description="A shop",
        ResourceLifecycleConfig={"ServiceRole": ROLE, "VersionLifecycleConfig": lifecycle},
    )
    common = {"ApplicationName": APPLICATION, "Description": "For tests"}
    eb.create_application_version(**common, VersionLabel=VERSION, SourceBundle=source, Process=True)
    commit = {"SourceType": "Git", "SourceRepository": "CodeCommit", "SourceLocation": "shop/0123456"}
    eb.create_application_version(**common, VersionLabel="from-git", SourceBuildInformation=commit)
    eb.create_configuration_template(**common, TemplateName=TEMPLATE, SolutionStackName=STACK, OptionSettings=SETTINGS)
    eb.create_platform_version(PlatformName="mine", PlatformVersion="1.0.0", PlatformDefinitionBundle=source)
    versions = {"ApplicationName": APPLICATION, "VersionLabels": [VERSION]}
    wait_for(lambda: eb.describe_application_versions(**versions)["ApplicationVersions"][0]["Status"] == "PROCESSED")
    for name, tier in ((ENVIRONMENT, {"Name": "WebServer"}), (WORKER, {"Name": "Worker", "Type": "SQS/HTTP"})):
        eb.create_environment(
            **common,
            EnvironmentName=name,
            VersionLabel=VERSION,
            TemplateName=TEMPLATE,
            Tier=tier,
            OperationsRole=ROLE,
            Tags=[{"Key": "team", "Value": "shop"}],
        )

    def is_ready(name: str) -> bool:
        (found,) = eb.describe_environments(EnvironmentNames=[name])["Environments"]
        return str(found["Status"]) == "Ready"

    wait_for(lambda: is_ready(ENVIRONMENT) and is_ready(WORKER))
    localstalk.fault("command", command="app-deploy", environment=WORKER, outcome="FAILURE")
    for count in (1, 2):
        (action,) = eb.describe_environment_managed_actions(EnvironmentName=WORKER)["ManagedActions"]
        eb.apply_environment_managed_action(EnvironmentName=WORKER, ActionId=action["ActionId"])
        wait_for(lambda: len(_history(eb)) == count and is_ready(WORKER))  # noqa: B023 - called at once
    localstalk.fault("instance", state="unhealthy", environment=WORKER)
    eb.request_environment_info(EnvironmentName=ENVIRONMENT, InfoType="tail")
    tail = {"EnvironmentName": ENVIRONMENT, "InfoType": "tail"}
    wait_for(lambda: eb.retrieve_environment_info(**tail)["EnvironmentInfo"])
    health = {"EnvironmentName": WORKER, "AttributeNames": ["All"]}
    wait_for(lambda: eb.describe_environment_health(**health)["HealthStatus"] == "Severe")
    (found,) = eb.describe_environments(EnvironmentNames=[ENVIRONMENT])["Environments"]
    return World(found["EnvironmentArn"])


def _history(eb: Any) -> list[Any]:
    answer = eb.describe_environment_managed_action_history(EnvironmentName=WORKER)
    found: list[Any] = answer["ManagedActionHistoryItems"]
    return found


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """The members that an answer has, as ``Environments.CNAME``; empty lists have none."""
    if isinstance(value, dict):
        for name, item in value.items():
            if item is not None and not name.startswith("$") and name != "ResponseMetadata":
                yield from paths(item, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, prefix)
    else:
        yield prefix


def missing(operation: str, shape: Shape, answers: list[Any]) -> list[str]:
    """Members that none of the answers has, but for those that localstalk never has."""
    found = {path for answer in answers for path in paths(answer)}
    named = tuple(ABSENT)
    return sorted(
        path
        for path in set(wanted(shape)) - found
        if not path.startswith(named) and f"{path} of {operation}" not in named
    )


def wanted(shape: Shape, prefix: str = "", seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The members that the service model has."""
    if isinstance(shape, StructureShape) and shape.name not in seen:
        for name, member in shape.members.items():
            yield from wanted(member, f"{prefix}.{name}" if prefix else name, (*seen, shape.name))
    elif isinstance(shape, ListShape):
        yield from wanted(shape.member, prefix, seen)
    elif not isinstance(shape, StructureShape | MapShape):
        yield prefix
