# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, as the README promises it: deploy, look, change, break, mend."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Project, Run

pytestmark = pytest.mark.containers


@pytest.fixture
def edited(project: Project, first_deploy: Run) -> Iterator[Project]:
    """A project whose application may be edited; its files come back afterwards, the environment stays as it is."""
    before = {path: path.read_bytes() for path in project.application.rglob("*") if path.is_file()}
    yield project
    for path in project.application.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, content in before.items():
        path.write_bytes(content)


def report(run: Run) -> dict[str, list[str]]:
    """The report's lines by their first word: ``{"Leader": ["i-…"], "Hook": [...]}``."""
    lines: dict[str, list[str]] = {}
    for name, value in re.findall(r"^\W*(?:\w+: )?([A-Z]\w+): {2,}(.+?)\s*$", run.output, re.MULTILINE):
        lines.setdefault(name, []).append(value)
    return lines


def hook_runs(run: Run) -> dict[str, list[str]]:
    """On which instances each hook ran, from the report."""
    ran: dict[str, list[str]] = {}
    for line in report(run)["Hook"]:
        name, _on, instance, *_rest = line.replace(",", "").split()
        ran.setdefault(name, []).append(instance)
    return ran


def writes(project: Project) -> int:
    """How many calls that change something localstalk has answered so far."""
    calls: dict[str, int] = json.loads(project.localstalk.get("/_localstalk/calls"))
    reading = re.compile(r":(Describe|List|Check|Retrieve|Request|Get|Head|Validate|Simulate)", re.IGNORECASE)
    return sum(count for name, count in calls.items() if not reading.search(name))


def broken(project: Project, *args: str) -> str:
    """Deploy something that must fail; returns what was printed, after checking that nothing was lost."""
    label = project.localstalk.environment()["VersionLabel"]
    run = project.play("deploy.yml", *args)
    assert run.rc == 2, run.output
    environment = project.localstalk.environment()
    assert environment["Status"] == "Ready"
    assert environment["VersionLabel"] == label
    assert "Cause (" in run.output
    assert run.output.count("ERROR Failed to deploy application.") == 1
    assert "Next: Mend " in run.output
    return run.output


def test_report_names_everything(project: Project, first_deploy: Run) -> None:
    environment = project.localstalk.environment()
    shown = report(first_deploy)
    assert shown["Application"] == ["blog"]
    assert shown["Environment"] == [f"{environment['EnvironmentName']} ({environment['EnvironmentId']})"]
    assert shown["Version"] == [environment["VersionLabel"]]
    assert shown["Health"] == ["Green (Ok), Ready"]
    assert shown["URL"][0].startswith("http://127.")
    assert shown["Leader"][0] in project.localstalk.deployments()


def test_two_instances_run_the_version(project: Project, first_deploy: Run) -> None:
    deployments = project.localstalk.deployments()
    assert len(deployments) == 2
    assert set(deployments.values()) == {report(first_deploy)["Version"][0]}


def test_hooks_ran_where_they_belong(project: Project, first_deploy: Run) -> None:
    ran = hook_runs(first_deploy)
    leader = report(first_deploy)["Leader"]
    assert sorted(ran["collectstatic"]) == sorted(project.localstalk.deployments())
    assert ran["migrate"] == leader
    assert ran["createsu"] == leader


def test_page_shows_rows_that_the_hooks_made(project: Project, first_deploy: Run) -> None:
    page = project.localstalk.page()
    assert f'id="version-label">{project.localstalk.environment()["VersionLabel"]}<' in page
    assert re.search(r'id="instance-id">(i-[0-9a-f]{17})<', page)
    assert re.search(r'id="posts">1<', page), "the row of the data migration"
    assert re.search(r'id="users">1<', page), "the superuser of createsu"


def test_both_instances_answer(project: Project, first_deploy: Run) -> None:
    pattern = re.compile(r'id="instance-id">(i-[0-9a-f]{17})<')
    seen = {found[1] for _ in range(10) if (found := pattern.search(project.localstalk.page()))}
    assert seen == set(project.localstalk.deployments())


def test_second_run_changes_nothing(project: Project, first_deploy: Run) -> None:
    before = writes(project)
    again = project.play("deploy.yml")
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert writes(project) == before
    versions = project.localstalk.client("elasticbeanstalk").describe_application_versions(ApplicationName="blog")
    assert len(versions["ApplicationVersions"]) == 1


def test_status_shows_the_same_and_how_the_schedules_went(project: Project, first_deploy: Run, tmp_path: Path) -> None:
    # As the role schedule leaves them: a schedule whose last run was killed.
    (tmp_path / "nightly.conf").write_text(f"NAME=nightly PLAYBOOK=x.yml LOG=x.log STATE_DIRECTORY={tmp_path}\n")
    last = {"schedule": "nightly", "playbook": "x.yml", "ended": None, "result": "running", "log": "x.log"}
    (tmp_path / "nightly.json").write_text(json.dumps(last))
    runner = tmp_path / "run_schedule.sh"
    runner.write_bytes((project.root / "roles" / "schedule" / "files" / runner.name).read_bytes())
    runner.chmod(0o755)
    run = project.play(
        "status.yml", "-e", f"schedule_settings_directory={tmp_path}", "-e", f"schedule_runner_directory={tmp_path}"
    )
    assert run.rc == 0, run.output
    assert "Schedule nightly: killed, x.yml, log x.log" in run.output
    assert run.count("changed") == 0
    for line in ("Application", "Environment", "Version", "Health", "Leader", "URL"):
        wanted = report(first_deploy)[line][0]
        assert report(run)[line][0].startswith(wanted), line


def test_an_operator_runs_a_command_and_shows_a_page(project: Project, first_deploy: Run) -> None:
    """The rest of what operators do is in test_operating.py."""
    leader = report(first_deploy)["Leader"][0]
    ran = project.play("exec.yml", "-e", 'exec_command="python manage.py check"', "-e", "exec_on=leader")
    assert ran.rc == 0, ran.output
    assert f"[blog-local] {leader}: System check identified no issues" in ran.output
    on = project.play("maintenance.yml", "-e", "maintenance=on")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        project.localstalk.page()
    off = project.play("maintenance.yml", "-e", "maintenance=off")
    assert (on.count("changed"), off.count("changed")) == (1, 1)
    assert 'id="version-label"' in project.localstalk.page()


def test_a_failing_hook_fails_the_deployment(edited: Project, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks.json"
    hooks.write_text(json.dumps({"eb_hooks": [{"name": "breaks", "command": "echo this is why >&2; exit 1"}]}))
    message = broken(edited, "-e", f"@{hooks}")
    assert "this is why" in message


def test_a_dockerfile_that_does_not_build_fails_the_deployment(edited: Project) -> None:
    dockerfile = edited.application / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "RUN echo cannot be built && false\n")
    message = broken(edited)
    assert "cannot be built" in message


def test_a_bundle_without_a_dockerfile_is_refused(edited: Project) -> None:
    before = writes(edited)
    (edited.application / "Dockerfile").unlink()
    run = edited.play("deploy.yml")
    assert run.rc == 2, run.output
    assert "Add a Dockerfile, a docker-compose.yml or a Dockerrun.aws.json at the top of the bundle." in run.output
    assert writes(edited) == before


def change_page(project: Project, text: str) -> None:
    template = project.application / "blog" / "templates" / "blog" / "base.html"
    content = template.read_text()
    assert "<h1>Blog</h1>" in content
    template.write_text(content.replace("<h1>Blog</h1>", f"<h1>{text}</h1>"))


def test_a_changed_template_is_deployed_also_after_failures(edited: Project) -> None:
    old = edited.localstalk.environment()["VersionLabel"]
    change_page(edited, "A changed blog")
    before = writes(edited)
    check = edited.play("deploy.yml", "--check", "--diff")
    assert check.rc == 0, check.output
    assert writes(edited) == before
    assert edited.localstalk.environment()["VersionLabel"] == old
    promised = report(check)["Version"][0].split()[0]
    assert promised != old
    assert re.search(rf"^\+.*{promised}", check.output, re.MULTILINE), "the diff names the version"
    run = edited.play("deploy.yml")
    assert run.rc == 0, run.output
    assert report(run)["Version"] == [promised]
    assert set(edited.localstalk.deployments().values()) == {promised}
    assert "A changed blog" in edited.localstalk.page()


def test_a_localstalk_that_was_killed_is_cleaned_up_and_started_anew(project: Project, first_deploy: Run) -> None:
    before = json.loads(project.localstalk.get("/_localstalk/health"))
    os.kill(before["pid"], signal.SIGKILL)
    run = project.play("deploy.yml")
    assert run.rc == 0, run.output
    after = json.loads(project.localstalk.get("/_localstalk/health"))
    assert after["pid"] != before["pid"]
    left = [line for line in project.localstalk.leftovers() if line.startswith("container:") and "-i-" in line]
    assert sorted(line[-19:] for line in left) == sorted(project.localstalk.deployments())
    assert 'id="posts">1<' in project.localstalk.page()
