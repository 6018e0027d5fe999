# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke test leaves nothing behind, whatever happened; with containers: tests/integration/test_smoke_test.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from localstalk.testing import Localstalk

Play = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[3]
PROJECT = ROOT / "roles" / "smoke_test" / "files" / "project"


def left(localstalk: Localstalk, application: str) -> list[str]:
    eb = localstalk.client("elasticbeanstalk")
    found = eb.describe_environments(ApplicationName=application, IncludeDeleted=False)["Environments"]
    names = [one["EnvironmentName"] for one in found if one["Status"] not in ("Terminating", "Terminated")]
    return names + [
        one["ApplicationName"] for one in eb.describe_applications(ApplicationNames=[application])["Applications"]
    ]


def said(run: subprocess.CompletedProcess[str]) -> str:
    return " ".join((run.stdout + run.stderr).split())


def test_everything_is_terminated_when_the_time_is_up(
    play_shop: Play, shared_localstalk: Localstalk, tmp_path: Path
) -> None:
    folder = tmp_path / "recording"
    given = {"smoke_test_folder": str(folder), "smoke_test_application": "late", "smoke_test_time_limit": 5}
    # What takes longer than the limit is waited for no longer, and what is left is terminated.
    shared_localstalk.fault("latency", seconds=6, operations=["CreateEnvironment"])
    run = play_shop("smoke_test", ["shop"], "-e", json.dumps(given))
    assert run.returncode == 2, run.stdout
    # One that was asked for at the last moment came later, and had to go before the application.
    assert left(shared_localstalk, "late") == []
    assert not (folder / ".watching").exists()


@pytest.mark.slow
def test_a_phase_that_fails_ends_in_termination(play_shop: Play, shared_localstalk: Localstalk, tmp_path: Path) -> None:
    """Simulated instances run no scripts; what was recorded before is there."""
    folder = tmp_path / "recording"
    given = {"smoke_test_folder": str(folder), "smoke_test_application": "ends"}
    refusal = {"code": "AccessDenied", "message": "Not at the first attempt", "http_status": 403}
    shared_localstalk.fault("error", **refusal, operations=["DeleteApplication"], times=1)
    run = play_shop("smoke_test", ["shop"], "-e", json.dumps(given))
    assert run.returncode == 2, run.stdout
    assert "the sim driver has no instance to run a script on" in run.stdout + json.dumps(
        [path.read_text() for path in folder.rglob("*.json")]
    )
    assert left(shared_localstalk, "ends") == []
    assert "Warning: the application ends was not deleted at the first attempt (" in said(run)
    assert "Not at the first attempt" in said(run)
    assert {"deploy", "redeploy", "tag"} <= json.loads((folder / "seconds.json").read_text()).keys()
    assert (folder / "tag" / "elasticbeanstalk.ListTagsForResource.json").exists()


def test_an_application_that_is_there_is_left_alone(
    play_shop: Play, shared_localstalk: Localstalk, tmp_path: Path
) -> None:
    shared_localstalk.client("elasticbeanstalk").create_application(ApplicationName="mine")
    given = {"smoke_test_folder": str(tmp_path / "recording"), "smoke_test_application": "mine"}
    run = play_shop("smoke_test", ["shop"], "-e", json.dumps(given))
    assert run.returncode == 2
    assert (
        "There is an application mine: another smoke test is running, or was killed. If that is so, terminate its "
        "environments and delete it; else name another one with smoke_test_application."
    ) in said(run)
    assert left(shared_localstalk, "mine") == ["mine"]


def test_a_recording_is_not_written_over_and_check_mode_is_refused(play_shop: Play, tmp_path: Path) -> None:
    given = ["-e", json.dumps({"smoke_test_folder": str(tmp_path), "smoke_test_application": "none"})]
    assert f"{tmp_path} is there already: name a new folder for the recording." in said(
        play_shop("smoke_test", ["shop"], *given)
    )
    assert "so there is nothing to see in check mode. Run preflight.yml" in said(
        play_shop("smoke_test", ["shop"], *given, "--check")
    )


def test_its_requirements_are_those_of_the_blog() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()[2:]
    assert lines and set(lines) <= set((ROOT / "examples/blog/requirements.txt").read_text().splitlines())
