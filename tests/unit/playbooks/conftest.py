# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of the checkout as a user runs them, on a localstalk with simulated instances."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
PASSWORD = "hunter2hunter2"

Play = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def shared_localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    """One for the tests of a file."""
    running = Localstalk(tmp_path_factory.mktemp("localstalk"), "--driver", "sim", "--speed", "200")
    yield running
    running.close()


@pytest.fixture
def play_shop(shared_localstalk: Localstalk, tmp_path: Path) -> Iterator[Play]:
    """Run a playbook for hosts by these names, each with an environment of its own.

    ``text`` is what their application consists of; ``more`` are variables of all of them.
    """
    application = tmp_path / "application"
    application.mkdir()

    def call(
        playbook: str, names: list[str], *options: str, text: str = "one", result_format: str = "yaml", **more: Any
    ) -> subprocess.CompletedProcess[str]:
        (application / "Dockerfile").write_text(f"FROM scratch\nEXPOSE 8000\n# {text}\n")
        hosts = {name: {"eb_application": names[0], "eb_cname_prefix": name} for name in names}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "eb_localstalk": {"speed": 200},
            "eb_region": "us-east-1",
            "eb_platform": "Docker running on 64bit Amazon Linux 2023",
            "eb_option_settings": PROFILE,
            "eb_environment_properties": {"DATABASE_PASSWORD": PASSWORD},
            "eb_source": {"path": str(application), "from": "work_tree"},
            "eb_poll_interval": 0.2,
            **more,
        }
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        environment = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        environment |= {"LOCALSTALK_HOME": str(shared_localstalk.home), "XDG_STATE_HOME": str(tmp_path / "state")}
        environment |= {"ANSIBLE_CALLBACK_RESULT_FORMAT": result_format}
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, f"{playbook}.yml", *options],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    yield call
    shared_localstalk.clear_faults()
