# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks with a worker environment beside a web server: a worker has a name, and no CNAME."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]

QUICK = {
    "force": True,
    "poll_interval": 0.3,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
}

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    """Simulated instances and a fast clock."""
    running = Localstalk(tmp_path_factory.mktemp("home") / "localstalk", "--driver", "sim", "--speed", "200")
    yield running
    running.close()


@pytest.fixture(scope="module")
def play(localstalk: Localstalk, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run a playbook for the hosts `mail`, a web server, and `jobs`, a worker. Both are deployed."""
    folder = tmp_path_factory.mktemp("mail")
    application = folder / "application"
    application.mkdir()
    (application / "Procfile").write_text("web: gunicorn mail:application\n")
    (application / "mail.py").write_text("application = None\n")
    aws = localstalk.environ
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "eb_application": "mail",
        "eb_region": aws["AWS_REGION"],
        "eb_platform": "Python 3.11 running on 64bit Amazon Linux 2023",
        "eb_option_settings": {
            "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
        },
        "eb_source": {"path": str(application), "from": "work_tree"},
        "eb_hooks_prefix": "jack",
        "eb_poll_interval": 0.2,
        "eb_recreate": QUICK,
        "eb_aws": {
            "endpoint_url": localstalk.url,
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        },
    }
    inventory = folder / "hosts.json"
    hosts = {"mail": variables | {"eb_cname_prefix": "mail"}, "jobs": variables | {"eb_tier": "Worker"}}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))

    def call(playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, *options],
            cwd=ROOT,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    deployed = call("deploy.yml")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    return call


def environments(localstalk: Localstalk) -> dict[str, str]:
    """Ids by name and tier."""
    eb = localstalk.client("elasticbeanstalk")
    found = eb.describe_environments(ApplicationName="mail", IncludeDeleted=False)["Environments"]
    return {
        f"{one['Tier']['Name']} {one['EnvironmentName']}": one["EnvironmentId"]
        for one in found
        if one["Status"] != "Terminated"
    }


def failed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Whether each host of the recap failed."""
    recap = done.stdout.rpartition("PLAY RECAP")[2]
    return {name: int(count) > 0 for name, count in re.findall(r"^(\S+) +:.* failed=(\d+)", recap, re.MULTILINE)}


@pytest.mark.slow
def test_status_names_the_worker_and_no_url_of_it(play: Play, localstalk: Localstalk) -> None:
    done = play("status.yml", "--limit", "jobs")
    assert done.returncode == 0, done.stdout + done.stderr
    there = environments(localstalk)
    assert f"Environment:  jobs ({there['Worker jobs']}), worker" in done.stdout
    assert f"Environment:  mail ({there['WebServer mail']})\n" in done.stdout.replace("\\n", "\n")
    assert "URL:" not in done.stdout
    web = play("status.yml", "--limit", "mail")
    assert f"Environment:  mail ({there['WebServer mail']}), live" in web.stdout
    assert "URL:          http://mail.us-east-1.elasticbeanstalk.com/" in web.stdout


def test_a_worker_that_is_not_there_is_no_environment(play: Play) -> None:
    for name in ("nobody", "mail"):
        done = play("status.yml", "--limit", "jobs", "-e", f"eb_environment_name={name}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Leader:       no environment" in done.stdout


def test_leftovers_of_hooks_are_looked_for_on_workers(play: Play) -> None:
    done = play("clean_hooks.yml", "--limit", "jobs")
    assert "eb_cname_prefix" not in done.stdout + done.stderr


def test_a_worker_is_not_swapped_by_a_deployment(play: Play) -> None:
    done = play("deploy.yml", "--limit", "jobs", "-e", "eb_deploy_strategy=swap")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "jobs is a worker environment: it has no CNAME to swap. Leave the strategy swap out" in done.stdout


@pytest.mark.parametrize(
    ("playbook", "instead"),
    [
        ("recreate_and_swap.yml", "deploy.yml updates it in place"),
        ("rollback.yml", "deploy.yml brings an earlier version back, from an earlier eb_source.ref"),
    ],
)
def test_a_cycle_says_what_a_worker_cannot_do(play: Play, localstalk: Localstalk, playbook: str, instead: str) -> None:
    before = environments(localstalk)
    done = play(playbook)
    assert done.returncode == 2, done.stdout + done.stderr
    assert (
        "jobs is a worker environment (eb_tier: Worker): it has no CNAME, so there is nothing to swap; "
        f"{instead}. Leave it out with --limit '!jobs'." in done.stdout
    )
    assert failed(done)["jobs"]
    assert environments(localstalk)["Worker jobs"] == before["Worker jobs"]
    if playbook == "recreate_and_swap.yml":
        assert not failed(done)["mail"], done.stdout
        assert not set(environments(localstalk).values()) >= set(before.values()), "the web server is a fresh one"
