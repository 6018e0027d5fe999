# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml refuses hooks that could not run, host by host, before it uploads or asks anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCKER = "Docker running on 64bit Amazon Linux 2023"
SERVICES = {"services": {"web": {"build": "."}, "worker": {"build": "."}}}
OVERLAY = [{"path": "docker-compose.yml", "content": json.dumps(SERVICES)}]
HOSTS: dict[str, tuple[dict[str, Any], str]] = {
    "go": ({"eb_platform": "Go 1 running on 64bit Amazon Linux 2023"}, "runs no container, so every"),
    "node": (
        {"eb_platform": "arn:aws:elasticbeanstalk:::platform/Node.js 20 running on 64bit Amazon Linux 2023"},
        "runs no container, so every",
    ),
    "ecs": ({"eb_platform": "ECS running on 64bit Amazon Linux 2"}, "ECS starts the containers"),
    "rendered": ({"eb_bundle_overlay": OVERLAY}, "docker-compose.yml starts web and worker"),
    "committed": ({}, "docker-compose.yml starts web and db"),
    "staged": ({"eb_source": {"from": "index"}}, "docker-compose.yml:2: "),
    "changed": ({"eb_source": {"from": "work_tree"}}, "Dockerrun.aws.json is of version 2"),
    "misspelt": ({"eb_hooks": [{"preset": "migrate", "service": "webs"}]}, "has no service webs (did you mean web?)"),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository whose commit has two services, whose index is broken and whose files are for ECS."""
    root = tmp_path / "source"
    root.mkdir()
    environment = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    def git(*args: str) -> None:
        subprocess.run(["git", "-C", root, *args], env=os.environ | environment, check=True, capture_output=True)

    git("init", "-q")
    (root / "docker-compose.yml").write_text("services:\n  web: {build: .}\n  db: {image: postgres}\n")
    git("add", "-A")
    git("commit", "-qm", "Two services")
    (root / "docker-compose.yml").write_text("services:\n\tweb: {}\n")
    git("add", "-A")
    (root / "docker-compose.yml").unlink()
    (root / "Dockerrun.aws.json").write_text('{"AWSEBDockerrunVersion": 2, "containerDefinitions": []}')
    return root


def test_each_host_has_its_sentence_and_nothing_is_sent(source: Path, tmp_path: Path) -> None:
    hosts = {}
    for name, (variables, _sentence) in HOSTS.items():
        place = {"path": str(source), **variables.get("eb_source", {})}
        hosts[name] = {"eb_application": name, "eb_cname_prefix": name, **variables, "eb_source": place}
    inventory = {
        "hosts": hosts,
        "vars": {
            "eb_region": "eu-central-1",
            "eb_platform": DOCKER,
            "eb_hooks_prefix": "jack",
            "eb_hooks": [{"preset": "collectstatic"}],
        },
    }
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": inventory}))
    ansible = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [ansible, "-i", str(tmp_path / "hosts.yml"), str(ROOT / "deploy.yml")],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    for name, (_variables, sentence) in HOSTS.items():
        (told,) = re.findall(rf"^\S*fatal: \[{name}\]: FAILED! =>(.*?)(?=^\S|\Z)", said, re.MULTILINE | re.DOTALL)
        assert "Hook " in told, said
        assert sentence in " ".join(told.split()), told
    assert "Make the source bundle with" not in said
    assert "PLAY [Deploy to Elastic Beanstalk]" not in said, said
    assert not list((tmp_path / "cache").rglob("*.zip"))
