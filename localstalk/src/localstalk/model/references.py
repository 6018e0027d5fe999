# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings refer to in EC2 and IAM must be there.

The call itself refuses a security group (alienfast/elastic-beanstalk#53) and a VPC without subnets
(meteor-up/mup-aws-beanstalk#27); key pairs, images, types and subnets likewise, where nobody has written it down.
Profiles and roles fail the launch (docs/elastic_beanstalk.md §13), and so does what Auto Scaling or the load balancer
cannot make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from localstalk.model.options import Problem, elements
from localstalk.model.settings import ENVIRONMENT, INSTANCES, LAUNCH, Balancer
from localstalk.model.state import Option, Settings

VPC = "aws:ec2:vpc"
MANAGED = "aws:elasticbeanstalk:managedactions"
SERVICE_LINKED = "AWSServiceRoleForElasticBeanstalk"
_ZONES = 2
"""Of an application load balancer."""


def check(given: Settings, effective: Settings, balancer: Balancer, ec2: Callable[[], Any]) -> None:
    """Raise the service's error for the first given setting that leads nowhere. ``ec2`` gets moto's, when needed."""
    for problem in _problems(given, effective, balancer, ec2):
        raise problem.error()


def _problems(given: Settings, effective: Settings, balancer: Balancer, ec2: Callable[[], Any]) -> Iterator[Problem]:
    for option, (known, text) in _KNOWN.items():
        for name in elements(given.get(option, "")):
            if not known(ec2(), name):
                yield _problem(option, name, text.format(name))
    subnets = (VPC, "Subnets")
    if effective.get((VPC, "VPCId")) and not effective.get(subnets):
        kind = " for load balancer type application" if balancer == "application" else ""
        yield _problem(subnets, "null", f"Specify the subnets for the VPC{kind}.")
    managed = (MANAGED, "ManagedActionsEnabled")
    if given.get(managed) == "true" and effective.get((ENVIRONMENT, "ServiceRole"), SERVICE_LINKED) == SERVICE_LINKED:
        where = f"(Namespace: '{MANAGED}', OptionName: '{managed[1]}')"
        yield Problem(
            *managed,
            f"Invalid option specification {where}: You can't enable managed platform updates when your environment "
            f"uses the service-linked role '{SERVICE_LINKED}'. Select a service role that has the "
            "'AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy' managed policy.",
        )


def _problem(option: Option, value: str, reason: str) -> Problem:
    where = f"(Namespace: '{option[0]}', OptionName: '{option[1]}')"
    return Problem(*option, f"Invalid option value: '{value}' {where}: {reason}")


def _is_type(_ec2: Any, name: str) -> bool:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return name in INSTANCE_TYPES


def _is_group(ec2: Any, name: str) -> bool:
    found = ec2.get_security_group_from_id if name.startswith("sg-") else ec2.get_security_group_from_name
    return found(name) is not None


def _zone(ec2: Any, subnet: str) -> str | None:
    return next((str(zone) for zone, known in ec2.subnets.items() if subnet in known), None)


def _is_subnet(ec2: Any, name: str) -> bool:
    return _zone(ec2, name) is not None


_GROUP = (_is_group, "The security group '{}' does not exist")
_SUBNET = (_is_subnet, "The subnet ID '{}' does not exist")
_TYPE = (_is_type, "The instance type '{}' does not exist")
_KNOWN: dict[Option, tuple[Callable[[Any, str], bool], str]] = {
    (LAUNCH, "SecurityGroups"): _GROUP,
    ("aws:elb:loadbalancer", "SecurityGroups"): _GROUP,
    ("aws:elbv2:loadbalancer", "SecurityGroups"): _GROUP,
    (LAUNCH, "EC2KeyName"): (lambda ec2, name: name in ec2.key_pairs, "The key pair '{}' does not exist"),
    (LAUNCH, "ImageId"): (lambda ec2, name: name in ec2.amis, "The image id '[{}]' does not exist"),
    (LAUNCH, "InstanceType"): _TYPE,
    (INSTANCES, "InstanceTypes"): _TYPE,
    (VPC, "VPCId"): (lambda ec2, name: name in ec2.vpcs, "The vpc ID '{}' does not exist"),
    (VPC, "Subnets"): _SUBNET,
    (VPC, "ELBSubnets"): _SUBNET,
}
"""The texts after the colon are EC2's own."""


def profile_problem(iam: Any, profile: str) -> str | None:
    """Why instances cannot have an instance profile, as the event says it."""
    if not profile:
        return "Environment must have instance profile associated with it."
    if profile.startswith("arn:"):
        return f"The instance profile {profile} associated with the environment is invalid."
    found = next((each for each in iam.instance_profiles.values() if each.name == profile), None)
    if found is None:
        return f"The instance profile {profile} associated with the environment does not exist."
    if not found.roles:
        return (
            f"The instance profile {profile} associated with the environment has no role. Please attach a role to the "
            "instance profile."
        )
    return None


def role_problem(iam: Any, account: str, role: str) -> str | None:
    """Why Elastic Beanstalk cannot work in a service role; its own is always there (onnela-lab/beiwe-backend#31)."""
    name = role.rpartition("/")[2]
    if not role or name == SERVICE_LINKED or any(each.name == name for each in iam.roles.values()):
        return None
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}"
    return f'Unable to assume role "{arn}". Verify that the role exists and is configured correctly.'


def architecture_problem(ec2: Any, image: str, kind: str) -> str | None:
    """Why an image does not run on a type of instance, in Auto Scaling's words."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    wanted = str(ec2.amis[image].architecture) if image in ec2.amis else ""
    have = INSTANCE_TYPES.get(kind, {}).get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    if not wanted or not have or wanted in have:
        return None
    return (
        f"You must use a valid fully-formed launch template. The architecture '{have[-1]}' of the specified instance "
        f"type does not match the architecture '{wanted}' of the specified AMI. Specify an instance type and an AMI "
        "that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' "
        "to discover the architecture of the instance type or AMI."
    )


def zones_problem(ec2: Any, settings: Settings) -> str | None:
    """Why an application load balancer cannot stand in its subnets."""
    subnets = elements(settings.get((VPC, "ELBSubnets")) or settings.get((VPC, "Subnets"), ""))
    if not subnets or len({_zone(ec2, each) for each in subnets}) >= _ZONES:
        return None
    return "At least two subnets in two different Availability Zones must be specified"
