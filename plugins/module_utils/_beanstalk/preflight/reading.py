# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks AWS what the checks need. Reads only; what the caller may not ask is noted and left open."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

from ..core import api, cnames
from ..core.errors import AnsibleBeanstalkError, denied_action, error_code, translate_errors
from ..core.permissions import denied, needed, principal_of
from ..environment.security_groups import generated_groups
from ..option_settings.copying import copied_settings, image, replaced, security_groups, to_call
from ..option_settings.keys import Settings, own_properties
from ..platform import resolution
from .attempts import tried
from .facts import Bucket, EcrImage, Facts, Quota, Role, Subnet
from .images import ecr_name
from .wanted import VPC, Wanted

_Got = TypeVar("_Got")
_MISSING = ("NoSuchEntity", "ResourceNotFoundException", "ParameterNotFound")
_NOT_SET = (
    "NoSuchBucketPolicy",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
)
# "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances" of EC2, in vCPUs (Amazon EC2 User Guide, "On-Demand
# Instance quotas").
_CPUS = "L-1216C47A"
_STANDARD = re.compile(r"(a|c|d|h|im?|is|m|r|t|z)\d")
_USUAL_TYPE = "t3.micro"  # Elastic Beanstalk's own choice where none is given
_NO_IMAGE = {"RepositoryNotFoundException": "repository", "ImageNotFoundException": "image"}
# Managed policies with which an image can be pulled, and what one needs for it (Amazon ECR User Guide).
_PULLING = (
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEC2ContainerRegistryPowerUser",
    "AmazonEC2ContainerRegistryFullAccess",
)
_PULLS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_READS_SECRET = {
    "secretsmanager": "secretsmanager:GetSecretValue",
    "ssm": "ssm:GetParameters",
}


class Reader:
    """``client`` makes a client of a service by its name."""

    def __init__(self, client: Callable[[str], Any], wanted: Wanted) -> None:
        self.client, self.wanted = client, wanted
        self.eb = client("elasticbeanstalk")
        self.unread: list[tuple[str, str, str]] = []

    def read(self) -> Facts:
        """All of it. AnsibleBeanstalkError when AWS cannot be asked at all."""
        who = _ask(self.client("sts"), "get_caller_identity")
        partition, account = who["Arn"].split(":")[1], str(who["Account"])
        place = {
            "PARTITION": partition,
            "REGION": api.region_of(self.eb),
            "ACCOUNT": account,
            "APPLICATION": self.wanted.application,
            "ENVIRONMENT": self.wanted.name or self.wanted.application,
            "VERSION": self.wanted.application,
            **({"BUCKET": self.wanted.bucket} if self.wanted.bucket else {}),
        }
        there = api.describe_environments(self.eb)
        ours = [one for one in there if one["ApplicationName"] == self.wanted.application]
        live = self._live(ours)
        settings = self._settings(live)
        profile = self._of("the instance profile", self._profile)
        may_not = self._denied(who["Arn"], place)
        stacks = self._of("platforms", lambda: api.solution_stacks(self.eb)) or []
        return Facts(
            arn=who["Arn"],
            account=account,
            partition=partition,
            region=place["REGION"],
            denied=may_not,
            tried=self._tried(who["Arn"], live) if may_not is None else {},
            profile=profile,
            service_role=self._of("the service role", self._service_role),
            vpcs=self._of("VPCs", self._vpcs),
            subnets=self._of("subnets", self._subnets),
            keys=self._of("key pairs", self._keys),
            quotas=self._quotas(len(there)),
            stacks=stacks,
            branch_state=self._of("the platform", lambda: self._branch_state(stacks)) or "",
            environments=ours,
            cname_free=self._cname_free(live),
            live=live,
            live_settings=settings,
            messages=self._messages(live, settings),
            secrets=self._secrets(profile),
            bucket=self._of("Elastic Beanstalk's bucket", lambda: self._bucket(place)),
            image=self._of("the base image", lambda: self._image(place, profile)),
            unread=tuple(self.unread),
        )

    def _of(self, what: str, read: Callable[[], _Got]) -> _Got | None:
        """What can be read, and None for what cannot, which is noted: a look must not end with half of it."""
        try:
            return read()
        except AnsibleBeanstalkError as error:
            action = denied_action(error)
            why = ("the credentials may not ask", f"Allow {action}.") if action else (str(error), "Look again.")
            self.unread.append((what, *why))
            return None

    # -- access -----------------------------------------------------------------------------------------------------

    def _denied(self, arn: str, place: Mapping[str, str]) -> list[str] | None:
        principal = principal_of(arn)
        if not principal:
            return None
        try:
            return denied(self.client("iam"), principal, needed(self.wanted.playbooks, place))
        except AnsibleBeanstalkError:
            return None  # not allowed, or a role with a path, or a federated user

    def _tried(self, arn: str, live: Mapping[str, Any] | None) -> dict[str, bool]:
        if arn.endswith(":root"):
            return {}
        return tried(self.client, needed(self.wanted.playbooks, {}), self.wanted.application, live)

    def _profile(self) -> Role | None:
        name = self.wanted.profile
        if not name:
            return None
        try:
            answer = _ask(self.client("iam"), "get_instance_profile", InstanceProfileName=name)
        except AnsibleBeanstalkError as error:
            if error_code(error) in _MISSING:
                return Role(name, exists=False)
            raise
        roles = answer["InstanceProfile"]["Roles"]
        return self._role(roles[0]) if roles else Role(name, exists=False)

    def _service_role(self) -> Role | None:
        name = self.wanted.service_role
        if not name:
            return None
        try:
            return self._role(_ask(self.client("iam"), "get_role", RoleName=name)["Role"])
        except AnsibleBeanstalkError as error:
            if error_code(error) in _MISSING:
                return Role(name, exists=False)
            raise

    def _role(self, role: Mapping[str, Any]) -> Role:
        name = str(role["RoleName"])
        attached = _pages(self.client("iam"), "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        policies = frozenset(str(one["PolicyName"]) for one in attached)
        return Role(name, True, _trusted(role["AssumeRolePolicyDocument"]), policies)

    # -- network ----------------------------------------------------------------------------------------------------

    def _vpcs(self) -> dict[str, bool]:
        found = _pages(self.client("ec2"), "describe_vpcs", "Vpcs")
        return {one["VpcId"]: bool(one.get("IsDefault")) for one in found}

    def _subnets(self) -> list[Subnet]:
        ec2 = self.client("ec2")
        named = self.wanted.names(VPC, "Subnets")
        tables = _pages(ec2, "describe_route_tables", "RouteTables") if named else []
        return [
            Subnet(one["SubnetId"], one["VpcId"], one["AvailabilityZone"], _way(one, tables))
            for one in _pages(ec2, "describe_subnets", "Subnets")
        ]

    def _keys(self) -> frozenset[str] | None:
        if not self.wanted.option("aws:autoscaling:launchconfiguration", "EC2KeyName"):
            return None
        found = _ask(self.client("ec2"), "describe_key_pairs")["KeyPairs"]
        return frozenset(str(one["KeyName"]) for one in found)

    # -- quotas -----------------------------------------------------------------------------------------------------

    def _quotas(self, environments: int) -> dict[str, Quota]:
        asks: dict[str, Callable[[], Quota | None]] = {
            "environments": lambda: self._eb_quota("EnvironmentQuota", environments),
            "application versions": lambda: self._eb_quota("ApplicationVersionQuota", self._versions()),
            "Auto Scaling groups": self._groups,
            "vCPUs of On-Demand standard instances": self._cpus,
            "Elastic IP addresses": self._addresses,
            "load balancers": self._balancers,
        }
        found = {name: self._of(f"the quota of {name}", ask) for name, ask in asks.items()}
        return {name: quota for name, quota in found.items() if quota is not None}

    def _eb_quota(self, name: str, used: int) -> Quota:
        return Quota(used, int(_ask(self.eb, "describe_account_attributes")["ResourceQuotas"][name]["Maximum"]))

    def _versions(self) -> int:
        return sum(len(one.get("Versions", [])) for one in api.describe_applications(self.eb))

    def _groups(self) -> Quota:
        limits = _ask(self.client("autoscaling"), "describe_account_limits")
        return Quota(limits["NumberOfAutoScalingGroups"], limits["MaxNumberOfAutoScalingGroups"])

    def _cpus(self) -> Quota | None:
        """Of instances that are paid by the hour; Spot Instances have a quota of their own."""
        kind = (self.wanted.instance_types or (_USUAL_TYPE,))[0]
        if not self.wanted.on_demand or not _STANDARD.match(kind):
            return None
        ec2 = self.client("ec2")
        most = _ask(self.client("service-quotas"), "get_service_quota", ServiceCode="ec2", QuotaCode=_CPUS)
        running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        there = Counter(
            str(one["InstanceType"])
            for reservation in _pages(ec2, "describe_instances", "Reservations", Filters=running)
            for one in reservation["Instances"]
            if not one.get("InstanceLifecycle") and _STANDARD.match(one["InstanceType"])
        )
        names = [{"Name": "instance-type", "Values": sorted({kind, *there})}]
        found = _pages(ec2, "describe_instance_types", "InstanceTypes", Filters=names)
        cpus = {str(one["InstanceType"]): int(one["VCpuInfo"]["DefaultVCpus"]) for one in found}
        # Of a type that EC2 does not know here, ValidateConfigurationSettings or the launch tells.
        used = sum(number * cpus.get(each, 0) for each, number in there.items())
        return Quota(used, float(most["Quota"]["Value"]), self.wanted.instances * cpus.get(kind, 0) or 1)

    def _addresses(self) -> Quota | None:
        if self.wanted.balanced or self.wanted.worker:
            return None
        ec2, name = self.client("ec2"), "vpc-max-elastic-ips"
        told = _ask(ec2, "describe_account_attributes", AttributeNames=[name])["AccountAttributes"]
        most = [one["AttributeValues"][0]["AttributeValue"] for one in told if one["AttributeName"] == name]
        return Quota(len(_ask(ec2, "describe_addresses")["Addresses"]), int(most[0])) if most else None

    def _balancers(self) -> Quota | None:
        if not self.wanted.balanced:
            return None
        elb = self.client("elbv2")
        limits = {one["Name"]: one["Max"] for one in _ask(elb, "describe_account_limits")["Limits"]}
        used = sum(one["Type"] == "application" for one in _pages(elb, "describe_load_balancers", "LoadBalancers"))
        return Quota(used, float(limits["application-load-balancers"]))

    # -- environment ------------------------------------------------------------------------------------------------

    def _live(self, ours: list[dict[str, Any]]) -> dict[str, Any] | None:
        if self.wanted.cname_prefix:
            held = cnames.holders(ours, self.wanted.cname_prefix, api.region_of(self.eb))
        else:
            held = [one for one in ours if one["EnvironmentName"] == self.wanted.name]
        return held[0] if len(held) == 1 else None

    def _settings(self, live: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        if live is None:
            return []
        name = str(live["EnvironmentName"])
        read: Callable[[], list[dict[str, Any]]] = lambda: api.describe_settings(  # noqa: E731
            self.eb, self.wanted.application, name
        )
        return self._of("the settings of the live environment", read) or []

    def _branch_state(self, stacks: Iterable[str]) -> str:
        name = self.wanted.platform
        if not name:
            return ""
        try:
            chosen = next(iter(resolution.resolve(name, stacks).values()))
        except AnsibleBeanstalkError:
            return ""  # the check says so
        partition, region = str(self.eb.meta.partition), api.region_of(self.eb)
        arn = chosen if resolution.is_arn(chosen) else resolution.arn_of_stack(chosen, partition, region)
        return str(api.describe_platform(self.eb, arn).get("PlatformBranchLifecycleState") or "") if arn else ""

    def _cname_free(self, live: Mapping[str, Any] | None) -> bool | None:
        prefix = self.wanted.cname_prefix
        if not prefix or live is not None or cnames.is_generated(prefix) or cnames.is_whole(prefix):
            return None
        return self._of("the CNAME", lambda: api.cname_available(self.eb, prefix))

    def _messages(self, live: Mapping[str, Any] | None, described: list[dict[str, Any]]) -> list[tuple[str, Any]]:
        """Validation is of an environment that exists: nothing can be said before."""
        if live is None:
            return []
        sent: dict[str, Settings] = {"for a deployment": self.wanted.settings}
        if self.wanted.cycles:
            copy = self._of("the live environment's own parts", lambda: self._copy(live, described))
            if copy is not None:
                sent["for a cycle's copy"] = copy
        found: list[tuple[str, Any]] = []
        for what, settings in sent.items():
            told = self._of("the validity of option settings", lambda one=settings: self._validate(live, one))  # type: ignore[misc]
            found += [(what, message) for message in told or []]
        return found

    def _copy(self, live: Mapping[str, Any], described: list[dict[str, Any]]) -> Settings:
        generated = frozenset[str]()
        if security_groups(described):
            generated |= generated_groups(self.client("ec2"), live["EnvironmentId"])
        if image(described) and live.get("PlatformArn"):
            generated |= frozenset(api.platform_images(self.eb, live["PlatformArn"]))
        own = own_properties(str(live.get("SolutionStackName") or ""))
        return replaced(copied_settings(described, generated, own), self.wanted.settings)

    def _validate(self, live: Mapping[str, Any], settings: Settings) -> list[Mapping[str, Any]]:
        answer = _ask(
            self.eb,
            "validate_configuration_settings",
            ApplicationName=live["ApplicationName"],
            EnvironmentName=live["EnvironmentName"],
            OptionSettings=to_call(settings),
        )
        return list(answer.get("Messages", []))

    # -- secrets and storage ----------------------------------------------------------------------------------------

    def _secrets(self, profile: Role | None) -> dict[str, str]:
        found = {}
        for arn in set(self.wanted.secrets.values()):
            reason = self._of("secrets", lambda one=arn: self._secret(one, profile))  # type: ignore[misc]
            if reason is not None:
                found[arn] = reason
        return found

    def _secret(self, arn: str, profile: Role | None) -> str:
        service = arn.split(":")[2]
        # Behind a secret's own ARN may be the name of one of its keys.
        base = ":".join(arn.split(":")[:7]) if service == "secretsmanager" else arn
        try:
            if service == "secretsmanager":
                _ask(self.client(service), "describe_secret", SecretId=base)
            else:
                _ask(self.client("ssm"), "get_parameter", Name=arn, WithDecryption=False)
        except AnsibleBeanstalkError as error:
            if error_code(error) in _MISSING:
                return "it does not exist"
            raise
        action = _READS_SECRET[service]
        if profile is None or not profile.exists:
            return ""
        role = f"arn:{arn.split(':')[1]}:iam::{arn.split(':')[4]}:role/{profile.name}"
        try:
            may_not = denied(self.client("iam"), role, {action: (base,)})
        except AnsibleBeanstalkError:
            return ""
        return f"the role {profile.name} of the instances may not {action}" if may_not else ""

    def _image(self, place: Mapping[str, str], profile: Role | None) -> EcrImage | None:
        name = None if self.wanted.local else ecr_name(self.wanted.image)
        if name is None or (name.account, name.region) != (place["ACCOUNT"], place["REGION"]):
            return None
        which = {"imageIds": name.wanted} if name.wanted else {"maxResults": 1}
        try:
            _ask(
                self.client("ecr"),
                "describe_images",
                registryId=name.account,
                repositoryName=name.repository,
                **which,
            )
        except AnsibleBeanstalkError as error:
            if error_code(error) not in _NO_IMAGE:
                raise
            return EcrImage(missing=_NO_IMAGE[error_code(error)])
        if profile is None or not profile.exists:
            return EcrImage(may_not=None)
        if profile.policies.intersection(_PULLING):
            return EcrImage()
        start = f"arn:{place['PARTITION']}"
        repository = f"{start}:ecr:{name.region}:{name.account}:repository/{name.repository}"
        needs = {**dict.fromkeys(_PULLS, (repository,)), "ecr:GetAuthorizationToken": ("*",)}
        try:
            return EcrImage(
                may_not=tuple(denied(self.client("iam"), f"{start}:iam::{name.account}:role/{profile.name}", needs))
            )
        except AnsibleBeanstalkError:
            return EcrImage(may_not=None)

    def _bucket(self, place: Mapping[str, str]) -> Bucket:
        name, s3 = f"elasticbeanstalk-{place['REGION']}-{place['ACCOUNT']}", self.client("s3")
        try:
            _ask(s3, "head_bucket", Bucket=name, ExpectedBucketOwner=place["ACCOUNT"])
        except AnsibleBeanstalkError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return Bucket(name, exists=False)
            if denied_action(error):
                return Bucket(name, ours=False)
            raise
        owner = _set(s3, "get_bucket_ownership_controls", name).get("OwnershipControls", {}).get("Rules", [])
        rules = _set(s3, "get_bucket_encryption", name).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        policy = json.loads(_set(s3, "get_bucket_policy", name).get("Policy") or "{}")
        return Bucket(
            name,
            ownership=owner[0]["ObjectOwnership"] if owner else "",
            encryption=rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] if rules else "",
            denies=tuple(sorted(_denied_actions(policy))),
        )


@translate_errors("look at the account")
def _ask(client: Any, operation: str, **params: Any) -> dict[str, Any]:
    return dict(getattr(client, operation)(**params))


@translate_errors("look at the account")
def _pages(client: Any, operation: str, key: str, **params: Any) -> list[dict[str, Any]]:
    return [one for page in client.get_paginator(operation).paginate(**params) for one in page[key]]


def _set(s3: Any, operation: str, bucket: str) -> dict[str, Any]:
    """A property of a bucket; empty where it is not set."""
    try:
        return _ask(s3, operation, Bucket=bucket)
    except AnsibleBeanstalkError as error:
        if error_code(error) in _NOT_SET:
            return {}
        raise


def _trusted(document: Any) -> frozenset[str]:
    """The services that a trust policy names; IAM gives it URL-encoded, botocore as a dictionary."""
    parsed = json.loads(unquote(document)) if isinstance(document, str) else document
    found: set[str] = set()
    for statement in _listed(parsed.get("Statement", [])):
        principal = statement.get("Principal")
        if statement.get("Effect") == "Allow" and isinstance(principal, Mapping):
            found.update(_listed(principal.get("Service", [])))
    return frozenset(found)


# What Elastic Beanstalk itself denies in its bucket: nobody deletes it by accident.
_OWN_DENIAL = "s3:DeleteBucket"


def _denied_actions(policy: Mapping[str, Any]) -> set[str]:
    statements = [one for one in _listed(policy.get("Statement", [])) if one.get("Effect") == "Deny"]
    return {str(action) for one in statements for action in _listed(one.get("Action", []))} - {_OWN_DENIAL}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _way(subnet: Mapping[str, Any], tables: Iterable[Mapping[str, Any]]) -> str:
    """The target of a subnet's default route, by its own route table or the main one of its VPC."""
    pairs = [(table, one) for table in tables for one in table.get("Associations", [])]
    own = [table for table, one in pairs if one.get("SubnetId") == subnet["SubnetId"]]
    own += [table for table, one in pairs if one.get("Main") and table["VpcId"] == subnet["VpcId"]]
    for route in own[0].get("Routes", []) if own else []:
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            targets = ("NatGatewayId", "GatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId")
            return str(next((route[name] for name in targets if route.get(name)), ""))
    return ""
