# SPDX-License-Identifier: GPL-3.0-or-later
"""With eb_localstalk a run reaches localstalk and nothing else, whatever the inventory and the caller say besides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from listener import Listener

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ("deploy.yml", "status.yml", "recreate_and_swap.yml", "rollback.yml", "clean_hooks.yml")
SAME = "{{ {'region': eb_region} | combine(localstalk_aws if eb_localstalk is defined else eb_aws | default({})) }}"


@pytest.fixture
def localstalk(tmp_path: Path) -> Iterator[Localstalk]:
    """Simulated instances and a fast clock."""
    running = Localstalk(tmp_path / "localstalk", "--driver", "sim", "--speed", "500")
    yield running
    running.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening


def play(playbook: str, inventory: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, *words],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_all_playbooks_choose_the_connection_alike() -> None:
    for name in PLAYBOOKS:
        text = (ROOT / "playbooks" / name).read_text()
        assert text.count(f'group/jack.beanstalk.beanstalk: "{SAME}"') == 1, name
        assert text.count("eb_aws") == 1, name


@pytest.mark.slow
def test_a_local_inventory_reaches_nothing_else(localstalk: Localstalk, listener: Listener, tmp_path: Path) -> None:
    application = tmp_path / "shop"
    application.mkdir()
    (application / "Dockerfile").write_text("FROM scratch\nEXPOSE 8000\n")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "eb_application": "shop",
        "eb_cname_prefix": "shop",
        "eb_region": "us-east-1",
        "eb_platform": "Docker running on 64bit Amazon Linux 2023",
        "eb_source": {"path": str(application), "from": "work_tree"},
        "eb_option_settings": {
            "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
        },
        "eb_poll_interval": 0.2,
        # What sorts later in an inventory, and won before.
        "eb_aws": {"profile": "shop", "endpoint_url": listener.url},
        "eb_hooks_prefix": "shop",
    }
    inventory = tmp_path / "hosts.json"
    environment = listener.environment(tmp_path) | {"LOCALSTALK_HOME": str(localstalk.home)}

    inventory.write_text(json.dumps({"all": {"hosts": {"shop": variables | {"eb_localstalk": {}}}}}))
    for playbook in ("deploy.yml", "status.yml"):
        done = play(playbook, inventory, environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert listener.requests == []
    (made,) = localstalk.client("elasticbeanstalk").describe_environments(ApplicationName="shop")["Environments"]
    assert made["Status"] == "Ready"

    # The same without localstalk goes where it is sent: the listener can hear.
    inventory.write_text(json.dumps({"all": {"hosts": {"shop": variables}}}))
    del environment["AWS_SESSION_TOKEN"]  # amazon.aws refuses it beside a profile before it asks anybody
    done = play("status.yml", inventory, environment)
    assert done.returncode != 0
    assert listener.requests, done.stdout
