# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook adopt.yml on the fixture project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PWD": str(cwd),
        "ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg",
    }
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


def adopt(project: Path, inventory: Path | str, *more: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    names = json.dumps({"adopt_project": str(project), "adopt_inventory": str(inventory)})
    return run("ansible-playbook", str(ROOT / "adopt.yml"), "--extra-vars", names, *more, cwd=cwd)


@pytest.fixture
def project(tmp_path):
    return shutil.copytree(ROOT / "tests" / "fixtures" / "legacy_project", tmp_path / "guestbook")


def test_writes_an_inventory_that_ansible_reads(tmp_path, project):
    shutil.rmtree(project / ".ebextensions")
    (project / ".ebextensions").mkdir()
    (project / ".ebextensions" / "01.config").write_text(
        'files:\n  "/opt/elasticbeanstalk/hooks/appdeploy/post/nick_01_show.sh":\n    mode: "000755"\n    content: |\n'
        "      #!/bin/sh\n      docker inspect --format '{{.ID}}' x\n      echo \"äöü: 'a'\"\n"
    )
    made = adopt("guestbook", "inventory", cwd=tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    assert sorted(path.name for path in (tmp_path / "inventory").iterdir()) == ["ADOPTED.md", "group_vars", "hosts.yml"]
    for inventory in ("inventory", "inventory-local"):
        shown = run("ansible-inventory", "-i", str(tmp_path / inventory), "--host", "guestbook-develop")
        command = json.loads(shown.stdout)["eb_hooks"][0]["command"]
        assert "docker inspect --format '{{.ID}}' x" in command, shown.stdout + shown.stderr
    local = json.loads(shown.stdout)
    assert (local["eb_region"], "eb_aws" in local, local["eb_localstalk"]["speed"]) == ("us-east-1", False, 20)

    hosts = tmp_path / "inventory" / "hosts.yml"
    hosts.write_text("edited\n")
    assert "changed=0" in adopt("guestbook", "inventory", cwd=tmp_path).stdout
    assert hosts.read_text() == "edited\n"


def test_refuses_to_write_into_the_project(project):
    before = sorted(project.rglob("*"))
    refused = adopt(project, project / "inventory")
    assert refused.returncode != 0
    assert "is inside the project; name one outside of it." in refused.stdout + refused.stderr
    assert sorted(project.rglob("*")) == before


def test_asks_for_both_folders():
    refused = run("ansible-playbook", str(ROOT / "adopt.yml"))
    assert refused.returncode != 0
    assert "Name both folders" in refused.stdout + refused.stderr
