# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VPC, subnets and key pair, and room within the account's quotas."""

from __future__ import annotations

from collections.abc import Iterator

from ...option_settings.keys import LAUNCH
from ..facts import Facts, Subnet
from ..findings import Finding, error, ok, warning
from ..wanted import ENVIRONMENT, VPC, Wanted

_ZONES = 2


def vpc(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """The VPC that is named, or the default one."""
    name = wanted.option(VPC, "VPCId")
    if facts.vpcs is None:
        return
    if not name and not any(facts.vpcs.values()):
        yield error(
            f"There is no default VPC in {facts.region}, and VPCId is not set.",
            "Set VPCId, Subnets and ELBSubnets of aws:ec2:vpc, or have EC2 create a default VPC.",
        )
    elif name and name not in facts.vpcs:
        yield error(f"There is no VPC {name} in {facts.region}.", "Correct VPCId of aws:ec2:vpc.")
    else:
        yield ok(f"The VPC is {name or 'the default one'}.")


def subnets(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Those that are named are there, in the VPC, and a load balancer gets two zones."""
    if facts.subnets is None:
        return
    known, named = {one.id: one for one in facts.subnets}, wanted.option(VPC, "VPCId")
    of_instances, of_balancer = wanted.names(VPC, "Subnets"), wanted.names(VPC, "ELBSubnets")
    if lost := sorted((of_instances | of_balancer) - set(known)):
        yield error(f"There is no subnet {', '.join(lost)}.", "Correct Subnets and ELBSubnets of aws:ec2:vpc.")
        return
    if named and not of_instances:
        yield error(f"VPCId is {named}, and Subnets is not set.", "Set Subnets of aws:ec2:vpc.")
        return
    if foreign := sorted(one for one in of_instances | of_balancer if named and known[one].vpc != named):
        yield error(f"The subnets {', '.join(foreign)} are not in {named}.", "Name subnets of that VPC.")
        return
    used = of_balancer or of_instances
    there = [known[one] for one in used] if used else _default(facts)
    zones = {one.zone for one in there}
    if not there:
        return  # there is no default VPC, which is said already
    if wanted.balanced and len(zones) < _ZONES:
        yield error(
            f"The subnets of the load balancer are in {len(zones)} zone, and it needs {_ZONES}.",
            "Name subnets of two zones in ELBSubnets of aws:ec2:vpc.",
        )
    else:
        yield ok(f"The subnets are in {len(zones)} zones.")


def way_out(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Instances have to reach Elastic Beanstalk, S3 and the registry of their images."""
    named = wanted.names(VPC, "Subnets")
    if not facts.subnets or not named:
        return
    public = wanted.option(VPC, "AssociatePublicIpAddress") == "true"
    there = [one for one in facts.subnets if one.id in named]
    if closed := sorted(one.id for one in there if not one.way):
        yield warning(
            f"Nothing leads out of {', '.join(closed)}: instances there cannot reach Elastic Beanstalk.",
            "Give the subnets a default route to a NAT gateway, or the VPC endpoints that the Developer Guide lists.",
        )
    elif (open_ones := sorted(one.id for one in there if one.way.startswith("igw-"))) and not public:
        yield error(
            f"An internet gateway leads out of {', '.join(open_ones)}, and the instances get no public address.",
            "Set AssociatePublicIpAddress of aws:ec2:vpc to true, or name subnets with a NAT gateway.",
        )
    else:
        yield ok("The instances have a way out.")


def key_pair(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """The key for ssh, if any."""
    name = wanted.option(LAUNCH, "EC2KeyName")
    if not name or facts.keys is None:
        return
    if name in facts.keys:
        yield ok(f"There is the key pair {name}.")
    else:
        yield error(f"There is no key pair {name} in {facts.region}.", "Correct EC2KeyName, or leave it out.")


def quotas(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Room for what is made, and for two environments at a time where cycles are meant to run."""
    first = 0 if facts.live else 1
    for name, quota in facts.quotas.items():
        needed = quota.each * (1 if name == "application versions" else first)
        if name == "Elastic IP addresses" and (wanted.balanced or wanted.worker):
            continue
        if name == "load balancers" and (not wanted.balanced or _shares(wanted)):
            continue
        left = quota.most - quota.used
        says = f"{quota.used:g} of {quota.most:g} {name} are in use"
        says += f", and an environment takes {quota.each:g}" if quota.each != 1 else ""
        if left < needed:
            yield error(f"{says}: there is no room for another.", "Delete one, or have AWS raise the quota.")
        elif wanted.cycles and left < needed + quota.each:
            yield warning(
                f"{says}: a cycle needs room for two environments at a time, and will be refused.",
                "Have AWS raise the quota.",
            )
        else:
            yield ok(f"{says}.")


def _shares(wanted: Wanted) -> bool:
    return wanted.option(ENVIRONMENT, "LoadBalancerIsShared") == "true"


def _default(facts: Facts) -> list[Subnet]:
    return [one for one in facts.subnets or () if (facts.vpcs or {}).get(one.vpc)]
