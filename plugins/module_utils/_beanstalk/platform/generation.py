# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the linter needs to know of a platform, read from whatever name the user has for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Platform:
    """`generation` is al1, al2, al2023 or windows; `docker` is plain, ecs or none; both "" when unknown.

    `name` is the platform as the user names it.
    """

    generation: str = ""
    docker: str = ""
    name: str = field(default="", compare=False)

    @property
    def is_modern(self) -> bool:
        """True on Amazon Linux 2 and later."""
        return self.generation in ("al2", "al2023")

    @property
    def has_virtual_environment(self) -> bool:
        """True on the Python platforms of Amazon Linux 2 and later, which run no container."""
        return self.docker == "none" and self.is_modern and "python" in self.name.lower()

    @property
    def is_legacy(self) -> bool:
        """True on the Amazon Linux AMI, which was retired in July 2022."""
        return self.generation == "al1"


def recognise(name: str | None) -> Platform:
    """Read a solution stack name, platform ARN, branch name, or one of al1, al2, al2023.

    Examples: "64bit Amazon Linux 2023 v4.3.0 running Docker", "Docker running on 64bit Amazon Linux 2023",
    "arn:aws:elasticbeanstalk:us-east-1::platform/Docker running on 64bit Amazon Linux 2/3.5.0",
    "64bit Amazon Linux 2018.03 v2.17.6 running Multi-container Docker 19.03.13-ce (Generic)".
    """
    name = (name or "").strip()
    text = name.lower()
    docker = ""
    if re.match(r"arn:[^:]*:elasticbeanstalk:[^:]*:\d+:platform/", text):
        return Platform(name=name)  # a custom platform: what it is called says nothing
    if re.search(r"\becs\b|multi-?container", text):
        docker = "ecs"
    elif "docker" in text:
        docker = "plain"
    elif re.search(r"running|platform/", text):  # the name is complete, and says something else
        docker = "none"
    if "windows" in text:
        return Platform("windows", docker, name)
    if text in ("al1", "al2", "al2023"):
        return Platform(text, name=name)
    linux = re.search(r"amazon linux(?: (2023|2)(?![\d.])| (20\d\d\.\d\d))?", text)
    if not linux:
        return Platform("", docker, name)
    return Platform(f"al{linux.group(1)}" if linux.group(1) else "al1", docker, name)
