# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of images, as far as they say where the image is."""

from __future__ import annotations

import re
from typing import NamedTuple

_HERE = re.compile(r"(?:localhost|127\.[\d.]+|\[::1\])(?::\d+)?/")
# Amazon ECR User Guide, "Private registry": the FIPS endpoints are ecr-fips.
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z\d-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


class EcrName(NamedTuple):
    """An image in a private registry of Amazon ECR; ``tag`` and ``digest`` are empty where they are not given."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def wanted(self) -> list[dict[str, str]]:
        """The image as an ``imageIds`` of ECR's calls; none for any image of the repository."""
        one = {"imageTag": self.tag, "imageDigest": self.digest}
        found = {name: value for name, value in one.items() if value}
        return [found] if found else []


def ecr_name(image: str) -> EcrName | None:
    """The parts of a name; None for an image elsewhere."""
    found = _ECR.fullmatch(image)
    return EcrName(*(part or "" for part in found.groups())) if found else None


def is_local(image: str) -> bool:
    """Whether only this machine has it."""
    return bool(_HERE.match(image))
