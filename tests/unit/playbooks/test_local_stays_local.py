# SPDX-License-Identifier: GPL-3.0-or-later
"""With eb_localstalk a run reaches localstalk and nothing else, whatever the inventory and the caller say besides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ("deploy.yml", "status.yml", "recreate_and_swap.yml", "rollback.yml", "clean_hooks.yml")
SAME = "{{ {'region': eb_region} | combine(localstalk_aws if eb_localstalk is defined else eb_aws | default({})) }}"


class Listener:
    """What stands where AWS would be: it counts, and refuses."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        seen = self.requests

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                seen.append(f"{self.command} {self.path}")
                self.send_error(403)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_CONNECT = answer  # noqa: N815 - the names of http.server

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def environment(self, folder: Path) -> dict[str, str]:
        """The environment of somebody who works with AWS: a profile, a session, endpoints, a proxy."""
        (folder / "config").write_text(f"[profile shop]\nregion = eu-central-1\nendpoint_url = {self.url}\n")
        (folder / "credentials").write_text("[shop]\naws_access_key_id = AKIA0REAL\naws_secret_access_key = real\n")
        return {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_PROFILE": "shop",
            "AWS_SESSION_TOKEN": "real-session",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "HTTPS_PROXY": self.url,
        }


@pytest.fixture
def localstalk(tmp_path: Path) -> Iterator[Localstalk]:
    """Simulated instances and a fast clock."""
    running = Localstalk(tmp_path / "localstalk", "--driver", "sim", "--speed", "500")
    yield running
    running.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


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
