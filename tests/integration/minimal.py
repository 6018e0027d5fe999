# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications so small that four instances deploy in seconds: a web server in Perl, which is in every Debian."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from projects.loader import SERVER

from .conftest import BIN, Project, Run

DOCKERFILE = 'FROM debian:bookworm-slim\nCOPY server.pl /\nEXPOSE 8000\nCMD ["perl", "/server.pl"]\n'
MODERN = "Docker running on 64bit Amazon Linux 2023"
LEGACY = "64bit Amazon Linux 2018.03 v2.17.10 running Docker 20.10.13-ce"
GIT = {
    **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def git_bytes(folder: Path, *args: str) -> bytes:
    """Run git as nobody in particular."""
    return subprocess.run(["git", "-C", folder, *args], env=os.environ | GIT, check=True, capture_output=True).stdout


def git(folder: Path, *args: str) -> str:
    """The same, with text as answer."""
    return git_bytes(folder, *args).decode()


def options(instances: int, **command: str) -> dict[str, dict[str, str]]:
    """Option settings for so many instances; ``command`` are options of aws:elasticbeanstalk:command.

    The volume makes Elastic Beanstalk launch from a template on the legacy AMI, too: new accounts know nothing else.
    """
    return {
        "aws:elasticbeanstalk:environment": {"EnvironmentType": "LoadBalanced", "LoadBalancerType": "application"},
        "aws:autoscaling:launchconfiguration": {
            "IamInstanceProfile": "aws-elasticbeanstalk-ec2-role",
            "RootVolumeType": "gp3",
        },
        "aws:autoscaling:asg": {"MinSize": str(instances), "MaxSize": str(instances)},
        "aws:elasticbeanstalk:healthreporting:system": {"SystemType": "enhanced"},
        "aws:elasticbeanstalk:command": command,
    }


@dataclass
class Minimal:
    """An application folder with an inventory of one host, deployed to the session's localstalk."""

    project: Project
    name: str
    folder: Path
    variables: dict[str, Any]

    @classmethod
    def make(cls, project: Project, folder: Path, name: str, **variables: Any) -> Minimal:
        """Write the application; ``variables`` are the inventory's ``eb_*``."""
        application = folder / name
        application.mkdir()
        (application / "server.pl").write_text(SERVER)
        (application / "Dockerfile").write_text(DOCKERFILE)
        return cls(project, name, application, variables)

    @property
    def inventory(self) -> Path:
        """The inventory, as the variables are now."""
        values = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "eb_application": self.name,
            "eb_cname_prefix": self.name,
            "eb_region": "us-east-1",
            "eb_platform": MODERN,
            "eb_source": {"path": str(self.folder), "from": "work_tree"},
            "eb_localstalk": {"speed": 20},
            "eb_poll_interval": 1,
            "eb_wait_timeout": 300,
            "eb_hooks_prefix": "tiny",
            "eb_option_settings": options(1),
        }
        path = self.folder.parent / f"{self.name}.inventory.yml"
        path.write_text(json.dumps({"all": {"hosts": {self.name: values | self.variables}}}))
        return path

    def deploy(self, *args: str) -> Run:
        """Run deploy.yml."""
        return self.project.play("deploy.yml", "-i", str(self.inventory), *args)

    def start(self, *args: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start deploy.yml without waiting for it, in a session of its own."""
        return subprocess.Popen(
            [BIN / "ansible-playbook", "deploy.yml", "-i", str(self.inventory), *args],
            cwd=self.project.root,
            env=self.project.localstalk.env | {"ANSIBLE_NOCOLOR": "1"} | (environ or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @cached_property
    def eb(self) -> Any:
        """A client of Elastic Beanstalk."""
        return self.project.localstalk.client("elasticbeanstalk")

    def environment(self) -> dict[str, Any]:
        """The environment as EB describes it."""
        (found,) = self.eb.describe_environments(ApplicationName=self.name, IncludeDeleted=False)["Environments"]
        return found

    def instances(self) -> dict[str, str | None]:
        """Version label by instance id."""
        answer = self.eb.describe_instances_health(
            EnvironmentName=self.environment()["EnvironmentName"], AttributeNames=["All"]
        )
        return {
            item["InstanceId"]: item.get("Deployment", {}).get("VersionLabel") for item in answer["InstanceHealthList"]
        }

    def container(self, instance: str) -> str:
        """Name of the podman container that is this instance."""
        listed = subprocess.run(
            ["podman", "ps", "--format", "{{.Names}}"], check=True, capture_output=True, text=True
        ).stdout
        (name,) = (line for line in listed.split() if line.endswith(instance))
        return name

    def shell(self, instance: str, script: str) -> str:
        """Run a script on an instance as root."""
        done = subprocess.run(
            ["podman", "exec", self.container(instance), "/bin/bash", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def page(self, path: str = "") -> str:
        """What the environment's public URL answers."""
        url = self.project.localstalk.get(f"/_localstalk/url/{self.name}").strip()
        with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310
            return str(answer.read().decode())

    def terminate(self) -> None:
        """Remove the environment, so that its instances leave the processors to others."""
        self.eb.terminate_environment(EnvironmentId=self.environment()["EnvironmentId"])


def report(run: Run) -> dict[str, list[str]]:
    """The report's lines by their first word."""
    lines: dict[str, list[str]] = {}
    for name, value in re.findall(r"^\W*(?:\w+: )?([A-Z]\w+): {2,}(.+?)\s*$", run.output, re.MULTILINE):
        lines.setdefault(name, []).append(value)
    return lines
