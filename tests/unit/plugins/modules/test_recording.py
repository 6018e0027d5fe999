# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that record, on localstalk: what is asked, and what is written."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import PLAYBOOKS

ROOT = Path(__file__).resolve().parents[4]
Run = Callable[..., dict[str, Any]]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
PASSWORD = "correct-horse-battery"
# What is asked of S3, IAM and Systems Manager is the user's own, or a command.
SERVICES = ("autoscaling", "ec2", "elasticbeanstalk")
READS = re.compile(r"(Describe|List|Check|Retrieve)\w+")


@pytest.fixture
def live(run: Run, bundle: Callable[[str], str]) -> Iterator[None]:
    """An environment with a secret."""
    run("application", name="tapes")
    run("application_version", application="tapes", version_label="v1", src=bundle("v1"), **QUICK)
    options = {
        "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
        "aws:elasticbeanstalk:application:environment": {"DATABASE_PASSWORD": PASSWORD},
    }
    made = run(
        "environment",
        application="tapes",
        name="tapes",
        cname_prefix="tapes",
        version_label="v1",
        platform="Docker running on 64bit Amazon Linux 2023",
        option_settings=options,
        **QUICK,
    )
    assert not made.get("failed"), made["msg"]
    yield
    run("environment", application="tapes", name="tapes", state="absent", **QUICK)
    run("application", name="tapes", state="absent")


def test_every_question_of_the_playbooks_is_recorded_without_secrets(
    live: None, run: Run, tmp_path: Path, localstalk_env: dict[str, str]
) -> None:
    told = run("recording", application="tapes", dest=str(tmp_path / "made"), documents={"seconds": {"deploy": 1.5}})
    assert told["changed"] and told["api_calls"] >= len(told["files"]) - 1
    files = {Path(name).name.removesuffix(".json"): Path(name) for name in told["files"]}
    asked = {
        action.replace(":", ".", 1)
        # What preflight.yml looks at is the account, and nothing of the application yet.
        for playbook, statements in PLAYBOOKS.items()
        if playbook != "preflight"
        for statement in statements
        for action in statement.actions
        if action.startswith(SERVICES) and READS.fullmatch(action.partition(":")[2])
    }
    assert asked - files.keys() == set()
    assert json.loads(files.pop("seconds").read_text()) == {"deploy": 1.5}
    answers = {name: json.loads(path.read_text()) for name, path in files.items()}
    assert [name for name, answer in answers.items() if any("Error" in one for one in answer)] == []
    (environment,) = answers["elasticbeanstalk.DescribeEnvironments"][0]["Environments"]
    assert (environment["EnvironmentName"], environment["Status"]) == ("tapes", "Ready")
    assert "ResponseMetadata" not in answers["elasticbeanstalk.DescribeEnvironments"][0]
    texts = "".join(path.read_text() for path in (tmp_path / "made").iterdir())
    for secret in (PASSWORD, localstalk_env["AWS_SECRET_ACCESS_KEY"], localstalk_env["AWS_ACCESS_KEY_ID"]):
        assert secret not in texts
    assert not re.search(r"(?<!\d)\d{12}(?!\d)", texts), "an account"
    assert not re.search(r"\b(10|172|192|54|3)\.\d+\.\d+\.\d+\b", texts), "an address"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "made").iterdir()} == {0o600}


def test_an_answer_that_a_fault_changed_is_the_only_difference(
    live: None, run: Run, tmp_path: Path, faults: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("before", "after", "denied"):
        if name == "denied":
            faults.add(
                kind="error", operations=["DescribeAccountAttributes"], service="elasticbeanstalk", code="Denied"
            )
        run("recording", application="tapes", dest=name)
    command = [sys.executable, ROOT / "scripts" / "compare_recording", "before", "--against"]
    same, other = (
        subprocess.run([*command, name], capture_output=True, text=True, check=False) for name in ("after", "denied")
    )
    assert (same.returncode, same.stdout) == (0, "0 differences in 21 answers.\n")
    answer = "elasticbeanstalk.DescribeAccountAttributes"
    assert (other.returncode, other.stdout.splitlines()) == (
        1,
        [
            f"{answer} [].Error: only in denied",
            f"{answer} [].ResourceQuotas: only in before",
            "2 differences in 21 answers.",
        ],
    )


def test_what_aws_refuses_is_recorded_as_refused(live: None, run: Run, tmp_path: Path, faults: Any) -> None:
    faults.add(
        kind="error", operations=["DescribeAccountAttributes"], code="AccessDenied", message="No.", http_status=403
    )
    run("recording", application="tapes", dest=str(tmp_path))
    refused = json.loads((tmp_path / "elasticbeanstalk.DescribeAccountAttributes.json").read_text())
    assert refused == [{"Error": {"Type": "Sender", "Code": "AccessDenied", "Message": "No."}}]


def test_an_application_that_is_not_there_is_recorded_as_such(run: Run, tmp_path: Path) -> None:
    run("recording", application="nobody", dest=str(tmp_path))
    told = json.loads((tmp_path / "elasticbeanstalk.DescribeEnvironments.json").read_text())
    assert told == [{"Environments": []}]


def test_check_mode_writes_nothing(run: Run, tmp_path: Path) -> None:
    told = run("recording", application="nobody", dest=str(tmp_path / "made"), check=True)
    assert (told["changed"], told["api_calls"], (tmp_path / "made").exists()) == (True, 0, False)


def test_a_folder_that_cannot_be_written_gets_a_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = run("recording", dest=str(tmp_path / "file"), documents={"seconds": {}})
    assert told["failed"]
    assert told["msg"].startswith(f"The recording {tmp_path}/file/seconds.json cannot be written (")
    assert told["msg"].endswith("): name another folder.")


def test_events_are_recorded_as_they_arrive(run: Run, tmp_path: Path) -> None:
    """Until the file is gone, and with the seconds that each took."""
    marker = tmp_path / ".watching"
    marker.touch()
    told: list[dict[str, Any]] = []
    where = {"application": "played", "cname_prefix": "played", "name_server": "127.0.0.1:1", "poll_interval": 0.1}
    watching = threading.Thread(
        target=lambda: told.append(run("recording_events", dest=str(tmp_path), until_gone=str(marker), **where))
    )
    watching.start()
    events = tmp_path / "events.json"
    while not events.exists():
        watching.join(0.1)
    run("application", name="played")
    marker.unlink()
    watching.join(60)
    assert told[0]["event_count"] == len(json.loads(events.read_text())) == 3
    first = json.loads(events.read_text())[0]
    assert first["Message"] == "createApplication is starting."
    assert first["SecondsUntilSeen"] >= 0
    assert json.loads((tmp_path / "names.json").read_text())[0]["LeadsTo"] is None
    run("application", name="played", state="absent")


def test_the_watch_ends_when_the_time_is_up(run: Run, tmp_path: Path) -> None:
    marker = tmp_path / ".watching"
    marker.touch()
    told = run(
        "recording_events", application="nobody", cname_prefix="nobody", dest=str(tmp_path), until_gone=str(marker),
        name_server="127.0.0.1:1", poll_interval=0.1, wait_timeout=1,
    )  # fmt: skip
    assert told["event_count"] == 0
