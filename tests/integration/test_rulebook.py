# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-rulebook itself with our rulebook and event source, against localstalk with simulated instances."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from administration import ask

from .conftest import ROOT, Localstalk, wait_until

PROGRAM = ROOT / ".venv-rulebook" / "bin" / "ansible-rulebook"
RULEBOOK = ROOT / "extensions" / "eda" / "rulebooks" / "beanstalk.yml"
LIMIT_S = 120
TOLD = """\
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: told of {{ ansible_eda.event.environment }}
"""


@pytest.fixture
def localstalk(tmp_path: Path) -> Iterator[Localstalk]:
    localstalk = Localstalk(tmp_path / "localstalk")
    started = localstalk.cli("up", "--driver", "sim", "--speed", "50")
    assert started.returncode == 0, started.stderr
    yield localstalk
    assert localstalk.cli("down").returncode == 0


@pytest.mark.slow
def test_a_failed_deployment_is_heard_and_answered_by_a_playbook(localstalk: Localstalk, tmp_path: Path) -> None:
    rulebook = yaml.safe_load(RULEBOOK.read_text())
    [ruleset] = rulebook
    ruleset["sources"][0]["jack.beanstalk.events"]["poll_interval"] = 1
    failed, bad = ruleset["rules"]
    assert failed["action"]["run_playbook"]["name"] == "jack.beanstalk.rollback"
    assert bad["action"]["run_playbook"]["name"] == "jack.beanstalk.status"
    for rule, words in ((failed, "told"), (bad, "looked")):
        rule["action"]["run_playbook"]["name"] = str(tmp_path / f"{words}.yml")
        (tmp_path / f"{words}.yml").write_text(TOLD.replace("told", words))
    (tmp_path / "rulebook.yml").write_text(yaml.safe_dump(rulebook))
    (tmp_path / "inventory.ini").write_text(
        "here ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
    )

    eb = localstalk.client("elasticbeanstalk")
    eb.create_application(ApplicationName="shop")
    stack = next(name for name in eb.list_available_solution_stacks()["SolutionStacks"] if "running Docker" in name)
    profile = ("aws:autoscaling:launchconfiguration", "IamInstanceProfile", "aws-elasticbeanstalk-ec2-role")
    eb.create_environment(
        ApplicationName="shop",
        EnvironmentName="shop-live",
        SolutionStackName=stack,
        OptionSettings=[dict(zip(("Namespace", "OptionName", "Value"), profile, strict=True))],
    )

    def status() -> str:
        return eb.describe_environments(ApplicationName="shop")["Environments"][0]["Status"]

    wait_until(lambda: status() == "Ready", LIMIT_S, "Ready")
    seen = asked(localstalk)
    java = Path(shutil.which("java") or "").resolve().parents[1]
    env = os.environ | localstalk.aws() | {
        "JAVA_HOME": str(java),
        "EB_APPLICATION": "shop",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
    }  # fmt: skip
    output = tmp_path / "output"
    command = [PROGRAM, "--rulebook", "rulebook.yml", "-i", "inventory.ini", "--env-vars", "EB_APPLICATION"]
    with output.open("w") as stream:
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=stream, stderr=subprocess.STDOUT)
    try:
        # Only what happens after its first look is news.
        wait_until(
            lambda: asked(localstalk) > seen or process.poll() is not None, LIMIT_S, "a question of the rulebook"
        )
        assert process.poll() is None, output.read_text()
        assert localstalk.cli("fault", "add", "command", "environment=shop-live", "outcome=FAILURE").returncode == 0
        eb.update_environment(EnvironmentName="shop-live", VersionLabel=version(localstalk))
        wait_until(lambda: "told of shop-live" in output.read_text(), LIMIT_S, "the playbook of the first rule")
        wait_until(lambda: "looked of shop-live" in output.read_text(), LIMIT_S, "the playbook of the second rule")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{output.read_text()}") from error
    finally:
        process.terminate()
        process.wait(60)


def version(localstalk: Localstalk) -> str:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Dockerfile", "FROM scratch\nEXPOSE 8000\n")
    eb, bucket = (
        localstalk.client("elasticbeanstalk"),
        localstalk.client("elasticbeanstalk").create_storage_location()["S3Bucket"],
    )
    localstalk.client("s3").put_object(Bucket=bucket, Key="shop/v2.zip", Body=content.getvalue())
    source = {"S3Bucket": bucket, "S3Key": "shop/v2.zip"}
    eb.create_application_version(ApplicationName="shop", VersionLabel="v2", SourceBundle=source)
    return "v2"


def asked(localstalk: Localstalk) -> int:
    return json.loads(ask(localstalk.aws(), "calls")).get("elasticbeanstalk:DescribeEnvironments", 0)
