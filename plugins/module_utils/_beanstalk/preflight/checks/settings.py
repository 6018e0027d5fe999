# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option settings, tags, secrets, Elastic Beanstalk's bucket, and the base image."""

from __future__ import annotations

from collections.abc import Iterator

from ...option_settings.given import MAX_PROPERTIES_BYTES, doubts
from ...option_settings.keys import LAUNCH
from ...platform.generation import recognise
from ..facts import EcrImage, Facts
from ..findings import Finding, error, ok, warning
from ..images import ecr_name, is_local
from ..wanted import Wanted

MOST_TAGS = 44
"""Elastic Beanstalk takes 47 of one's own (docs/elastic_beanstalk.md §13), and cycles add three."""
_PULL_POLICY = "AmazonEC2ContainerRegistryReadOnly"
# With one of these an environment has a launch template ("Launch templates" of the Developer Guide).
_TEMPLATE = (
    (LAUNCH, "DisableIMDSv1", ("true",)),
    (LAUNCH, "RootVolumeType", ("gp3",)),
    (LAUNCH, "LaunchTemplateTagPropagationEnabled", ("true",)),
    ("aws:ec2:instances", "EnableSpot", ("true",)),
    ("aws:ec2:instances", "SupportedArchitectures", ("arm64",)),
)


def validated(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """What Elastic Beanstalk says of exactly the settings that would be sent."""
    for what, message in facts.messages:
        option = f"{message.get('Namespace')} {message.get('OptionName')}"
        says = f"Elastic Beanstalk says of {option}, {what}: {message.get('Message')}"
        make = error if message.get("Severity") == "error" else warning
        yield make(says, "Correct it in eb_option_settings.")
    if not facts.live:
        yield ok("Option settings can be validated by Elastic Beanstalk once there is an environment.")
    elif not facts.messages:
        also = ", and of a cycle's copy of the live environment" if wanted.cycles else ""
        yield ok(f"Elastic Beanstalk has no objection to the option settings of a deployment{also}.")
    for sentence in doubts(wanted.settings):
        yield warning(sentence, "Shorten it.")


def launch_template(_facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Accounts of today cannot have launch configurations (docs/elastic_beanstalk.md §13)."""
    given = wanted.option(LAUNCH, "DisableIMDSv1")
    by_default = not given and recognise(wanted.platform).generation == "al2023"
    if by_default or any(wanted.option(namespace, name) in values for namespace, name, values in _TEMPLATE):
        yield ok("The environment has a launch template.")
    elif wanted.platform:
        yield warning(
            "The environment would have a launch configuration, which new accounts refuse.",
            "Set DisableIMDSv1 of aws:autoscaling:launchconfiguration to true.",
        )


def tags(_facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Room for those of cycles."""
    if len(wanted.tags) > MOST_TAGS:
        yield error(
            f"There are {len(wanted.tags)} tags, and at most {MOST_TAGS} fit: cycles add three.",
            "Drop some of eb_tags.",
        )
    else:
        yield ok(f"There are {len(wanted.tags)} of at most {MOST_TAGS} tags.")


def properties(_facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Their size in bytes."""
    size = len(",".join(f"{name}={value}" for name, value in wanted.properties.items()).encode())
    if size > MAX_PROPERTIES_BYTES:
        yield error(
            f"The environment properties have {size} bytes, and at most {MAX_PROPERTIES_BYTES} fit.",
            "Move large ones to secrets by ARN, or into a file of the bundle.",
        )
    else:
        yield ok(f"The environment properties have {size} of at most {MAX_PROPERTIES_BYTES} bytes.")


def secrets(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """They exist, and the instances may read them."""
    good = 0
    for name, arn in sorted(wanted.secrets.items()):
        if reason := facts.secrets.get(arn, ""):
            yield error(f"The secret of {name} cannot be had: {reason}.", f"See {arn}.")
        else:
            good += arn in facts.secrets
    if good:
        yield ok(f"{good} secrets exist, and the instances may read them.")


def bucket(facts: Facts, _wanted: Wanted) -> Iterator[Finding]:
    """Ownership, encryption and policy of Elastic Beanstalk's bucket."""
    one = facts.bucket
    if one is None:
        return
    if not one.exists:
        yield ok(f"The bucket {one.name} is made with the first deployment.")
    elif not one.ours:
        yield error(
            f"The bucket {one.name} is another account's, or the credentials may not list it.",
            "Allow s3:ListBucket; where that is allowed, do not deploy: whoever owns it would get the bundles.",
        )
    elif one.ownership == "BucketOwnerEnforced":
        yield error(
            f"The bucket {one.name} does not allow ACLs, which Elastic Beanstalk sets.",
            "Set its object ownership to BucketOwnerPreferred.",
        )
    elif one.denies:
        yield warning(
            f"The policy of the bucket {one.name} denies {', '.join(one.denies)}.",
            "See that this is not for the instances, for Elastic Beanstalk, or for you.",
        )
    elif one.encryption == "aws:kms":
        yield warning(
            f"The bucket {one.name} is encrypted with a key of KMS.",
            "Let the instances' role use it (kms:Decrypt and kms:GenerateDataKey).",
        )
    else:
        yield ok(f"The bucket {one.name} is ours and encrypted as usual.")


def base_image(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Instances have to reach its registry."""
    image = wanted.image
    if not image or wanted.local:
        return
    name = ecr_name(image)
    if is_local(image):
        yield error(
            f"The base image {image} is on this machine, where no instance can fetch it.",
            "Set eb_image.registry to a registry that the instances reach, such as one of Amazon ECR.",
        )
    elif name is None:
        yield ok(f"The base image is {image}; its registry cannot be looked at from here, and has to be a public one.")
    elif (name.account, name.region) != (facts.account, facts.region):
        yield warning(
            f"The base image {image} is in Amazon ECR of account {name.account} in {name.region}, and cannot be looked "
            "at from here.",
            "See that it exists, and that the policy of the repository lets the role of the instances pull.",
        )
    elif facts.image is not None:
        yield from _ecr(facts, image, facts.image)


def _ecr(facts: Facts, image: str, found: EcrImage) -> Iterator[Finding]:
    role = facts.profile.name if facts.profile else ""
    if found.missing:
        yield error(
            f"There is no {found.missing} in Amazon ECR for the base image {image}.",
            "Create the repository: a push does not."
            if found.missing == "repository"
            else "Push it, or correct eb_image.",
        )
    elif found.may_not is None:
        yield warning(
            f"The base image {image} exists, and whether the instances may pull it cannot be told.",
            f"Attach {_PULL_POLICY} to their role.",
        )
    elif found.may_not:
        yield warning(
            f"The base image {image} is in Amazon ECR, and the role {role} may not {', '.join(found.may_not)}.",
            f"Attach {_PULL_POLICY} to it.",
        )
    else:
        yield ok(f"The base image is {image}, and the instances may pull it.")
