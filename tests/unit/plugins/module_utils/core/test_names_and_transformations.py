# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Elastic Beanstalk would refuse, and its answers in snake_case."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import names, transformations
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import NameRefusedError


@pytest.mark.parametrize("name", ["blog", "Blog-1", "a" * 40, "a-b-c"])
def test_good_environment_names(name: str) -> None:
    names.check_environment_name(name)


@pytest.mark.parametrize("name", ["abc", "a" * 41, "-abcd", "abcd-", "ab_cd", "ab cd", "äbcd", "abcd\n"])
def test_bad_environment_names(name: str) -> None:
    with pytest.raises(NameRefusedError, match="environment name"):
        names.check_environment_name(name)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("blog", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("a.b.c", False),
        ("shop.eba-k3v9x2mq", True),
        ("shop.", False),
    ],
)
def test_cname_prefixes(name: str, good: bool) -> None:
    if good:
        names.check_cname_prefix(name)
    else:
        with pytest.raises(NameRefusedError, match="CNAME prefix"):
            names.check_cname_prefix(name)


@pytest.mark.parametrize("label", ["", "a" * 101, "a/b", "a\x07"])
def test_bad_version_labels(label: str) -> None:
    with pytest.raises(NameRefusedError, match="version label"):
        names.check_version_label(label)


@pytest.mark.parametrize(
    "tags", [{"aws:x": "1"}, {"Name": "x"}, {"": "x"}, {"k": "v" * 257}, dict.fromkeys(map(str, range(51)), "")]
)
def test_bad_tags(tags: dict[str, str]) -> None:
    with pytest.raises(NameRefusedError):
        names.check_tags(tags)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EnvironmentId", "environment_id"),
        ("CNAME", "cname"),
        ("EndpointURL", "endpoint_url"),
        ("Ec2InstanceId", "ec2_instance_id"),
        ("S3Bucket", "s3_bucket"),
        ("HTTPSListener", "https_listener"),
        ("P999", "p999"),
    ],
)
def test_snake(name: str, expected: str) -> None:
    assert transformations.snake(name) == expected


def test_times_are_utc_text() -> None:
    moment = datetime(2026, 3, 3, 13, 38, 46, 231999, tzinfo=timezone(timedelta(hours=1)))
    assert transformations.plain({"EventDate": moment, "ResponseMetadata": {}}) == {
        "event_date": "2026-03-03T12:38:46.231Z"
    }


def test_users_tag_keys_stay() -> None:
    tags = [{"Key": "CostCenter", "Value": "A1"}, {"Key": "x", "Value": ""}]
    assert transformations.tags_out(tags) == {"CostCenter": "A1", "x": ""}
    assert transformations.tags_in({"x": 1, "CostCenter": "A1"}) == [
        {"Key": "CostCenter", "Value": "A1"},
        {"Key": "x", "Value": "1"},
    ]
