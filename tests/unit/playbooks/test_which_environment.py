# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks, and by them the roles, where `store` has a made up CNAME and `store-green` holds the prefix store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]
STACK = "64bit Amazon Linux 2023 v4.8.0 running Docker"
LAUNCH = "aws:autoscaling:launchconfiguration"
PROFILE = {"Namespace": LAUNCH, "OptionName": "IamInstanceProfile", "Value": "aws-elasticbeanstalk-ec2-role"}

Play = Callable[..., subprocess.CompletedProcess[str]]


def environments(eb: Any) -> dict[str, dict[str, Any]]:
    found = eb.describe_environments(ApplicationName="stores", IncludeDeleted=False)["Environments"]
    return {one["EnvironmentName"]: one for one in found if one["Status"] != "Terminated"}


@pytest.fixture(scope="module")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    """Simulated instances and a fast clock."""
    running = Localstalk(tmp_path_factory.mktemp("home") / "localstalk", "--driver", "sim", "--speed", "200")
    yield running
    running.close()


@pytest.fixture(scope="module")
def shop(localstalk: Localstalk) -> dict[str, dict[str, Any]]:
    """The environments by name, as they are before."""
    eb = localstalk.client("elasticbeanstalk")
    eb.create_application(ApplicationName="stores")
    base = {"ApplicationName": "stores", "SolutionStackName": STACK, "OptionSettings": [PROFILE]}
    eb.create_environment(EnvironmentName="store", **base)
    eb.create_environment(EnvironmentName="store-green", CNAMEPrefix="store", **base)
    eb.create_environment(EnvironmentName="lone", **base)
    end = time.monotonic() + 60
    while any(one["Status"] != "Ready" for one in environments(eb).values()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return environments(eb)


@pytest.fixture
def play(localstalk: Localstalk, tmp_path: Path) -> Play:
    """Run a playbook of the checkout for the hosts that are named, each of which is its CNAME prefix."""
    application = tmp_path / "application"
    application.mkdir()
    (application / "Dockerfile").write_text("FROM scratch\nEXPOSE 8000\n")
    aws = localstalk.environ
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "eb_application": "stores",
        "eb_cname_prefix": "{{ prefixes[inventory_hostname] }}",
        "eb_environment_name": "{{ inventory_hostname }}",
        "eb_region": aws["AWS_REGION"],
        "eb_platform": "Docker running on 64bit Amazon Linux 2023",
        "eb_option_settings": {LAUNCH: {"IamInstanceProfile": PROFILE["Value"]}},
        "eb_source": {"path": str(application), "from": "work_tree"},
        "eb_poll_interval": 0.2,
        "eb_aws": {
            "endpoint_url": localstalk.url,
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        },
    }

    def call(playbook: str, prefixes: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
        inventory = tmp_path / "inventory.yml"
        hosts = {name: variables | {"prefixes": prefixes} for name in prefixes}
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        program = Path(sys.executable).with_name("ansible-playbook")
        return subprocess.run(
            [program, "-i", inventory, playbook, *options],
            cwd=ROOT,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return call


def refusal(shop: dict[str, dict[str, Any]], name: str) -> str:
    """What to write for an environment whose CNAME was made up."""
    return str(shop[name]["CNAME"]).removesuffix(".us-east-1.elasticbeanstalk.com")


def test_status_tells_the_holder_as_live(play: Play, shop: dict[str, dict[str, Any]]) -> None:
    done = play("status.yml", {"store": "Store"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"store-green ({shop['store-green']['EnvironmentId']}), live" in done.stdout
    assert f"store ({shop['store']['EnvironmentId']}), live" not in done.stdout
    assert "URL:          http://store.us-east-1.elasticbeanstalk.com/" in done.stdout
    failed = play("status.yml", {"lone": "lone"})
    assert failed.returncode == 2, failed.stdout
    assert f"write the CNAME prefix {refusal(shop, 'lone')} to mean it." in failed.stdout


def test_deploy_brings_the_version_to_the_holder(
    play: Play, localstalk: Localstalk, shop: dict[str, dict[str, Any]]
) -> None:
    done = play("deploy.yml", {"store": "store"})
    assert done.returncode == 0, done.stdout + done.stderr
    failed = play("deploy.yml", {"lone": "lone"})
    assert failed.returncode == 2, failed.stdout
    assert f"write the CNAME prefix {refusal(shop, 'lone')} to mean this one" in failed.stdout
    found = environments(localstalk.client("elasticbeanstalk"))
    changed = [name for name, one in found.items() if one["VersionLabel"] != shop[name]["VersionLabel"]]
    assert changed == ["store-green"]
    assert set(found) == set(shop)


def test_recreate_and_rollback_mean_the_holder(play: Play, shop: dict[str, dict[str, Any]]) -> None:
    prefixes = {"store": "store", "by-id": refusal(shop, "store"), "lone": "lone"}
    for playbook in ("recreate_and_swap.yml", "rollback.yml"):
        done = play(playbook, prefixes, "--check")
        assert f"live: store-green ({shop['store-green']['EnvironmentId']})" in done.stdout, done.stdout + done.stderr
        assert f"live: store ({shop['store']['EnvironmentId']})" in done.stdout
        assert f"write the CNAME prefix {refusal(shop, 'lone')} to mean it." in done.stdout
