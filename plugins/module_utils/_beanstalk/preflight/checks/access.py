# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who one is, what one may do, and the roles of instances and of Elastic Beanstalk."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ...core.permissions import needed
from ..facts import Facts, Role
from ..findings import Finding, error, ok, warning
from ..wanted import Wanted

# What hooks, ledger and logs need: "Managing Elastic Beanstalk instance profiles" of the Developer Guide.
_FOR_TIER = {False: "AWSElasticBeanstalkWebTier", True: "AWSElasticBeanstalkWorkerTier"}
_FOR_COMMANDS = "AmazonSSMManagedInstanceCore"
_FOR_HEALTH = "AWSElasticBeanstalkEnhancedHealth"
_FOR_UPDATES = "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy"
_SHOWN = 8
_SIMULATE = "iam:SimulatePrincipalPolicy"


def identity(facts: Facts, _wanted: Wanted) -> Iterator[Finding]:
    """Account, partition and region."""
    where = f"in account {facts.account}, region {facts.region}, partition {facts.partition}"
    if facts.arn.endswith(":root"):
        yield warning(
            f"The credentials are those of the root user, {where}.",
            "Use a user or role with the policies of docs/iam: nothing limits the root user.",
        )
    else:
        yield ok(f"The credentials are those of {facts.arn}, {where}.")


def permissions(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """What the playbooks may ask for on any way."""
    playbooks = " and ".join(f"{name}.yml" for name in wanted.playbooks)
    if facts.denied is None:
        if not facts.arn.endswith(":root"):
            yield from _tried(facts, wanted, playbooks)
    elif facts.denied:
        yield from _missing(facts.denied, wanted, playbooks)
    else:
        yield ok(f"The credentials may do all that {playbooks} may ask for.")


def _missing(denied: Sequence[str], wanted: Wanted, playbooks: str) -> Iterator[Finding]:
    for_work = needed(wanted.playbooks, {}, reports=False)
    if missing := [action for action in denied if action in for_work]:
        yield error(
            f"The credentials may not do what {playbooks} may ask for: {_some(missing)}.",
            "Allow it as docs/iam of jack.beanstalk does.",
        )
    if poorer := [action for action in denied if action not in for_work]:
        yield warning(
            f"The credentials may not do what reports and looks ahead of {playbooks} ask for: {_some(poorer)}.",
            "Allow it as docs/iam of jack.beanstalk does, or do without.",
        )


def _tried(facts: Facts, wanted: Wanted, playbooks: str) -> Iterator[Finding]:
    """Where policies cannot be simulated. What changes something is not tried, and counts as unknown."""
    allowed = [action for action, may in facts.tried.items() if may]
    yield from _missing([action for action, may in facts.tried.items() if not may], wanted, playbooks)
    if allowed:
        yield ok(f"The credentials may do {len(allowed)} things that {playbooks} ask for, which were tried.")
    unknown = [one for one in needed(wanted.playbooks, {}) if one not in facts.tried and one != _SIMULATE]
    if unknown:
        yield warning(
            f"Whether the credentials may do all that {playbooks} may ask for cannot be told. Not to be tried are "
            f"{', '.join(unknown)}.",
            f"Allow {_SIMULATE} on the user or role itself, or compare its policies with docs/iam.",
        )


def _some(actions: Sequence[str]) -> str:
    more = f" and {len(actions) - _SHOWN} more" if len(actions) > _SHOWN else ""
    return f"{', '.join(actions[:_SHOWN])}{more}"


def unread(facts: Facts, _wanted: Wanted) -> Iterator[Finding]:
    """What this look itself could not read."""
    for what, why, what_to_do in facts.unread:
        yield warning(f"Nothing is known of {what}: {why}.", what_to_do)


def instance_profile(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Instances get their rights by it: fetching bundles, logs, hooks, health."""
    name, role = wanted.profile, facts.profile
    if not name:
        yield error(
            "No instance profile is given, so that the instances may do nothing.",
            "Set IamInstanceProfile of aws:autoscaling:launchconfiguration, as the example inventory does.",
        )
    elif role is not None:
        policies = [_FOR_TIER[wanted.worker], *([_FOR_COMMANDS] if "clean_hooks" in wanted.playbooks else [])]
        yield from _role(role, f"instance profile {name}", "ec2.amazonaws.com", policies)


def service_role(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Elastic Beanstalk watches and updates environments by it."""
    name, role = wanted.service_role, facts.service_role
    if not name:
        yield ok("Elastic Beanstalk's service-linked role is used.")
    elif role is not None:
        managed = wanted.option("aws:elasticbeanstalk:managedactions", "ManagedActionsEnabled") == "true"
        policies = [_FOR_HEALTH, *([_FOR_UPDATES] if managed else [])]
        yield from _role(role, f"service role {name}", "elasticbeanstalk.amazonaws.com", policies)


def _role(role: Role, what: str, service: str, policies: Collection[str]) -> Iterator[Finding]:
    # In China services are called ec2.amazonaws.com.cn and so on.
    trusted = any(one in (service, f"{service}.cn") for one in role.trusts)
    if not role.exists:
        yield error(
            f"There is no {what}, or it has no role.",
            f"Create it with a role that trusts {service} and has {' and '.join(policies)}.",
        )
    elif not trusted:
        yield error(
            f"The role {role.name} of the {what} does not trust {service}.",
            f"Let its trust policy allow sts:AssumeRole to {service}.",
        )
    elif missing := sorted(set(policies) - role.policies):
        yield warning(
            f"The role {role.name} of the {what} lacks {' and '.join(missing)}.",
            "Attach it, unless policies of your own allow the same.",
        )
    else:
        yield ok(f"The {what} trusts {service} and has {' and '.join(policies)}.")
