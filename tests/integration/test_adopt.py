# SPDX-License-Identifier: GPL-3.0-or-later
"""A project with hooks by marker files: adopt.yml, then deploy.yml on localstalk; the project itself is as it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, Project
from .minimal import git

pytestmark = pytest.mark.containers

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture
def guestbook(tmp_path: Path) -> Path:
    """The project in a repository of its own, with the secrets that git ignores and the base image that it had made."""
    folder = tmp_path / "guestbook"
    shutil.copytree(ROOT / "tests/fixtures/legacy_project", folder)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "As it was")
    (folder / ".secrets").mkdir()
    (folder / ".secrets" / "base.json").write_text('{"SECRET_KEY": "not in git"}')
    build = [
        *("podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "build", "--network=host", "-q"),
        *("-t", "localhost/guestbook:base", "-f", "Dockerfile.base"),
        *("-v", f"{CERTIFICATES}:/run/build-ca.crt:ro", "--build-arg", "PIP_CERT=/run/build-ca.crt"),
    ]
    subprocess.run([*build, "."], cwd=folder, check=True, capture_output=True, env=os.environ)
    return folder


def state(folder: Path) -> tuple[str, bytes, str]:
    """What git says of the project: status, the index itself, and how many objects there are."""
    status = git(folder, "--no-optional-locks", "status", "--porcelain=v1", "--ignored")
    return status, (folder / ".git/index").read_bytes(), git(folder, "count-objects", "-v")


def test_a_legacy_project(project: Project, guestbook: Path, tmp_path: Path) -> None:
    before = state(guestbook)
    inventory = tmp_path / "inventory"
    adopted = project.play("adopt.yml", "-e", f"adopt_project={guestbook}", "-e", f"adopt_inventory={inventory}")
    assert adopted.rc == 0, adopted.output
    host = "guestbook-production"
    deploy = ("deploy.yml", "-i", f"{inventory}-local", "--limit", host)
    first = project.play(*deploy)
    assert first.rc == 0, first.output
    eb = project.localstalk.client("elasticbeanstalk")
    (environment,) = eb.describe_environments(ApplicationName="guestbook", IncludeDeleted=False)["Environments"]
    prefix = re.sub(r"\..*", "", environment["CNAME"])
    url = project.localstalk.get(f"/_localstalk/url/{prefix}").strip()
    page = subprocess.run(["curl", "-fsS", url], check=True, capture_output=True, text=True).stdout
    assert page == "The guestbook is open."
    for hook in ("collectstatic", "migrate", "createsu"):
        assert re.search(rf"Hook: +{hook} on i-[0-9a-f]{{17}}, exit code 0", first.output), first.output
    again = project.play(*deploy)
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert state(guestbook) == before
    eb.terminate_environment(EnvironmentId=environment["EnvironmentId"])
