# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications, versions, saved configurations, platforms, managed actions, tags, groups."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from control_plane import PROFILE, STACK, Localstalk, option
from test_protocol import refusal

PROPERTIES = "aws:elasticbeanstalk:application:environment"
MANAGED = "aws:elasticbeanstalk:managedactions"


def test_applications(localstalk: Localstalk) -> None:
    eb = localstalk.eb
    answer = eb.create_application(ApplicationName="app", Description="one", Tags=[{"Key": "a", "Value": "b"}])
    assert localstalk.lines(answer["ResponseMetadata"]["RequestId"]) == [
        "createApplication is starting.",
        "Created new Application: app",
        "createApplication completed successfully.",
    ]
    rules = answer["Application"]["ResourceLifecycleConfig"]["VersionLifecycleConfig"]
    assert rules["MaxCountRule"] == {"Enabled": False, "MaxCount": 200, "DeleteSourceFromS3": False}
    assert rules["MaxAgeRule"] == {"Enabled": False, "MaxAgeInDays": 180, "DeleteSourceFromS3": False}
    assert refusal(eb.create_application, ApplicationName="app") == (
        "InvalidParameterValue",
        "Application app already exists.",
    )
    assert eb.update_application(ApplicationName="app", Description="two")["Application"]["Description"] == "two"
    assert eb.describe_applications(ApplicationNames=["nope"])["Applications"] == []
    tags = eb.list_tags_for_resource(ResourceArn=answer["Application"]["ApplicationArn"])["ResourceTags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    eb.delete_application(ApplicationName="app")
    localstalk.advance(5)
    assert eb.describe_applications()["Applications"] == []
    assert localstalk.lines(ApplicationName="app")[-4:] == [
        "deleteApplication is starting.",
        "Invoking Environment Termination workflows.",
        "The environment termination step is done.",
        "The application has been deleted successfully.",
    ]


def test_an_application_with_environments_is_deleted_only_by_force(localstalk: Localstalk) -> None:
    localstalk.create()
    assert refusal(localstalk.eb.delete_application, ApplicationName="app")[0] == "OperationInProgressFailure"
    localstalk.eb.delete_application(ApplicationName="app", TerminateEnvByForce=True)
    localstalk.advance(600)
    assert localstalk.environment()["Status"] == "Terminated"
    assert localstalk.eb.describe_applications()["Applications"] == []


def test_versions(localstalk: Localstalk) -> None:
    eb = localstalk.eb
    localstalk.version("v1")
    found = eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"]
    assert [(each["VersionLabel"], each["Status"]) for each in found] == [("v1", "UNPROCESSED")]
    bucket = {"S3Bucket": localstalk.region.bucket, "S3Key": "app/v1.zip"}
    assert refusal(eb.create_application_version, ApplicationName="app", VersionLabel="v1", SourceBundle=bucket) == (
        "InvalidParameterValue",
        "Application Version v1 already exists.",
    )
    assert refusal(eb.create_application_version, ApplicationName="zz", VersionLabel="v1") == (
        "InvalidParameterValue",
        "No Application named 'zz' found.",
    )
    missing = bucket | {"S3Key": "nope"}
    code, message = refusal(
        eb.create_application_version, ApplicationName="app", VersionLabel="v2", SourceBundle=missing
    )
    assert code == "InvalidParameterCombination"
    assert message.startswith("Unable to download from S3 location (Bucket: ")
    eb.create_application_version(ApplicationName="app", VersionLabel="v2", SourceBundle=bucket, Process=True)
    labels = [each["VersionLabel"] for each in eb.describe_application_versions(MaxRecords=1)["ApplicationVersions"]]
    assert labels == ["v2"]
    updated = eb.update_application_version(ApplicationName="app", VersionLabel="v2", Description="text")
    assert updated["ApplicationVersion"]["Status"] == "PROCESSING"
    assert refusal(eb.delete_application_version, ApplicationName="app", VersionLabel="v2") == (
        "OperationInProgressFailure",
        "Unable to delete application version: v2. An operation is already in progress, please retry again shortly.",
    )
    localstalk.advance(10)
    found = eb.describe_application_versions(ApplicationName="app", VersionLabels=["v2"])["ApplicationVersions"]
    assert found[0]["Status"] == "PROCESSED"
    eb.delete_application_version(ApplicationName="app", VersionLabel="v2", DeleteSourceBundle=True)
    assert refusal(eb.delete_application_version, ApplicationName="app", VersionLabel="v1", DeleteSourceBundle=True)[
        0
    ] == ("SourceBundleDeletionFailure")
    assert eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"] == []


def test_processing_finds_broken_configuration_files(localstalk: Localstalk) -> None:
    localstalk.version("v1", **{".ebextensions/a.config": "commands: [\n"})
    source = {"S3Bucket": localstalk.region.bucket, "S3Key": "app/v1.zip"}
    answer = localstalk.eb.create_application_version(
        ApplicationName="app", VersionLabel="v2", SourceBundle=source, Process=True
    )
    localstalk.advance(10)
    last = localstalk.lines(answer["ResponseMetadata"]["RequestId"])[-1]
    assert last.startswith("ERROR Finished processing application version")
    assert last.endswith("FAILED.")
    assert (
        refusal(
            localstalk.eb.create_environment,
            ApplicationName="app",
            EnvironmentName="env-one",
            VersionLabel="v2",
            SolutionStackName=STACK,
        )[0]
        == "InvalidParameterValue"
    )


def test_a_deployed_version_is_not_deleted(localstalk: Localstalk) -> None:
    localstalk.create()
    assert refusal(localstalk.eb.delete_application_version, ApplicationName="app", VersionLabel="v1")[0] == (
        "InvalidParameterValue"
    )


def test_lifecycle_keeps_the_newest_and_the_deployed(localstalk: Localstalk) -> None:
    localstalk.create()
    config: dict[str, Any] = {"VersionLifecycleConfig": {"MaxCountRule": {"Enabled": True, "MaxCount": 2}}}
    update = localstalk.eb.update_application_resource_lifecycle
    assert refusal(update, ApplicationName="app", ResourceLifecycleConfig=config)[0] == "InvalidParameterValue"
    update(ApplicationName="app", ResourceLifecycleConfig=config | {"ServiceRole": "arn:aws:iam::1:role/r"})
    for number in range(2, 6):
        localstalk.advance(1)
        localstalk.version(f"v{number}")
    found = localstalk.eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"]
    assert [each["VersionLabel"] for each in found] == ["v5", "v4", "v1"]


def test_an_environment_without_a_version_gets_the_sample(localstalk: Localstalk) -> None:
    localstalk.eb.create_application(ApplicationName="app")
    localstalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-one", SolutionStackName=STACK, OptionSettings=[PROFILE]
    )
    localstalk.advance(600)
    assert localstalk.environment()["Status"] == "Ready"
    assert localstalk.environment()["VersionLabel"] == "Sample Application"


def test_saved_configurations(localstalk: Localstalk) -> None:
    eb = localstalk.eb
    made = localstalk.create("env-one", option(PROPERTIES, "COLOUR", "blue"))
    eb.create_configuration_template(ApplicationName="app", TemplateName="t1", EnvironmentId=made)
    assert refusal(eb.create_configuration_template, ApplicationName="app", TemplateName="t1", EnvironmentId=made) == (
        "InvalidParameterValue",
        "Configuration Template t1 already exists.",
    )
    eb.update_configuration_template(
        ApplicationName="app", TemplateName="t1", OptionSettings=[option(PROPERTIES, "SHAPE", "round")]
    )
    described = eb.describe_configuration_settings(ApplicationName="app", TemplateName="t1")["ConfigurationSettings"]
    assert option(PROPERTIES, "SHAPE", "round") in described[0]["OptionSettings"]
    eb.create_environment(ApplicationName="app", EnvironmentName="env-two", TemplateName="t1", VersionLabel="v1")
    localstalk.advance(600)
    assert localstalk.environment("env-two")["TemplateName"] == "t1"
    described = eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-two")
    assert option(PROPERTIES, "COLOUR", "blue") in described["ConfigurationSettings"][0]["OptionSettings"]
    eb.delete_configuration_template(ApplicationName="app", TemplateName="t1")
    assert refusal(eb.describe_configuration_settings, ApplicationName="app", TemplateName="t1")[0] == (
        "InvalidParameterValue"
    )


def test_describing_settings_needs_exactly_one_name(localstalk: Localstalk) -> None:
    localstalk.create()
    describe = localstalk.eb.describe_configuration_settings
    both = {"EnvironmentName": "env-one", "TemplateName": "t1"}
    assert refusal(describe, ApplicationName="app")[0] == "MissingRequiredParameter"
    assert refusal(describe, ApplicationName="app", **both)[0] == "InvalidParameterCombination"
    assert refusal(describe, ApplicationName="app", EnvironmentName="nope")[0] == "InvalidParameterValue"


def test_options_are_described_and_validated(localstalk: Localstalk) -> None:
    localstalk.create()
    asked = [{"Namespace": "aws:autoscaling:asg", "OptionName": "MinSize"}]
    (found,) = localstalk.eb.describe_configuration_options(EnvironmentName="env-one", Options=asked)["Options"]
    assert (found["DefaultValue"], found["MinValue"], found["ValueType"]) == ("1", 0, "Scalar")
    messages = localstalk.eb.validate_configuration_settings(
        ApplicationName="app",
        EnvironmentName="env-one",
        OptionSettings=[option("aws:autoscaling:asg", "MinSize", "none"), option("aws:x", "y", "z")],
    )["Messages"]
    assert [each["Severity"] for each in messages] == ["error", "error"]


@pytest.mark.parametrize(
    ("option_name", "given", "shown"),
    [
        ("MonitoringInterval", "5 Minutes", "5 minute"),
        ("MonitoringInterval", "1 minute", "1 minute"),
        ("DisableIMDSv1", "True", "true"),
    ],
)
def test_other_spellings_are_accepted(localstalk: Localstalk, option_name: str, given: str, shown: str) -> None:
    launch = "aws:autoscaling:launchconfiguration"
    localstalk.create("env-one", option(launch, option_name, given))
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    settings = described["ConfigurationSettings"][0]["OptionSettings"]
    assert [each["Value"] for each in settings if each["OptionName"] == option_name] == [shown]


@pytest.mark.parametrize("value", ["7 minutes", "5 minutess", "minutes", "5"])
def test_other_intervals_are_not(localstalk: Localstalk, value: str) -> None:
    localstalk.version("v1")
    with pytest.raises(ClientError, match="Value is not one of the allowed values"):
        localstalk.create("env-one", option("aws:autoscaling:launchconfiguration", "MonitoringInterval", value))


def test_values_are_normalized(localstalk: Localstalk) -> None:
    launch = "aws:autoscaling:launchconfiguration"
    name = "aws-elasticbeanstalk-ec2-role"
    arn = option(launch, "IamInstanceProfile", f"arn:aws:iam::{localstalk.account}:instance-profile/{name}")
    document = '{\n  "Version": 1,\n  "Rules": {}\n}'
    localstalk.create(
        "env-one",
        arn,
        option(launch, "MonitoringInterval", "5 Minute"),
        option(launch, "SSHSourceRestriction", "tcp, 22, 22, 10.0.0.0/8"),
        option("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument", document),
        option("aws:ec2:instances", "InstanceTypes", "t3.small,t3.medium"),
    )
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    settings = {
        each["OptionName"]: each.get("Value") for each in described["ConfigurationSettings"][0]["OptionSettings"]
    }
    assert settings["IamInstanceProfile"] == name
    assert settings["MonitoringInterval"] == "5 minute"
    assert settings["SSHSourceRestriction"] == "tcp,22,22,10.0.0.0/8"
    assert settings["ConfigDocument"] == '{"Version":1,"Rules":{}}'
    assert settings["InstanceTypes"] == "t3.small, t3.medium"


def test_platforms(localstalk: Localstalk) -> None:
    eb = localstalk.eb
    assert STACK in eb.list_available_solution_stacks()["SolutionStacks"]
    branch = "Docker running on 64bit Amazon Linux 2023"
    rules = [{"Attribute": "BranchName", "Operator": "=", "Values": [branch]}]
    (found,) = eb.list_platform_branches(Filters=rules)["PlatformBranchSummaryList"]
    assert (found["PlatformName"], found["LifecycleState"]) == ("Docker", "Supported")
    rules = [{"Type": "PlatformBranchName", "Operator": "=", "Values": [branch]}]
    versions = eb.list_platform_versions(Filters=rules)["PlatformSummaryList"]
    assert [each["PlatformVersion"] for each in versions] == ["4.8.0", "4.7.2", "4.6.0"]
    rules.append({"Type": "PlatformVersion", "Operator": "=", "Values": ["latest"]})
    (newest,) = eb.list_platform_versions(Filters=rules)["PlatformSummaryList"]
    description = eb.describe_platform_version(PlatformArn=newest["PlatformArn"])["PlatformDescription"]
    assert description["SolutionStackName"] == STACK
    quotas = eb.describe_account_attributes()["ResourceQuotas"]
    assert quotas["ApplicationVersionQuota"] == {"Maximum": 1000}


def test_custom_platforms(localstalk: Localstalk) -> None:
    bundle = {"S3Bucket": "bucket", "S3Key": "key"}
    made = localstalk.eb.create_platform_version(
        PlatformName="mine", PlatformVersion="1.0.0", PlatformDefinitionBundle=bundle
    )["PlatformSummary"]
    rules = [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]
    assert len(localstalk.eb.list_platform_versions(Filters=rules)["PlatformSummaryList"]) == 1
    localstalk.eb.delete_platform_version(PlatformArn=made["PlatformArn"])
    assert (
        refusal(localstalk.eb.describe_platform_version, PlatformArn=made["PlatformArn"])[0] == "InvalidParameterValue"
    )


def test_managed_platform_update(localstalk: Localstalk) -> None:
    eb = localstalk.eb
    localstalk.version("v1")
    update = "aws:elasticbeanstalk:managedactions:platformupdate"
    settings = [
        PROFILE,
        option("aws:elasticbeanstalk:environment", "ServiceRole", "aws-elasticbeanstalk-service-role"),
        option(MANAGED, "ManagedActionsEnabled", "true"),
        option(MANAGED, "PreferredStartTime", "Tue:09:00"),
        option(update, "UpdateLevel", "minor"),
    ]
    eb.create_environment(
        ApplicationName="app",
        EnvironmentName="env-one",
        VersionLabel="v1",
        SolutionStackName="64bit Amazon Linux 2023 v4.6.0 running Docker",
        OptionSettings=settings,
    )
    localstalk.advance(600)
    (action,) = eb.describe_environment_managed_actions(EnvironmentName="env-one")["ManagedActions"]
    assert (action["ActionType"], action["Status"]) == ("PlatformUpdate", "Scheduled")
    applied = eb.apply_environment_managed_action(EnvironmentName="env-one", ActionId=action["ActionId"])
    assert applied["Status"] == "Running"
    assert refusal(eb.apply_environment_managed_action, EnvironmentName="env-one", ActionId=action["ActionId"])[0] == (
        "ManagedActionInvalidStateException"
    )
    localstalk.advance(3600)
    (done,) = eb.describe_environment_managed_action_history(EnvironmentName="env-one")["ManagedActionHistoryItems"]
    assert done["Status"] == "Completed"
    assert localstalk.environment()["SolutionStackName"] == STACK


def test_swap_refusals(localstalk: Localstalk) -> None:
    one = localstalk.create("env-one")
    swap = localstalk.eb.swap_environment_cnames
    localstalk.eb.create_application(ApplicationName="other")
    localstalk.eb.create_application_version(ApplicationName="other", VersionLabel="v1")
    localstalk.eb.create_environment(
        ApplicationName="other",
        EnvironmentName="env-other",
        VersionLabel="v1",
        SolutionStackName=STACK,
        OptionSettings=[PROFILE],
    )
    localstalk.advance(600)
    strangers = {"SourceEnvironmentName": "env-one", "DestinationEnvironmentName": "env-other"}
    assert "must belong to the same application" in refusal(swap, **strangers)[1]
    assert refusal(swap)[0] == "MissingRequiredParameter"
    mixed = {"SourceEnvironmentId": one, "DestinationEnvironmentName": "env-one"}
    assert refusal(swap, **mixed)[0] == "InvalidParameterCombination"
    names = {"SourceEnvironmentName": "env-one", "DestinationEnvironmentName": "env-two"}
    assert refusal(swap, **names)[1] == "No Environment found for EnvironmentName = 'env-two'."


def test_tags_of_other_resources(localstalk: Localstalk) -> None:
    localstalk.version("v1")
    (version,) = localstalk.eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"]
    arn = version["ApplicationVersionArn"]
    localstalk.eb.update_tags_for_resource(ResourceArn=arn, TagsToAdd=[{"Key": "a", "Value": "1"}])
    assert localstalk.eb.list_tags_for_resource(ResourceArn=arn)["ResourceTags"] == [{"Key": "a", "Value": "1"}]
    missing = arn.replace("v1", "v9")
    assert refusal(localstalk.eb.list_tags_for_resource, ResourceArn=missing)[0] == "ResourceNotFoundException"
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    assert refusal(localstalk.eb.update_tags_for_resource, ResourceArn=arn, TagsToAdd=many)[0] == "TooManyTagsException"


def test_compose(localstalk: Localstalk) -> None:
    manifest = f"EnvironmentName: front+\nSolutionStack: {STACK}\nOptionSettings:\n"
    manifest += "  aws:autoscaling:launchconfiguration:\n    IamInstanceProfile: aws-elasticbeanstalk-ec2-role\n"
    localstalk.version("v0", **{"env.yaml": manifest})
    source = {"S3Bucket": localstalk.region.bucket, "S3Key": "app/v0.zip"}
    localstalk.eb.create_application_version(
        ApplicationName="app", VersionLabel="v1", SourceBundle=source, Process=True
    )
    localstalk.advance(10)
    compose = {"ApplicationName": "app", "GroupName": "dev", "VersionLabels": ["v1"]}
    (made,) = localstalk.eb.compose_environments(**compose)["Environments"]
    assert made["EnvironmentName"] == "front-dev"
    localstalk.advance(600)
    assert localstalk.environment("front-dev")["Status"] == "Ready"
    assert (
        refusal(localstalk.eb.compose_environments, **(compose | {"VersionLabels": ["v0"]}))[0]
        == "InvalidParameterValue"
    )


def test_operations_roles(localstalk: Localstalk) -> None:
    localstalk.create()
    role = "arn:aws:iam::123456789012:role/operations"
    localstalk.eb.associate_environment_operations_role(EnvironmentName="env-one", OperationsRole=role)
    assert localstalk.environment()["OperationsRole"] == role
    localstalk.eb.disassociate_environment_operations_role(EnvironmentName="env-one")
    assert "OperationsRole" not in localstalk.environment()
