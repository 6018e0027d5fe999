# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications, versions, saved configurations, platforms, managed actions, tags, groups."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from stalk import PROFILE, STACK, Stalk, option
from test_protocol import refusal

PROPERTIES = "aws:elasticbeanstalk:application:environment"
MANAGED = "aws:elasticbeanstalk:managedactions"


def test_applications(stalk: Stalk) -> None:
    eb = stalk.eb
    answer = eb.create_application(ApplicationName="app", Description="one", Tags=[{"Key": "a", "Value": "b"}])
    assert stalk.lines(answer["ResponseMetadata"]["RequestId"]) == [
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
    stalk.advance(5)
    assert eb.describe_applications()["Applications"] == []
    assert stalk.lines(ApplicationName="app")[-4:] == [
        "deleteApplication is starting.",
        "Invoking Environment Termination workflows.",
        "The environment termination step is done.",
        "The application has been deleted successfully.",
    ]


def test_an_application_with_environments_is_deleted_only_by_force(stalk: Stalk) -> None:
    stalk.create()
    assert refusal(stalk.eb.delete_application, ApplicationName="app")[0] == "OperationInProgressFailure"
    stalk.eb.delete_application(ApplicationName="app", TerminateEnvByForce=True)
    stalk.advance(600)
    assert stalk.environment()["Status"] == "Terminated"
    assert stalk.eb.describe_applications()["Applications"] == []


def test_versions(stalk: Stalk) -> None:
    eb = stalk.eb
    stalk.version("v1")
    found = eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"]
    assert [(each["VersionLabel"], each["Status"]) for each in found] == [("v1", "UNPROCESSED")]
    bucket = {"S3Bucket": stalk.region.bucket, "S3Key": "app/v1.zip"}
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
    stalk.advance(10)
    found = eb.describe_application_versions(ApplicationName="app", VersionLabels=["v2"])["ApplicationVersions"]
    assert found[0]["Status"] == "PROCESSED"
    eb.delete_application_version(ApplicationName="app", VersionLabel="v2", DeleteSourceBundle=True)
    assert refusal(eb.delete_application_version, ApplicationName="app", VersionLabel="v1", DeleteSourceBundle=True)[
        0
    ] == ("SourceBundleDeletionFailure")
    assert eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"] == []


def test_processing_finds_broken_configuration_files(stalk: Stalk) -> None:
    stalk.version("v1", **{".ebextensions/a.config": "commands: [\n"})
    source = {"S3Bucket": stalk.region.bucket, "S3Key": "app/v1.zip"}
    answer = stalk.eb.create_application_version(
        ApplicationName="app", VersionLabel="v2", SourceBundle=source, Process=True
    )
    stalk.advance(10)
    last = stalk.lines(answer["ResponseMetadata"]["RequestId"])[-1]
    assert last.startswith("ERROR Finished processing application version")
    assert last.endswith("FAILED.")
    assert (
        refusal(
            stalk.eb.create_environment,
            ApplicationName="app",
            EnvironmentName="env-one",
            VersionLabel="v2",
            SolutionStackName=STACK,
        )[0]
        == "InvalidParameterValue"
    )


def test_a_deployed_version_is_not_deleted(stalk: Stalk) -> None:
    stalk.create()
    assert refusal(stalk.eb.delete_application_version, ApplicationName="app", VersionLabel="v1")[0] == (
        "InvalidParameterValue"
    )


def test_lifecycle_keeps_the_newest_and_the_deployed(stalk: Stalk) -> None:
    stalk.create()
    config: dict[str, Any] = {"VersionLifecycleConfig": {"MaxCountRule": {"Enabled": True, "MaxCount": 2}}}
    update = stalk.eb.update_application_resource_lifecycle
    assert refusal(update, ApplicationName="app", ResourceLifecycleConfig=config)[0] == "InvalidParameterValue"
    update(ApplicationName="app", ResourceLifecycleConfig=config | {"ServiceRole": "arn:aws:iam::1:role/r"})
    for number in range(2, 6):
        stalk.advance(1)
        stalk.version(f"v{number}")
    found = stalk.eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"]
    assert [each["VersionLabel"] for each in found] == ["v5", "v4", "v1"]


def test_an_environment_without_a_version_gets_the_sample(stalk: Stalk) -> None:
    stalk.eb.create_application(ApplicationName="app")
    stalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-one", SolutionStackName=STACK, OptionSettings=[PROFILE]
    )
    stalk.advance(600)
    assert stalk.environment()["Status"] == "Ready"
    assert stalk.environment()["VersionLabel"] == "Sample Application"


def test_saved_configurations(stalk: Stalk) -> None:
    eb = stalk.eb
    made = stalk.create("env-one", option(PROPERTIES, "COLOUR", "blue"))
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
    stalk.advance(600)
    assert stalk.environment("env-two")["TemplateName"] == "t1"
    described = eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-two")
    assert option(PROPERTIES, "COLOUR", "blue") in described["ConfigurationSettings"][0]["OptionSettings"]
    eb.delete_configuration_template(ApplicationName="app", TemplateName="t1")
    assert refusal(eb.describe_configuration_settings, ApplicationName="app", TemplateName="t1")[0] == (
        "InvalidParameterValue"
    )


def test_describing_settings_needs_exactly_one_name(stalk: Stalk) -> None:
    stalk.create()
    describe = stalk.eb.describe_configuration_settings
    both = {"EnvironmentName": "env-one", "TemplateName": "t1"}
    assert refusal(describe, ApplicationName="app")[0] == "MissingRequiredParameter"
    assert refusal(describe, ApplicationName="app", **both)[0] == "InvalidParameterCombination"
    assert refusal(describe, ApplicationName="app", EnvironmentName="nope")[0] == "InvalidParameterValue"


def test_options_are_described_and_validated(stalk: Stalk) -> None:
    stalk.create()
    asked = [{"Namespace": "aws:autoscaling:asg", "OptionName": "MinSize"}]
    (found,) = stalk.eb.describe_configuration_options(EnvironmentName="env-one", Options=asked)["Options"]
    assert (found["DefaultValue"], found["MinValue"], found["ValueType"]) == ("1", 0, "Scalar")
    messages = stalk.eb.validate_configuration_settings(
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
def test_other_spellings_are_accepted(stalk: Stalk, option_name: str, given: str, shown: str) -> None:
    launch = "aws:autoscaling:launchconfiguration"
    stalk.create("env-one", option(launch, option_name, given))
    described = stalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    settings = described["ConfigurationSettings"][0]["OptionSettings"]
    assert [each["Value"] for each in settings if each["OptionName"] == option_name] == [shown]


@pytest.mark.parametrize("value", ["7 minutes", "5 minutess", "minutes", "5"])
def test_other_intervals_are_not(stalk: Stalk, value: str) -> None:
    stalk.version("v1")
    with pytest.raises(ClientError, match="Value is not one of the allowed values"):
        stalk.create("env-one", option("aws:autoscaling:launchconfiguration", "MonitoringInterval", value))


def test_values_are_normalized(stalk: Stalk) -> None:
    launch = "aws:autoscaling:launchconfiguration"
    name = "aws-elasticbeanstalk-ec2-role"
    arn = option(launch, "IamInstanceProfile", f"arn:aws:iam::{stalk.account}:instance-profile/{name}")
    document = '{\n  "Version": 1,\n  "Rules": {}\n}'
    stalk.create(
        "env-one",
        arn,
        option(launch, "MonitoringInterval", "5 Minute"),
        option(launch, "SSHSourceRestriction", "tcp, 22, 22, 10.0.0.0/8"),
        option("aws:elasticbeanstalk:healthreporting:system", "ConfigDocument", document),
        option("aws:ec2:instances", "InstanceTypes", "t3.small,t3.medium"),
    )
    described = stalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    settings = {
        each["OptionName"]: each.get("Value") for each in described["ConfigurationSettings"][0]["OptionSettings"]
    }
    assert settings["IamInstanceProfile"] == name
    assert settings["MonitoringInterval"] == "5 minute"
    assert settings["SSHSourceRestriction"] == "tcp,22,22,10.0.0.0/8"
    assert settings["ConfigDocument"] == '{"Version":1,"Rules":{}}'
    assert settings["InstanceTypes"] == "t3.small, t3.medium"


def test_platforms(stalk: Stalk) -> None:
    eb = stalk.eb
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


def test_custom_platforms(stalk: Stalk) -> None:
    bundle = {"S3Bucket": "bucket", "S3Key": "key"}
    made = stalk.eb.create_platform_version(
        PlatformName="mine", PlatformVersion="1.0.0", PlatformDefinitionBundle=bundle
    )["PlatformSummary"]
    rules = [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]
    assert len(stalk.eb.list_platform_versions(Filters=rules)["PlatformSummaryList"]) == 1
    stalk.eb.delete_platform_version(PlatformArn=made["PlatformArn"])
    assert refusal(stalk.eb.describe_platform_version, PlatformArn=made["PlatformArn"])[0] == "InvalidParameterValue"


def test_managed_platform_update(stalk: Stalk) -> None:
    eb = stalk.eb
    stalk.version("v1")
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
    stalk.advance(600)
    (action,) = eb.describe_environment_managed_actions(EnvironmentName="env-one")["ManagedActions"]
    assert (action["ActionType"], action["Status"]) == ("PlatformUpdate", "Scheduled")
    applied = eb.apply_environment_managed_action(EnvironmentName="env-one", ActionId=action["ActionId"])
    assert applied["Status"] == "Running"
    assert refusal(eb.apply_environment_managed_action, EnvironmentName="env-one", ActionId=action["ActionId"])[0] == (
        "ManagedActionInvalidStateException"
    )
    stalk.advance(3600)
    (done,) = eb.describe_environment_managed_action_history(EnvironmentName="env-one")["ManagedActionHistoryItems"]
    assert done["Status"] == "Completed"
    assert stalk.environment()["SolutionStackName"] == STACK


def test_swap_refusals(stalk: Stalk) -> None:
    one = stalk.create("env-one")
    swap = stalk.eb.swap_environment_cnames
    stalk.eb.create_application(ApplicationName="other")
    stalk.eb.create_application_version(ApplicationName="other", VersionLabel="v1")
    stalk.eb.create_environment(
        ApplicationName="other",
        EnvironmentName="env-other",
        VersionLabel="v1",
        SolutionStackName=STACK,
        OptionSettings=[PROFILE],
    )
    stalk.advance(600)
    strangers = {"SourceEnvironmentName": "env-one", "DestinationEnvironmentName": "env-other"}
    assert "must belong to the same application" in refusal(swap, **strangers)[1]
    assert refusal(swap)[0] == "MissingRequiredParameter"
    mixed = {"SourceEnvironmentId": one, "DestinationEnvironmentName": "env-one"}
    assert refusal(swap, **mixed)[0] == "InvalidParameterCombination"
    names = {"SourceEnvironmentName": "env-one", "DestinationEnvironmentName": "env-two"}
    assert refusal(swap, **names)[1] == "No Environment found for EnvironmentName = 'env-two'."


def test_tags_of_other_resources(stalk: Stalk) -> None:
    stalk.version("v1")
    (version,) = stalk.eb.describe_application_versions(ApplicationName="app")["ApplicationVersions"]
    arn = version["ApplicationVersionArn"]
    stalk.eb.update_tags_for_resource(ResourceArn=arn, TagsToAdd=[{"Key": "a", "Value": "1"}])
    assert stalk.eb.list_tags_for_resource(ResourceArn=arn)["ResourceTags"] == [{"Key": "a", "Value": "1"}]
    missing = arn.replace("v1", "v9")
    assert refusal(stalk.eb.list_tags_for_resource, ResourceArn=missing)[0] == "ResourceNotFoundException"
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    assert refusal(stalk.eb.update_tags_for_resource, ResourceArn=arn, TagsToAdd=many)[0] == "TooManyTagsException"


def test_compose(stalk: Stalk) -> None:
    manifest = f"EnvironmentName: front+\nSolutionStack: {STACK}\nOptionSettings:\n"
    manifest += "  aws:autoscaling:launchconfiguration:\n    IamInstanceProfile: aws-elasticbeanstalk-ec2-role\n"
    stalk.version("v0", **{"env.yaml": manifest})
    source = {"S3Bucket": stalk.region.bucket, "S3Key": "app/v0.zip"}
    stalk.eb.create_application_version(ApplicationName="app", VersionLabel="v1", SourceBundle=source, Process=True)
    stalk.advance(10)
    compose = {"ApplicationName": "app", "GroupName": "dev", "VersionLabels": ["v1"]}
    (made,) = stalk.eb.compose_environments(**compose)["Environments"]
    assert made["EnvironmentName"] == "front-dev"
    stalk.advance(600)
    assert stalk.environment("front-dev")["Status"] == "Ready"
    assert refusal(stalk.eb.compose_environments, **(compose | {"VersionLabels": ["v0"]}))[0] == "InvalidParameterValue"


def test_operations_roles(stalk: Stalk) -> None:
    stalk.create()
    role = "arn:aws:iam::123456789012:role/operations"
    stalk.eb.associate_environment_operations_role(EnvironmentName="env-one", OperationsRole=role)
    assert stalk.environment()["OperationsRole"] == role
    stalk.eb.disassociate_environment_operations_role(EnvironmentName="env-one")
    assert "OperationsRole" not in stalk.environment()
