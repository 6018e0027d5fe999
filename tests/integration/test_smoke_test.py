# SPDX-License-Identifier: GPL-3.0-or-later
"""smoke_test.yml with containers: it passes, leaves nothing, tells no secret, and is recorded as localstalk answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Project

pytestmark = [pytest.mark.containers, pytest.mark.slow]
SCRIPT = ROOT / "scripts" / "compare_recording"
# Every machine has these.
ANYBODYS = re.compile(r"(0\.0\.0\.0|127\.|169\.254\.)")


def compare(recording: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, recording, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)


@pytest.fixture(scope="module")
def recording(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "recording"
    run = project.play("smoke_test.yml", "-e", f"smoke_test_folder={folder}")
    assert run.rc == 0, run.output
    return folder


def test_nothing_is_left(project: Project, recording: Path) -> None:
    eb = project.localstalk.client("elasticbeanstalk")
    assert eb.describe_applications(ApplicationNames=["jack-smoke-test"])["Applications"] == []
    found = eb.describe_environments(ApplicationName="jack-smoke-test")["Environments"]
    assert {one["Status"] for one in found} <= {"Terminated"}


def test_everything_is_recorded(recording: Path) -> None:
    def read(name: str) -> list[dict[str, object]]:
        return list(json.loads((recording / f"{name}.json").read_text()))

    assert list(json.loads((recording / "seconds.json").read_text())) == [
        *("deploy", "redeploy", "tag", "leader", "hooks", "recreate", "rollback")
    ]
    for name in ("engine_log", "docker_ps", "hook_environment", "aws_version", "metadata_in_container", "manifest"):
        (told,) = read(f"instances/{name}")
        assert told["leader"] and told["rc"] == 0 and told["lines"], name
    assert [one["state"] for one in read("leader")] == ["found", "found"]
    assert [one["LeadsTo"] for one in read("names")][1:3] == ["address 1", "address 2"]
    texts = [str(one["Message"]) for one in read("events")]
    assert texts.count("terminateEnvironment completed successfully.") == 2


def test_no_account_address_or_secret_is_in_it(project: Project, recording: Path) -> None:
    text = "".join(path.read_text() for path in recording.rglob("*.json"))
    aws = project.localstalk.aws()
    account = project.localstalk.client("sts").get_caller_identity()["Account"]
    for secret in (aws["AWS_ACCESS_KEY_ID"], aws["AWS_SECRET_ACCESS_KEY"], account):
        assert secret not in text
    assert [
        one for one in re.findall(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])", text) if not ANYBODYS.match(one)
    ] == []
    assert "SECRET_KEY=<secret>" in text


def test_localstalk_answers_as_it_did(recording: Path) -> None:
    told = compare(recording)
    assert told.returncode == 0, told.stdout + told.stderr[-3000:]
    assert told.stdout.startswith("0 differences in ")


def test_one_answer_that_a_fault_changed_is_named(recording: Path, tmp_path: Path) -> None:
    other = tmp_path / "recording"
    shutil.copytree(recording, other)
    file = other / "deploy" / "elasticbeanstalk.DescribeEnvironmentHealth.json"
    file.write_text(file.read_text().replace('"Ready"', '"Severe"', 1))
    told = compare(recording, "--against", other)
    assert told.returncode == 1
    assert told.stdout.splitlines()[0].startswith("deploy/elasticbeanstalk.DescribeEnvironmentHealth [].Status: ")
    assert told.stdout.splitlines()[-1].startswith("1 difference in ")
