# SPDX-License-Identifier: GPL-3.0-or-later
"""Event sequences of configuration updates, terminations and swaps, line by line as in docs/elastic_beanstalk.md §3."""

from __future__ import annotations

from control_plane import Localstalk, option
from test_deployments import DEPLOYED, DONE, END, TAIL, policy, resources

from localstalk.drivers.sim import Failure


def test_configuration_update(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    setting = option("aws:elasticbeanstalk:application:environment", "COLOUR", "blue")
    assert localstalk.lines(localstalk.update(OptionSettings=[setting])) == [
        "Environment update is starting.",
        "Updating environment env-one's configuration settings.",
        DONE,
        "Successfully deployed new configuration to environment.",
        END,
    ]


def test_version_and_settings_together(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    localstalk.version("v2")
    setting = option("aws:elasticbeanstalk:application:environment", "COLOUR", "blue")
    assert localstalk.lines(localstalk.update(VersionLabel="v2", OptionSettings=[setting])) == [
        "Environment update is starting.",
        "Updating environment env-one's configuration settings.",
        "Deploying new version to instance(s).",
        DONE,
        DEPLOYED,
        "Successfully deployed new configuration to environment.",
        END,
    ]


def test_a_failed_configuration_update_is_reverted(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    localstalk.driver.failures.append(Failure("config-deploy", times=1))
    setting = option("aws:elasticbeanstalk:application:environment", "COLOUR", "blue")
    assert localstalk.lines(localstalk.update(OptionSettings=[setting]))[-3:] == [
        "ERROR Failed to deploy configuration.",
        "The environment was reverted to the previous configuration setting.",
        "ERROR Update environment operation is complete, but with errors. For more information, see troubleshooting "
        "documentation.",
    ]
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    statuses = [each["DeploymentStatus"] for each in described["ConfigurationSettings"]]
    assert statuses == ["deployed", "failed"]
    names = [{each["OptionName"] for each in one["OptionSettings"]} for one in described["ConfigurationSettings"]]
    assert ["COLOUR" in each for each in names] == [False, True]
    localstalk.eb.delete_environment_configuration(ApplicationName="app", EnvironmentName="env-one")
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    assert len(described["ConfigurationSettings"]) == 1


def test_a_change_of_instance_type_replaces_instances(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    before = resources(localstalk)["Instances"]
    setting = option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")
    assert localstalk.lines(localstalk.update(OptionSettings=[setting]))[-1] == END
    assert resources(localstalk)["Instances"] != before
    health = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])
    assert [each["InstanceType"] for each in health["InstanceHealthList"]] == ["t3.large"]


def test_immutable_needs_both_options(localstalk: Localstalk) -> None:
    localstalk.create("env-one", policy("Immutable"))
    localstalk.version("v2")
    setting = option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")
    lines = localstalk.lines(localstalk.update(VersionLabel="v2", OptionSettings=[setting]))
    assert lines[1].startswith(
        "ERROR To enable immutable config and application deployments together, you must set both"
    )


def test_scaling_out_deploys_the_current_version(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    localstalk.update(OptionSettings=[option("aws:autoscaling:asg", "MinSize", "3")])
    health = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["Deployment"])
    assert [each["Deployment"]["VersionLabel"] for each in health["InstanceHealthList"]] == ["v1"] * 3


def test_bad_options_in_the_bundle_fail_the_deployment(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    localstalk.version("v2", **{".ebextensions/a.config": "option_settings:\n  aws:nope:\n    What: 1\n"})
    assert localstalk.lines(localstalk.update(VersionLabel="v2"))[1:] == [
        'ERROR "option_settings" in one of the configuration files failed validation. More details to follow.',
        "ERROR Invalid option specification (Namespace: 'aws:nope', OptionName: 'What'): "
        "Unknown configuration setting.",
        *TAIL,
    ]
    assert localstalk.environment()["VersionLabel"] == "v1"


def test_options_of_a_call_win_over_those_of_the_bundle(localstalk: Localstalk) -> None:
    properties = "aws:elasticbeanstalk:application:environment"
    text = f"option_settings:\n  {properties}:\n    COLOUR: green\n    SHAPE: round\n"
    localstalk.version("v1", **{".ebextensions/a.config": text})
    localstalk.create("env-one", option(properties, "COLOUR", "blue"))
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-one")
    found = {
        each["OptionName"]: each["Value"]
        for each in described["ConfigurationSettings"][0]["OptionSettings"]
        if each["Namespace"] == properties
    }
    assert found == {"COLOUR": "blue", "SHAPE": "round"}


def test_terminate(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    answer = localstalk.eb.terminate_environment(EnvironmentName="env-one")
    assert answer["Status"] == "Terminating"
    localstalk.advance(600)
    lines = localstalk.lines(answer["ResponseMetadata"]["RequestId"])
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


def test_swap(localstalk: Localstalk) -> None:
    localstalk.create("env-one", CNAMEPrefix="live")
    localstalk.create("env-two", CNAMEPrefix="next")
    answer = localstalk.eb.swap_environment_cnames(
        SourceEnvironmentName="env-one", DestinationEnvironmentName="env-two"
    )
    assert {localstalk.environment(name)["Status"] for name in ("env-one", "env-two")} == {"Updating"}
    localstalk.advance(60)
    endpoint = localstalk.environment("env-one")["EndpointURL"]
    assert localstalk.lines(answer["ResponseMetadata"]["RequestId"]) == [
        "swapEnvironmentCNAMEs is starting.",
        "Swapping CNAMEs for environments 'env-one' and 'env-two'.",
        f"'next.us-east-1.elasticbeanstalk.com' now points to '{endpoint}'.",
        "Completed swapping CNAMEs for environments 'env-one' and 'env-two'.",
    ]
    assert localstalk.environment("env-one")["CNAME"] == "next.us-east-1.elasticbeanstalk.com"
    assert localstalk.environment("env-two")["CNAME"] == "live.us-east-1.elasticbeanstalk.com"
