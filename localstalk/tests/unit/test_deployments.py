# SPDX-License-Identifier: GPL-3.0-or-later
"""Event sequences, line by line as in eb-facts §3."""

from __future__ import annotations

from typing import Any

import pytest
from stalk import SINGLE, STACK, Stalk, option

from localstalk.drivers.base import Command
from localstalk.drivers.sim import Failure

COMMAND = "aws:elasticbeanstalk:command"
TWO = option("aws:autoscaling:asg", "MinSize", "2")
DONE = "Instance deployment completed successfully."
DEPLOYED = "New application version was deployed to running EC2 instances."
END = "Environment update completed successfully."
TAIL = [
    "ERROR Failed to deploy application.",
    "ERROR During an aborted deployment, some instances may have deployed the new application version. To ensure all "
    "instances are running the same version, re-deploy the appropriate application version.",
]
INSTANCE_FAILED = "ERROR Instance deployment failed. For details, see 'eb-engine.log'."
COMMAND_FAILED = (
    "ERROR [Instance: i-x] Command failed on instance. Return code: 1 "
    "Output: Engine execution has encountered an error.."
)
ABORTING = "ERROR Unsuccessful command execution on instance id(s) 'i-x'. Aborting the operation."


def policy(name: str) -> dict[str, str]:
    return option(COMMAND, "DeploymentPolicy", name)


def created(stalk: Stalk, *settings: dict[str, str], **more: Any) -> list[str]:
    stalk.create("env-one", *settings, **more)
    return stalk.lines(EnvironmentName="env-one")


def test_create_load_balanced(stalk: Stalk) -> None:
    assert created(stalk, TWO, CNAMEPrefix="shop") == [
        "createEnvironment is starting.",
        "Using elasticbeanstalk-us-east-1-ACCOUNT as Amazon S3 storage bucket for environment data.",
        "Environment health has transitioned to Pending. Initialization in progress (running for 3 seconds). "
        "There are no instances.",
        "Created target group named: ARN",
        "Created security group named: sg-x",
        "Created security group named: awseb-e-x-stack-AWSEBSecurityGroup-RND",
        "Created Auto Scaling launch configuration named: awseb-e-x-stack-AWSEBAutoScalingLaunchConfiguration-RND",
        "Created Auto Scaling group named: awseb-e-x-stack-AWSEBAutoScalingGroup-RND",
        "Waiting for EC2 instances to launch. This may take a few minutes.",
        "Created Auto Scaling group policy named: ARN",
        "Created Auto Scaling group policy named: ARN",
        "Created CloudWatch alarm named: awseb-e-x-stack-AWSEBCloudwatchAlarmHigh-RND",
        "Created CloudWatch alarm named: awseb-e-x-stack-AWSEBCloudwatchAlarmLow-RND",
        "Added instances [i-x, i-x] to your environment.",
        "Created load balancer named: ARN",
        "Created Load Balancer listener named: ARN",
        DONE,
        DONE,
        "Application available at shop.us-east-1.elasticbeanstalk.com.",
        "Successfully launched environment: env-one",
        "Environment health has transitioned from Pending to Ok. "
        "Initialization completed 7 seconds ago and took 4 minutes.",
    ]


def test_create_single_instance(stalk: Stalk) -> None:
    lines = created(stalk, SINGLE)
    assert not [line for line in lines if "load balancer" in line or "target group" in line or "alarm" in line]
    waiting = lines.index("Waiting for EC2 instances to launch. This may take a few minutes.")
    assert "Created EIP: 192.0.2.1" in lines[:waiting]
    assert stalk.environment()["EndpointURL"] == "192.0.2.1"


def test_health_and_added_instance_events_carry_no_request_id(stalk: Stalk) -> None:
    stalk.create()
    for event in stalk.eb.describe_events(EnvironmentName="env-one")["Events"]:
        monitoring = event["Message"].startswith(("Environment health", "Added instance"))
        assert ("RequestId" in event) is not monitoring, event["Message"]


def test_create_without_an_instance_profile_ends_terminated(stalk: Stalk) -> None:
    stalk.version("v1")
    made = stalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-one", VersionLabel="v1", SolutionStackName=STACK
    )
    stalk.advance(60)
    assert stalk.lines(made["ResponseMetadata"]["RequestId"])[-2:] == [
        "ERROR Environment must have instance profile associated with it.",
        "ERROR Failed to launch environment.",
    ]
    assert stalk.environment()["Status"] == "Terminated"


def test_create_whose_instances_fail_ends_ready_and_red(stalk: Stalk) -> None:
    stalk.driver.failures.append(Failure())
    lines = created(stalk)
    assert lines[-7:] == [
        INSTANCE_FAILED,
        COMMAND_FAILED,
        "Command execution completed on all instances. Summary: [Successful: 0, Failed: 1].",
        ABORTING,
        "ERROR Create environment operation is complete, but with errors. For more information, see troubleshooting "
        "documentation.",
        "WARN Environment health has transitioned from Pending to Degraded. Application deployment failed on all "
        "instances.",
        "WARN Environment health has transitioned from Degraded to Severe. ELB processes are not healthy on all "
        "instances. Application deployment failed on all instances.",
    ]
    found = stalk.environment()
    assert (found["Status"], found["Health"]) == ("Ready", "Red")


def test_create_that_cannot_launch_instances_ends_ready(stalk: Stalk) -> None:
    stalk.driver.launch_failures.append("No room for another instance.")
    lines = created(stalk)
    stack = [line for line in lines if "aborted operation" in line]
    assert stack == [
        "ERROR Stack named 'awseb-e-x-stack' aborted operation. Current state: 'CREATE_FAILED'  Reason: The following "
        "resource(s) failed to create: [AWSEBAutoScalingGroup]. "
    ]
    assert stalk.environment()["Status"] == "Ready"


def deployed(stalk: Stalk, *settings: dict[str, str]) -> list[str]:
    stalk.create("env-one", *settings)
    stalk.version("v2")
    return stalk.lines(stalk.update(VersionLabel="v2"))


def test_all_at_once(stalk: Stalk) -> None:
    assert deployed(stalk) == [
        "Environment update is starting.",
        "Deploying new version to instance(s).",
        DONE,
        DEPLOYED,
        END,
    ]
    assert stalk.environment()["VersionLabel"] == "v2"


def test_all_at_once_on_two_instances(stalk: Stalk) -> None:
    assert deployed(stalk, TWO)[2:5] == [
        DONE,
        DONE,
        "Command execution completed on 2 of 2 instances in environment.",
    ]


def batch(number: int, done: int, total: int, *, opening: bool = True) -> list[str]:
    start = [
        f"Batch {number}: Starting application deployment on instance(s) [i-x].",
        f"Batch {number}: De-registering instance(s) from the load balancer and waiting for them to go out of service.",
    ]
    return [
        *(start if opening else []),
        f"Batch {number}: Starting application deployment command execution.",
        DONE,
        f"Batch {number}: Completed application deployment command execution.",
        f"Command execution completed on {done} of {total} instances in environment.",
        f"Batch {number}: Registering instance(s) with the load balancer and waiting for them to be healthy. ",
        f"Batch {number}: Completed application deployment.",
    ]


def test_rolling(stalk: Stalk) -> None:
    assert deployed(stalk, TWO, policy("Rolling"), option(COMMAND, "BatchSize", "50")) == [
        "Environment update is starting.",
        "Deploying new version to instance(s).",
        *batch(1, 1, 2),
        *batch(2, 2, 2),
        DEPLOYED,
        END,
    ]


def test_rolling_with_additional_batch(stalk: Stalk) -> None:
    settings = (TWO, policy("RollingWithAdditionalBatch"), option(COMMAND, "BatchSize", "50"))
    lines = deployed(stalk, *settings)
    assert lines == [
        "Environment update is starting.",
        "Rolling with Additional Batch deployment policy enabled. Launching  a new batch of 1 additional instance(s).",
        "Batch 1: 1 EC2 instance(s) [i-x] launched. Deploying application version 'v2'.",
        *batch(1, 1, 3, opening=False),
        *batch(2, 2, 3),
        *batch(3, 3, 3),
        DEPLOYED,
        END,
    ]
    assert (
        len(stalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]["Instances"])
        == 2
    )


IMMUTABLE_START = [
    "Environment update is starting.",
    "Immutable deployment policy enabled. Launching one instance with the new settings to verify health.",
    "Created temporary auto scaling group awseb-e-x-immutable-stack-AWSEBAutoScalingGroup-RND.",
]
IMMUTABLE_GROUPS = [
    "Detached new instance(s) from temporary auto scaling group awseb-e-x-immutable-stack-AWSEBAutoScalingGroup-RND.",
    "Attached new instance(s) to the permanent auto scaling group awseb-e-x-stack-AWSEBAutoScalingGroup-RND.",
    "Starting post-deployment configuration on new instances.",
]
IMMUTABLE_END = [
    "Waiting for post-deployment configuration to complete.",
    "Deployment succeeded. Terminating old instances and temporary Auto Scaling group.",
    DEPLOYED,
    END,
]


def test_immutable(stalk: Stalk) -> None:
    assert deployed(stalk, policy("Immutable")) == [
        *IMMUTABLE_START,
        DONE,
        "Adding new instance(s) (i-x) to the load balancer.",
        "Waiting for instance(s) (i-x) to pass health checks.",
        *IMMUTABLE_GROUPS,
        DONE,
        *IMMUTABLE_END,
    ]


def test_immutable_on_two_instances_replaces_both(stalk: Stalk) -> None:
    stalk.create("env-one", TWO, policy("Immutable"))
    before = {each["Id"] for each in resources(stalk)["Instances"]}
    stalk.version("v2")
    lines = stalk.lines(stalk.update(VersionLabel="v2"))
    assert lines[6:11] == [
        "Test instance passed health checks. Launching remaining new instances.",
        DONE,
        "Successfully launched all instances.",
        "Adding new instance(s) (i-x) to the load balancer.",
        "Waiting for instance(s) (i-x) to pass health checks.",
    ]
    after = {each["Id"] for each in resources(stalk)["Instances"]}
    assert len(after) == 2
    assert not before & after


def resources(stalk: Stalk) -> dict[str, Any]:
    found: dict[str, Any] = stalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    return found


def test_traffic_splitting_replaces_all_instances(stalk: Stalk) -> None:
    stalk.create("env-one", TWO, policy("TrafficSplitting"))
    before = {each["Id"] for each in resources(stalk)["Instances"]}
    stalk.version("v2")
    assert stalk.lines(stalk.update(VersionLabel="v2"))[-2:] == [DEPLOYED, END]
    assert not before & {each["Id"] for each in resources(stalk)["Instances"]}
    assert all(election(stalk, instance_id) == ["Instance is NOT Leader."] for instance_id in instance_ids(stalk))


def splitting(name: str, value: str) -> dict[str, str]:
    return option("aws:elasticbeanstalk:trafficsplitting", name, value)


def start_splitting(stalk: Stalk) -> tuple[str, str, set[str], set[str]]:
    """Deploy up to the middle of the evaluation; the environment's id, the call's id, old and new instances."""
    settings = (TWO, policy("TrafficSplitting"), splitting("NewVersionPercent", "15"), splitting("EvaluationTime", "9"))
    environment_id = stalk.create("env-one", *settings)
    old = set(instance_ids(stalk))
    stalk.version("v2")
    answer = stalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    stalk.advance(420)
    return environment_id, answer["ResponseMetadata"]["RequestId"], old, set(instance_ids(stalk)) - old


def test_traffic_is_split_for_the_time_of_the_evaluation(stalk: Stalk) -> None:
    environment_id, request_id, old, new = start_splitting(stalk)
    assert len(new) == 2
    assert stalk.driver.weights[environment_id] == dict.fromkeys(old, 85) | dict.fromkeys(new, 15)
    assert stalk.lines(request_id)[-1] == ("Shifting 15 percent of the traffic to the new instances for 9 minute(s).")
    stalk.advance(600)
    assert set(instance_ids(stalk)) == new
    assert stalk.driver.weights[environment_id] == {}
    assert stalk.environment()["VersionLabel"] == "v2"


def test_traffic_returns_when_the_new_instances_turn_unhealthy(stalk: Stalk) -> None:
    environment_id, request_id, old, new = start_splitting(stalk)
    sick = sorted(new)[0]
    stalk.driver.set_instance(sick, http_status=500)
    stalk.advance(60)
    assert stalk.lines(request_id)[-3:] == [
        "ERROR Instance id(s) 'i-x' did not pass health check after command execution. Aborting the operation.",
        *TAIL,
    ]
    assert set(instance_ids(stalk)) == old
    assert stalk.driver.weights[environment_id] == {}
    found = stalk.environment()
    assert (found["Status"], found["VersionLabel"], found["Health"]) == ("Ready", "v1", "Green")


def test_an_abort_in_the_evaluation_brings_the_traffic_back(stalk: Stalk) -> None:
    environment_id, _, old, _ = start_splitting(stalk)
    stalk.eb.abort_environment_update(EnvironmentName="env-one")
    stalk.advance(60)
    assert set(instance_ids(stalk)) == old
    assert (stalk.environment()["VersionLabel"], stalk.driver.weights[environment_id]) == ("v1", {})


@pytest.mark.parametrize("status", [200, 500])
def test_an_immutable_single_instance_is_asked_itself(stalk: Stalk, status: int) -> None:
    stalk.create("env-one", SINGLE, policy("Immutable"))
    (old,) = instance_ids(stalk)
    stalk.version("v2")
    stalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    stalk.advance(60)
    (new,) = set(instance_ids(stalk)) - {old}
    stalk.driver.set_instance(new, http_status=status)
    stalk.advance(1200)
    healthy = status == 200
    assert instance_ids(stalk) == [new if healthy else old]
    assert stalk.environment()["VersionLabel"] == ("v2" if healthy else "v1")


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_traffic_splitting_needs_an_application_load_balancer(stalk: Stalk, kind: str) -> None:
    balancer = option("aws:elasticbeanstalk:environment", "LoadBalancerType", kind)
    stalk.create("env-one", balancer, policy("TrafficSplitting"))
    stalk.version("v2")
    assert stalk.lines(stalk.update(VersionLabel="v2"))[1:] == [
        "ERROR Traffic splitting deployments need an application load balancer.",
        *TAIL,
    ]


def instance_ids(stalk: Stalk) -> list[str]:
    return [each["Id"] for each in resources(stalk)["Instances"]]


def election(stalk: Stalk, instance_id: str) -> list[str]:
    """What the instance's log says about leading, oldest first."""
    command = Command("tail-log", "", 0, "", 1.0)
    lines = stalk.driver.run(instance_id, command).output.splitlines()
    return [line.partition("] ")[2] for line in lines if "Leader." in line]


def test_other_policies_elect_one_leader(stalk: Stalk) -> None:
    stalk.create("env-one", TWO, policy("Rolling"))
    elections = sorted(election(stalk, instance_id) for instance_id in instance_ids(stalk))
    assert elections == [["Instance is Leader."], ["Instance is NOT Leader."]]


@pytest.mark.parametrize(
    "name", ["AllAtOnce", "Rolling", "RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"]
)
def test_a_failed_deployment_keeps_the_old_label(stalk: Stalk, name: str) -> None:
    stalk.create("env-one", policy(name))
    stalk.version("v2")
    stalk.driver.failures.append(Failure(version_label="v2"))
    lines = stalk.lines(stalk.update(VersionLabel="v2"))
    assert lines[-6:] == [
        INSTANCE_FAILED,
        COMMAND_FAILED,
        "Command execution completed on all instances. Summary: [Successful: 0, Failed: 1].",
        ABORTING,
        *TAIL,
    ]
    assert END not in lines
    found = stalk.environment()
    assert (found["Status"], found["VersionLabel"]) == ("Ready", "v1")
    assert (found["Health"] == "Green") is (name in ("RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"))


def test_a_failed_deployment_shows_in_each_instances_own_label(stalk: Stalk) -> None:
    stalk.create("env-one", TWO)
    stalk.version("v2")
    stalk.driver.failures.append(Failure(version_label="v2", nth=1))
    stalk.update(VersionLabel="v2")
    health = stalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["Deployment"])
    deployments = [each["Deployment"] for each in health["InstanceHealthList"]]
    assert [(each["VersionLabel"], each["Status"], each["DeploymentId"]) for each in deployments] == [
        ("v2", "Failed", 2),
        ("v2", "Deployed", 2),
    ]
    cause = 'Incorrect application version found on all instances. Expected version "v1" (deployment 1).'
    health = stalk.eb.describe_environment_health(EnvironmentName="env-one", AttributeNames=["Causes"])
    assert health["Causes"] == [cause]
    # The next good deployment heals it.
    stalk.driver.failures.clear()
    stalk.update(VersionLabel="v2")
    assert stalk.environment()["Health"] == "Green"


def test_command_timeout(stalk: Stalk) -> None:
    stalk.create("env-one", option(COMMAND, "Timeout", "60"))
    stalk.version("v2")
    stalk.driver.failures.append(Failure(version_label="v2", status="TIMEOUT", events=()))
    assert stalk.lines(stalk.update(VersionLabel="v2"))[2:] == [
        "WARN The following instances have not responded in the allowed command timeout time (they might still finish "
        "eventually on their own): [i-x].",
        "Command execution completed on all instances. Summary: [Successful: 0, TimedOut: 1].",
        ABORTING,
        *TAIL,
    ]


def test_an_unhealthy_application_fails_the_deployment(stalk: Stalk) -> None:
    stalk.create("env-one")
    stalk.version("v2")
    answer = stalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    stalk.advance(30)
    stalk.driver.set_instance(resources(stalk)["Instances"][0]["Id"], http_status=502)
    stalk.advance(3600)
    assert stalk.lines(answer["ResponseMetadata"]["RequestId"])[-3:] == [
        "ERROR Instance id(s) 'i-x' did not pass health check after command execution. Aborting the operation.",
        *TAIL,
    ]
    assert stalk.environment()["HealthStatus"] == "Severe"


def test_the_label_stays_old_until_success(stalk: Stalk) -> None:
    stalk.create("env-one")
    stalk.version("v2")
    answer = stalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    assert (answer["VersionLabel"], answer["Status"]) == ("v1", "Updating")
    assert answer["AbortableOperationInProgress"] is True
    stalk.advance(60)
    assert stalk.environment()["VersionLabel"] == "v1"
    stalk.advance(600)
    assert stalk.environment()["VersionLabel"] == "v2"


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
    assert [line for line in lines if "launch configuration" not in line and "target group" not in line] == [
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
