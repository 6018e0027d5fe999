# SPDX-License-Identifier: GPL-3.0-or-later
"""Event sequences, line by line as in docs/elastic_beanstalk.md §3."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import SINGLE, STACK, Localstalk, option

from localstalk.driver import Command
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


def created(localstalk: Localstalk, *settings: dict[str, str], **more: Any) -> list[str]:
    localstalk.create("env-one", *settings, **more)
    return localstalk.lines(EnvironmentName="env-one")


def test_create_load_balanced(localstalk: Localstalk) -> None:
    assert created(localstalk, TWO, CNAMEPrefix="shop") == [
        "createEnvironment is starting.",
        "Using elasticbeanstalk-us-east-1-ACCOUNT as Amazon S3 storage bucket for environment data.",
        "Environment health has transitioned to Pending. Initialization in progress (running for 3 seconds). "
        "There are no instances.",
        "Created target group named: ARN",
        "Created security group named: sg-x",
        "Created security group named: awseb-e-x-stack-AWSEBSecurityGroup-RND",
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


def test_create_single_instance(localstalk: Localstalk) -> None:
    assert created(localstalk, SINGLE, CNAMEPrefix="shop") == [
        "createEnvironment is starting.",
        "Using elasticbeanstalk-us-east-1-ACCOUNT as Amazon S3 storage bucket for environment data.",
        "Environment health has transitioned to Pending. Initialization in progress (running for 3 seconds). "
        "There are no instances.",
        "Created security group named: awseb-e-x-stack-AWSEBSecurityGroup-RND",
        "Created EIP: 192.0.2.1",
        "Created Auto Scaling group named: awseb-e-x-stack-AWSEBAutoScalingGroup-RND",
        "Waiting for EC2 instances to launch. This may take a few minutes.",
        "Added instance [i-x] to your environment.",
        DONE,
        "Application available at shop.us-east-1.elasticbeanstalk.com.",
        "Successfully launched environment: env-one",
        "Environment health has transitioned from Pending to Ok. "
        "Initialization completed 7 seconds ago and took 3 minutes.",
    ]
    assert localstalk.environment()["EndpointURL"] == "192.0.2.1"


def test_health_and_added_instance_events_carry_no_request_id(localstalk: Localstalk) -> None:
    localstalk.create()
    for event in localstalk.eb.describe_events(EnvironmentName="env-one")["Events"]:
        monitoring = event["Message"].startswith(("Environment health", "Added instance"))
        assert ("RequestId" in event) is not monitoring, event["Message"]


def test_create_without_an_instance_profile_ends_terminated(localstalk: Localstalk) -> None:
    localstalk.version("v1")
    made = localstalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-one", VersionLabel="v1", SolutionStackName=STACK
    )
    localstalk.advance(60)
    assert localstalk.lines(made["ResponseMetadata"]["RequestId"])[-2:] == [
        "ERROR Environment must have instance profile associated with it.",
        "ERROR Failed to launch environment.",
    ]
    assert localstalk.environment()["Status"] == "Terminated"


def test_create_whose_instances_fail_ends_ready_and_red(localstalk: Localstalk) -> None:
    localstalk.driver.failures.append(Failure())
    lines = created(localstalk)
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
    found = localstalk.environment()
    assert (found["Status"], found["Health"]) == ("Ready", "Red")


def test_create_that_cannot_launch_instances_ends_ready(localstalk: Localstalk) -> None:
    localstalk.driver.launch_failures.append("No room for another instance.")
    lines = created(localstalk)
    stack = [line for line in lines if "aborted operation" in line]
    assert stack == [
        "ERROR Stack named 'awseb-e-x-stack' aborted operation. Current state: 'CREATE_FAILED'  Reason: The following "
        "resource(s) failed to create: [AWSEBAutoScalingGroup]. "
    ]
    assert localstalk.environment()["Status"] == "Ready"


def deployed(localstalk: Localstalk, *settings: dict[str, str]) -> list[str]:
    localstalk.create("env-one", *settings)
    localstalk.version("v2")
    return localstalk.lines(localstalk.update(VersionLabel="v2"))


def test_all_at_once(localstalk: Localstalk) -> None:
    assert deployed(localstalk) == [
        "Environment update is starting.",
        "Deploying new version to instance(s).",
        DONE,
        DEPLOYED,
        END,
    ]
    assert localstalk.environment()["VersionLabel"] == "v2"


def test_all_at_once_on_two_instances(localstalk: Localstalk) -> None:
    assert deployed(localstalk, TWO)[2:5] == [
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


def test_rolling(localstalk: Localstalk) -> None:
    assert deployed(localstalk, TWO, policy("Rolling"), option(COMMAND, "BatchSize", "50")) == [
        "Environment update is starting.",
        "Deploying new version to instance(s).",
        *batch(1, 1, 2),
        *batch(2, 2, 2),
        DEPLOYED,
        END,
    ]


def test_rolling_with_additional_batch(localstalk: Localstalk) -> None:
    settings = (TWO, policy("RollingWithAdditionalBatch"), option(COMMAND, "BatchSize", "50"))
    lines = deployed(localstalk, *settings)
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
        len(
            localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]["Instances"]
        )
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


def test_immutable(localstalk: Localstalk) -> None:
    assert deployed(localstalk, policy("Immutable")) == [
        *IMMUTABLE_START,
        DONE,
        "Adding new instance(s) (i-x) to the load balancer.",
        "Waiting for instance(s) (i-x) to pass health checks.",
        *IMMUTABLE_GROUPS,
        DONE,
        *IMMUTABLE_END,
    ]


def test_immutable_on_two_instances_replaces_both(localstalk: Localstalk) -> None:
    localstalk.create("env-one", TWO, policy("Immutable"))
    before = {each["Id"] for each in resources(localstalk)["Instances"]}
    localstalk.version("v2")
    known = len(localstalk.lines(EnvironmentName="env-one"))
    localstalk.update(VersionLabel="v2")
    assert localstalk.lines(EnvironmentName="env-one")[known:] == [
        *IMMUTABLE_START,
        "Environment health has transitioned from Ok to Info. Application update in progress on 3 instances. "
        "0 out of 3 instances completed (running for 8 seconds).",
        DONE,
        "Adding new instance(s) (i-x) to the load balancer.",
        "Waiting for instance(s) (i-x) to pass health checks.",
        "Added instance [i-x] to your environment.",
        "Test instance passed health checks. Launching remaining new instances.",
        DONE,
        "Added instance [i-x] to your environment.",
        "Successfully launched all instances.",
        "Adding new instance(s) (i-x) to the load balancer.",
        "Waiting for instance(s) (i-x) to pass health checks.",
        *IMMUTABLE_GROUPS,
        DONE,
        DONE,
        IMMUTABLE_END[0],
        IMMUTABLE_END[1],
        "Removed instances [i-x, i-x] from your environment.",
        *IMMUTABLE_END[2:],
        "Environment health has transitioned from Info to Ok. Application update completed 8 seconds ago and took 5 "
        "minutes.",
    ]
    after = {each["Id"] for each in resources(localstalk)["Instances"]}
    assert len(after) == 2
    assert not before & after


def resources(localstalk: Localstalk) -> dict[str, Any]:
    found: dict[str, Any] = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")[
        "EnvironmentResources"
    ]
    return found


def test_traffic_splitting_replaces_all_instances(localstalk: Localstalk) -> None:
    localstalk.create("env-one", TWO, policy("TrafficSplitting"))
    before = {each["Id"] for each in resources(localstalk)["Instances"]}
    localstalk.version("v2")
    assert localstalk.lines(localstalk.update(VersionLabel="v2"))[-2:] == [DEPLOYED, END]
    assert not before & {each["Id"] for each in resources(localstalk)["Instances"]}
    assert all(
        election(localstalk, instance_id) == ["Instance is NOT Leader."] for instance_id in instance_ids(localstalk)
    )


def splitting(name: str, value: str) -> dict[str, str]:
    return option("aws:elasticbeanstalk:trafficsplitting", name, value)


def start_splitting(localstalk: Localstalk) -> tuple[str, str, set[str], set[str]]:
    """Deploy up to the middle of the evaluation; the environment's id, the call's id, old and new instances."""
    settings = (TWO, policy("TrafficSplitting"), splitting("NewVersionPercent", "15"), splitting("EvaluationTime", "9"))
    environment_id = localstalk.create("env-one", *settings)
    old = set(instance_ids(localstalk))
    localstalk.version("v2")
    answer = localstalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    localstalk.advance(420)
    return environment_id, answer["ResponseMetadata"]["RequestId"], old, set(instance_ids(localstalk)) - old


def test_traffic_is_split_for_the_time_of_the_evaluation(localstalk: Localstalk) -> None:
    environment_id, request_id, old, new = start_splitting(localstalk)
    assert len(new) == 2
    assert localstalk.driver.weights[environment_id] == dict.fromkeys(old, 85) | dict.fromkeys(new, 15)
    assert localstalk.lines(request_id)[-1] == (
        "Shifting 15 percent of the traffic to the new instances for 9 minute(s)."
    )
    localstalk.advance(600)
    assert set(instance_ids(localstalk)) == new
    assert localstalk.driver.weights[environment_id] == {}
    assert localstalk.environment()["VersionLabel"] == "v2"


def test_traffic_returns_when_the_new_instances_turn_unhealthy(localstalk: Localstalk) -> None:
    environment_id, request_id, old, new = start_splitting(localstalk)
    sick = sorted(new)[0]
    localstalk.driver.set_instance(sick, http_status=500)
    localstalk.advance(60)
    assert localstalk.lines(request_id)[-3:] == [
        "ERROR Instance id(s) 'i-x' did not pass health check after command execution. Aborting the operation.",
        *TAIL,
    ]
    assert set(instance_ids(localstalk)) == old
    assert localstalk.driver.weights[environment_id] == {}
    found = localstalk.environment()
    assert (found["Status"], found["VersionLabel"], found["Health"]) == ("Ready", "v1", "Green")


def test_an_abort_in_the_evaluation_brings_the_traffic_back(localstalk: Localstalk) -> None:
    environment_id, _, old, _ = start_splitting(localstalk)
    localstalk.eb.abort_environment_update(EnvironmentName="env-one")
    localstalk.advance(60)
    assert set(instance_ids(localstalk)) == old
    assert (localstalk.environment()["VersionLabel"], localstalk.driver.weights[environment_id]) == ("v1", {})


@pytest.mark.parametrize("status", [200, 500])
def test_an_immutable_single_instance_is_asked_itself(localstalk: Localstalk, status: int) -> None:
    localstalk.create("env-one", SINGLE, policy("Immutable"))
    (old,) = instance_ids(localstalk)
    localstalk.version("v2")
    localstalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    localstalk.advance(60)
    (new,) = set(instance_ids(localstalk)) - {old}
    localstalk.driver.set_instance(new, http_status=status)
    localstalk.advance(1200)
    healthy = status == 200
    assert instance_ids(localstalk) == [new if healthy else old]
    assert localstalk.environment()["VersionLabel"] == ("v2" if healthy else "v1")


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_traffic_splitting_needs_an_application_load_balancer(localstalk: Localstalk, kind: str) -> None:
    balancer = option("aws:elasticbeanstalk:environment", "LoadBalancerType", kind)
    localstalk.create("env-one", balancer, policy("TrafficSplitting"))
    localstalk.version("v2")
    assert localstalk.lines(localstalk.update(VersionLabel="v2"))[1:] == [
        "ERROR Traffic splitting deployments need an application load balancer.",
        *TAIL,
    ]


def instance_ids(localstalk: Localstalk) -> list[str]:
    return [each["Id"] for each in resources(localstalk)["Instances"]]


def election(localstalk: Localstalk, instance_id: str) -> list[str]:
    """What the instance's log says about leading, oldest first."""
    command = Command("tail-log", "", 0, "", 1.0)
    lines = localstalk.driver.run(instance_id, command).output.splitlines()
    return [line.partition("] ")[2] for line in lines if "Leader." in line]


def test_other_policies_elect_one_leader(localstalk: Localstalk) -> None:
    localstalk.create("env-one", TWO, policy("Rolling"))
    elections = sorted(election(localstalk, instance_id) for instance_id in instance_ids(localstalk))
    assert elections == [["Instance is Leader."], ["Instance is NOT Leader."]]


FAILED_OPENINGS = {
    "AllAtOnce": ["Deploying new version to instance(s)."],
    "Rolling": ["Deploying new version to instance(s).", *batch(1, 1, 1)[:3]],
    "RollingWithAdditionalBatch": [
        "Rolling with Additional Batch deployment policy enabled. Launching  a new batch of 1 additional instance(s).",
        "Batch 1: 1 EC2 instance(s) [i-x] launched. Deploying application version 'v2'.",
        batch(1, 1, 1)[2],
    ],
    "Immutable": IMMUTABLE_START[1:],
    "TrafficSplitting": [
        "Traffic splitting deployment policy enabled. Launching 1 instance(s) with the new version.",
        IMMUTABLE_START[2],
    ],
}


@pytest.mark.parametrize("name", FAILED_OPENINGS)
def test_a_failed_deployment_keeps_the_old_label(localstalk: Localstalk, name: str) -> None:
    localstalk.create("env-one", policy(name))
    localstalk.version("v2")
    localstalk.driver.failures.append(Failure(version_label="v2"))
    lines = localstalk.lines(localstalk.update(VersionLabel="v2"))
    assert lines == [
        "Environment update is starting.",
        *FAILED_OPENINGS[name],
        INSTANCE_FAILED,
        COMMAND_FAILED,
        "Command execution completed on all instances. Summary: [Successful: 0, Failed: 1].",
        ABORTING,
        *TAIL,
    ]
    found = localstalk.environment()
    assert (found["Status"], found["VersionLabel"]) == ("Ready", "v1")
    assert (found["Health"] == "Green") is (name in ("RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"))


def test_a_failed_deployment_shows_in_each_instances_own_label(localstalk: Localstalk) -> None:
    localstalk.create("env-one", TWO)
    localstalk.version("v2")
    localstalk.driver.failures.append(Failure(version_label="v2", nth=1))
    localstalk.update(VersionLabel="v2")
    health = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["Deployment"])
    deployments = [each["Deployment"] for each in health["InstanceHealthList"]]
    assert [(each["VersionLabel"], each["Status"], each["DeploymentId"]) for each in deployments] == [
        ("v2", "Failed", 2),
        ("v2", "Deployed", 2),
    ]
    cause = 'Incorrect application version found on all instances. Expected version "v1" (deployment 1).'
    health = localstalk.eb.describe_environment_health(EnvironmentName="env-one", AttributeNames=["Causes"])
    assert health["Causes"] == [cause]
    # The next good deployment heals it.
    localstalk.driver.failures.clear()
    localstalk.update(VersionLabel="v2")
    assert localstalk.environment()["Health"] == "Green"


def test_command_timeout(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option(COMMAND, "Timeout", "60"))
    localstalk.version("v2")
    localstalk.driver.failures.append(Failure(version_label="v2", status="TIMEOUT", events=()))
    assert localstalk.lines(localstalk.update(VersionLabel="v2"))[2:] == [
        "WARN The following instances have not responded in the allowed command timeout time (they might still finish "
        "eventually on their own): [i-x].",
        "Command execution completed on all instances. Summary: [Successful: 0, TimedOut: 1].",
        ABORTING,
        *TAIL,
    ]


def test_an_unhealthy_application_fails_the_deployment(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    localstalk.version("v2")
    answer = localstalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    localstalk.advance(30)
    localstalk.driver.set_instance(resources(localstalk)["Instances"][0]["Id"], http_status=502)
    localstalk.advance(3600)
    assert localstalk.lines(answer["ResponseMetadata"]["RequestId"])[-3:] == [
        "ERROR Instance id(s) 'i-x' did not pass health check after command execution. Aborting the operation.",
        *TAIL,
    ]
    assert localstalk.environment()["HealthStatus"] == "Severe"


def test_the_label_stays_old_until_success(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    localstalk.version("v2")
    answer = localstalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    assert (answer["VersionLabel"], answer["Status"]) == ("v1", "Updating")
    assert answer["AbortableOperationInProgress"] is True
    localstalk.advance(60)
    assert localstalk.environment()["VersionLabel"] == "v1"
    localstalk.advance(600)
    assert localstalk.environment()["VersionLabel"] == "v2"


# --- deployment logs (Developer Guide, "Viewing deployment logs for an Elastic Beanstalk environment") ---

LOGS = "resources/environments/logs/deployments"


def deployment_logs(localstalk: Localstalk, environment_id: str) -> dict[str, list[str]]:
    """What lies in S3, by name below the environment's folder; lines without their times."""
    s3, prefix = localstalk.client("s3"), f"{LOGS}/{environment_id}/"
    found = s3.list_objects_v2(Bucket=localstalk.region.bucket, Prefix=prefix).get("Contents", [])
    texts = {
        each["Key"].removeprefix(prefix): s3.get_object(Bucket=localstalk.region.bucket, Key=each["Key"])["Body"].read()
        for each in found
    }
    return {name: [line.partition(" [")[2] for line in text.decode().splitlines()] for name, text in texts.items()}


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"VersionLabel": "v2"}, "Application deployment"),
        (
            {"OptionSettings": [option("aws:elasticbeanstalk:application:environment", "A", "b")]},
            "Configuration update",
        ),
    ],
)
def test_one_instance_uploads_its_deployment_log_meanwhile(
    localstalk: Localstalk, change: dict[str, Any], title: str
) -> None:
    made = localstalk.create("env-one", TWO)
    localstalk.version("v2")
    before = deployment_logs(localstalk, made)
    request_id = localstalk.eb.update_environment(EnvironmentName="env-one", **change)["ResponseMetadata"]["RequestId"]
    name = f"eb-deployment-{request_id}.log"
    while name not in deployment_logs(localstalk, made):
        assert localstalk.environment()["Status"] == "Updating"
        localstalk.advance(1)
    assert deployment_logs(localstalk, made)[name] == [f"INFO] Starting {title}"]
    localstalk.advance(600)
    after = deployment_logs(localstalk, made)
    assert after.keys() - before.keys() == {name}
    assert after[name] == [f"INFO] Starting {title}", f"INFO] Completed {title}"]


def test_a_deployment_log_tells_of_the_failure(localstalk: Localstalk) -> None:
    made = localstalk.create("env-one", SINGLE)
    localstalk.version("v2")
    localstalk.driver.failures.append(Failure(version_label="v2"))
    request_id = localstalk.update(VersionLabel="v2")
    found = deployment_logs(localstalk, made)[f"eb-deployment-{request_id}.log"]
    assert found[-1] == "ERROR] Application deployment failed"


def test_new_instances_of_auto_scaling_upload_logs_of_their_own(localstalk: Localstalk) -> None:
    made = localstalk.create("env-one")
    (old,) = localstalk.region.environments[made].instances
    localstalk.client("ec2").terminate_instances(InstanceIds=[old])
    localstalk.advance(600)
    (new,) = localstalk.region.environments[made].instances
    (name,) = [name for name in deployment_logs(localstalk, made) if name.startswith("selfstartup/")]
    assert name.endswith(f"Z-{new}.log")


def test_the_upload_of_deployment_logs_can_be_switched_off(localstalk: Localstalk) -> None:
    off = option("aws:elasticbeanstalk:application:environment", "EB_DEPLOYMENT_LOG_S3_DISABLED", "true")
    assert deployment_logs(localstalk, localstalk.create("env-one", off)) == {}
