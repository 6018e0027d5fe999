# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform names and which of them mean the same."""

from __future__ import annotations

import re

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.platform import resolution
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.platform.resolution import Fit

STACKS = [
    "64bit Amazon Linux 2023 v4.3.0 running Docker",
    "64bit Amazon Linux 2023 v4.10.1 running Docker",
    "64bit Amazon Linux 2023 v4.3.0 running Python 3.11",
    "64bit Amazon Linux 2 v3.8.0 running Docker",
    "64bit Amazon Linux 2023 v5.8.1 running Tomcat 10 Corretto 17",
]
BRANCH = "Docker running on 64bit Amazon Linux 2023"
ARN = "arn:aws:elasticbeanstalk:us-east-1::platform/Docker running on 64bit Amazon Linux 2023/4.3.0"


def test_a_branch_becomes_its_newest_stack_by_number() -> None:
    assert resolution.resolve(BRANCH, STACKS) == {"SolutionStackName": STACKS[1]}


@pytest.mark.parametrize("what", ["Tomcat 10 with Corretto 17", "Tomcat 10 Corretto 17", "tomcat 10 with corretto 17"])
def test_a_branch_of_tomcat_is_found_by_either_name(what: str) -> None:
    """A stack has no "with"; the branch, which the EB CLI's configuration names, has."""
    branch = f"{what} running on 64bit Amazon Linux 2023"
    assert resolution.resolve(branch, STACKS) == {"SolutionStackName": STACKS[4]}
    assert resolution.fit({"SolutionStackName": STACKS[4]}, branch) is Fit.RIGHT
    arn = resolution.arn_of_stack(STACKS[4], "aws", "eu-west-1")
    assert arn.endswith("::platform/Tomcat 10 with Corretto 17 running on 64bit Amazon Linux 2023/5.8.1")


def test_stack_and_arn_are_taken_as_they_are() -> None:
    assert resolution.resolve(STACKS[0], STACKS) == {"SolutionStackName": STACKS[0]}
    assert resolution.resolve(ARN, []) == {"PlatformArn": ARN}


def test_unknown_platform_names_similar_ones() -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError, match=f"Similar ones: {re.escape(STACKS[0])}"):
        resolution.resolve("64bit Amazon Linux 2023 v9.9.9 running Docker", STACKS)


PYTHON = "64bit Amazon Linux 2023 v4.3.0 running Python 3.11"


@pytest.mark.parametrize(
    ("platform", "found"),
    [
        (STACKS[0], Fit.RIGHT),
        (ARN, Fit.RIGHT),
        (BRANCH, Fit.RIGHT),
        (BRANCH.lower(), Fit.RIGHT),
        (ARN.removesuffix("/4.3.0"), Fit.RIGHT),
        (ARN.replace("us-east-1", ""), Fit.RIGHT),
        (f"arn:aws:elasticbeanstalk:::platform/{BRANCH}", Fit.RIGHT),
        (STACKS[1], Fit.CHANGE),
        (ARN.replace("4.3.0", "4.4.0"), Fit.CHANGE),
        (ARN.replace("4.3.0", "4.2.9"), Fit.NEWER),
        ("64bit Amazon Linux 2023 v4.2.11 running Docker", Fit.NEWER),
        (ARN.replace("us-east-1", "eu-west-1"), Fit.CHANGE),
        (ARN.replace("::", ":123456789012:"), Fit.CHANGE),
        (PYTHON, Fit.OTHER_KIND),
        ("Python 3.11 running on 64bit Amazon Linux 2023", Fit.OTHER_KIND),
        ("ECS running on 64bit Amazon Linux 2023", Fit.OTHER_KIND),
        ("Docker running on 64bit Amazon Linux 2", Fit.OTHER_KIND),
        ("Docker running on 32bit Amazon Linux 2023", Fit.OTHER_KIND),
        ("64bit Amazon Linux 2018.03 v2.17.10 running Docker 20.10.13-ce", Fit.OTHER_KIND),
        ("arn:aws:elasticbeanstalk:us-east-1:123456789012:platform/Ours/1.0.0", Fit.CHANGE),
    ],
)
@pytest.mark.parametrize("environment", [{"SolutionStackName": STACKS[0], "PlatformArn": ARN}])
def test_what_a_platform_is_to_the_wanted_one(environment: dict[str, str], platform: str, found: Fit) -> None:
    assert resolution.fit(environment, platform) is found


@pytest.mark.parametrize(
    ("now", "wanted", "found"),
    [
        (PYTHON, "Python 3.13 running on 64bit Amazon Linux 2023", Fit.CHANGE),
        (
            "64bit Amazon Linux 2018.03 v2.17.10 running Docker 20.10.13-ce",
            "Docker running on 64bit Amazon Linux",
            Fit.CHANGE,
        ),
        (
            "64bit Windows Server 2022 v2.1 running IIS 10.0",
            "IIS 10.0 running on 64bit Windows Server 2019",
            Fit.OTHER_KIND,
        ),
        (
            "64bit Amazon Linux 2023 v5.0.0 running Tomcat 9 Corretto 11",
            "Tomcat 10 Corretto 17 running on 64bit Amazon Linux 2023",
            Fit.CHANGE,
        ),
    ],
)
def test_another_branch_of_the_same_kind_is_a_change(now: str, wanted: str, found: Fit) -> None:
    assert resolution.fit({"SolutionStackName": now}, wanted) is found


def test_another_kind_is_refused_with_the_way_to_do_it() -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError, match="eb_deploy_strategy: swap") as refused:
        resolution.refuse_other_kind({"EnvironmentName": "shop", "SolutionStackName": PYTHON}, BRANCH)
    assert str(refused.value).startswith(f"The environment shop runs {PYTHON}, and {BRANCH} is of another family")


@pytest.mark.parametrize(
    "platform", [ARN.removesuffix("/4.3.0"), f"arn:aws:elasticbeanstalk:::platform/{BRANCH}", f"{ARN[:-6]}/"]
)
def test_an_arn_without_a_version_becomes_the_newest_stack(platform: str) -> None:
    assert resolution.resolve(platform, STACKS) == {"SolutionStackName": STACKS[1]}


def test_an_arn_without_a_region_becomes_its_stack() -> None:
    assert resolution.resolve(ARN.replace("us-east-1", ""), STACKS) == {"SolutionStackName": STACKS[0]}
