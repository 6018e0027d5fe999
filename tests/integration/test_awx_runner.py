# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX runs it, and the execution environment it runs in.

As AWX 24.6.1 does (awx/main/tasks/jobs.py): a copy of the project that keeps links, the inventory as a script outside
of it (so no group_vars beside the playbook), the collections_path of ansible.cfg in the environment, Ansible Runner.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Localstalk
from .minimal import MODERN, options

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NOT_IN_GIT = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".ansible", "build", "__pycache__")
JOB = [
    {
        "name": "A job that needs no AWS",
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {
                "name": "Make a source bundle with a module of ours",
                "jack.beanstalk.source_bundle": {
                    "path": "{{ eb_source.path }}", "from": "work_tree", "label_prefix": "shop",
                    "cache_dir": "{{ eb_source.path }}-cache",
                },
                "register": "bundled",
            },
            {
                "name": "Read the schedules of this machine with a role of ours",
                "ansible.builtin.include_role": {"name": "jack.beanstalk.schedule", "tasks_from": "result"},
                "vars": {"schedule_settings_directory": "{{ eb_source.path }}"},
            },
            {
                "name": "Leave a report",
                "ansible.builtin.set_stats": {
                    "data": {"report": {"label": "{{ bundled.bundle.version_label }}", "word": "{{ word }}"}},
                },
            },
        ],
    }
]  # fmt: skip


def collections_path(project: Path) -> str:
    """ANSIBLE_COLLECTIONS_PATH as AWX puts it together."""
    config = configparser.ConfigParser()
    config.read(project / "ansible.cfg")
    ours = config["defaults"]["collections_path"]
    return f"/runner/requirements_collections:{ours}:~/.ansible/collections:/usr/share/ansible/collections"


def run_job(private: Path, playbook: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "ansible-runner", "run", private, "--playbook", playbook, "--ident", "1", "--quiet"],
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(private)},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )


def events(private: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in (private / "artifacts/1/job_events").glob("*.json")]


def write_inventory(private: Path, variables: dict[str, Any]) -> None:
    """The inventory script that AWX writes for a job: one host with its variables."""
    inventory = {"all": {"hosts": ["production"]}, "_meta": {"hostvars": {"production": variables}}}
    script = private / "inventory/hosts"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(inventory)}\nEND\n")
    script.chmod(0o700)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A private data directory with a copy of the project, an inventory script and extra variables."""
    private = tmp_path / "awx_1"
    for folder in ("env", "inventory"):
        (private / folder).mkdir(parents=True)
    shutil.copytree(ROOT, private / "project", symlinks=True, ignore=NOT_IN_GIT)
    source = tmp_path / "shop"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\nEXPOSE 8000\n")
    for command in (["init", "--quiet"], ["add", "Dockerfile"]):
        subprocess.run(["git", "-C", source, *command], check=True)
    write_inventory(private, {"eb_source": {"path": str(source)}})
    environment = {"ANSIBLE_COLLECTIONS_PATH": collections_path(private / "project")}
    environment |= {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
    (private / "env/envvars").write_text(json.dumps(environment))
    (private / "env/extravars").write_text(json.dumps({"word": "from a survey"}))
    return private


def test_a_job_finds_the_collection_and_leaves_its_report(private: Path) -> None:
    (private / "project/job.yml").write_text(yaml.safe_dump(JOB))
    done = run_job(private, "job.yml")
    output = (private / "artifacts/1/stdout").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + output
    assert (private / "artifacts/1/status").read_text() == "successful"
    stats = [event for event in events(private) if event["event"] == "playbook_on_stats"]
    report = stats[0]["event_data"]["artifact_data"]["report"]
    assert re.fullmatch(r"shop-[0-9a-f]{16}", report["label"])
    assert report["word"] == "from a survey"


@pytest.fixture
def localstalk(tmp_path: Path) -> Iterator[Localstalk]:
    """A localstalk with simulated instances."""
    localstalk = Localstalk(tmp_path / "localstalk")
    up = localstalk.cli("up", "--driver", "sim", "--speed", "100")
    assert up.returncode == 0, up.stderr
    yield localstalk
    assert localstalk.cli("down").returncode == 0


def artifacts(private: Path) -> dict[str, Any]:
    """What AWX shows as the artifacts of the job."""
    (stats,) = (event for event in events(private) if event["event"] == "playbook_on_stats")
    return dict(stats["event_data"]["artifact_data"])


def test_deploy_and_recreate_leave_their_reports(private: Path, localstalk: Localstalk) -> None:
    aws = localstalk.aws()
    place = {
        "eb_application": "shop",
        "eb_cname_prefix": "shop",
        "eb_region": "us-east-1",
        "eb_platform": MODERN,
        "eb_option_settings": options(1),
        "eb_poll_interval": 1,
        "eb_source": {"path": str(private.parent / "shop"), "from": "work_tree"},
        "eb_aws": {
            "endpoint_url": aws["AWS_ENDPOINT_URL"],
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        },
    }
    write_inventory(private, place)
    done = run_job(private, "deploy.yml")
    output = (private / "artifacts/1/stdout").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + output
    deployed = artifacts(private)["jack_beanstalk_deployments"]["production"]
    eb = localstalk.client("elasticbeanstalk")
    (first,) = eb.describe_environments(ApplicationName="shop")["Environments"]
    assert (deployed["environment_id"], deployed["version_label"]) == (first["EnvironmentId"], first["VersionLabel"])
    assert deployed["changed"] is True and deployed["health"] == "Green"

    quick = {"poll_interval": 1, "drain_timeout": 1, "request_settle_time": 2, "max_decision_age": 1}
    cycle = {"eb_recreate": dict.fromkeys(("dns_ttl", "dns_margin", "bake_time", "min_age"), 0) | quick}
    write_inventory(private, place | cycle)
    shutil.rmtree(private / "artifacts")
    done = run_job(private, "recreate_and_swap.yml")
    output = (private / "artifacts/1/stdout").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + output
    recreated = artifacts(private)["jack_beanstalk_cycles"]["production"]
    assert recreated["result"] == "done"
    assert recreated["live"]["environment_id"] != first["EnvironmentId"]


def test_every_playbook_is_found_through_the_links(private: Path) -> None:
    """The root playbooks import from the collection: without its links, as in an unpacked archive, they would not."""
    shims = [path.name for path in sorted((private / "project").glob("*.yml")) if "import_playbook" in path.read_text()]
    assert {"awx.yml", "deploy.yml", "schedule.yml", "status.yml"} <= set(shims)
    checked = subprocess.run(
        [BIN / "ansible-playbook", "--syntax-check", "-i", private / "inventory/hosts", *shims],
        cwd=private / "project",
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections_path(private / "project")},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_execution_environment(tmp_path: Path) -> None:
    """The build context holds what the collection asks for. Building the image needs a registry and is not tried."""
    builder = BIN / "ansible-builder"
    asked = subprocess.run(
        [builder, "introspect", ROOT / "collections"], capture_output=True, text=True, timeout=300, check=True
    ).stdout
    for line in ("boto3  # from collection jack.beanstalk", "git [platform:dpkg]  # from collection jack.beanstalk"):
        assert line in asked
    context = tmp_path / "context"
    subprocess.run(
        [builder, "create", "--file", ROOT / "execution-environment.yml", "--context", context],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    for name, source in {"requirements.txt": "ee-requirements.txt", "bindep.txt": "ee-bindep.txt"}.items():
        assert (context / "_build" / name).read_text() == (ROOT / "meta" / source).read_text()
    wanted = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    assert {collection["name"] for collection in wanted} == {"amazon.aws", "awx.awx"}
    recipe = (context / "Containerfile").read_text()
    assert "ansible-core>=2.21,<2.22" in recipe and 'PYCMD="/usr/bin/python3.12"' in recipe
