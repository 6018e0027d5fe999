# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudFormation shows the environments' stacks: EB's resources, those of configuration files, states and template."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from control_plane import SINGLE, Localstalk, option

RESOURCES = """
Resources:
  Uploads:
    Type: AWS::S3::Bucket
  AWSEBAutoScalingGroup:
    Properties:
      Cooldown: 120
"""
TOPIC = '{"Resources": {"News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}}}}'


@pytest.fixture
def cloudformation(localstalk: Localstalk) -> Any:
    return localstalk.client("cloudformation")


def name(environment_id: str) -> str:
    return f"awseb-{environment_id}-stack"


def kinds(cloudformation: Any, environment_id: str) -> dict[str, str]:
    found = cloudformation.describe_stack_resources(StackName=name(environment_id))["StackResources"]
    return {each["LogicalResourceId"]: each["ResourceType"] for each in found}


def test_a_stack_of_an_environment(localstalk: Localstalk, cloudformation: Any) -> None:
    environment_id = localstalk.create("env-one", Tags=[{"Key": "team", "Value": "shop"}])
    (stack,) = cloudformation.describe_stacks(StackName=name(environment_id))["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Description"] == f"AWS Elastic Beanstalk environment (Name: 'env-one'  Id: '{environment_id}')"
    assert {each["Key"]: each["Value"] for each in stack["Tags"]} == {
        "team": "shop",
        "Name": "env-one",
        "elasticbeanstalk:environment-id": environment_id,
        "elasticbeanstalk:environment-name": "env-one",
    }
    assert kinds(cloudformation, environment_id) == {
        "AWSEBAutoScalingGroup": "AWS::AutoScaling::AutoScalingGroup",
        "AWSEBAutoScalingScaleDownPolicy": "AWS::AutoScaling::ScalingPolicy",
        "AWSEBAutoScalingScaleUpPolicy": "AWS::AutoScaling::ScalingPolicy",
        "AWSEBCloudwatchAlarmHigh": "AWS::CloudWatch::Alarm",
        "AWSEBCloudwatchAlarmLow": "AWS::CloudWatch::Alarm",
        "AWSEBEC2LaunchTemplate": "AWS::EC2::LaunchTemplate",
        "AWSEBLoadBalancerSecurityGroup": "AWS::EC2::SecurityGroup",
        "AWSEBSecurityGroup": "AWS::EC2::SecurityGroup",
        "AWSEBV2LoadBalancer": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWSEBV2LoadBalancerListener": "AWS::ElasticLoadBalancingV2::Listener",
        "AWSEBV2LoadBalancerTargetGroup": "AWS::ElasticLoadBalancingV2::TargetGroup",
    }
    detail = cloudformation.describe_stack_resource(
        StackName=stack["StackId"], LogicalResourceId="AWSEBAutoScalingGroup"
    )["StackResourceDetail"]
    (group,) = localstalk.eb.describe_environment_resources(EnvironmentId=environment_id)["EnvironmentResources"][
        "AutoScalingGroups"
    ]
    assert detail["PhysicalResourceId"] == group["Name"]
    events = cloudformation.describe_stack_events(StackName=name(environment_id))["StackEvents"]
    assert [each["ResourceStatus"] for each in events] == ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"]


def test_instances_name_their_stack(localstalk: Localstalk, cloudformation: Any) -> None:
    environment_id = localstalk.create("env-one", SINGLE)
    tag = {"Name": "tag:aws:cloudformation:stack-name", "Values": [name(environment_id)]}
    (reservation,) = localstalk.client("ec2").describe_instances(Filters=[tag])["Reservations"]
    tags = {each["Key"]: each["Value"] for each in reservation["Instances"][0]["Tags"]}
    (stack,) = cloudformation.describe_stacks(StackName=name(environment_id))["Stacks"]
    assert tags["aws:cloudformation:stack-id"] == stack["StackId"]


def test_resources_of_configuration_files_are_recorded(localstalk: Localstalk, cloudformation: Any) -> None:
    localstalk.version("v1", **{".ebextensions/a.config": RESOURCES, ".ebextensions/b.config": TOPIC})
    environment_id = localstalk.create("env-one", SINGLE)
    found = kinds(cloudformation, environment_id)
    assert (found["Uploads"], found["News"]) == ("AWS::S3::Bucket", "AWS::SNS::Topic")
    listed = cloudformation.list_stack_resources(StackName=name(environment_id))["StackResourceSummaries"]
    (uploads,) = [each for each in listed if each["LogicalResourceId"] == "Uploads"]
    assert uploads["PhysicalResourceId"].startswith(f"{name(environment_id)}-Uploads-")
    template = cloudformation.get_template(StackName=name(environment_id))["TemplateBody"]
    resources = (json.loads(template) if isinstance(template, str) else template)["Resources"]
    assert resources["News"]["Properties"] == {"TopicName": "news"}
    assert resources["AWSEBAutoScalingGroup"] == {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "Properties": {"Cooldown": 120},
    }
    # The next version has no such files.
    localstalk.version("v2")
    localstalk.update(VersionLabel="v2")
    assert "Uploads" not in kinds(cloudformation, environment_id)
    (stack,) = cloudformation.describe_stacks(StackName=name(environment_id))["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"


def test_resources_without_a_type_fail_the_update_and_change_nothing(
    localstalk: Localstalk, cloudformation: Any
) -> None:
    localstalk.version("v1", **{".ebextensions/a.config": RESOURCES})
    environment_id = localstalk.create("env-one", SINGLE)
    localstalk.version("v2", **{".ebextensions/a.config": "Resources:\n  Queue:\n    Properties: {}\n"})
    assert localstalk.lines(localstalk.update(VersionLabel="v2"))[1] == (
        "ERROR Service:AmazonCloudFormation, Message:Template format error: [/Resources/Queue] Every Resources object "
        "must contain a Type member."
    )
    assert localstalk.environment()["VersionLabel"] == "v1"
    assert {"Uploads", "Queue"} & set(kinds(cloudformation, environment_id)) == {"Uploads"}


def test_a_failed_deployment_keeps_the_resources_of_the_version_before(
    localstalk: Localstalk, cloudformation: Any
) -> None:
    localstalk.version("v1", **{".ebextensions/a.config": RESOURCES})
    environment_id = localstalk.create("env-one", SINGLE)
    localstalk.version("v2")
    added = localstalk.control.faults.add({"kind": "command", "version": "v2"})
    localstalk.update(VersionLabel="v2")
    assert added.hits == 1
    assert "Uploads" in kinds(cloudformation, environment_id)


def test_a_terminated_environments_stack_is_found_by_its_id_only(localstalk: Localstalk, cloudformation: Any) -> None:
    environment_id = localstalk.create("env-one", SINGLE)
    (stack,) = cloudformation.describe_stacks(StackName=name(environment_id))["Stacks"]
    localstalk.eb.terminate_environment(EnvironmentId=environment_id)
    localstalk.advance(600)
    (gone,) = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"]
    assert gone["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=name(environment_id))
    assert cloudformation.describe_stacks()["Stacks"] == []


def test_a_stack_that_fails(localstalk: Localstalk, cloudformation: Any) -> None:
    localstalk.driver.launch_failures.append("No room for another instance.")
    environment_id = localstalk.create("env-one")
    (stack,) = cloudformation.describe_stacks(StackName=name(environment_id))["Stacks"]
    assert stack["StackStatus"] == "CREATE_FAILED"


def test_users_stacks_live_beside_and_environments_stacks_cannot_be_changed(
    localstalk: Localstalk, cloudformation: Any
) -> None:
    environment_id = localstalk.create("env-one", SINGLE)
    body = json.dumps({"Resources": {"Mine": {"Type": "AWS::SQS::Queue"}}})
    cloudformation.create_stack(StackName="mine", TemplateBody=body)
    names = {each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]}
    assert names == {"mine", name(environment_id)}
    for refused in (
        lambda: cloudformation.delete_stack(StackName=name(environment_id)),
        lambda: cloudformation.update_stack(StackName=name(environment_id), TemplateBody=body),
    ):
        with pytest.raises(ClientError, match="belongs to an Elastic Beanstalk environment"):
            refused()
    cloudformation.delete_stack(StackName="mine")
    names = {each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]}
    assert names == {name(environment_id)}


def test_a_classic_load_balancer(localstalk: Localstalk, cloudformation: Any) -> None:
    environment_id = localstalk.create(
        "env-one", option("aws:elasticbeanstalk:environment", "LoadBalancerType", "classic")
    )
    (found,) = localstalk.eb.describe_environment_resources(EnvironmentId=environment_id)["EnvironmentResources"][
        "LoadBalancers"
    ]
    assert found["Name"].startswith(f"awseb-{environment_id[:3]}-AWSEBLoa-")
    elb = localstalk.client("elb")
    (balancer,) = elb.describe_load_balancers(LoadBalancerNames=[found["Name"]])["LoadBalancerDescriptions"]
    instances = localstalk.eb.describe_environment_resources(EnvironmentId=environment_id)["EnvironmentResources"][
        "Instances"
    ]
    assert [each["InstanceId"] for each in balancer["Instances"]] == [each["Id"] for each in instances]
    assert balancer["DNSName"] == localstalk.environment()["EndpointURL"]
    assert kinds(cloudformation, environment_id)["AWSEBLoadBalancer"] == "AWS::ElasticLoadBalancing::LoadBalancer"
    assert not localstalk.client("elbv2").describe_load_balancers()["LoadBalancers"]
    lines = localstalk.lines(EnvironmentName="env-one")
    created = [line for line in lines if "load balancer" in line or "target group" in line or "Listener" in line]
    assert created == [f"Created load balancer named: {found['Name'].rsplit('-', 1)[0]}-RND"]
    # It is there before the instances, and so before their security group.
    assert lines.index(created[0]) < lines.index("Created security group named: awseb-e-x-stack-AWSEBSecurityGroup-RND")
    localstalk.eb.terminate_environment(EnvironmentId=environment_id)
    localstalk.advance(600)
    assert f"Deleted load balancer named: {found['Name'].rsplit('-', 1)[0]}-RND" in localstalk.lines(
        EnvironmentName="env-one"
    )
    assert not elb.describe_load_balancers()["LoadBalancerDescriptions"]


def test_target_groups_know_the_instances(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option("aws:autoscaling:asg", "MinSize", "2"))
    elbv2 = localstalk.client("elbv2")
    (group,) = elbv2.describe_target_groups()["TargetGroups"]

    def targets() -> set[str]:
        health = elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        return {each["Target"]["Id"] for each in health}

    def instances() -> set[str]:
        resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
        return {each["Id"] for each in resources["Instances"]}

    before = instances()
    assert targets() == before
    localstalk.update(OptionSettings=[option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")])
    assert targets() == instances()
    assert not before & instances()


def test_the_type_of_a_load_balancer_stays(localstalk: Localstalk) -> None:
    localstalk.create("env-one")
    wanted = option("aws:elasticbeanstalk:environment", "LoadBalancerType", "network")
    with pytest.raises(ClientError, match="The type of a load balancer cannot be changed") as caught:
        localstalk.eb.update_environment(EnvironmentName="env-one", OptionSettings=[wanted])
    assert caught.value.response["Error"]["Code"] == "ConfigurationValidationException"
    same = option("aws:elasticbeanstalk:environment", "LoadBalancerType", "application")
    localstalk.eb.update_environment(EnvironmentName="env-one", OptionSettings=[same])


@pytest.mark.parametrize(("kind", "service"), [("classic", "elb"), ("application", "elbv2")])
def test_a_single_instance_gets_a_load_balancer_later(localstalk: Localstalk, kind: str, service: str) -> None:
    space = "aws:elasticbeanstalk:environment"
    localstalk.create("env-one", SINGLE, option(space, "LoadBalancerType", kind))
    localstalk.update(OptionSettings=[option(space, "EnvironmentType", "LoadBalanced")])
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    instances = {each["Id"] for each in resources["Instances"]}
    (balancer,) = resources["LoadBalancers"]
    client = localstalk.client(service)
    if kind == "classic":
        (found,) = client.describe_load_balancers(LoadBalancerNames=[balancer["Name"]])["LoadBalancerDescriptions"]
        assert {each["InstanceId"] for each in found["Instances"]} == instances
    else:
        (group,) = client.describe_target_groups(LoadBalancerArn=balancer["Name"])["TargetGroups"]
        targets = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        assert {each["Target"]["Id"] for each in targets} == instances
