# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret stays behind on real instances, after success and failure. The same search finds what eb leaves.

``tests/unit/playbooks/test_secrets.py`` has all playbooks, all places for secrets, and kills, with simulated instances.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from .conftest import ROOT, Project
from .guarded import Guarded, guarded_application
from .minimal import git

pytestmark = pytest.mark.containers

EB = ROOT / ".venv-eb" / "bin" / "eb"


@pytest.fixture(scope="module")
def guarded(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    # Not by the playbook: below the folders of the scan, the names of its sockets would be too long.
    up = project.localstalk.cli("up", "--speed", "20")
    assert up.returncode == 0, up.stderr
    made = guarded_application(project, tmp_path_factory.mktemp("application"), "guarded")
    yield made
    made.minimal.terminate()


def test_success_leaves_nothing(guarded: Guarded) -> None:
    run = guarded.deploy()
    assert run.rc == 0, run.output
    assert guarded.minimal.page() == f"hello {guarded.scan.tokens['property']}"
    (instance,) = guarded.minimal.instances()
    assert guarded.scan.tokens["file"] in guarded.minimal.shell(instance, "cat /var/app/current/.secrets/base.json")
    assert guarded.scan.tokens["overlay"] == guarded.minimal.shell(instance, "cat /var/app/current/.secrets/key")
    assert guarded.findings() == []
    again = guarded.deploy()
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert guarded.findings() == []


def test_failure_leaves_nothing(guarded: Guarded) -> None:
    guarded.change("fails")
    hooks = guarded.minimal.variables["eb_hooks"]
    guarded.minimal.variables["eb_hooks"] = [{"name": "breaks", "command": "exit 1"}]
    run = guarded.deploy()
    guarded.minimal.variables["eb_hooks"] = hooks
    assert run.rc == 2, run.output
    assert guarded.findings() == []
    # A fault in the bundle stops it before it has a name.
    guarded.minimal.variables["eb_bundle_overlay"].append(
        {"path": ".ebextensions/x.config", "content": "commands: 5\n"}
    )
    run = guarded.deploy()
    guarded.minimal.variables["eb_bundle_overlay"].pop()
    assert run.rc == 2, run.output
    assert ".ebextensions/x.config:1: error: commands takes a mapping of names [wrong-type]" in run.output
    assert guarded.findings() == []


def test_the_search_finds_what_eb_leaves(guarded: Guarded) -> None:
    aws = guarded.minimal.project.localstalk.aws()
    environment = guarded.minimal.environment()["EnvironmentName"]
    settings = guarded.minimal.folder / ".elasticbeanstalk"
    settings.mkdir()
    (settings / "config.yml").write_text(
        f"branch-defaults:\n  main:\n    environment: {environment}\nglobal:\n  application_name: guarded\n"
        "  default_region: us-east-1\n  sc: git\n"
    )
    guarded.change("eb")
    git(guarded.minimal.folder, "add", "-f", ".secrets")
    done = subprocess.run(
        [EB, "deploy", "--staged", "--timeout", "5"],
        cwd=guarded.minimal.folder,
        env=os.environ | aws | guarded.scan.environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    git(guarded.minimal.folder, "reset", "-q", "HEAD", "--", ".secrets")
    assert done.returncode == 0, done.stdout + done.stderr
    found = guarded.findings()
    assert any(".elasticbeanstalk/app_versions/" in line and ".zip: file" in line for line in found), found
    assert "git object: file" in found
