# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault at a time, each found with its sentence, in a world where all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import parse
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.preflight.facts import (
    Bucket,
    EcrImage,
    Facts,
    Quota,
    Role,
    Subnet,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.preflight.run import findings_of
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.preflight.wanted import Wanted

STACK = "64bit Amazon Linux 2023 v4.3.0 running Docker"
BRANCH = "Docker running on 64bit Amazon Linux 2023"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1B2c3"
OPTIONS: dict[str, dict[str, Any]] = {
    "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "instances", "EC2KeyName": "ops"},
    "aws:elasticbeanstalk:environment": {"ServiceRole": "service", "LoadBalancerType": "application"},
    "aws:ec2:vpc": {"VPCId": "vpc-1", "Subnets": "subnet-a,subnet-b", "ELBSubnets": "subnet-a,subnet-b"},
    "aws:elasticbeanstalk:application:environmentsecrets": {"TOKEN": SECRET},
}
SUBNETS = (Subnet("subnet-a", "vpc-1", "1a", "nat-1"), Subnet("subnet-b", "vpc-1", "1b", "nat-1"))
LIVE = {
    "ApplicationName": "shop",
    "EnvironmentId": "e-1",
    "EnvironmentName": "shop",
    "CNAME": "shop.eu-central-1.elasticbeanstalk.com",
    "Status": "Ready",
}
FACTS = Facts(
    arn="arn:aws:iam::123456789012:user/ops",
    account="123456789012",
    partition="aws",
    region="eu-central-1",
    denied=(),
    profile=Role("instances", True, frozenset({"ec2.amazonaws.com"}), frozenset({"AWSElasticBeanstalkWebTier"})),
    service_role=Role(
        "service",
        True,
        frozenset({"elasticbeanstalk.amazonaws.com"}),
        frozenset({"AWSElasticBeanstalkEnhancedHealth"}),
    ),
    vpcs={"vpc-1": False},
    subnets=SUBNETS,
    keys=frozenset({"ops"}),
    quotas={"environments": Quota(3, 200), "load balancers": Quota(2, 50), "application versions": Quota(10, 1000)},
    stacks=(STACK,),
    branch_state="Supported",
    environments=(LIVE,),
    live=LIVE,
    secrets={SECRET: ""},
    bucket=Bucket("elasticbeanstalk-eu-central-1-123456789012", encryption="AES256", ownership="ObjectWriter"),
)
WANTED = Wanted(
    application="shop",
    cname_prefix="shop",
    name="shop",
    platform=BRANCH,
    settings=parse(OPTIONS),
    tags={"team": "web"},
    playbooks=("deploy", "recreate_and_swap"),
    image="registry.example.com/shop-base",
)


def options(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """The options with some of one namespace changed; None leaves one out."""
    names = {"launch": "aws:autoscaling:launchconfiguration", "vpc": "aws:ec2:vpc", "env": list(OPTIONS)[1]}
    names |= {"managed": "aws:elasticbeanstalk:managedactions"}
    changed = {name: dict(values) for name, values in OPTIONS.items()}
    for short, values in changes.items():
        namespace = changed.setdefault(names[short], {})
        namespace |= values
        for name in [name for name, value in values.items() if value is None]:
            del namespace[name]
    return {"settings": parse(changed)}


def bad(facts: Facts = FACTS, wanted: Wanted = WANTED) -> list[tuple[str, str]]:
    return [(one.level, one.what) for one in findings_of(facts, wanted) if one.level != "ok"]


def test_all_is_well() -> None:
    assert bad() == []
    found = findings_of(FACTS, WANTED)
    assert found[0].what == (
        "The credentials are those of arn:aws:iam::123456789012:user/ops, in account 123456789012, "
        "region eu-central-1, partition aws."
    )
    assert not any(one.what_to_do for one in found)


NO_ENVIRONMENT: dict[str, Any] = {"live": None, "environments": (), "cname_free": True}
LOOKS = ["ec2:DescribeInstances", "elasticbeanstalk:DescribeEvents", "iam:SimulatePrincipalPolicy"]
IN_ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:2"
SINGLE = options(env={"EnvironmentType": "SingleInstance"})
COUPLED = [
    {"Namespace": "aws:rds:dbinstance", "OptionName": "HasCoupledDatabase", "Value": "true"},
    {"Namespace": "aws:rds:dbinstance", "OptionName": "DBDeletionPolicy", "Value": "Delete"},
]
SHARED = [{"Namespace": "aws:elasticbeanstalk:environment", "OptionName": "LoadBalancerIsShared", "Value": "true"}]
MESSAGE = {"Severity": "error", "Namespace": "aws:autoscaling:asg", "OptionName": "MinSize", "Message": "Too small."}


@pytest.mark.parametrize(
    ("facts", "wanted", "level", "sentence"),
    [
        ({"arn": "arn:aws:iam::1:root", "denied": None}, {}, "warning", "those of the root user"),
        (
            {"denied": ["s3:PutObject"]},
            {},
            "error",
            "may not do what deploy.yml and recreate_and_swap.yml may ask for: s3:",
        ),
        (
            {"denied": ["sns:Publish"]},
            {},
            "warning",
            "reports and looks ahead of deploy.yml and recreate_and_swap.yml ask for: sns:Publish.",
        ),
        (
            {"denied": None, "tried": dict.fromkeys(LOOKS, True)},
            {},
            "warning",
            "may ask for cannot be told. Not to be tried are autoscaling:",
        ),
        (
            {"unread": (("key pairs", "the credentials may not ask", "Allow it."),)},
            {},
            "warning",
            "Nothing is known of key pairs",
        ),
        ({}, options(launch={"IamInstanceProfile": None}), "error", "No instance profile is given"),
        ({"profile": Role("instances", exists=False)}, {}, "error", "There is no instance profile instances"),
        (
            {"profile": replace(FACTS.profile, trusts=frozenset({"lambda.amazonaws.com"}))},  # type: ignore[type-var]
            {},
            "error",
            "does not trust ec2.amazonaws.com",
        ),
        (
            {"profile": replace(FACTS.profile, policies=frozenset())},  # type: ignore[type-var]
            {},
            "warning",
            "lacks AWSElasticBeanstalkWebTier",
        ),
        ({}, {"playbooks": ("deploy", "clean_hooks")}, "warning", "lacks AmazonSSMManagedInstanceCore"),
        ({"service_role": Role("service", exists=False)}, {}, "error", "There is no service role service"),
        (
            {},
            options(managed={"ManagedActionsEnabled": True}),
            "warning",
            "lacks AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy",
        ),
        ({"vpcs": {"vpc-9": False}}, {}, "error", "There is no VPC vpc-1 in eu-central-1."),
        (
            {"vpcs": {"vpc-1": False}},
            options(vpc={"VPCId": None, "Subnets": None, "ELBSubnets": None}),
            "error",
            "There is no default VPC in eu-central-1, and VPCId is not set.",
        ),
        ({"subnets": SUBNETS[:1]}, {}, "error", "There is no subnet subnet-b."),
        ({}, options(vpc={"Subnets": None}), "error", "VPCId is vpc-1, and Subnets is not set."),
        (
            {"subnets": (SUBNETS[0], replace(SUBNETS[1], vpc="vpc-2"))},
            {},
            "error",
            "The subnets subnet-b are not in vpc-1.",
        ),
        (
            {"subnets": (SUBNETS[0], replace(SUBNETS[1], zone="1a"))},
            {},
            "error",
            "The subnets of the load balancer are in 1 zone, and it needs 2.",
        ),
        ({"subnets": (SUBNETS[0], replace(SUBNETS[1], way=""))}, {}, "warning", "Nothing leads out of subnet-b"),
        (
            {"subnets": (SUBNETS[0], replace(SUBNETS[1], way="igw-1"))},
            {},
            "error",
            "An internet gateway leads out of subnet-b, and the instances get no public address.",
        ),
        ({"keys": frozenset({"other"})}, {}, "error", "There is no key pair ops"),
        (
            {"quotas": {"environments": Quota(200, 200)}, **NO_ENVIRONMENT},
            {},
            "error",
            "200 of 200 environments are in use",
        ),
        ({"quotas": {"environments": Quota(200, 200)}}, {}, "warning", "a cycle needs room for two environments"),
        ({"quotas": {"load balancers": Quota(50, 50)}}, {}, "warning", "50 of 50 load balancers are in use"),
        (
            {"quotas": {"Elastic IP addresses": Quota(5, 5)}},
            SINGLE,
            "warning",
            "5 of 5 Elastic IP addresses are in use",
        ),
        (
            {"quotas": {"vCPUs of On-Demand standard instances": Quota(2, 5, 4)}, **NO_ENVIRONMENT},
            {},
            "error",
            "2 of 5 vCPUs of On-Demand standard instances are in use, and an environment takes 4: there is no room",
        ),
        (
            {"quotas": {"vCPUs of On-Demand standard instances": Quota(4, 5, 2)}},
            {},
            "warning",
            "4 of 5 vCPUs of On-Demand standard instances are in use, and an environment takes 2: a cycle needs room",
        ),
        ({"quotas": {"application versions": Quota(1000, 1000)}}, {}, "error", "1000 of 1000 application versions"),
        ({}, {"platform": "Dokcer running on 64bit Amazon Linux 2023"}, "error", "There is no platform"),
        ({"branch_state": "Retired"}, {}, "error", f"The platform branch of {STACK} is retired"),
        ({"branch_state": "Deprecated"}, {}, "warning", f"The platform branch of {STACK} will be retired"),
        (
            {"stacks": (STACK, STACK.replace("4.3.0", "4.4.0"))},
            {"platform": STACK},
            "warning",
            f"The platform {STACK} is not the newest",
        ),
        (
            NO_ENVIRONMENT | {"cname_free": False},
            {},
            "error",
            "The CNAME prefix shop is taken, and not by an environment",
        ),
        (
            NO_ENVIRONMENT,
            {"cname_prefix": "shop.eba-abcd1234"},
            "error",
            "Elastic Beanstalk makes such names itself",
        ),
        ({"live": {**LIVE, "Tier": {"Name": "Worker"}}}, {}, "warning", "is a worker: it has no CNAME to swap"),
        ({"live_settings": SHARED}, {}, "warning", "shares its load balancer: cycles refuse it."),
        ({"live_settings": COUPLED}, {}, "warning", "has a coupled database that goes with it: cycles refuse it."),
        (
            {"messages": [("for a cycle's copy", MESSAGE)]},
            {},
            "error",
            "Elastic Beanstalk says of aws:autoscaling:asg MinSize, for a cycle's copy: Too small.",
        ),
        ({}, options(launch={"DisableIMDSv1": False}), "warning", "would have a launch configuration"),
        ({}, {"tags": {f"t{number}": "x" for number in range(45)}}, "error", "There are 45 tags, and at most 44 fit"),
        (
            {"secrets": {SECRET: "it does not exist"}},
            {},
            "error",
            "The secret of TOKEN cannot be had: it does not exist.",
        ),
        ({"bucket": Bucket("b", ours=False)}, {}, "error", "The bucket b is another account's"),
        ({"bucket": Bucket("b", ownership="BucketOwnerEnforced")}, {}, "error", "The bucket b does not allow ACLs"),
        ({"bucket": Bucket("b", encryption="aws:kms")}, {}, "warning", "The bucket b is encrypted with a key of KMS."),
        ({"bucket": Bucket("b", denies=("s3:*",))}, {}, "warning", "The policy of the bucket b denies s3:*."),
        ({}, {"image": "localhost/shop-base"}, "error", "The base image localhost/shop-base is on this machine"),
        (
            {"image": EcrImage(may_not=("ecr:BatchGetImage",))},
            {"image": IN_ECR},
            "warning",
            f"The base image {IN_ECR} is in Amazon ECR, and the role instances may not ecr:BatchGetImage.",
        ),
        (
            {"image": EcrImage(missing="repository")},
            {"image": IN_ECR},
            "error",
            f"There is no repository in Amazon ECR for the base image {IN_ECR}.",
        ),
        (
            {"image": EcrImage(missing="image")},
            {"image": IN_ECR},
            "error",
            "There is no image in Amazon ECR for the base",
        ),
        (
            {"image": EcrImage(may_not=None)},
            {"image": IN_ECR},
            "warning",
            "exists, and whether the instances may pull it cannot be told.",
        ),
        (
            {},
            {"image": IN_ECR.replace("eu-central-1", "eu-west-1")},
            "warning",
            "is in Amazon ECR of account 123456789012 in eu-west-1, and cannot be looked at from here.",
        ),
        (
            {},
            {"image": "210987654321.dkr.ecr.eu-central-1.amazonaws.com/shop"},
            "warning",
            "is in Amazon ECR of account 210987654321 in eu-central-1, and cannot be looked at from here.",
        ),
    ],
)
def test_a_fault_is_found(facts: dict[str, Any], wanted: dict[str, Any], level: str, sentence: str) -> None:
    found = bad(replace(FACTS, **facts), replace(WANTED, **wanted))
    assert [one for one, said in found if sentence in said] == [level], found
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"quotas": {"load balancers": Quota(50, 50)}}, SINGLE),
        ({"bucket": Bucket("b", exists=False)}, {}),
        ({}, {"image": "localhost/shop-base", "local": True}),
        (NO_ENVIRONMENT, {}),
        ({"live_settings": SHARED}, {"playbooks": ("deploy",)}),
    ],
)
def test_what_does_not_matter_here_is_no_finding(facts: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert bad(replace(FACTS, **facts), replace(WANTED, **wanted)) == []


@pytest.mark.parametrize(
    ("action", "level", "sentence"),
    [
        (
            "elasticbeanstalk:DescribeApplications",
            "error",
            "The credentials may not do what deploy.yml and recreate_and_swap.yml may ask for: "
            "elasticbeanstalk:DescribeApplications.",
        ),
        (
            "elasticbeanstalk:DescribeEvents",
            "warning",
            "The credentials may not do what reports and looks ahead of deploy.yml and recreate_and_swap.yml ask for: "
            "elasticbeanstalk:DescribeEvents.",
        ),
    ],
)
def test_what_was_tried_and_refused_is_said_beside_what_cannot_be_told(action: str, level: str, sentence: str) -> None:
    found = bad(replace(FACTS, denied=None, tried={"ec2:DescribeInstances": True, action: False}))
    assert found[0] == (level, sentence)
    assert len(found) == 2
    untold = found[1][1].partition("Not to be tried are ")[2].rstrip(".").split(", ")
    assert action not in untold
    assert "ec2:DescribeInstances" not in untold
    assert {"elasticbeanstalk:CreateEnvironment", "s3:PutObject"} <= set(untold)


SETTINGS = """\
INSTALLED_APPS = ["django.contrib.auth", "shop"]
ALLOWED_HOSTS = ["*"]
STATIC_ROOT = "static"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
"""
MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'


@pytest.mark.parametrize(
    ("changes", "hooks", "level", "sentence"),
    [
        ({}, (), "", ""),
        ({"Dockerfile": "FROM scratch\n"}, (), "error", "the image exposes no port"),
        ({'["*"]': "[]"}, (), "error", "ALLOWED_HOSTS is empty"),
        (
            {'["*"]': '[".elasticbeanstalk.com"]'},
            (),
            "warning",
            "Load balancers ask for / with an instance's address as host",
        ),
        (
            {
                '["*"]': '["shop.example.com"]',
                '["django.middleware.security': '["shop.health", "django.middleware.security',
            },
            (),
            "warning",
            "ALLOWED_HOSTS (shop.example.com) has not the CNAME shop.eu-central-1.elasticbeanstalk.com",
        ),
        (
            {'STATIC_ROOT = "static"': "SECURE_SSL_REDIRECT = True\nSTATIC_ROOT = 'x'"},
            (),
            "warning",
            "with 301, and only 200",
        ),
        ({'STATIC_ROOT = "static"': ""}, ("python manage.py collectstatic",), "error", "has no STATIC_ROOT"),
        ({}, ("python manage.py createsu",), "error", "A hook calls manage.py createsu, and no application"),
        ({}, ("python manage.py createsuperuser --noinput",), "", ""),
    ],
)
def test_application_fits_what_is_wanted_of_it(
    tmp_path: Path, changes: dict[str, str], hooks: tuple[str, ...], level: str, sentence: str
) -> None:
    settings = SETTINGS
    for old, new in changes.items():
        settings = settings.replace(old, new)
    files = {
        "manage.py": MANAGE,
        "shop/__init__.py": "",
        "shop/settings.py": settings,
        "Dockerfile": "FROM x\nEXPOSE 80\n",
    }
    for name, text in (files | {name: text for name, text in changes.items() if name in files}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = bad(wanted=replace(WANTED, source=str(tmp_path), hooks=hooks))
    assert [one for one, said in found if sentence in said] == ([level] if level else []), found
    assert len(found) == (1 if level else 0), found


def test_hooks_of_django_in_another_application_are_said(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\nEXPOSE 80\n")
    wanted = replace(WANTED, source=str(tmp_path), hooks=("python manage.py migrate --noinput", "python warm_up.py"))
    assert bad(wanted=wanted) == [("warning", "A hook calls manage.py migrate, and the source has no manage.py.")]
    assert bad(wanted=replace(wanted, hooks=("python warm_up.py",))) == []
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manage.py").write_text("")
    assert bad(wanted=wanted) == []


def test_secrets_files_that_are_not_there_are_named_with_their_variable(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\nEXPOSE 80\n")
    wanted = replace(WANTED, source=str(tmp_path), secret_files=(".secrets/", "key.pem"))
    (tmp_path / "key.pem").write_text("x")
    ((level, said),) = bad(wanted=wanted)
    assert level == "error"
    assert "matches the secrets pattern .secrets/ (secrets of source_bundle, eb_secrets_files of the inventory)" in said
    (tmp_path / ".secrets").mkdir()
    (tmp_path / ".secrets" / "key").write_text("x")
    assert bad(wanted=wanted) == []


def test_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    ((level, said),) = bad(wanted=replace(WANTED, source=str(tmp_path / "none")))
    assert level == "error"
    assert "none" in said
