# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole fixture project, and projects that lack a part."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.project import read_project
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.runner import lint_bundle

PROJECT = Path(__file__).resolve().parents[4] / "fixtures" / "legacy_project"
DOCKER = "Docker running on 64bit Amazon Linux 2023"
MANAGE = "python3 /srv/project/app/manage.py"
SECRET = "s3cr3t-in-a-file"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path):
    """Copy the fixture into a repository of its own, with secrets that git ignores and two branches."""
    folder = tmp_path / "guestbook"
    shutil.copytree(PROJECT, folder)
    (folder / ".secrets").mkdir()
    (folder / ".secrets" / "base.json").write_text(f'{{"SECRET_KEY": "{SECRET}"}}')
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Start")
    git(folder, "branch", "develop")
    return folder


def texts(notes):
    return [note.text for note in notes]


def state_of(folder: Path) -> dict[str, str]:
    """Return the digest of every file of the project, .git with index and objects included."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_variables(project):
    variables = read_project(str(project)).variables
    assert {name: value for name, value in variables.items() if name != "eb_bundle_overlay"} == {
        "eb_application": "guestbook",
        "eb_platform": DOCKER,
        "eb_environment_properties_purge": True,
        "eb_hooks_prefix": "nick",
        "eb_hooks": [
            {
                "name": "collectstatic",
                "command": f"{MANAGE} collectstatic --noinput",
                "where": "container",
                "leader_only": False,
            },
            {"name": "migrate", "command": f"{MANAGE} migrate --noinput", "where": "container", "leader_only": True},
            {"name": "createsu", "command": f"{MANAGE} createsu", "where": "container", "leader_only": True},
        ],
        "eb_secrets_files": [".secrets/"],
    }


def test_what_differs_between_aws_and_this_machine(project: Path) -> None:
    adopted = read_project(str(project))
    launch = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
    assert adopted.aws == {
        "eb_region": "ap-northeast-2",
        "eb_aws": {"profile": "guestbook-eb"},
        "eb_option_settings": launch,
    }
    assert adopted.local == {
        "eb_region": "us-east-1",
        "eb_localstalk": {"driver": "auto", "speed": 20},
        "eb_poll_interval": 1,
        "eb_wait_timeout": 900,
        "eb_option_settings": launch,
    }
    assert not set(adopted.variables) & (set(adopted.aws) | set(adopted.local))


def test_each_environment_is_a_host_with_its_branch(project):
    hosts = read_project(str(project)).hosts
    assert {name: host["eb_source"]["ref"] for name, host in hosts.items()} == {
        "guestbook-production": "main",
        "guestbook-develop": "develop",
    }
    assert hosts["guestbook-develop"] == {
        "eb_environment_name": "guestbook-develop",
        "eb_cname_prefix": "guestbook-develop",
        "eb_source": {"path": str(project), "from": "ref", "ref": "develop"},
    }


def test_the_bundle_keeps_what_is_not_the_ritual(project):
    overlay = {item["path"]: item for item in read_project(str(project)).variables["eb_bundle_overlay"]}
    assert sorted(overlay) == [".ebextensions/00_commands.config", ".ebextensions/01_files.config"]
    assert yaml.safe_load(overlay[".ebextensions/00_commands.config"]["content"]) == {
        "option_settings": {"aws:elasticbeanstalk:environment:process:default": {"HealthCheckPath": "/healthz"}},
        "container_commands": {"04_dump": {"command": "touch /tmp/dump"}},
    }
    assert yaml.safe_load(overlay[".ebextensions/01_files.config"]["content"]) is None


def test_the_bundle_with_the_overlay_has_no_faults(project):
    before = {item.rule for item in lint_bundle(str(project), DOCKER).findings}
    assert {"legacy-path-on-modern", "docker-exec-all"} <= before
    for item in read_project(str(project)).variables["eb_bundle_overlay"]:
        (project / item["path"]).write_text(item["content"])
    assert [item.rule for item in lint_bundle(str(project), DOCKER).findings] == ["django-sqlite"]


def test_what_is_left_for_the_user(project):
    found = read_project(str(project)).notes
    assert "04_dump touches /tmp/dump, and no hook script looks for it." in texts(found.open)
    assert any(text.startswith("The platform 64bit Amazon Linux 2018.03") for text in texts(found.open))
    assert any("localhost/guestbook:base must be in a registry" in text for text in texts(found.open))
    assert not any(".secrets/ is not in this checkout" in text for text in texts(found.open))


def test_the_project_is_not_touched_and_secrets_stay_in_it(project):
    before = state_of(project)
    read = str(read_project(str(project)).as_dict())
    assert state_of(project) == before
    assert git(project, "status", "--porcelain") == ""
    assert SECRET not in read


def test_a_platform_can_be_named(project):
    platform = "64bit Amazon Linux 2 v3.8.0 running Docker"
    assert read_project(str(project), platform).variables["eb_platform"] == platform
    config = project / ".elasticbeanstalk" / "config.yml"
    config.write_text(
        config.read_text().replace("64bit Amazon Linux 2018.03 v2.12.6 running Docker 18.06.1-ce", platform)
    )
    assert read_project(str(project)).variables["eb_platform"] == "Docker running on 64bit Amazon Linux 2"


def test_options_of_the_project_are_not_overridden(project):
    config = project / ".ebextensions" / "00_commands.config"
    config.write_text("option_settings:\n  aws:autoscaling:launchconfiguration:\n    IamInstanceProfile: mine\n")
    assert "eb_option_settings" not in read_project(str(project)).aws
    settings = project / ".elasticbeanstalk" / "config.yml"
    settings.write_text(settings.read_text().replace("default_ec2_keyname: null", "default_ec2_keyname: mykey"))
    assert read_project(str(project)).aws["eb_option_settings"] == {
        "aws:autoscaling:launchconfiguration": {"EC2KeyName": "mykey"}
    }


def test_a_project_without_the_eb_cli(project):
    shutil.rmtree(project / ".elasticbeanstalk")
    adopted = read_project(str(project))
    assert adopted.hosts == {
        "guestbook": {
            "eb_environment_name": "guestbook",
            "eb_cname_prefix": "guestbook",
            "eb_source": {"path": str(project), "from": "ref", "ref": "HEAD"},
        }
    }
    assert any("git often ignores it" in text for text in texts(adopted.notes.open))


def test_a_bare_dockerfile_is_a_project_too(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM --platform=linux/amd64 python:3.11\nEXPOSE 80\n")
    adopted = read_project(str(tmp_path))
    assert "eb_hooks" not in adopted.variables
    assert "The application's image stands on python:3.11." in texts(adopted.notes.understood)


def test_a_base_image_that_the_role_can_build(project):
    (project / "Dockerfile").write_text("ARG BASE_IMAGE=localhost/guestbook:base\nFROM ${BASE_IMAGE}\nEXPOSE 7000\n")
    assert read_project(str(project)).aws["eb_image"] == {"name": "localhost/guestbook"}


def test_requirements_that_are_installed_twice(project):
    (project / "Dockerfile").write_text("FROM localhost/guestbook:base\nRUN pip install -r requirements.txt\n")
    notes = read_project(str(project)).notes
    assert "The requirements are installed here and in Dockerfile.base." in texts(notes.open)


def test_a_configuration_of_the_eb_cli_that_is_no_yaml(project):
    (project / ".elasticbeanstalk" / "config.yml").write_text("global: [\n")
    assert any(text.startswith("The file could not be read") for text in texts(read_project(str(project)).notes.open))


def test_branches_that_share_an_environment_or_have_none(project):
    (project / ".elasticbeanstalk" / "config.yml").write_text(
        "branch-defaults:\n  a: {environment: first}\n  b: {environment: first}\n  c: {environment: null}\n"
        "  default: {environment: second}\nglobal: {application_name: x, profile: eb-cli}\n"
    )
    adopted = read_project(str(project))
    assert {name: host["eb_source"]["ref"] for name, host in adopted.hosts.items()} == {"first": "a", "second": "HEAD"}
    assert "first is the environment of a and b; the inventory takes a." in texts(adopted.notes.open)
    assert "The branch c has no environment." in texts(adopted.notes.open)


@pytest.mark.parametrize("kind", ["link", "fifo", "huge"])
def test_what_is_no_file_of_the_project_is_not_read(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "project"
    outside = tmp_path / "outside"
    outside.write_text("commands: {01_theirs: {command: echo hush}}\n# eb deploy\nFROM theirs\n")
    (root / ".ebextensions").mkdir(parents=True)
    (root / ".elasticbeanstalk").mkdir()
    places = [".ebextensions/01.config", ".elasticbeanstalk/config.yml", "Dockerfile", "deploy.sh", "requirements.txt"]
    for place in places:
        if kind == "link":
            (root / place).symlink_to(outside)
        elif kind == "fifo":
            os.mkfifo(root / place)
        else:
            with (root / place).open("wb") as file:
                file.truncate(3 * 1024**3)
    found = read_project(str(root)).as_dict()
    assert "theirs" not in str(found)
    asked = {note["file"]: note["text"] for note in found["open"]}
    assert asked[".ebextensions/01.config"] == (
        "It is no file of the project (a link that leads out of it, a FIFO, or more than 2 MiB): it was not read."
    )
    assert asked["Dockerfile"].startswith("It is no file of the project")
    assert any(note["text"].startswith("No script calls eb deploy") for note in found["open"])
