# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS says before a deployment; plain data, so that the checks are functions of it. None is what nobody told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Role:
    """A role; ``exists`` is whether there is one (of an instance profile: whether that has one).

    ``trusts`` are the services that may take it, ``policies`` names of the managed policies that it has.
    """

    name: str
    exists: bool = True
    trusts: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Subnet:
    """``way`` is the target of its default route, such as ``igw-…`` or ``nat-…``; empty without one."""

    id: str
    vpc: str
    zone: str
    way: str


@dataclass(frozen=True)
class Quota:
    """How many there are, and how many there may be. ``each`` is how many an environment takes."""

    used: float
    most: float
    each: float = 1


@dataclass(frozen=True)
class Bucket:
    """Elastic Beanstalk's own. ``encryption`` is ``AES256`` or ``aws:kms``, ``denies`` what its policy denies."""

    name: str
    exists: bool = True
    ours: bool = True
    ownership: str = ""
    encryption: str = ""
    denies: tuple[str, ...] = ()


@dataclass(frozen=True)
class EcrImage:
    """A base image in this account's registry: what is missing, if anything, and what the instances may not of it."""

    missing: str = ""
    may_not: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class Facts:
    """``unread`` are names of what could not be read, with why, and what to do."""

    arn: str
    account: str
    partition: str
    region: str
    unread: tuple[tuple[str, str, str], ...] = ()
    denied: Sequence[str] | None = None
    tried: Mapping[str, bool] = field(default_factory=dict)
    """Whether an action is allowed, where policies cannot be simulated and it could be tried."""
    profile: Role | None = None
    service_role: Role | None = None
    vpcs: Mapping[str, bool] | None = None
    """Whether it is the default one, by id."""
    subnets: Sequence[Subnet] | None = None
    keys: frozenset[str] | None = None
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    stacks: Sequence[str] = ()
    branch_state: str = ""
    """``Supported``, ``Deprecated`` or ``Retired``."""
    environments: Sequence[Answer] = ()
    """Of the application."""
    cname_free: bool | None = None
    live: Answer | None = None
    live_settings: Sequence[Answer] = ()
    messages: Sequence[tuple[str, Answer]] = ()
    """What ValidateConfigurationSettings said, with what the settings are for."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Why a secret cannot be had, by ARN; empty when it can."""
    bucket: Bucket | None = None
    image: EcrImage | None = None
    """None as well for an image elsewhere."""
