# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each playbook may ask of AWS in the caller's own name, on whatever way it goes: docs/iam is made of it.

A way is a strategy, a state of the world, a failure, a report. Names of actions and resources are those of the Service
Authorization Reference. ``PARTITION``, ``REGION``, ``ACCOUNT`` and ``APPLICATION`` stand for the user's. ``BUCKET`` is
that of the lock, ``ENVIRONMENT`` and ``VERSION`` are names; a policy has Elastic Beanstalk's own bucket, and all names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .errors import translate_errors

Actions = tuple[str, ...]
Resources = tuple[str, ...]

_EB = "arn:PARTITION:elasticbeanstalk:REGION:ACCOUNT:"
_ANY: Resources = ("*",)
_APPLICATION = f"{_EB}application/APPLICATION"
_VERSIONS = f"{_EB}applicationversion/APPLICATION/VERSION"
_TEMPLATES = f"{_EB}configurationtemplate/APPLICATION/ENVIRONMENT"
_ENVIRONMENTS = f"{_EB}environment/APPLICATION/ENVIRONMENT"
_OWN_BUCKET = "arn:PARTITION:s3:::elasticbeanstalk-REGION-ACCOUNT"
_BUCKET = "arn:PARTITION:s3:::BUCKET"
_BUNDLES = f"{_OWN_BUCKET}/APPLICATION/VERSION"
_DEPLOYMENT_LOGS = f"{_OWN_BUCKET}/resources/environments/logs/deployments/*"
_LOCK = f"{_BUCKET}/jack.beanstalk/locks/APPLICATION.json"
_RECORDS = f"{_BUCKET}/jack.beanstalk/records/APPLICATION/ENVIRONMENT"
_ALL = {"BUCKET": "elasticbeanstalk-REGION-ACCOUNT", "ENVIRONMENT": "*", "VERSION": "*"}


class Statement(NamedTuple):
    """Actions, each of which is needed on all of the resources.

    ``reports``: for reports, or to know more beforehand; without them a run does the same, and says less.
    """

    actions: Actions
    resources: Resources
    reports: bool = False


def _eb(*names: str) -> Actions:
    return tuple(f"elasticbeanstalk:{name}" for name in names)


_LOOK = (
    Statement(_eb("DescribeEnvironments", "DescribeInstancesHealth", "ListTagsForResource"), _ANY),
    Statement(
        (
            *("autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"),
            *_eb("DescribeEnvironmentHealth", "DescribeEnvironmentResources", "DescribeEvents"),
        ),
        _ANY,
        reports=True,
    ),
    Statement(_eb("RequestEnvironmentInfo", "RetrieveEnvironmentInfo"), (_ENVIRONMENTS,), reports=True),
)
# The lock, the record, and the log of a deployment that failed. S3 hides whether an object is there from those who may
# not list the bucket.
_STATE = (
    Statement(("s3:ListBucket",), (_BUCKET,)),
    Statement(("s3:GetObject", "s3:PutObject"), (_LOCK, _RECORDS)),
    Statement(("s3:GetObject",), (_DEPLOYMENT_LOGS,), reports=True),
)
# Whether all of this is allowed, before anything is done.
_FORESIGHT = Statement(("iam:SimulatePrincipalPolicy",), _ANY, reports=True)
_NOTIFY = Statement(("sns:Publish",), ("arn:PARTITION:sns:REGION:ACCOUNT:*",), reports=True)  # with eb_notify
_DEPLOY = (
    *_LOOK,
    *_STATE,
    _FORESIGHT,
    _NOTIFY,
    Statement(
        (
            "ec2:DescribeSecurityGroups",  # with groups of one's own
            *_eb("CheckDNSAvailability", "CreateStorageLocation", "DescribeApplicationVersions"),
            *_eb("DescribeApplications", "DescribeConfigurationOptions", "DescribeConfigurationSettings"),
            *_eb("DescribePlatformVersion", "ListAvailableSolutionStacks"),  # the former with secrets by reference
        ),
        _ANY,
    ),
    Statement(_eb("CreateApplication"), (_APPLICATION,)),
    Statement(_eb("CreateApplicationVersion"), (_APPLICATION, _VERSIONS)),
    Statement(_eb("AddTags"), (_APPLICATION, _ENVIRONMENTS)),
    Statement(_eb("CreateEnvironment", "UpdateEnvironment"), (_ENVIRONMENTS,)),
    Statement(("s3:PutObject",), (_BUNDLES,)),
    Statement(("s3:GetObject",), (_BUNDLES,)),  # Elastic Beanstalk reads it as the caller; HeadObject as well
)
_CYCLE = (
    *_LOOK,
    *_STATE,
    _FORESIGHT,
    Statement(
        (
            "ec2:DescribeSecurityGroups",
            *_eb("CheckDNSAvailability", "CreateStorageLocation", "DescribeApplicationVersions"),
            *_eb("DescribeApplications", "DescribeConfigurationSettings", "DescribePlatformVersion"),
            *_eb("ListAvailableSolutionStacks"),
        ),
        _ANY,
    ),
    Statement(
        (
            *("autoscaling:DescribeAccountLimits", "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses"),
            *_eb("DescribeAccountAttributes"),
        ),
        _ANY,
        reports=True,
    ),
    Statement(_eb("DeleteApplicationVersion"), (_VERSIONS,)),
    Statement(_eb("DeleteConfigurationTemplate"), (_TEMPLATES,)),  # with name_prefix
    Statement(
        (
            *_eb("AbortEnvironmentUpdate", "AddTags", "CreateEnvironment", "SwapEnvironmentCNAMEs"),
            *_eb("TerminateEnvironment", "UpdateEnvironment"),  # the last for MinSize, after the old one drained
        ),
        (_ENVIRONMENTS,),
    ),
    Statement(("s3:GetObject",), (_BUNDLES,)),
    _NOTIFY,
)
# Names Elastic Beanstalk's bucket, where the lock is unless it has one of its own.
_LOCKED = (
    Statement(_eb("CreateStorageLocation"), _ANY),
    Statement(("s3:ListBucket",), (_BUCKET,)),
    Statement(("s3:GetObject",), (_LOCK,)),
)
# Without one of these, preflight.yml says what it knows nothing of.
_PREFLIGHT = (
    Statement(_eb("DescribeEnvironments"), _ANY),
    _FORESIGHT,
    Statement(
        (
            *("autoscaling:DescribeAccountLimits", "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses"),
            *("ec2:DescribeKeyPairs", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"),
            *("ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeVpcs"),
            *_eb("CheckDNSAvailability", "DescribeAccountAttributes", "DescribeApplications"),
            *_eb("DescribeConfigurationSettings", "DescribePlatformVersion", "ListAvailableSolutionStacks"),
            *_eb("ValidateConfigurationSettings"),
            *("elasticloadbalancing:DescribeAccountLimits", "elasticloadbalancing:DescribeLoadBalancers"),
            *("iam:GetInstanceProfile", "iam:GetRole", "iam:ListAttachedRolePolicies"),
            "servicequotas:GetServiceQuota",
        ),
        _ANY,
        reports=True,
    ),
    Statement(("ecr:DescribeImages",), ("arn:PARTITION:ecr:REGION:ACCOUNT:repository/*",), reports=True),
    Statement(("secretsmanager:DescribeSecret",), ("arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:*",), True),
    Statement(("ssm:GetParameter",), ("arn:PARTITION:ssm:REGION:ACCOUNT:parameter/*",), reports=True),
    Statement(
        ("s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetEncryptionConfiguration", "s3:ListBucket"),
        (_OWN_BUCKET,),
        reports=True,
    ),
)
_COMMANDS = (
    Statement(
        ("ssm:GetCommandInvocation", *_eb("DescribeEnvironmentResources", "DescribeEnvironments")),
        _ANY,
    ),
    Statement(
        ("ssm:SendCommand",),
        (
            "arn:PARTITION:ec2:REGION:ACCOUNT:instance/*",
            "arn:PARTITION:ssm:REGION::document/AWS-RunShellScript",
        ),
    ),
)
PLAYBOOKS: Mapping[str, tuple[Statement, ...]] = {
    "deploy": _DEPLOY,
    "status": (
        *_LOOK,
        Statement(("s3:ListBucket",), (_BUCKET,), reports=True),
        Statement(("s3:GetObject",), (_LOCK,), reports=True),
    ),
    "recreate_and_swap": _CYCLE,
    # Without an environment that is still kept, it makes one.
    "rollback": _CYCLE,
    "preflight": _PREFLIGHT,
    "history": _LOCKED,
    "unlock": (*_LOCKED, Statement(("s3:PutObject",), (_LOCK,))),
    "scale": (
        *_LOOK,
        *_STATE,
        Statement(_eb("CreateStorageLocation", "DescribeConfigurationSettings"), _ANY),
        Statement(_eb("UpdateEnvironment"), (_ENVIRONMENTS,)),
    ),
    "abort": (
        Statement(_eb("DescribeEnvironments"), _ANY),
        Statement(_eb("AbortEnvironmentUpdate"), (_ENVIRONMENTS,)),
    ),
    "clean_hooks": _COMMANDS,
    # Who the leader is, is for those who want it to run there.
    "exec": (
        *_COMMANDS,
        Statement(("ec2:DescribeInstances", *_eb("DescribeEvents", "DescribeInstancesHealth")), _ANY, reports=True),
        Statement(_eb("RequestEnvironmentInfo", "RetrieveEnvironmentInfo"), (_ENVIRONMENTS,), reports=True),
    ),
    "logs": (
        Statement(_eb("DescribeEnvironments", "DescribeInstancesHealth"), _ANY),
        Statement(_eb("RequestEnvironmentInfo", "RetrieveEnvironmentInfo"), (_ENVIRONMENTS,)),
        Statement(("s3:GetObject",), (_DEPLOYMENT_LOGS,), reports=True),
        Statement(("s3:ListBucket",), (_OWN_BUCKET,), reports=True),
    ),
    "maintenance": _COMMANDS,
    # All of it, for an application of its own that is deleted in the end.
    "smoke_test": (*_DEPLOY, *_CYCLE, *_COMMANDS, Statement(_eb("DeleteApplication"), (_APPLICATION,))),
}
"""What is asked by playbook. ``deploy`` with the strategy swap is that and ``recreate_and_swap``."""


def needed(playbooks: Iterable[str], place: Mapping[str, str], *, reports: bool = True) -> dict[str, Resources]:
    """Resources by action of all the playbooks together, with ``place`` (PARTITION and so on) filled in.

    Without ``reports`` only what a run cannot do without.
    """
    found: dict[str, set[str]] = {}
    for playbook in playbooks:
        for statement in PLAYBOOKS[playbook]:
            for action in statement.actions if reports or not statement.reports else ():
                resources = found.setdefault(action, set())
                resources.update(_filled(one, place) for one in statement.resources)
    return {action: tuple(sorted(resources)) for action, resources in sorted(found.items())}


def _filled(resource: str, place: Mapping[str, str]) -> str:
    for name, value in {**_ALL, **place}.items():
        resource = resource.replace(name, value)
    return resource


def policy(playbook: str) -> dict[str, Any]:
    """The policy of a playbook, as it is in docs/iam."""
    by_resources: dict[Resources, list[str]] = {}
    for action, resources in needed([playbook], {}).items():
        by_resources.setdefault(resources, []).append(action)
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
        for resources, actions in sorted(by_resources.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


@translate_errors("simulate the policies of the credentials")
def denied(iam: Any, principal: str, wanted: Mapping[str, Resources]) -> list[str]:
    """The actions, of resources by action, that the policies of a user or role do not allow.

    One that depends on something which only the real request has counts as allowed. One request per set of resources,
    and page.
    """
    by_resources: dict[Resources, list[str]] = {}
    for action, resources in wanted.items():
        by_resources.setdefault(resources, []).append(action)
    found: set[str] = set()
    for resources, actions in by_resources.items():
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal, ActionNames=actions, ResourceArns=list(resources)
        )
        for page in pages:
            found |= {
                str(one["EvalActionName"])
                for one in page["EvaluationResults"]
                if one["EvalDecision"] != "allowed" and not one.get("MissingContextValues")
            }
    return sorted(found)


def principal_of(arn: str) -> str:
    """The user or role whose policies count for a caller: an assumed role's session is the role; "" for root.

    The path of a role is not in its session's ARN, so that one with a path cannot be told from it.
    """
    head, _sts, rest = arn.partition(":sts:")
    if rest and ":assumed-role/" in rest:
        account, _assumed, session = rest.partition(":assumed-role/")
        return f"{head}:iam:{account}:role/{session.partition('/')[0]}"
    return "" if arn.endswith(":root") else arn
