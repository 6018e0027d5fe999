# SPDX-License-Identifier: GPL-3.0-or-later
"""Event sequences of configuration updates, terminations and swaps, line by line as in docs/elastic_beanstalk.md §3."""

from __future__ import annotations

from stalk import Stalk, option
from test_deployments import DEPLOYED, DONE, END, TAIL, policy, resources

from localstalk.drivers.sim import Failure


def test_configuration_update(stalk: Stalk) -> None:
    stalk.create("env-one")
    setting = option("aws:elasticbeanstalk:application:environment", "COLOUR", "blue")
    assert stalk.lines(stalk.update(OptionSettings=[setting])) == [
        "Environment update is starting.",
        "Updating environment env-one's configuration settings.",
        DONE,
        "Successfully deployed new configuration to environment.",
        END,
    ]


def test_version_and_settings_together(stalk: Stalk) -> None:
    stalk.create("env-one")
    stalk.version("v2")
    setting = option("aws:elasticbeanstalk:application:environment", "COLOUR", "blue")
    assert stalk.lines(stalk.update(VersionLabel="v2", OptionSettings=[setting])) == [
        "Environment update is starting.",
        "Updating environment env-one's configuration settings.",
        "Deploying new version to instance(s).",
        DONE,
        DEPLOYED,
        "Successfully deployed new configuration to environment.",
        END,
    ]


def test_a_failed_configuration_update_is_reverted(stalk: Stalk) -> None:
    stalk.create("env-one")
    stalk.driver.failures.append(Failure("config-deploy", times=1))
    setting = option("aws:elasticbeanstalk:application:environment", "COLOUR", "blue")
    assert stalk.lines(stalk.update(OptionSettings=[setting]))[-3:] == [
        "ERROR Failed to deploy configuration.",
        "The environment was reverted to the previous configuration setting.",
        "ERROR Update environment operation is complete, but with errors. For more information, see troubleshooting "
        "documentation.",
    ]
    described = stalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    statuses = [each["DeploymentStatus"] for each in described["ConfigurationSettings"]]
    assert statuses == ["deployed", "failed"]
    names = [{each["OptionName"] for each in one["OptionSettings"]} for one in described["ConfigurationSettings"]]
    assert ["COLOUR" in each for each in names] == [False, True]
    stalk.eb.delete_environment_configuration(ApplicationName="app", EnvironmentName="env-one")
    described = stalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    assert len(described["ConfigurationSettings"]) == 1


def test_a_change_of_instance_type_replaces_instances(stalk: Stalk) -> None:
    stalk.create("env-one")
    before = resources(stalk)["Instances"]
    setting = option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")
    assert stalk.lines(stalk.update(OptionSettings=[setting]))[-1] == END
    assert resources(stalk)["Instances"] != before
    health = stalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])
    assert [each["InstanceType"] for each in health["InstanceHealthList"]] == ["t3.large"]


def test_immutable_needs_both_options(stalk: Stalk) -> None:
    stalk.create("env-one", policy("Immutable"))
    stalk.version("v2")
    setting = option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")
    lines = stalk.lines(stalk.update(VersionLabel="v2", OptionSettings=[setting]))
    assert lines[1].startswith(
        "ERROR To enable immutable config and application deployments together, you must set both"
    )


def test_scaling_out_deploys_the_current_version(stalk: Stalk) -> None:
    stalk.create("env-one")
    stalk.update(OptionSettings=[option("aws:autoscaling:asg", "MinSize", "3")])
    health = stalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["Deployment"])
    assert [each["Deployment"]["VersionLabel"] for each in health["InstanceHealthList"]] == ["v1"] * 3


def test_bad_options_in_the_bundle_fail_the_deployment(stalk: Stalk) -> None:
    stalk.create("env-one")
    stalk.version("v2", **{".ebextensions/a.config": "option_settings:\n  aws:nope:\n    What: 1\n"})
    assert stalk.lines(stalk.update(VersionLabel="v2"))[1:] == [
        'ERROR "option_settings" in one of the configuration files failed validation. More details to follow.',
        "ERROR Invalid option specification (Namespace: 'aws:nope', OptionName: 'What'): "
        "Unknown configuration setting.",
        *TAIL,
    ]
    assert stalk.environment()["VersionLabel"] == "v1"


def test_options_of_a_call_win_over_those_of_the_bundle(stalk: Stalk) -> None:
    properties = "aws:elasticbeanstalk:application:environment"
    text = f"option_settings:\n  {properties}:\n    COLOUR: green\n    SHAPE: round\n"
    stalk.version("v1", **{".ebextensions/a.config": text})
    stalk.create("env-one", option(properties, "COLOUR", "blue"))
    described = stalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    found = {
        each["OptionName"]: each["Value"]
        for each in described["ConfigurationSettings"][0]["OptionSettings"]
        if each["Namespace"] == properties
    }
    assert found == {"COLOUR": "blue", "SHAPE": "round"}


def test_terminate(stalk: Stalk) -> None:
    stalk.create("env-one")
    answer = stalk.eb.terminate_environment(EnvironmentName="env-one")
    assert answer["Status"] == "Terminating"
    stalk.advance(600)
    lines = stalk.lines(answer["ResponseMetadata"]["RequestId"])
    # The samples do not show where this one stands.
    unplaced = [line for line in lines if "target group" in line]
    assert [line.partition(" named: ")[0] for line in unplaced] == ["Deleted target group"]
    assert [line for line in lines if line not in unplaced] == [
        "terminateEnvironment is starting.",
        "Deleted CloudWatch alarm named: awseb-e-x-stack-AWSEBCloudwatchAlarmHigh-RND",
        "Deleted CloudWatch alarm named: awseb-e-x-stack-AWSEBCloudwatchAlarmLow-RND",
        "Deleted Auto Scaling group policy named: ARN",
        "Deleted Auto Scaling group policy named: ARN",
        "Waiting for EC2 instances to terminate. This may take a few minutes.",
        "Deleted Auto Scaling group named: awseb-e-x-stack-AWSEBAutoScalingGroup-RND",
        "Deleted security group named: sg-x",
        "Deleted security group named: awseb-e-x-stack-AWSEBSecurityGroup-RND",
        "Deleted load balancer named: ARN",
        "Deleting SNS topic for environment env-one.",
        "terminateEnvironment completed successfully.",
    ]


def test_swap(stalk: Stalk) -> None:
    stalk.create("env-one", CNAMEPrefix="live")
    stalk.create("env-two", CNAMEPrefix="next")
    answer = stalk.eb.swap_environment_cnames(SourceEnvironmentName="env-one", DestinationEnvironmentName="env-two")
    assert {stalk.environment(name)["Status"] for name in ("env-one", "env-two")} == {"Updating"}
    stalk.advance(60)
    endpoint = stalk.environment("env-one")["EndpointURL"]
    assert stalk.lines(answer["ResponseMetadata"]["RequestId"]) == [
        "swapEnvironmentCNAMEs is starting.",
        "Swapping CNAMEs for environments 'env-one' and 'env-two'.",
        f"'next.us-east-1.elasticbeanstalk.com' now points to '{endpoint}'.",
        "Completed swapping CNAMEs for environments 'env-one' and 'env-two'.",
    ]
    assert stalk.environment("env-one")["CNAME"] == "next.us-east-1.elasticbeanstalk.com"
    assert stalk.environment("env-two")["CNAME"] == "live.us-east-1.elasticbeanstalk.com"
