# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cycle asks services beside Elastic Beanstalk: how many instances run now, and whether there is room for more.

All of it is to do better than Elastic Beanstalk's own words allow. Where the caller may not ask, nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..core import api
from ..core.errors import AnsibleBeanstalkError, translate_errors
from ..core.permissions import denied, needed, principal_of
from ..environment.security_groups import generated_groups
from ..observe.verifier import desired_of
from ..option_settings.keys import Key, Settings
from ..run.single_flight import SingleFlight
from .planner.model import Capacity

ASG = "aws:autoscaling:asg"
_TOGETHER_SECONDS = 20.0
_PERMISSIONS_SECONDS = 600.0
_Got = TypeVar("_Got")
_TYPE = Key("aws:elasticbeanstalk:environment", "EnvironmentType")


@translate_errors("look at the account")
def _ask(client: Any, operation: str, **params: Any) -> dict[str, Any]:
    return dict(getattr(client, operation)(**params))


class Account:
    """Answers for one run. ``client`` makes a client for a service, by its name; each is made when it is needed."""

    def __init__(self, client: Callable[[str], Any], answers: SingleFlight) -> None:
        self.client, self._answers = client, answers
        self._shortage: str | None = None

    def capacity(self, environment_id: str, wanted: Settings) -> Capacity | None:
        """How many instances the environment has now, and the limits in ``wanted``; None for a single instance."""
        if single_instance(wanted):
            return None
        try:
            least, most = int(wanted.get(Key(ASG, "MinSize")) or 1), int(wanted.get(Key(ASG, "MaxSize")) or 4)
        except ValueError:
            return None
        resources = api.describe_resources(self.client("elasticbeanstalk"), environment_id)
        groups = [str(one["Name"]) for one in resources.get("AutoScalingGroups", [])]
        now = desired_of(lambda: self.client("autoscaling"), groups)
        return Capacity(least, most, len(resources.get("Instances", [])) if now is None else now)

    def lacking(self, live: Mapping[str, Any], bucket: str) -> str:
        """The actions that a cycle over ``live`` may need and the caller may not do; empty when nobody may know.

        ``bucket`` is that of the lock, "" for Elastic Beanstalk's own. Cycles of one application are alike.
        """
        what = f"permissions for {live['ApplicationName']} with {bucket}"
        found = self._answers.recent(("account", what), _PERMISSIONS_SECONDS, lambda: self._lacking(live, bucket))
        return ", ".join(found)

    def _lacking(self, live: Mapping[str, Any], bucket: str) -> list[str]:
        arn = str(live.get("EnvironmentArn")).split(":")
        if len(arn) < 6:
            return []
        place = {
            "PARTITION": arn[1],
            "REGION": arn[3],
            "ACCOUNT": arn[4],
            "APPLICATION": str(live["ApplicationName"]),
            "ENVIRONMENT": str(live["EnvironmentName"]),
            "VERSION": str(live.get("VersionLabel") or live["ApplicationName"]),
            **({"BUCKET": bucket} if bucket else {}),
        }
        try:
            principal = principal_of(str(_ask(self.client("sts"), "get_caller_identity")["Arn"]))
            wanted = needed(["recreate_and_swap"], place, reports=False)
            return denied(self.client("iam"), principal, wanted) if principal else []
        except AnsibleBeanstalkError:
            return []

    def shortage(self, values: Settings) -> str:
        """Why another environment with these option settings would not fit; empty when it does. Asked once."""
        if self._shortage is None:
            checks = [self._environments, self._groups, *([self._addresses] if single_instance(values) else [])]
            self._shortage = next((text for text in (check() for check in checks) if text), "")
        return self._shortage

    def _environments(self) -> str:
        eb = self.client("elasticbeanstalk")
        most = self._together("environments allowed", lambda: _environments_allowed(eb))
        if most is None or self._together("environments in use", lambda: _environments_in_use(eb)) < most:
            return ""
        return f"the region's quota of {most} environments is used up"

    def _groups(self) -> str:
        used, most = self._together("groups", lambda: _groups_used_and_allowed(self.client("autoscaling")))
        return f"the region's quota of {most} Auto Scaling groups is used up" if used >= most else ""

    def _together(self, what: str, ask: Callable[[], _Got]) -> _Got:
        """One question about the account for all cycles that begin together."""
        return self._answers.recent(("account", what), _TOGETHER_SECONDS, ask)

    def _addresses(self) -> str:
        """Elastic Beanstalk gives a single instance an Elastic IP address."""
        ec2 = self.client("ec2")
        try:
            told = _ask(ec2, "describe_account_attributes", AttributeNames=["vpc-max-elastic-ips"])
            found = {one["AttributeName"]: one["AttributeValues"] for one in told["AccountAttributes"]}
            most = int(found["vpc-max-elastic-ips"][0]["AttributeValue"])
            used = len(_ask(ec2, "describe_addresses")["Addresses"])
        except (AnsibleBeanstalkError, LookupError, ValueError):
            return ""
        return f"the region's quota of {most} Elastic IP addresses is used up" if used >= most else ""

    def generated_groups(self, environment_id: str) -> frozenset[str]:
        """Ids and names of the security groups that Elastic Beanstalk made for the environment."""
        return frozenset(generated_groups(self.client("ec2"), environment_id))


def _environments_allowed(eb: Any) -> int | None:
    try:
        return int(_ask(eb, "describe_account_attributes")["ResourceQuotas"]["EnvironmentQuota"]["Maximum"])
    except (AnsibleBeanstalkError, KeyError):
        return None


def _environments_in_use(eb: Any) -> int:
    """Those that count towards the region's quota, of whatever application."""
    return len(api.describe_environments(eb))


def _groups_used_and_allowed(scaling: Any) -> list[int]:
    try:
        limits = _ask(scaling, "describe_account_limits")
        return [int(limits["NumberOfAutoScalingGroups"]), int(limits["MaxNumberOfAutoScalingGroups"])]
    except (AnsibleBeanstalkError, KeyError):
        return [0, 1]


def single_instance(values: Settings) -> bool:
    """Whether the option settings make an environment of one instance without a load balancer."""
    return values.get(_TYPE) == "SingleInstance"
