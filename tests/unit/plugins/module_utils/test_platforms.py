# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform names and which of them mean the same."""

from __future__ import annotations

import re

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk import platforms
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.common import AnsibleBeanstalkRefusedError

STACKS = [
    "64bit Amazon Linux 2023 v4.3.0 running Docker",
    "64bit Amazon Linux 2023 v4.10.1 running Docker",
    "64bit Amazon Linux 2023 v4.3.0 running Python 3.11",
    "64bit Amazon Linux 2 v3.8.0 running Docker",
]
BRANCH = "Docker running on 64bit Amazon Linux 2023"
ARN = "arn:aws:elasticbeanstalk:us-east-1::platform/Docker running on 64bit Amazon Linux 2023/4.3.0"


def test_a_branch_becomes_its_newest_stack_by_number() -> None:
    assert platforms.resolve(BRANCH, STACKS) == {"SolutionStackName": STACKS[1]}


def test_stack_and_arn_are_taken_as_they_are() -> None:
    assert platforms.resolve(STACKS[0], STACKS) == {"SolutionStackName": STACKS[0]}
    assert platforms.resolve(ARN, []) == {"PlatformArn": ARN}


def test_unknown_platform_names_similar_ones() -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError, match=f"Similar ones: {re.escape(STACKS[0])}"):
        platforms.resolve("64bit Amazon Linux 2023 v9.9.9 running Docker", STACKS)


@pytest.mark.parametrize(
    ("platform", "right"),
    [
        (STACKS[0], True),
        (ARN, True),
        (BRANCH, True),
        (BRANCH.lower(), True),
        (STACKS[1], False),
        (ARN.replace("4.3.0", "4.4.0"), False),
        ("Python 3.11 running on 64bit Amazon Linux 2023", False),
    ],
)
def test_runs_on(platform: str, right: bool) -> None:
    environment = {"SolutionStackName": STACKS[0], "PlatformArn": ARN}
    assert platforms.runs_on(environment, platform) is right
