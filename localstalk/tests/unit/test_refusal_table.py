# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS refuses, as a table: what is asked for, the code, the text or the events, and who has seen it.

A source in brackets is by analogy: who knows only that it is refused; then the text is EC2's, IAM's or our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from control_plane import PROFILE, STACK, Localstalk, option

LAUNCH, INSTANCES, VPC = "aws:autoscaling:launchconfiguration", "aws:ec2:instances", "aws:ec2:vpc"
ENVIRONMENT, MANAGED = "aws:elasticbeanstalk:environment", "aws:elasticbeanstalk:managedactions"
CONFIGURATION = "ConfigurationValidationException"
INVALID = "Configuration validation exception: Invalid option value: "


@dataclass(frozen=True)
class Refusal:
    """A call that is refused. ``settings`` go to CreateEnvironment and UpdateEnvironment."""

    code: str
    text: str
    source: str
    settings: tuple[dict[str, str], ...]


def at(namespace: str, name: str) -> str:
    return f"(Namespace: '{namespace}', OptionName: '{name}'): "


NOWHERE = [
    Refusal(
        CONFIGURATION,
        f"{INVALID}'sg-1d45423b' {at(LAUNCH, 'SecurityGroups')}The security group 'sg-1d45423b' does not exist",
        "alienfast/elastic-beanstalk#53, hashicorp/terraform#11962",
        (option(LAUNCH, "SecurityGroups", "sg-1d45423b"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'nobodys' {at(LAUNCH, 'EC2KeyName')}The key pair 'nobodys' does not exist",
        "(EC2: InvalidKeyPair.NotFound)",
        (option(LAUNCH, "EC2KeyName", "nobodys"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'ami-00000000' {at(LAUNCH, 'ImageId')}The image id '[ami-00000000]' does not exist",
        "(EC2: InvalidAMIID.NotFound)",
        (option(LAUNCH, "ImageId", "ami-00000000"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'t3.huge' {at(LAUNCH, 'InstanceType')}The instance type 't3.huge' does not exist",
        "(EC2: InvalidInstanceType)",
        (option(LAUNCH, "InstanceType", "t3.huge"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'t3.huge' {at(INSTANCES, 'InstanceTypes')}The instance type 't3.huge' does not exist",
        "(EC2: InvalidInstanceType)",
        (option(INSTANCES, "InstanceTypes", "t3.small, t3.huge"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'subnet-1' {at(VPC, 'Subnets')}The subnet ID 'subnet-1' does not exist",
        "(EC2: InvalidSubnetID.NotFound)",
        (option(VPC, "Subnets", "subnet-1"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'subnet-1' {at(VPC, 'ELBSubnets')}The subnet ID 'subnet-1' does not exist",
        "(EC2: InvalidSubnetID.NotFound)",
        (option(VPC, "ELBSubnets", "subnet-1"),),
    ),
    Refusal(
        CONFIGURATION,
        f"{INVALID}'vpc-1' {at(VPC, 'VPCId')}The vpc ID 'vpc-1' does not exist",
        "(EC2: InvalidVpcID.NotFound)",
        (option(VPC, "VPCId", "vpc-1"),),
    ),
    Refusal(
        CONFIGURATION,
        f"Configuration validation exception: Invalid option specification {at(VPC, 'Subnets1')}"
        "Unknown configuration setting.",
        "hashicorp/terraform#24096, #20257",
        (option(VPC, "Subnets1", "subnet-1"),),
    ),
    Refusal(
        CONFIGURATION,
        f"Configuration validation exception: Invalid option specification {at(MANAGED, 'ManagedActionsEnabled')}"
        "You can't enable managed platform updates when your environment uses the service-linked role "
        "'AWSServiceRoleForElasticBeanstalk'. Select a service role that has the "
        "'AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy' managed policy.",
        "two public write-ups of 2023 quote it",
        (option(MANAGED, "ManagedActionsEnabled", "true"),),
    ),
    Refusal(
        "InvalidParameterValue",
        "The scheduled action name cannot be blank.",
        "hashicorp/terraform#7867",
        (option("aws:autoscaling:scheduledaction", "MinSize", "1"),),
    ),
]


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def create(localstalk: Localstalk, *settings: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "ApplicationName": "app",
        "EnvironmentName": "env-one",
        "SolutionStackName": STACK,
        "OptionSettings": [PROFILE, *settings],
        **more,
    }


def by_text(refusal: Refusal) -> str:
    return refusal.text[-40:]


@pytest.mark.parametrize("refusal", NOWHERE, ids=by_text)
def test_settings_that_lead_nowhere(localstalk: Localstalk, refusal: Refusal) -> None:
    localstalk.version("v1")
    answer = refused(localstalk.eb.create_environment, **create(localstalk, *refusal.settings))
    assert answer == (refusal.code, refusal.text), refusal.source
    assert not localstalk.eb.describe_environments()["Environments"], "nothing was begun"
    localstalk.create()
    answer = refused(localstalk.eb.update_environment, EnvironmentName="env-one", OptionSettings=list(refusal.settings))
    assert answer == (refusal.code, refusal.text), refusal.source
    assert localstalk.environment()["Status"] == "Ready"


@pytest.mark.parametrize(
    ("balancer", "end"), [("classic", "."), ("application", " for load balancer type application.")]
)
def test_a_vpc_needs_subnets(localstalk: Localstalk, balancer: str, end: str) -> None:
    """meteor-up/mup-aws-beanstalk#27, aws/aws-elastic-beanstalk-cli#40."""
    localstalk.version("v1")
    vpc = option(VPC, "VPCId", localstalk.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"])
    kind = option(ENVIRONMENT, "LoadBalancerType", balancer)
    text = f"{INVALID}'null' {at(VPC, 'Subnets')}Specify the subnets for the VPC{end}"
    assert refused(localstalk.eb.create_environment, **create(localstalk, vpc, kind)) == (CONFIGURATION, text)


def errors(localstalk: Localstalk) -> list[str]:
    return [
        line.removeprefix("ERROR ") for line in localstalk.lines(EnvironmentName="env-one") if line.startswith("ERROR")
    ]


def make_empty_profile(localstalk: Localstalk) -> None:
    localstalk.client("iam").create_instance_profile(InstanceProfileName="empty")


ROLE = "arn:aws:iam::123456789012:role/nobodys"
IDENTITIES = [
    (
        option(LAUNCH, "IamInstanceProfile", "nobodys"),
        "The instance profile nobodys associated with the environment does not exist.",
        "jhipster/generator-jhipster#2452",
    ),
    (
        option(LAUNCH, "IamInstanceProfile", ROLE),
        f"The instance profile {ROLE} associated with the environment is invalid.",
        "aws/aws-cdk#28353",
    ),
    (
        option(LAUNCH, "IamInstanceProfile", "empty"),
        "The instance profile empty associated with the environment has no role. Please attach a role to the "
        "instance profile.",
        "onnela-lab/beiwe-backend#32",
    ),
    (
        option(ENVIRONMENT, "ServiceRole", ROLE),
        f'Unable to assume role "{ROLE}". Verify that the role exists and is configured correctly.',
        "onnela-lab/beiwe-backend#31",
    ),
]


@pytest.mark.parametrize(("setting", "text", "source"), IDENTITIES, ids=[text[-40:] for _, text, _ in IDENTITIES])
def test_profiles_and_roles_fail_the_launch_and_the_update(
    localstalk: Localstalk, setting: dict[str, str], text: str, source: str
) -> None:
    make_empty_profile(localstalk)
    localstalk.version("v1")
    localstalk.eb.create_environment(**create(localstalk, setting))
    localstalk.advance(60)
    named = [each["Message"] for each in localstalk.eb.describe_events(Severity="ERROR")["Events"]]
    assert named == ["Failed to launch environment.", text], source
    assert localstalk.environment()["Status"] == "Terminated"
    localstalk.create("env-two")
    localstalk.update(EnvironmentName="env-two", OptionSettings=[setting])
    events = localstalk.eb.describe_events(EnvironmentName="env-two", Severity="ERROR")["Events"]
    assert [each["Message"] for each in reversed(events)][:2] == [text, "Failed to deploy configuration."]
    assert localstalk.environment("env-two")["Status"] == "Ready"


def test_an_arm_type_does_not_run_an_x86_image(localstalk: Localstalk) -> None:
    """Auto Scaling's words: Genaker/TerraformMagentoCloud#21."""
    localstalk.create("env-one", option(INSTANCES, "InstanceTypes", "t4g.micro"))
    failed, aborted = errors(localstalk)
    assert failed.startswith(
        'Creating Auto Scaling group failed Reason: Resource handler returned message: "You must use a valid '
        "fully-formed launch template. The architecture 'arm64' of the specified instance type does not match the "
        "architecture 'x86_64' of the specified AMI."
    )
    assert "[AWSEBAutoScalingGroup]" in aborted
    # Developer Guide, aws:ec2:instances.
    localstalk.create(
        "env-two", option(INSTANCES, "InstanceTypes", "t4g.micro"), option(INSTANCES, "SupportedArchitectures", "arm64")
    )
    assert localstalk.environment("env-two")["Health"] == "Green"


def test_an_application_load_balancer_in_one_subnet(localstalk: Localstalk) -> None:
    """Elastic Load Balancing's words: aws-samples/aws-cdk-examples#226."""
    subnets = [each["SubnetId"] for each in localstalk.client("ec2").describe_subnets()["Subnets"]]
    localstalk.create("env-one", option(VPC, "ELBSubnets", subnets[0]))
    failed, aborted = errors(localstalk)
    text = "At least two subnets in two different Availability Zones must be specified"
    assert failed.startswith(f'Creating load balancer failed Reason: Resource handler returned message: "{text} (')
    assert "[AWSEBV2LoadBalancer]" in aborted
    localstalk.create("env-two", option(VPC, "ELBSubnets", ",".join(subnets[:2])))
    assert localstalk.environment("env-two")["Health"] == "Green"


def pairs(count: int) -> list[dict[str, str]]:
    return [{"Key": f"key-{number}", "Value": "value"} for number in range(count)]


@pytest.mark.parametrize(
    ("tags", "code", "text"),
    [
        (pairs(48), "TooManyTagsException", "A resource cannot have more than 47 tags."),
        ([{"Key": "k" * 128, "Value": "v"}], "InvalidParameterValue", "is longer than 127 characters."),
        ([{"Key": "k", "Value": "v" * 256}], "InvalidParameterValue", "is longer than 255 characters."),
        ([{"Key": "a,b", "Value": "v"}], "InvalidParameterValue", "Tag key 'a,b' has other characters than"),
        ([{"Key": "k", "Value": "a;b"}], "InvalidParameterValue", "Tag value 'a;b' has other characters than"),
        ([{"Key": "aws:mine", "Value": "v"}], "InvalidParameterValue", "Tag key 'aws:mine' is reserved."),
    ],
)
def test_tags(localstalk: Localstalk, tags: list[dict[str, str]], code: str, text: str) -> None:
    """Developer Guide, "Tagging Elastic Beanstalk environments"; the wording is ours."""
    localstalk.version("v1")
    found = refused(localstalk.eb.create_environment, **create(localstalk, Tags=tags))
    assert (found[0], text in found[1]) == (code, True)
    localstalk.create("env-two", Tags=[{"Key": "Grüße_.:/=+- @", "Value": "ok 1"}])
    arn = localstalk.environment("env-two")["EnvironmentArn"]
    found = refused(localstalk.eb.update_tags_for_resource, ResourceArn=arn, TagsToAdd=tags)
    assert (found[0], text in found[1]) == (code, True)


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "text", "source"),
    [
        (
            "create_environment",
            {"ApplicationName": "app", "EnvironmentName": "this-is-an-incredibly-long-environment-name"},
            "ValidationError",
            "1 validation error detected: Value 'this-is-an-incredibly-long-environment-name' at 'environmentName' "
            "failed to satisfy constraint: Member must have length less than or equal to 40",
            "aws/aws-cli#1891",
        ),
        (
            "create_application_version",
            {"ApplicationName": "app", "VersionLabel": "v9", "SourceBundle": {"S3Bucket": "none", "S3Key": "a.zip"}},
            "InvalidParameterCombination",
            "Unable to download from S3 location (Bucket: none  Key: a.zip). Reason: Not Found",
            "hsingh/ansible-elastic-beanstalk#40",
        ),
        (
            "create_application_version",
            {"ApplicationName": "app", "VersionLabel": "v9", "SourceBundle": {"S3Bucket": "far", "S3Key": "a.zip"}},
            "InvalidParameterCombination",
            "Unable to download from S3 location (Bucket: far  Key: a.zip). Reason: Moved Permanently",
            "docs/elastic_beanstalk.md §13",
        ),
        (
            "update_application_resource_lifecycle",
            {
                "ApplicationName": "app",
                "ResourceLifecycleConfig": {"VersionLifecycleConfig": {"MaxCountRule": {"Enabled": True}}},
            },
            "InvalidParameterValue",
            "ServiceRole is not a valid arn",
            "docs/elastic_beanstalk.md §13",
        ),
    ],
)
def test_codes(
    localstalk: Localstalk, operation: str, parameters: dict[str, Any], code: str, text: str, source: str
) -> None:
    localstalk.version("v1")
    far = f"far-{localstalk.account}"
    place = {"LocationConstraint": "eu-west-1"}
    localstalk.client("s3", region="eu-west-1").create_bucket(Bucket=far, CreateBucketConfiguration=place)
    if parameters.get("SourceBundle", {}).get("S3Bucket") == "far":
        parameters = parameters | {"SourceBundle": {"S3Bucket": far, "S3Key": "a.zip"}}
    client = localstalk.client("elasticbeanstalk", config=Config(parameter_validation=False))
    found = refused(getattr(client, operation), **parameters)
    assert (found[0], found[1].replace(far, "far")) == (code, text), source


def test_an_account_begins_with_the_guides_roles(localstalk: Localstalk) -> None:
    iam = localstalk.client("iam")
    profile = iam.get_instance_profile(InstanceProfileName="aws-elasticbeanstalk-ec2-role")["InstanceProfile"]
    assert [each["RoleName"] for each in profile["Roles"]] == ["aws-elasticbeanstalk-ec2-role"]
    assert iam.get_role(RoleName="aws-elasticbeanstalk-service-role")["Role"]["RoleName"]
