# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own AWS collections make of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import BIN, ENVIRONMENT, Localstalk

MODULE = "community.aws.elasticbeanstalk_app"
INVENTORY = f"""
plugin: amazon.aws.aws_ec2
regions: [us-east-1]
filters:
  instance-state-name: running
  tag:elasticbeanstalk:environment-name: {ENVIRONMENT}
hostnames: [instance-id]
keyed_groups:
  - key: tags['elasticbeanstalk:environment-id']
    prefix: environment
"""


class Ansible:
    """Ansible without this project's configuration."""

    def __init__(self, localstalk: Localstalk, folder: Path) -> None:
        self.folder = folder
        config = folder / "ansible.cfg"
        config.write_text("[inventory]\nunparsed_is_failed = true\n")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_"))}
        self.env = env | localstalk.aws | {"ANSIBLE_CONFIG": str(config), "HOME": str(folder), "ANSIBLE_NOCOLOR": "1"}

    def run(self, command: str, *words: str) -> str:
        done = subprocess.run(
            [BIN / command, *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        words = ["localhost", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
        said = self.run("ansible", *words, "-m", name, "-a", json.dumps(arguments))
        return json.loads(said.partition("=>")[2])


def plain(value: Any) -> Any:
    """A value without the mark that ansible-inventory puts on what came from outside."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


@pytest.fixture
def ansible(localstalk: Localstalk, tmp_path: Path) -> Ansible:
    return Ansible(localstalk, tmp_path)


def test_the_application_module_of_community_aws(ansible: Ansible, localstalk: Localstalk) -> None:
    assert ansible.module(MODULE, app_name="by-ansible", description="one")["changed"] is True
    assert ansible.module(MODULE, app_name="by-ansible", description="one")["changed"] is False
    assert ansible.module(MODULE, app_name="by-ansible", description="two")["changed"] is True
    (found,) = localstalk.eb.describe_applications(ApplicationNames=["by-ansible"])["Applications"]
    assert found["Description"] == "two"
    assert ansible.module(MODULE, app_name="by-ansible", state="absent")["changed"] is True
    assert localstalk.eb.describe_applications(ApplicationNames=["by-ansible"])["Applications"] == []
    assert ansible.module(MODULE, app_name="by-ansible", state="absent")["changed"] is False


def test_the_inventory_of_amazon_aws(ansible: Ansible, localstalk: Localstalk, created: str) -> None:
    source = ansible.folder / "shop.aws_ec2.yml"
    source.write_text(INVENTORY)
    listed = json.loads(ansible.run("ansible-inventory", "-i", str(source), "--list"))
    expected = sorted(localstalk.instances())
    assert sorted(listed["aws_ec2"]["hosts"]) == expected
    environment = localstalk.environment()
    assert listed[f"environment_{environment['EnvironmentId'].replace('-', '_')}"]["hosts"] == expected
    tags = listed["_meta"]["hostvars"][expected[0]]["tags"]
    assert plain(tags["Name"]) == plain(tags["elasticbeanstalk:environment-name"]) == ENVIRONMENT
