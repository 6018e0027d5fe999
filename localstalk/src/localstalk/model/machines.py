# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment's instances are as EC2 has them: machine image, type, security groups, key, profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localstalk.driver import Generation

X86, ARM = "x86_64", "arm64"
_NAMES = {"al2023": "al2023-ami-2023", "al2": "amzn2-ami-hvm", "al1": "amzn-ami-hvm"}
_ANY = "ami-12c6146b"
"""In moto's list in every region; for generations of which it has no image any more."""


@dataclass(frozen=True)
class Machine:
    """What is launched."""

    image: str
    kind: str
    groups: tuple[str, ...]
    key: str
    profile: str
    """Name of the instance profile."""
    tokens_only: bool
    """Whether the metadata service insists on tokens."""

    def template(self) -> dict[str, Any]:
        """The data of a launch template."""
        return {
            "ImageId": self.image,
            "InstanceType": self.kind,
            "SecurityGroupIds": list(self.groups),
            "IamInstanceProfile": {"Name": self.profile},
            "MetadataOptions": {"HttpTokens": "required" if self.tokens_only else "optional"},
        } | ({"KeyName": self.key} if self.key else {})


def image(ec2: Any, generation: Generation, architecture: str) -> str:
    """The id of the newest image of a generation of Amazon Linux that moto's EC2 has, for an architecture."""
    known: dict[tuple[str, str], str] = ec2.__dict__.setdefault("_platform_images", {})
    key = (generation, architecture)
    if key not in known:
        found = [
            (each.name, identity)
            for identity, each in ec2.amis.items()
            if (each.name or "").startswith(_NAMES[generation]) and each.architecture == architecture
        ]
        known[key] = max(found)[1] if found else _ANY
    return known[key]
