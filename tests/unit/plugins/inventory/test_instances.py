# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin: its pure part as one dictionary, and the whole against localstalk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from administration import ask
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader import instances

ROOT = Path(__file__).resolve().parents[4]
INSTANCE = {
    "InstanceId": "i-0123456789abcdef0",
    "InstanceType": "t3.small",
    "LaunchTime": datetime(2026, 3, 1, 2, 0, tzinfo=UTC),
    "Placement": {"AvailabilityZone": "us-east-1a"},
    "PrivateIpAddress": "10.0.0.7",
    "PublicIpAddress": "",
    "Tags": [
        {"Key": "elasticbeanstalk:environment-id", "Value": "e-abcdefghij"},
        {"Key": "jack:role", "Value": "live"},
        {"Key": "CostCenter", "Value": "A1"},
    ],
}
ENVIRONMENT = {
    "EnvironmentId": "e-abcdefghij",
    "EnvironmentName": "blog-production",
    "ApplicationName": "Blog",
    "CNAME": "blog.us-east-1.elasticbeanstalk.com",
    "VersionLabel": "blog-1.2",
    "Status": "Ready",
    "Health": "Green",
    "HealthStatus": "Ok",
    "SolutionStackName": "64bit Amazon Linux 2023 v4.3.0 running Docker",
    "Tier": {"Name": "WebServer"},
}


def test_a_host() -> None:
    stranger = {**INSTANCE, "InstanceId": "i-other", "Tags": []}
    found = instances.join([INSTANCE, stranger], [ENVIRONMENT], "us-east-1")
    assert json.loads(json.dumps(found)) == [
        {
            "eb_instance_availability_zone": "us-east-1a",
            "eb_instance_application_name": "Blog",
            "eb_instance_cname": "blog.us-east-1.elasticbeanstalk.com",
            "eb_instance_cname_prefix": "blog",
            "eb_instance_environment_name": "blog-production",
            "eb_instance_environment_id": "e-abcdefghij",
            "eb_instance_health": "Green",
            "eb_instance_health_status": "Ok",
            "eb_instance_leader": False,
            "eb_instance_logical": None,
            "eb_instance_platform": "64bit Amazon Linux 2023 v4.3.0 running Docker",
            "eb_instance_region": "us-east-1",
            "eb_instance_role": "live",
            "eb_instance_status": "Ready",
            "eb_instance_tier": "WebServer",
            "eb_instance_version_label": "blog-1.2",
            "eb_instance_id": "i-0123456789abcdef0",
            "eb_instance_type": "t3.small",
            "eb_instance_launched_at": "2026-03-01T02:00:00.000Z",
            "eb_instance_private_dns": None,
            "eb_instance_private_ip": "10.0.0.7",
            "eb_instance_public_dns": None,
            "eb_instance_public_ip": None,
            "eb_instance_tags": {
                "elasticbeanstalk:environment-id": "e-abcdefghij",
                "jack:role": "live",
                "CostCenter": "A1",
            },
        }
    ]
    assert instances.groups_of(found[0]) == [
        "eb_application_blog",
        "eb_environment_blog_production",
        "eb_tier_webserver",
        "eb_health_green",
        "eb_version_blog_1_2",
        "eb_role_live",
    ]
    assert instances.address_of(found[0], ["public_ip", "private_ip"]) == "10.0.0.7"
    assert instances.address_of(found[0], ["public_ip"]) is None
    assert instances.address_of(found[0], ["public_ip", "instance_id"]) == "i-0123456789abcdef0"


def test_no_variable_of_an_instance_is_one_of_the_inventory() -> None:
    (host,) = instances.join([INSTANCE], [ENVIRONMENT], "us-east-1")
    assert {name for name in host if not name.startswith("eb_instance_")} == set()


def calls(localstalk_env: dict[str, str]) -> Counter[str]:
    """API calls that localstalk has had, by name."""
    return Counter(json.loads(ask(localstalk_env, "calls")))


def led(instance: str, value: str | None, environment: str = "e-1") -> dict[str, Any]:
    tags = {"jack:leader": value} if value else {}
    told = {"id": instance, "environment_id": environment, "version_label": "v2", "tags": tags}
    return {f"eb_instance_{name}": value for name, value in told.items()}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["leader 3 2026-03-03T12:00:00Z v2", "not_leader 3 2026-03-03T12:00:01Z v2", None], {"i-0"}),
        (["leader 3 2026-03-03T12:00:00Z v1", None], set()),
        (["leader 3 2026-03-03T12:00:00Z v2", "not_leader 4 2026-03-03T13:00:00Z v2"], set()),
        (["leader 3 2026-03-03T12:00:00Z v2", "leader 4 2026-03-03T13:00:00Z v2"], {"i-1"}),
        (["leader 3 2026-03-03T12:00:00Z v2", "leader 3 2026-03-03T12:00:01Z v2"], set()),
        (["chief", None], set()),
    ],
)
def test_leaders_by_tag(values: list[str | None], expected: set[str]) -> None:
    found = [led(f"i-{number}", value) for number, value in enumerate(values)]
    other = led("i-other", "leader 9 2026-03-03T12:00:00Z v2", "e-2")
    assert instances.leaders_by_tag([*found, other]) == expected | {"i-other"}
    assert "eb_leader" in instances.groups_of({"eb_instance_leader": True})
    assert instances.groups_of({"eb_instance_leader": False}) == []


def test_against_localstalk(
    run: Callable[..., dict[str, Any]],
    aws: dict[str, str],
    localstalk_env: dict[str, str],
    bundle: Callable[[str], str],
    tmp_path: Path,
) -> None:
    quick = {"poll_interval": 0.2, "wait_timeout": 120}
    run("application", name="hosts")
    run("application_version", application="hosts", version_label="v1", src=bundle("v1"), **quick)
    settings = {
        "aws:autoscaling:asg": {"MinSize": 2, "MaxSize": 2},
        "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
    }
    params = {
        "application": "hosts",
        "name": "hosts-live",
        "cname_prefix": "hosts-live",
        "platform": "Docker running on 64bit Amazon Linux 2023",
        "version_label": "v1",
        "option_settings": settings,
        "tags": {"jack:role": "live"},
        **quick,
    }
    made = run("environment", **params)
    assert not made.get("failed"), made["msg"]
    config = tmp_path / "test.beanstalk.yml"
    config.write_text(json.dumps({"plugin": "jack.beanstalk.instances", "applications": ["hosts"], **aws}))
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    program = Path(sys.executable).with_name("ansible-inventory")
    keys = {"aws_access_key_id": aws["access_key"], "aws_secret_access_key": aws["secret_key"]}
    ec2 = boto3.client("ec2", endpoint_url=aws["endpoint_url"], region_name=aws["region"], **keys)
    expected = sorted(item["instance_id"] for item in made["instances"])
    tag = {"Key": "jack:leader", "Value": "leader 1 2026-03-03T12:00:00Z v1"}
    ec2.create_tags(Resources=expected[1:], Tags=[tag])
    before = calls(localstalk_env)
    done = subprocess.run([program, "-i", config, "--list"], env=env, capture_output=True, text=True, check=True)
    assert calls(localstalk_env) - before == {"ec2:DescribeInstances": 1, "elasticbeanstalk:DescribeEnvironments": 1}
    listed = json.loads(done.stdout)
    assert listed["eb_leader"]["hosts"] == expected[1:]
    assert sorted(listed["eb_environment_hosts_live"]["hosts"]) == expected
    assert sorted(listed["eb_role_live"]["hosts"]) == expected
    variables = listed["_meta"]["hostvars"][expected[0]]
    assert variables["ansible_host"] == variables["eb_instance_private_ip"]
    # ansible-inventory marks texts that are not to be templated.
    assert variables["eb_instance_version_label"] == {"__ansible_unsafe": "v1"}
    run("environment", **{**params, "state": "absent"})
