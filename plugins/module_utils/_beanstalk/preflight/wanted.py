# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is about to be deployed, as far as a look beforehand needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..option_settings.given import parse
from ..option_settings.keys import LAUNCH, PROPERTIES, SECRETS, Key, Settings
from ..option_settings.values import canonical, groups_in
from ..platform.generation import recognise

ENVIRONMENT = "aws:elasticbeanstalk:environment"
VPC = "aws:ec2:vpc"
_TYPES = ("aws:ec2:instances", "InstanceTypes")


@dataclass(frozen=True)
class Wanted:
    """``hooks`` are their commands, ``image`` is the base image's whole name, ``source`` a folder or a bundle.

    ``secret_files`` are patterns of files of the source that git ignores.

    ``playbooks`` are those whose permissions are looked at. ``local``: images of this machine reach the instances.
    """

    application: str
    cname_prefix: str = ""
    name: str = ""
    platform: str = ""
    settings: Settings = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    worker: bool = False
    bucket: str = ""
    playbooks: tuple[str, ...] = ("deploy",)
    source: str = ""
    secret_files: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    image: str = ""
    local: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Wanted:
        """As the module's parameters say. AnsibleBeanstalkRefusedError for option settings that cannot be meant."""
        return cls(
            application=params["application"],
            cname_prefix=params["cname_prefix"] or "",
            name=params["name"] or "",
            platform=params["platform"] or "",
            settings=parse(params["option_settings"]),
            tags=params["tags"],
            worker=params["tier"] == "Worker",
            bucket=params["lock_bucket"] or "",
            playbooks=tuple(params["playbooks"]),
            source=params["source"] or "",
            secret_files=tuple(params["secrets"]),
            hooks=tuple(params["hook_commands"]),
            image=params["base_image"] or "",
            local=params["local_images"],
        )

    def option(self, namespace: str, name: str) -> str:
        """The value of an option in its one spelling, "" when it is not given."""
        key = Key(namespace, name)
        return canonical(key, self.settings.get(key) or "")

    def names(self, namespace: str, name: str) -> set[str]:
        """What an option that is a list names."""
        return groups_in(self.option(namespace, name))

    @property
    def properties(self) -> dict[str, str]:
        """Environment properties by name."""
        return {key.option: value or "" for key, value in self.settings.items() if key.namespace == PROPERTIES}

    @property
    def secrets(self) -> dict[str, str]:
        """ARNs of secrets by the name of the property that gets them."""
        return {key.option: value for key, value in self.settings.items() if key.namespace == SECRETS and value}

    @property
    def balanced(self) -> bool:
        """Whether there is a load balancer."""
        return not self.worker and self.option(ENVIRONMENT, "EnvironmentType") != "SingleInstance"

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Types of its instances, the preferred one first; none when none is given."""
        several = self.option(*_TYPES) or self.option(LAUNCH, "InstanceType")
        return tuple(one.strip() for one in several.split(",") if one.strip())

    @property
    def on_demand(self) -> bool:
        """Whether none of its instances is a Spot Instance."""
        return self.option("aws:ec2:instances", "EnableSpot") != "true"

    @property
    def instances(self) -> int:
        """How many it begins with."""
        least = self.option("aws:autoscaling:asg", "MinSize")
        single = self.option(ENVIRONMENT, "EnvironmentType") == "SingleInstance"
        return int(least) if least.isdecimal() and not single else 1

    @property
    def profile(self) -> str:
        """Name of the instance profile."""
        return self.option(LAUNCH, "IamInstanceProfile")

    @property
    def service_role(self) -> str:
        """Name of the service role, "" for the service-linked one."""
        return self.option(ENVIRONMENT, "ServiceRole")

    @property
    def cycles(self) -> bool:
        """Whether the environment is to be recreated, so that there are two at a time."""
        return "recreate_and_swap" in self.playbooks

    @property
    def legacy(self) -> bool:
        """Whether the platform is the retired Amazon Linux AMI."""
        return recognise(self.platform).is_legacy
