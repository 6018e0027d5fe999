# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments of one logical environment that meet each other, or somebody who holds the lock."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from chaos.local import add_version, check_end, client, deploy, environments, run

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


def play(aws: dict[str, str], tmp_path: Path, application: str, *tasks: dict[str, Any]) -> tuple[int, str]:
    """A playbook of such tasks against the application's live environment; exit status and output."""
    target = {"application": application, "cname_prefix": f"{application}-live"}
    plays = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "module_defaults": {
                "group/jack.beanstalk.beanstalk": {
                    "endpoint_url": aws["AWS_ENDPOINT_URL"],
                    "region": aws["AWS_REGION"],
                    "access_key": aws["AWS_ACCESS_KEY_ID"],
                    "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
                }
            },
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [
                {name: {**target, **options} if name.startswith("jack") else options for name, options in task.items()}
                for task in tasks
            ],
        }
    ]
    path = tmp_path / f"{abs(hash(str(plays)))}.json"
    path.write_text(json.dumps(plays))
    command = [str(PLAYBOOK), "-i", "localhost,", str(path)]
    ended = subprocess.run(command, cwd=ROOT, env=aws, capture_output=True, text=True, timeout=240, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def to(label: str, **lock: Any) -> dict[str, Any]:
    """A task that deploys a version."""
    return {"jack.beanstalk.environment": {"version_label": label, "poll_interval": 0.5, "lock": lock}}


def locked(owner: str, **options: Any) -> dict[str, Any]:
    return {"jack.beanstalk.lock": {"owner": owner, "reason": "restoring a dump", **options}}


def updates(aws: dict[str, str], application: str) -> list[str]:
    """How the environment's updates began and ended, in order."""
    events = client(aws, "elasticbeanstalk").describe_events(ApplicationName=application)["Events"]
    told = [one["Message"] for one in reversed(events)]
    return [
        "begin" if text == "Environment update is starting." else "end"
        for text in told
        if text in ("Environment update is starting.", "Environment update completed successfully.")
    ]


def lock_token(aws: dict[str, str], application: str) -> int:
    bucket = client(aws, "elasticbeanstalk").create_storage_location()["S3Bucket"]
    key = f"jack.beanstalk/locks/{application}.json"
    if not client(aws, "s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]:
        return 0
    body = client(aws, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    lease = json.loads(body)["leases"][f"{application}-live"]
    assert lease["owner"] == "", "the lock was not freed"
    return int(lease["token"])


@pytest.fixture(scope="module")
def application(aws: dict[str, str]) -> str:
    deploy(aws, "meet")
    for label in ("v2", "v3", "v4"):
        add_version(aws, "meet", label)
    return "meet"


def test_of_two_deployments_at_once_one_waits(aws: dict[str, str], tmp_path: Path, application: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda label: play(aws, tmp_path, application, to(label)), ("v2", "v3")))
    assert [status for status, _ in ended] == [0, 0], ended
    assert updates(aws, application) == ["begin", "end", "begin", "end"]
    assert environments(aws, application)[0]["VersionLabel"] in ("v2", "v3")
    assert lock_token(aws, application) == 2


def test_a_deployment_is_refused_while_somebody_holds_the_lock(
    aws: dict[str, str], tmp_path: Path, application: str
) -> None:
    status, output = play(aws, tmp_path, application, locked("the-restore"), to("v4", wait_timeout=0))
    assert status == 2
    assert "the-restore holds the lock (restoring a dump)" in output
    assert environments(aws, application)[0]["VersionLabel"] != "v4"
    assert play(aws, tmp_path, application, locked("the-restore", state="absent"))[0] == 0


def test_a_cycle_and_a_deployment_at_once_follow_each_other(aws: dict[str, str], tmp_path: Path) -> None:
    """Whoever comes second waits: the deployment is live in the end, on a fresh environment."""
    first = deploy(aws, "mixed")
    add_version(aws, "mixed", "v2")
    with ThreadPoolExecutor(2) as pool:
        cycle = pool.submit(run, aws, "mixed", "lock.wait_timeout:120")
        status, output = play(aws, tmp_path, "mixed", to("v2"))
        ended = cycle.result()[1]
    assert (status, ended["result"]) == (0, "done"), output
    (live,) = environments(aws, "mixed")
    assert (live["VersionLabel"], live["Status"]) == ("v2", "Ready")
    check_end(aws, "mixed", first)
    assert lock_token(aws, "mixed") == 2


def test_a_lock_of_ones_own_is_used_and_stays(aws: dict[str, str], tmp_path: Path, application: str) -> None:
    tasks = [
        locked("the-pipeline"),
        to("v4", owner="the-pipeline"),
        {**locked("the-pipeline", state="absent"), "register": "freed"},
        {"ansible.builtin.assert": {"that": "freed is changed"}},
    ]
    status, output = play(aws, tmp_path, application, *tasks)
    assert status == 0, output
    assert environments(aws, application)[0]["VersionLabel"] == "v4"


def test_nothing_to_do_leaves_the_lock_alone(aws: dict[str, str], tmp_path: Path) -> None:
    deploy(aws, "still")
    status, output = play(aws, tmp_path, "still", to("v1"))
    assert status == 0, output
    assert "changed=0" in output
    assert lock_token(aws, "still") == 0


def swap(application: str, bundle: Path) -> dict[str, Any]:
    """A task that deploys version v2 with the strategy swap."""
    quick = {
        "poll_interval": 0.5,
        "bake_time": 1,
        "request_settle_time": 20,
        "max_decision_age": 15,
        "dns_ttl": 1,
        "dns_margin": 1,
    }
    given = {
        "deploy_environment": {
            "application": application,
            "name": application,
            "cname_prefix": f"{application}-live",
            "platform": "Docker running on 64bit Amazon Linux 2023",
            "version_label": "v2",
            "src": str(bundle),
            "option_settings": {"aws:elasticbeanstalk:application:environment": {"GREETING": "hello"}},
            "poll_interval": 0.5,
        },
        "deploy_strategy": "swap",
        "deploy_swap_options": {**quick, "retain_old_for": 3600},
    }
    return {"ansible.builtin.include_role": {"name": "jack.beanstalk.deploy"}, "vars": given}


def test_a_deployment_by_swap(aws: dict[str, str], tmp_path: Path) -> None:
    """A fresh environment with the new version and options gets the name; the old one is kept as it was."""
    first = deploy(aws, "green")
    bundle = tmp_path / "v2.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("Dockerfile", "FROM scratch\nEXPOSE 8080\n")
    status, output = play(aws, tmp_path, "green", swap("green", bundle))
    assert status == 0, output
    found = {one["CNAME"].split(".")[0]: one for one in environments(aws, "green")}
    live = found.pop("green-live")
    assert (live["VersionLabel"], live["Status"], live["Health"]) == ("v2", "Ready", "Green")
    assert live["EnvironmentId"] != first
    assert [(one["EnvironmentId"], one["VersionLabel"]) for one in found.values()] == [(first, "v1")]
    described = client(aws, "elasticbeanstalk").describe_configuration_settings(
        ApplicationName="green", EnvironmentName=live["EnvironmentName"]
    )["ConfigurationSettings"][0]["OptionSettings"]
    assert "hello" in [one.get("Value") for one in described if one["OptionName"] == "GREETING"]
    status, output = play(aws, tmp_path, "green", swap("green", bundle))
    assert status == 0, output
    assert "changed=0" in output
