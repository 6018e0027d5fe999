# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator does between deployments, one after the other on real instances; each with its refusals."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest

from .conftest import BIN, Project, Run, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.slow]


def one_line(run: Run) -> str:
    return " ".join(run.output.split())


def visit(project: Project, method: str = "GET") -> tuple[int, str, Message]:
    """Status, body and headers of the live name."""
    url = project.localstalk.get("/_localstalk/url/blog-local").strip()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def refused(run: Run, sentence: str) -> None:
    assert run.rc == 2, run.output
    assert sentence in one_line(run), run.output
    assert run.count("changed") == 0, run.output


def extra(**variables: object) -> tuple[str, str]:
    return "-e", json.dumps(variables)


FROZEN = {"until": "2099-01-01", "reason": "holidays", "by": "operations"}


def test_logs_of_one_file_and_of_a_deployment(project: Project, first_deploy: Run) -> None:
    instances = sorted(project.localstalk.deployments())
    shown = project.play("logs.yml", *extra(logs_file="eb-engine", logs_lines=2))
    assert shown.rc == 0, shown.output
    assert re.findall(r"== (i-[0-9a-f]{17}) /var/log/eb-engine.log ==", shown.output) == instances
    assert shown.count("changed") == 0
    nothing = project.play("logs.yml", *extra(logs_file="no-such", logs_instance=instances[0]))
    assert f'== {instances[0]} sent no log whose path has "no-such": ' in one_line(nothing)


def test_exec_runs_in_the_container_and_prints_as_it_comes(project: Project, first_deploy: Run) -> None:
    instances = sorted(project.localstalk.deployments())
    (leader,) = re.findall(r"Leader: +(i-[0-9a-f]{17})", first_deploy.output)
    done = project.play("exec.yml", *extra(exec_command="python manage.py showmigrations --plan", exec_on="leader"))
    assert done.rc == 0, done.output
    assert re.search(rf"^\[blog-local\] {leader}: \[X\]  blog\.0001_initial$", done.output, re.MULTILINE), done.output
    slow = "for n in 1 2 3 4 5; do echo step $n; sleep 1; done; echo last >&2; exit 7"
    failed = project.play("exec.yml", *extra(exec_command=slow, exec_on="all"))
    assert failed.rc == 2, failed.output
    for instance in instances:
        printed = re.findall(rf"^\[blog-local\] {instance}: (.*)$", failed.output, re.MULTILINE)
        assert printed == [*(f"step {n}" for n in range(1, 6)), "last"]
    sentence = f"The command failed on 2 of 2 instance(s), first on {instances[0]} (Failed, exit code 7): last."
    assert sentence in one_line(failed)
    assert failed.output.count("step 3\n") == 2, "what was printed as it came is not printed again"
    predicted = project.play("exec.yml", "--check", *extra(exec_command="touch /tmp/run", exec_on="all"))
    assert f"Would run on {', '.join(instances)}" in one_line(predicted)
    refused(project.play("exec.yml"), "Give exec_command, what to run where the application runs")
    refused(project.play("exec.yml", *extra(exec_command="true", eb_freeze=FROZEN)), "by operations (holidays)")
    none = project.play("exec.yml", *extra(exec_command="true", exec_service="worker"))
    assert none.rc == 2
    assert "exit code 125): No running container of the compose service worker." in one_line(none)
    left = project.localstalk.module(
        "instance_command", application="blog", cname_prefix="blog-local", script="ls /run/jack.beanstalk"
    )
    assert [one["stdout"] for one in left["results"]] == ["", ""]


def test_a_long_output_is_whole(project: Project, first_deploy: Run) -> None:
    many = project.play("exec.yml", *extra(exec_command="seq 1 9000; sleep 3; seq 9001 9100", exec_on="one"))
    assert many.rc == 0, many.output[-2000:]
    printed = re.findall(r"^\[blog-local\] i-[0-9a-f]{17}: (\d+)$", many.output, re.MULTILINE)
    assert printed == [str(number) for number in range(1, 9101)]


@pytest.fixture
def _application_afterwards(project: Project) -> Iterator[None]:
    yield
    project.play("maintenance.yml", *extra(maintenance="off"))


@pytest.mark.usefixtures("_application_afterwards")
def test_maintenance_shows_a_page_and_keeps_the_health(project: Project, first_deploy: Run) -> None:
    instances = set(project.localstalk.deployments())
    assert visit(project)[0] == 200
    predicted = project.play("maintenance.yml", "--check", *extra(maintenance="on"))
    assert predicted.count("changed") == 1
    assert "2 instance(s) would show the page." in one_line(predicted)
    assert visit(project)[0] == 200
    on = project.play("maintenance.yml", *extra(maintenance="on", maintenance_retry_after=1800))
    assert on.rc == 0, on.output
    for method in ("GET", "POST"):
        status, body, headers = wait_until(lambda method=method: visit(project, method), 30, "an answer")
        assert (status, headers["Retry-After"], headers["Cache-Control"]) == (503, "1800", "no-store")
        assert "<h1>Maintenance</h1>" in body
    again = project.play("maintenance.yml", *extra(maintenance="on", maintenance_retry_after=1800))
    assert again.count("changed") == 0
    # Some rounds of health checks and of the monitor, with visitors all the while.
    checks = [(visit(project)[0], project.localstalk.environment()["Health"]) for _number in range(40)]
    assert set(checks) == {(503, "Green")}
    assert set(project.localstalk.deployments()) == instances, "no instance was replaced"
    refused(project.play("maintenance.yml"), "Say whether the page is shown")
    refused(project.play("maintenance.yml", *extra(maintenance="on", eb_freeze=FROZEN)), "by operations (holidays)")
    off = project.play("maintenance.yml", *extra(maintenance="off"))
    assert off.count("changed") == 1
    assert visit(project)[0] == 200
    assert project.play("maintenance.yml", *extra(maintenance="off")).count("changed") == 0


def test_a_deployment_ends_the_maintenance(project: Project, first_deploy: Run) -> None:
    assert project.play("maintenance.yml", *extra(maintenance="on")).rc == 0
    assert visit(project)[0] == 503
    deployed = project.play("deploy.yml", *extra(eb_environment_properties_purge=False, eb_hooks=[]))
    assert deployed.rc == 0, deployed.output
    assert visit(project)[0] == 200


def test_scale_and_its_refusal(project: Project, first_deploy: Run) -> None:
    refused(project.play("scale.yml", *extra(scale_min=3, scale_max=1)), "Give scale_min, scale_max or both")
    scaled = project.play("scale.yml", *extra(scale_min=1, scale_max=1))
    assert scaled.rc == 0, scaled.output
    wait_until(lambda: len(project.localstalk.deployments()) == 1, 60, "one instance")
    assert project.play("scale.yml", *extra(scale_min=1, scale_max=1)).count("changed") == 0
    assert project.play("scale.yml", *extra(scale_min=2, scale_max=2)).rc == 0
    wait_until(lambda: len(project.localstalk.deployments()) == 2, 120, "two instances")


def test_abort_of_a_deployment_and_of_nothing(project: Project, first_deploy: Run) -> None:
    label = project.localstalk.environment()["VersionLabel"]
    idle = project.play("abort.yml")
    assert "nothing ran that could be aborted" in one_line(idle)
    assert idle.count("changed") == 0
    hangs = extra(eb_hooks=[{"name": "hangs", "command": "sleep 600", "where": "host"}], eb_lock={"ttl": 60})
    with subprocess.Popen(
        [BIN / "ansible-playbook", "deploy.yml", *hangs],
        cwd=project.root,
        env=project.localstalk.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            wait_until(lambda: project.localstalk.environment()["Status"] == "Updating", 120, "a deployment")
            refused_now = project.play("maintenance.yml", *extra(maintenance="on"))
            refused(refused_now, "blog-local is Updating, and what is being done now would take the page away")
            aborted = project.play("abort.yml")
            assert aborted.rc == 0, aborted.output
            assert "the update was aborted" in one_line(aborted)
            output, _errors = running.communicate(timeout=240)
        finally:
            running.kill()
    assert running.returncode == 2, output
    assert project.localstalk.environment()["VersionLabel"] == label


def test_unlock_wants_the_name_of_the_holder(project: Project, first_deploy: Run) -> None:
    held = {"application": "blog", "cname_prefix": "blog-local", "owner": "deploy@build-3"}
    assert project.localstalk.module("lock", **held, reason="deploy", state="present")["lock"]["held"]
    refused(project.play("unlock.yml"), 'by its name: -e unlock_owner="deploy@build-3"')
    freed = project.play("unlock.yml", *extra(unlock_owner="deploy@build-3"))
    assert freed.count("changed") == 1
    assert project.play("unlock.yml").count("changed") == 0
