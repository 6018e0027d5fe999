# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight_info on localstalk: what it reads, and that it writes nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from administration import ask

Run = Callable[..., dict[str, Any]]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
BLOG = Path(__file__).resolve().parents[4] / "examples" / "blog"
LAUNCH = "aws:autoscaling:launchconfiguration"
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
# As in the image manifest specification of OCI.
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": f"sha256:{'0' * 64}"},
    "layers": [],
}
READS = ("Get", "Describe", "List", "Check", "Simulate", "Validate", "GET", "HEAD")


def wanted(**changes: Any) -> dict[str, Any]:
    return {
        "application": "flights",
        "name": "flights",
        "cname_prefix": "flights",
        "platform": PLATFORM,
        "option_settings": {
            LAUNCH: {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
            "aws:elasticbeanstalk:environment": {
                "LoadBalancerType": "application",
                "ServiceRole": "aws-elasticbeanstalk-service-role",
            },
            "aws:elasticbeanstalk:application:environment": {"ALLOWED_HOSTS": "*"},
        },
        **changes,
    }


def bad(found: dict[str, Any]) -> list[str]:
    assert "findings" in found, found
    return [f"{one['level']}: {one['what']}" for one in found["findings"] if one["level"] != "ok"]


def calls(env: dict[str, str]) -> Counter[str]:
    """How often each operation was called since localstalk began; those of S3 by their HTTP method."""
    return Counter(json.loads(ask(env, "calls")))


@pytest.fixture
def live(run: Run, bundle: Callable[[str], str]) -> Iterator[str]:
    """An environment that is there already; its id."""
    run("application", name="flights")
    run("application_version", application="flights", version_label="v1", src=bundle("v1"), **QUICK)
    made = run("environment", version_label="v1", **wanted(), **QUICK)
    assert not made.get("failed"), made["msg"]
    yield made["environment"]["environment_id"]
    run("environment", application="flights", name="flights", state="absent", **QUICK)
    run("application", name="flights", state="absent")


def test_all_is_well_before_the_first_deployment_and_nothing_is_written(
    run: Run, localstalk_env: dict[str, str]
) -> None:
    before = calls(localstalk_env)
    found = run("preflight_info", **wanted(), source=str(BLOG), local_images=True)
    assert bad(found) == []
    assert found["ok_count"] >= 15
    assert found["changed"] is False
    sent = calls(localstalk_env) - before
    assert sent.total() == found["api_calls"]
    assert 0 < sent.total() <= 40
    assert found["seconds"] > 0
    assert [name for name in sent if not name.partition(":")[2].startswith(READS)] == []


def test_settings_of_an_environment_are_validated_and_its_copy_too(run: Run, live: str) -> None:
    found = run("preflight_info", **wanted())
    assert bad(found) == []
    said = [one["what"] for one in found["findings"]]
    assert (
        "Elastic Beanstalk has no objection to the option settings of a deployment, and of a cycle's copy of the live "
        "environment." in said
    )
    assert f"The CNAME flights.us-east-1.elasticbeanstalk.com is held by flights ({live})." in said
    options = {**wanted()["option_settings"], "aws:autoscaling:asg": {"MinSize": "-1"}}
    wrong = bad(run("preflight_info", **wanted(option_settings=options)))
    assert [one.partition(": ")[2][:75] for one in wrong] == [
        "Elastic Beanstalk says of aws:autoscaling:asg MinSize, for a deployment: In"[:75],
        "Elastic Beanstalk says of aws:autoscaling:asg MinSize, for a cycle's copy: "[:75],
    ]


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {LAUNCH: {"IamInstanceProfile": "nobody", "EC2KeyName": "lost"}},
            [
                "error: There is no instance profile nobody, or it has no role.",
                "error: There is no key pair lost in us-east-1.",
            ],
        ),
        (
            {"aws:ec2:vpc": {"VPCId": "vpc-lost", "Subnets": "subnet-lost"}},
            ["error: There is no VPC vpc-lost in us-east-1.", "error: There is no subnet subnet-lost."],
        ),
        (
            {
                "aws:elasticbeanstalk:application:environmentsecrets": {
                    "TOKEN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:lost-a1B2c3"
                }
            },
            ["error: The secret of TOKEN cannot be had: it does not exist."],
        ),
    ],
)
def test_what_is_not_there_is_found(run: Run, changes: dict[str, Any], sentences: list[str]) -> None:
    options = {**wanted()["option_settings"], **changes}
    if LAUNCH not in changes:
        options[LAUNCH] = {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
    assert bad(run("preflight_info", **wanted(option_settings=options))) == sentences


def test_virtual_processors_are_those_of_running_instances(run: Run, live: str, aws: dict[str, str]) -> None:
    types = {"aws:ec2:instances": {"InstanceTypes": "m5.xlarge, t3.micro"}, "aws:autoscaling:asg": {"MinSize": "3"}}
    found = run("preflight_info", **wanted(option_settings={**wanted()["option_settings"], **types}))
    said = [one["what"] for one in found["findings"] if "vCPU" in one["what"]]
    keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
    ec2 = boto3.client("ec2", endpoint_url=aws["endpoint_url"], region_name=aws["region"], **keys)
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    there = [one for group in ec2.describe_instances(Filters=states)["Reservations"] for one in group["Instances"]]
    used = len(there) * 2  # all have the type that is the default, of two virtual processors
    assert used >= 2, live
    assert said == [f"{used} of 800 vCPUs of On-Demand standard instances are in use, and an environment takes 12."]
    spot = {**types, "aws:ec2:instances": {"EnableSpot": "true"}}
    found = run("preflight_info", **wanted(option_settings={**wanted()["option_settings"], **spot}))
    assert [one for one in found["findings"] if "vCPU" in one["what"]] == []


def test_base_image_in_the_registry_of_the_account(run: Run, aws: dict[str, str]) -> None:
    keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
    ecr = boto3.client("ecr", endpoint_url=aws["endpoint_url"], region_name=aws["region"], **keys)
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    image = f"{host}/flights/base:one"

    def look(name: str) -> list[str]:
        return bad(run("preflight_info", **wanted(), base_image=name))

    assert look(image) == [f"error: There is no repository in Amazon ECR for the base image {image}."]
    ecr.create_repository(repositoryName="flights/base")
    assert look(image) == [f"error: There is no image in Amazon ECR for the base image {image}."]
    ecr.put_image(repositoryName="flights/base", imageManifest=json.dumps(MANIFEST), imageTag="one")
    for there in (image, f"{host}/flights/base"):
        assert look(there) == [
            f"warning: The base image {there} is in Amazon ECR, and the role aws-elasticbeanstalk-ec2-role may not "
            "ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer."
        ]
    other = "registry.example.com/base"
    said = [one["what"] for one in run("preflight_info", **wanted(), base_image=other)["findings"]]
    assert f"The base image is {other}; its registry cannot be looked at from here, and has to be a public one." in said


def test_secret_that_instances_may_not_read_is_found(run: Run, aws: dict[str, str]) -> None:
    keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
    place = {"endpoint_url": aws["endpoint_url"], "region_name": aws["region"], **keys}
    arn = boto3.client("secretsmanager", **place).create_secret(Name="flights", SecretString="x")["ARN"]
    iam = boto3.client("iam", **place)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="blind", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.create_instance_profile(InstanceProfileName="blind")
    iam.add_role_to_instance_profile(InstanceProfileName="blind", RoleName="blind")

    def look(profile: str) -> list[str]:
        options = {
            **wanted()["option_settings"],
            LAUNCH: {"IamInstanceProfile": profile},
            "aws:elasticbeanstalk:application:environmentsecrets": {"TOKEN": f"{arn}:password"},
        }
        return bad(run("preflight_info", **wanted(option_settings=options)))

    assert look("shop-instances") == []
    assert look("blind") == [
        "warning: The role blind of the instance profile blind lacks AWSElasticBeanstalkWebTier.",
        "error: The secret of TOKEN cannot be had: the role blind of the instances may not "
        "secretsmanager:GetSecretValue.",
    ]


def test_what_may_not_be_read_is_said_and_the_rest_is_looked_at(
    run: Run, faults: Any, localstalk_env: dict[str, str]
) -> None:
    for service, operation in (
        ("ec2", "DescribeKeyPairs"),
        ("iam", "SimulatePrincipalPolicy"),
        ("elasticbeanstalk", "DescribeEvents"),
    ):
        faults.add(kind="error", service=service, operations=[operation], code="AccessDenied", http_status=403)
    options = {
        **wanted()["option_settings"],
        LAUNCH: {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role", "EC2KeyName": "x"},
    }
    before = calls(localstalk_env)
    found = run("preflight_info", **wanted(option_settings=options))
    poorer, untold, unread = bad(found)
    assert poorer == (
        "warning: The credentials may not do what reports and looks ahead of deploy.yml and recreate_and_swap.yml ask "
        "for: elasticbeanstalk:DescribeEvents."
    )
    assert untold.startswith(
        "warning: Whether the credentials may do all that deploy.yml and recreate_and_swap.yml may ask for cannot be "
        "told. Not to be tried are elasticbeanstalk:AbortEnvironmentUpdate, "
    )
    assert "elasticbeanstalk:DescribeApplications," not in untold
    assert unread == "warning: Nothing is known of key pairs: the credentials may not ask."
    sent = calls(localstalk_env) - before
    assert [name for name in sent if not name.partition(":")[2].startswith(READS)] == []


def test_settings_that_cannot_be_meant_are_one_finding(run: Run) -> None:
    found = run("preflight_info", **wanted(option_settings={"aws:cloudformation:template:parameter": {"A": 1}}))
    assert bad(found) == ["error: aws:cloudformation:template:parameter (A) is Elastic Beanstalk's own; leave it out."]
    assert found["api_calls"] == 0
