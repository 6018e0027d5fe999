# SPDX-License-Identifier: GPL-3.0-or-later
"""The real playbook: stages with users' files, check mode, SIGKILL in the middle, rollback."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from browser import Browser, open_browser, start_chromium  # noqa: F401 - fixtures
from chaos.local import check_end, client, deploy, environments

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
QUICK = {
    "force": True,
    "poll_interval": 0.5,
    "bake_time": 1,
    "request_settle_time": 20,
    "max_decision_age": 15,
    "dns_ttl": 1,
    "dns_margin": 1,
    "lock": {"ttl": 60, "wait_timeout": 0},
    "drain_timeout": 10,
}


def start(
    aws: dict[str, str],
    tmp_path: Path,
    application: str,
    *options: str,
    playbook: str = "recreate_and_swap.yml",
    files: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
    **cycle: Any,
) -> subprocess.Popen[str]:
    hostvars = {
        "eb_application": application,
        "eb_cname_prefix": f"{application}-live",
        "eb_region": aws["AWS_REGION"],
        "eb_aws": {
            "endpoint_url": aws["AWS_ENDPOINT_URL"],
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        },
        "eb_recreate": QUICK | cycle,
        "eb_recreate_stage_tasks": files or {},
        **(more or {}),
    }
    inventory = tmp_path / f"{application}.json"
    inventory.write_text(json.dumps({"all": {"hosts": {application: hostvars}}}))
    command = [str(PLAYBOOK), "-i", str(inventory), *options, str(ROOT / playbook)]
    plain = {key: value for key, value in aws.items() if not key.startswith("AWS_")}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **plain, "ANSIBLE_LOCALHOST_WARNING": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def stage_file(tmp_path: Path, name: str, extra: str = "") -> str:
    path = tmp_path / f"{name}.yml"
    path.write_text(
        f"- name: Note {name}\n"
        "  ansible.builtin.shell: >-\n"
        f"    echo {name} {{{{ (recreate_and_swap_state.candidate or {{}}).environment_id | default('none') }}}}\n"
        f"    >> {tmp_path}/noted\n" + extra
    )
    return str(path)


def test_users_files_run_at_their_stages_in_order(aws: dict[str, str], tmp_path: Path) -> None:
    first = deploy(aws, "stages")
    names = ["before_candidate", "after_candidate", "before_swap", "after_swap", "before_retire", "after_retire"]
    files = {name: stage_file(tmp_path, name) for name in names}
    status, output = finish(start(aws, tmp_path, "stages", files=files))
    assert status == 0, output
    assert "result: done" in output
    noted = [line.split() for line in (tmp_path / "noted").read_text().splitlines()]
    assert [name for name, _ in noted] == names
    assert noted[0][1] == "none"
    assert len({identity for _, identity in noted[1:]}) == 1
    check_end(aws, "stages", first)


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes notifications; ``told`` has path and content of each."""

    told: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((self.path, content))
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def test_a_cycle_is_reported_and_told(aws: dict[str, str], tmp_path: Path, browser: Browser) -> None:
    """Receivers that fail, and ones that are not there, change nothing."""
    first = deploy(aws, "report")
    sns, sqs = client(aws, "sns"), client(aws, "sqs")
    topic, queue = sns.create_topic(Name="cycles")["TopicArn"], sqs.create_queue(QueueName="cycles")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    Receiver.told.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        receivers = [
            {"type": "slack", "url": f"{url}/slack"},
            {"type": "webhook", "url": f"{url}/broken"},
            {"type": "webhook", "url": "http://127.0.0.1:1/"},
            {"type": "webhook", "url": f"{url}/failures", "results": ["failed_rolled_back"]},
            {"type": "sns", "topic": topic},
            {"type": "sns", "topic": f"{topic}-gone"},
        ]
        more = {"eb_report_folder": str(tmp_path / "reports"), "eb_notify": receivers}
        status, output = finish(start(aws, tmp_path, "report", more=more))
        server.shutdown()
    assert status == 0, output
    told = dict(Receiver.told)
    assert set(told) == {"/slack", "/broken"}
    assert told["/slack"]["text"].startswith("report/report-live: done.")
    assert told["/broken"]["result"] == "done"
    assert url not in output, "addresses of receivers are often secrets"
    assert output.count("The webhook notification was not delivered: HTTP status 500.") == 1
    assert output.count("The webhook notification was not delivered: nothing answers there.") == 1
    assert output.count("The sns notification was not delivered: Failed to publish to the SNS topic") == 1
    (message,) = (json.loads(one["Body"]) for one in sqs.receive_message(QueueUrl=queue)["Messages"])
    assert message["Subject"] == "report/report-live: done"
    assert message["Message"].startswith("report/report-live: done. report-")
    (document,) = (json.loads(one.read_text()) for one in (tmp_path / "reports").glob("report-live-*.json"))
    assert (document["result"], document["logical"]) == ("done", "report/report-live")
    assert document["live"]["environment_id"] == document["candidate"]["environment_id"] != first
    assert {"create", "swap", "check_cname", "terminate"} <= {one["action"] for one in document["steps"]}
    assert any("swapping CNAMEs" in one["message"] for one in document["events"])
    assert document["instance_minutes"] > 0
    (page,) = (tmp_path / "reports").glob("report-live-*.html")
    assert f"report: {page}\n" in output
    assert f"cost: {document['instance_minutes']} instance-minutes of the candidate\n" in output
    browser.get(page.as_uri())
    assert browser.find_element("id", "result").text == "done"
    assert document["candidate"]["environment_id"] in browser.find_element("id", "environments").text
    phases = [one.text for one in browser.find_elements("css selector", "#timeline th")]
    # On a slow machine nobody is left to drain at the first look.
    wanted = ["creation", "verification", "swap", "CNAME check", "termination"]
    assert [one for one in phases if one != "drain"] == wanted
    assert all(one.size["width"] > 0 for one in browser.find_elements("css selector", "#timeline rect"))
    for folded in browser.find_elements("tag name", "summary"):
        folded.click()
    assert "goes live in place of" in browser.find_element("id", "steps").text
    assert "swapping CNAMEs" in browser.find_element("id", "events").text
    assert f"Cost: {document['instance_minutes']} instance-minutes" in browser.find_element("id", "cost").text
    assert (browser.complaints(), browser.requests()) == ([], [page.as_uri()])
    check_end(aws, "report", first)


def test_check_mode_tells_the_plan_and_writes_nothing(aws: dict[str, str], tmp_path: Path) -> None:
    first = deploy(aws, "plan")
    status, output = finish(start(aws, tmp_path, "plan", "--check", "--diff"))
    assert status == 0, output
    assert f"would terminate plan-first ({first})" in output
    assert [one["EnvironmentId"] for one in environments(aws, "plan")] == [first]


def test_a_young_environment_is_skipped(aws: dict[str, str], tmp_path: Path) -> None:
    deploy(aws, "young")
    status, output = finish(start(aws, tmp_path, "young", force=False))
    assert status == 0, output
    assert "result: skipped" in output


def descendants(pid: int) -> list[int]:
    """A process and all below it. Ansible's workers have sessions of their own, so a process group is not enough."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


@pytest.mark.parametrize("seconds", [4.0, 7.0, 10.0])
def test_a_killed_playbook_is_continued_by_the_next(aws: dict[str, str], tmp_path: Path, seconds: float) -> None:
    application = f"sigkill{seconds:.0f}"
    first = deploy(aws, application)
    process = start(aws, tmp_path, application)
    time.sleep(seconds)
    for pid in descendants(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=30)
    status, output = finish(start(aws, tmp_path, application))
    assert status == 0, output
    check_end(aws, application, first)


def test_a_module_does_not_outlive_its_killed_playbook(aws: dict[str, str], tmp_path: Path) -> None:
    """Ansible's workers survive a SIGKILL of ansible-playbook; the module stops, and the next run goes on."""
    first = deploy(aws, "outlive")
    process = start(aws, tmp_path, "outlive")
    time.sleep(6)
    below = descendants(process.pid)[1:]
    assert below
    process.kill()
    process.wait(timeout=30)
    deadline = time.monotonic() + 20
    while left := [pid for pid in below if Path("/proc", str(pid)).exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    assert process.stdout is not None
    process.stdout.close()
    status, output = finish(start(aws, tmp_path, "outlive"))
    assert status == 0, output
    check_end(aws, "outlive", first)


def test_a_file_that_fails_before_the_swap_leaves_the_live_environment(
    aws: dict[str, str],
    tmp_path: Path,
) -> None:
    first = deploy(aws, "broken")
    extra = "- name: Fail\n  ansible.builtin.fail:\n    msg: not like this\n"
    files = {"before_swap": stage_file(tmp_path, "before_swap", extra)}
    status, output = finish(start(aws, tmp_path, "broken", files=files))
    assert status != 0
    assert "not like this" in output
    live = [one for one in environments(aws, "broken") if one["CNAME"].startswith("broken-live.")]
    assert [one["EnvironmentId"] for one in live] == [first]
    status, output = finish(start(aws, tmp_path, "broken"))
    assert status == 0, output
    check_end(aws, "broken", first)


def test_rollback_goes_back_to_what_is_kept(aws: dict[str, str], tmp_path: Path) -> None:
    first = deploy(aws, "undo")
    assert finish(start(aws, tmp_path, "undo", retain_old_for=3600))[0] == 0
    status, output = finish(start(aws, tmp_path, "undo", playbook="rollback.yml"))
    assert status == 0, output
    live = [one for one in environments(aws, "undo") if one["CNAME"].startswith("undo-live.")]
    assert [one["EnvironmentId"] for one in live] == [first]
