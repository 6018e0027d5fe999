# SPDX-License-Identifier: GPL-3.0-or-later
"""DescribeConfigurationSettings, line by line beside what AWS answered (tests/fixtures/captured-settings*.tsv).

What differs is named here and in the README, each with its reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from control_plane import SINGLE, STACK, Localstalk, option

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "localstalk" / "README.md").read_text(encoding="utf-8")
LAUNCH, INSTANCES, VPC = "aws:autoscaling:launchconfiguration", "aws:ec2:instances", "aws:ec2:vpc"
PARAMETERS, HEALTH = "aws:cloudformation:template:parameter", "aws:elasticbeanstalk:healthreporting:system"
PYTHON = "64bit Amazon Linux 2023 v4.8.0 running Python 3.11"
NO_VALUE = "(no Value member)"
Line = tuple[str, str, str]
"""Option, resource name and value."""


def captured(name: str) -> dict[str, tuple[str, str]]:
    text = (ROOT / "tests" / "fixtures" / name).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {f"{space}:{option}": (resource, value) for space, option, resource, value in rows}


def described(localstalk: Localstalk, name: str = "env-one", **more: str) -> list[dict[str, str]]:
    asked = more or {"EnvironmentName": name}
    found = localstalk.eb.describe_configuration_settings(ApplicationName="app", **asked)["ConfigurationSettings"]
    settings: list[dict[str, str]] = found[0]["OptionSettings"]
    return settings


def lines(settings: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    found = {
        f"{each['Namespace']}:{each['OptionName']}": (each.get("ResourceName", ""), each.get("Value", NO_VALUE))
        for each in settings
    }
    assert len(found) == len(settings), "an option is told twice"
    return found


def values(localstalk: Localstalk, name: str = "env-one") -> dict[tuple[str, str], str | None]:
    return {(each["Namespace"], each["OptionName"]): each.get("Value") for each in described(localstalk, name)}


def differences(ours: dict[str, tuple[str, str]], theirs: dict[str, tuple[str, str]]) -> dict[str, str]:
    """By option: what is not as it was captured. A value in angle brackets says what was there."""
    found = {}
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs:
            found[name] = "not captured"
        elif name not in ours:
            found[name] = "not told"
        elif ours[name][0] != theirs[name][0]:
            found[name] = f"resource {ours[name][0]}"
        elif ours[name][1] != theirs[name][1] and ("<" not in theirs[name][1] or ours[name][1] == NO_VALUE):
            found[name] = f"value {ours[name][1]}"
    return found


def test_a_classic_load_balancer_is_described_as_aws_does(localstalk: Localstalk) -> None:
    ec2 = localstalk.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    localstalk.create(
        "env-one",
        option(VPC, "VPCId", vpc),
        option(VPC, "Subnets", subnet),
        option(VPC, "ELBSubnets", subnet),
        option(VPC, "AssociatePublicIpAddress", "true"),
        option("aws:elasticbeanstalk:environment", "LoadBalancerType", "classic"),
        stack=PYTHON,
    )
    settings = described(localstalk)
    assert [(each["Namespace"], each["OptionName"]) for each in settings] == sorted(
        (each["Namespace"], each["OptionName"]) for each in settings
    )
    assert len(settings) == 118
    assert differences(lines(settings), captured("captured-settings.tsv")) == {}
    have = values(localstalk)
    groups = {each["GroupId"]: each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]}
    assert "AWSEBSecurityGroup" in groups[str(have[LAUNCH, "SecurityGroups"])]
    assert "AWSEBLoadBalancerSecurityGroup" in groups[str(have["aws:elb:loadbalancer", "SecurityGroups"])]
    assert have[LAUNCH, "IamInstanceProfile"] == "aws-elasticbeanstalk-ec2-role"
    image = ec2.describe_images(ImageIds=[have[LAUNCH, "ImageId"]])["Images"][0]
    assert image["Name"].startswith("al2023-ami")
    assert (have[VPC, "VPCId"], have[VPC, "Subnets"], have[VPC, "ELBSubnets"]) == (vpc, subnet, subnet)
    assert str(have[PARAMETERS, "EnvironmentVariables"]) == "PYTHONPATH=/var/app/venv/staging-LQM1lest/bin"
    document = json.loads(str(have[HEALTH, "ConfigDocument"]))
    assert set(document["CloudWatchMetrics"]) == {"Instance", "Environment"}
    for name in ("AppSource", "HooksPkgUrl"):
        pattern = r"https://elasticbeanstalk-platform-assets-us-east-1\.s3\.amazonaws\.com/stalks/eb_python_\S+"
        assert re.fullmatch(pattern, str(have[PARAMETERS, name]))


NEWER = {
    "aws:autoscaling:launchconfiguration:DisableDefaultEC2SecurityGroup": "not captured",
    "aws:autoscaling:launchconfiguration:LaunchTemplateTagPropagationEnabled": "not captured",
    "aws:ec2:instances:SpotAllocationStrategy": "not captured",
    "aws:ec2:instances:SupportedArchitectures": "not captured",
    "aws:rds:dbinstance:HasCoupledDatabase": "not captured",
}
"""Options that AWS has added since: the newer capture of a classic load balancer has them."""


def test_an_application_load_balancer_is_described_as_aws_did(localstalk: Localstalk) -> None:
    theirs = captured("captured-settings-application.tsv")
    role = f"arn:aws:iam::{localstalk.account}:role/aws-elasticbeanstalk-service-role"
    own = (PARAMETERS, HEALTH, "aws:ec2:instances")
    wanted = []
    for name, (_, value) in theirs.items():
        space, _, label = name.rpartition(":")
        if value == NO_VALUE or space in own or (value.startswith("<") or "<name>" in value):
            continue
        wanted.append(option(space, label, role if "<account>" in value else value))
    group = localstalk.client("ec2").create_security_group(GroupName="ours", Description="ours")["GroupId"]
    balancer = "aws:elbv2:loadbalancer"
    wanted += [option(space, "SecurityGroups", group) for space in (LAUNCH, balancer)]
    localstalk.create("env-one", *wanted, option(INSTANCES, "InstanceTypes", "t2.micro,t2.small"))
    for space in (LAUNCH, balancer):
        given, generated = str(values(localstalk)[space, "SecurityGroups"]).split(",")
        assert (given, generated[:3]) == (group, "sg-")
    found = differences(lines(described(localstalk)), theirs)
    topic = "aws:elasticbeanstalk:sns:topics:Notification Topic ARN"
    assert found == NEWER | {
        "aws:elbv2:loadbalancer:IpAddressType": "not captured",
        topic: f"value {NO_VALUE}",
    }
    for name in found.keys() - NEWER.keys():
        assert f"`{name.rpartition(':')[2]}`" in README


def test_a_single_instance_is_described_as_aws_did(localstalk: Localstalk) -> None:
    localstalk.control.launch_configurations = True
    theirs = captured("captured-settings-single.tsv")
    localstalk.create(
        "env-one",
        SINGLE,
        option(LAUNCH, "InstanceType", "t1.micro"),
        option(LAUNCH, "EC2KeyName", localstalk.client("ec2").create_key_pair(KeyName="aws")["KeyName"]),
        option("aws:elasticbeanstalk:application:environment", "PARAM1", "one"),
        option("aws:elasticbeanstalk:command", "BatchSize", "30"),
        option("aws:elasticbeanstalk:container:python", "WSGIPath", "application.py"),
        stack="64bit Amazon Linux 2018.03 v2.10.5 running Python 3.6",
    )
    # Eleven years: only what is not as it was then tells something.
    changed = {
        name: text for name, text in differences(lines(described(localstalk)), theirs).items() if text != "not captured"
    }
    assert changed == {}
    told = {each["Namespace"] for each in described(localstalk)}
    assert not [each for each in told if each.startswith(("aws:elb", "aws:autoscaling:trigger"))]


def test_options_of_other_kinds_are_taken_and_not_told(localstalk: Localstalk) -> None:
    """cloudposse/terraform-aws-elastic-beanstalk-environment#43, pulumi/pulumi-aws#920."""
    localstalk.create(
        "env-one",
        option("aws:elb:policies", "ConnectionDrainingEnabled", "true"),
        option("aws:elasticbeanstalk:customoption", "Cache", "small"),
        option("aws:elasticbeanstalk:sqsd", "HttpPath", "/jobs"),
    )
    told = {namespace for namespace, _ in values(localstalk)}
    assert not told & {"aws:elb:policies", "aws:elasticbeanstalk:customoption", "aws:elasticbeanstalk:sqsd"}
    assert not [each for each in told if each.startswith("aws:elasticbeanstalk:container:")]


def test_a_family_is_told_as_a_whole(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option("aws:elbv2:listener:443", "Protocol", "HTTPS"))
    listener = {
        each["OptionName"]: (each["ResourceName"], each.get("Value"))
        for each in described(localstalk)
        if each["Namespace"] == "aws:elbv2:listener:443"
    }
    # As in a listing of 2021: resource name, and options without a value.
    name = "AWSEBV2LoadBalancerListener443"
    assert listener == {
        "DefaultProcess": (name, "default"),
        "ListenerEnabled": (name, "true"),
        "Protocol": (name, "HTTPS"),
        "Rules": (name, None),
        "SSLCertificateArns": (name, None),
        "SSLPolicy": (name, None),
    }


def test_instance_types_decide_over_the_type(localstalk: Localstalk) -> None:
    localstalk.create(
        "env-one", option(LAUNCH, "InstanceType", "t3.large"), option(INSTANCES, "InstanceTypes", "t3.small,t3.medium")
    )
    have = values(localstalk)
    assert (have[LAUNCH, "InstanceType"], have[INSTANCES, "InstanceTypes"]) == ("t3.small", "t3.small, t3.medium")
    assert have[PARAMETERS, "InstanceTypeFamily"] == "t3"
    assert kinds(localstalk) == ["t3.small"]
    localstalk.update(OptionSettings=[option(INSTANCES, "InstanceTypes", "t3.medium,t3.small")])
    assert kinds(localstalk) == ["t3.medium"]
    removed = [{"Namespace": INSTANCES, "OptionName": "InstanceTypes"}]
    localstalk.update(OptionsToRemove=removed)
    assert kinds(localstalk) == ["t3.large"]


def kinds(localstalk: Localstalk) -> list[str]:
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    ids = [each["Id"] for each in resources["Instances"]]
    pages = localstalk.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return [each["InstanceType"] for page in pages for each in page["Instances"]]


def launches(localstalk: Localstalk) -> tuple[list[str], list[str]]:
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    return (
        [each["Id"][:3] for each in resources["LaunchTemplates"]],
        [each["Name"].split("-")[4] for each in resources["LaunchConfigurations"]],
    )


def test_tokens_are_a_must_and_launch_templates_stay(localstalk: Localstalk) -> None:
    localstalk.create()
    assert values(localstalk)[LAUNCH, "DisableIMDSv1"] == "true"
    assert launches(localstalk) == (["lt-"], [])
    template = localstalk.client("ec2").describe_launch_template_versions(Versions=["$Default"])[
        "LaunchTemplateVersions"
    ]
    assert template[0]["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"] == "required"
    localstalk.update(OptionSettings=[option(LAUNCH, "DisableIMDSv1", "false")])
    assert launches(localstalk) == (["lt-"], [])
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    assert not localstalk.client("ec2").describe_launch_templates()["LaunchTemplates"]


@pytest.mark.parametrize(
    "trigger",
    [
        option(LAUNCH, "DisableIMDSv1", "true"),
        option(LAUNCH, "RootVolumeType", "gp3"),
        option(LAUNCH, "BlockDeviceMappings", "/dev/sdj=:100:true:gp3"),
        option(INSTANCES, "EnableSpot", "true"),
    ],
)
def test_what_needs_a_launch_template(localstalk: Localstalk, trigger: dict[str, str]) -> None:
    localstalk.create("env-one", option(LAUNCH, "DisableIMDSv1", "false"), trigger)
    assert (localstalk.environment()["Health"], launches(localstalk)) == ("Green", (["lt-"], []))


def test_new_accounts_cannot_have_launch_configurations(localstalk: Localstalk) -> None:
    """aws/aws-elastic-beanstalk-cli#525, #528."""
    localstalk.create("env-one", option(LAUNCH, "DisableIMDSv1", "false"))
    text = "The Launch Configuration creation operation is not available in your account. Use launch templates"
    (creating, aborted) = [each for each in localstalk.lines(EnvironmentName="env-one") if each.startswith("ERROR")]
    assert creating.startswith(
        f'ERROR Creating Auto Scaling launch configuration failed Reason: Resource handler returned message: "{text}'
    )
    assert aborted.rstrip() == (
        "ERROR Stack named 'awseb-e-x-stack' aborted operation. Current state: 'CREATE_FAILED'  "
        "Reason: The following resource(s) failed to create: [AWSEBAutoScalingLaunchConfiguration]."
    )
    assert localstalk.environment()["Status"] == "Ready"


def test_old_accounts_have_them(localstalk: Localstalk) -> None:
    localstalk.control.launch_configurations = True
    localstalk.create("env-one", option(LAUNCH, "DisableIMDSv1", "false"))
    assert launches(localstalk) == ([], ["AWSEBAutoScalingLaunchConfiguration"])
    named = "awseb-e-x-stack-AWSEBAutoScalingLaunchConfiguration-RND"
    assert f"Created Auto Scaling launch configuration named: {named}" in localstalk.lines()
    (profile,) = [each for each in described(localstalk) if each["OptionName"] == "IamInstanceProfile"]
    assert profile["ResourceName"] == "AWSEBAutoScalingLaunchConfiguration"
    localstalk.update(OptionSettings=[option(INSTANCES, "InstanceTypes", "t3.large")])
    assert (kinds(localstalk), launches(localstalk)) == (["t3.large"], ([], ["AWSEBAutoScalingLaunchConfiguration"]))


def test_none_is_enough_and_turns_the_environment_grey(localstalk: Localstalk) -> None:
    localstalk.create("env-one", *(option("aws:autoscaling:asg", name, "0") for name in ("MinSize", "MaxSize")))
    localstalk.advance(60)
    environment = localstalk.environment()
    assert (environment["Status"], environment["Health"], environment["HealthStatus"]) == ("Ready", "Grey", "No Data")
    assert environment["Tier"] == {"Name": "WebServer", "Type": "Standard", "Version": "1.0"}


@pytest.mark.parametrize(
    ("namespace", "name", "good", "bad"),
    [
        ("aws:autoscaling:asg", "MaxSize", "10000", "10001"),
        ("aws:autoscaling:trigger", "UpperThreshold", "99000000", "-1"),
        ("aws:autoscaling:trigger", "LowerThreshold", "0", "-1"),
        ("aws:elb:policies", "Stickiness Cookie Expiration", "1000000", "1000001"),
        ("aws:elasticbeanstalk:container:python", "NumProcesses", "0", "-1"),
        ("aws:elasticbeanstalk:container:python", "NumThreads", "500", "-1"),
        (HEALTH, "ConfigDocument", "{}", "{"),
    ],
)
def test_limits(localstalk: Localstalk, namespace: str, name: str, good: str, bad: str) -> None:
    """DescribeConfigurationOptions as captured about 2018 (docs/elastic_beanstalk.md §13)."""
    localstalk.version("v1")
    template = {"ApplicationName": "app", "TemplateName": "t1"}
    localstalk.eb.create_configuration_template(**template, SolutionStackName=STACK)
    localstalk.eb.update_configuration_template(**template, OptionSettings=[option(namespace, name, good)])
    with pytest.raises(ClientError, match="Configuration validation exception: Invalid option value"):
        localstalk.eb.update_configuration_template(**template, OptionSettings=[option(namespace, name, bad)])


def test_a_saved_configuration_is_told_with_everything_that_would_be(localstalk: Localstalk) -> None:
    made = localstalk.create("env-one", option("aws:autoscaling:asg", "MaxSize", "3"))
    localstalk.eb.create_configuration_template(ApplicationName="app", TemplateName="t1", EnvironmentId=made)
    saved, own = lines(described(localstalk, TemplateName="t1")), lines(described(localstalk))
    groups = {name for name in own if name.endswith(":SecurityGroups")}
    assert {name: own[name] for name in own if name not in groups} == {
        name: saved[name] for name in saved if name not in groups
    }
    assert {saved[name][1] for name in groups} == {NO_VALUE}, "they are not made yet"
