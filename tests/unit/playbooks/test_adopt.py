# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook adopt.yml on the fixture project."""

from __future__ import annotations

import json
import os
import random
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
        [str(BIN / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
        timeout=120,
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


def test_a_broken_project_ends_with_a_report_in_time_and_twice_alike(tmp_path):
    """A YAML bomb, circles of links, a binary file and 50,000 files, all in one."""
    project = tmp_path / "broken"
    (project / ".ebextensions").mkdir(parents=True)
    aliases = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))
    (project / ".ebextensions/01.config").write_text("\n".join(["a0: &a0 {x: y}", *aliases, "commands: *a29", ""]))
    (project / ".ebextensions/02.config").symlink_to("03.config")
    (project / ".ebextensions/03.config").symlink_to("02.config")
    (project / ".platform").symlink_to(".")
    (project / "Dockerfile").write_bytes(random.Random(1).randbytes(10_000) + b"\0")  # noqa: S311 -- not a secret
    for number in range(50):
        folder = project / f"media{number:02}"
        folder.mkdir()
        for name in range(1_000):
            (folder / str(name)).touch()
    made = adopt(project, tmp_path / "inventory")
    assert made.returncode == 0, made.stdout + made.stderr
    report = (tmp_path / "inventory/ADOPTED.md").read_text()
    assert "The project has more than" in report
    for name in (".ebextensions/01.config", ".ebextensions/02.config", "Dockerfile"):
        assert f"`{name}" in report, report
    again = adopt(project, tmp_path / "inventory")
    assert (again.returncode, "changed=0" in again.stdout) == (0, True), again.stdout
    assert (tmp_path / "inventory/ADOPTED.md").read_text() == report


def test_a_folder_that_is_no_project_is_said_so(tmp_path):
    (tmp_path / "nothing").mkdir()
    refused = adopt(tmp_path / "nothing", tmp_path / "inventory")
    assert refused.returncode != 0
    assert "it is no project for Elastic Beanstalk." in refused.stdout
    assert not (tmp_path / "inventory").exists()


def test_asks_for_both_folders():
    refused = run("ansible-playbook", str(ROOT / "adopt.yml"))
    assert refused.returncode != 0
    assert "Name both folders" in refused.stdout + refused.stderr
