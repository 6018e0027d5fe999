# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules tell while they run, in the terminal while ansible-playbook waits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
Play = Callable[..., "subprocess.CompletedProcess[str]"]
LINE = re.compile(r"^\[(?P<host>[\w-]+)\] (?P<time>\d\d:\d\d:\d\d)(?P<count>[^A-Z]*)(?P<severity>[A-Z]+) +(.+)$")
SECRET = "Deploying new version"
# A connection like the local one, by another name: to Ansible, it leads to another machine.
FAR = """
from ansible.plugins.connection import local
DOCUMENTATION = local.DOCUMENTATION.replace("name: local", "name: far")
class Connection(local.Connection):
    transport = "far"
"""


@pytest.fixture
def play(aws: dict[str, str], run: Callable[..., Any], tmp_path: Path) -> Play:
    """Run a playbook with the environment module on two hosts; the task's keywords and arguments may be given."""
    run("application", name="live")

    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "far.py").write_text(FAR)

    def call(
        *args: str, keywords: dict[str, Any] | None = None, module: str = "environment", **arguments: Any
    ) -> subprocess.CompletedProcess[str]:
        task = {
            f"jack.beanstalk.{module}": {
                "application": "live",
                "name": "{{ inventory_hostname }}",
                "platform": "Docker running on 64bit Amazon Linux 2023",
                "poll_interval": 0.3,
                "wait_timeout": 120,
                "option_settings": {
                    "aws:autoscaling:asg": {"MinSize": 2, "MaxSize": 2},
                    "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
                    "aws:elasticbeanstalk:command": {
                        "DeploymentPolicy": "Rolling",
                        "BatchSizeType": "Fixed",
                        "BatchSize": 1,
                    },
                },
                **arguments,
            }
            if module == "environment"
            else arguments,
            "register": "made",
            **(keywords or {}),
        }
        shown = {"ansible.builtin.debug": {"msg": "actions={{ made.actions | default('none') }}"}}
        book = [
            {
                "hosts": "all",
                "connection": "local",
                "gather_facts": False,
                "vars": {"ansible_python_interpreter": sys.executable},
                "module_defaults": {"group/jack.beanstalk.beanstalk": aws},
                "tasks": [task, shown],
            }
        ]
        path = tmp_path / "site.yml"
        path.write_text(yaml.safe_dump(book))
        program = Path(sys.executable).with_name("ansible-playbook")
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_NOCOLOR": "1"}
        environment |= {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_STDOUT_CALLBACK": "default"}
        environment |= {"ANSIBLE_CONNECTION_PLUGINS": str(tmp_path / "connections"), "ANSIBLE_INJECT_INVOCATION": "1"}
        environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_ASYNC_DIR": str(tmp_path / "async")}
        command = [program, "-i", "live-one,live-two,", path, *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    return call


def told(output: str, host: str) -> list[re.Match[str]]:
    return [found for line in output.splitlines() if (found := LINE.match(line)) and found["host"] == host]


def test_events_come_while_it_waits(
    play: Play, run: Callable[..., Any], bundle: Callable[[str], str], tmp_path: Path
) -> None:
    predicted = play("--check", "-vvv")
    assert predicted.returncode == 0, predicted.stdout
    # The module is a process of its own, and what it was called with is shown without the file that is followed.
    assert "EXEC /bin/sh" in predicted.stdout
    assert "wait_timeout: 120" in predicted.stdout
    assert "progress_file" not in predicted.stdout
    assert not told(predicted.stdout, "live-one")
    done = play()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "actions=['create']" in done.stdout
    for host in ("live-one", "live-two"):
        lines = told(done.stdout, host)
        messages = [line[5] for line in lines]
        assert messages[:2] == [f"creating the environment {host}", "createEnvironment is starting."]
        assert messages.count("createEnvironment is starting.") == 1
        assert f"Successfully launched environment: {host}" in messages
        assert re.fullmatch(r"Ready, version .*, health Green", messages[-1])
        assert lines[-1]["count"] == " 2/2 instances "
        times = [line["time"] for line in lines[:-1]]
        assert times == sorted(times)
        # What was printed before the task's own result came while it waited.
        assert done.stdout.index(messages[0]) < done.stdout.index(f"changed: [{host}]")
    label = {"application": "live", "version_label": "v1", "src": bundle("v1"), "poll_interval": 0.2}
    assert run("application_version", **label)["changed"]
    rolling = play(version_label="v1")
    assert rolling.returncode == 0, rolling.stdout
    counts = [line["count"].strip() for line in told(rolling.stdout, "live-one")]
    assert counts[-1] == "2/2 instances"
    assert "1 done" in counts
    # The hidden value here is the text of an event: whatever is secret is hidden in events too.
    secret = {"aws:elasticbeanstalk:application:environment": {"SECRET_KEY": SECRET}}
    masked = play(option_settings=secret)
    assert masked.returncode == 0, masked.stdout
    assert SECRET not in masked.stdout
    background = play(keywords={"async": 100, "poll": 1}, description="in the background")
    assert background.returncode == 0, background.stdout + background.stderr
    assert not told(background.stdout, "live-one")
    assert "actions=['update_description']" in background.stdout
    hidden = play(keywords={"no_log": True}, description="nothing is shown of it")
    assert hidden.returncode == 0, hidden.stdout + hidden.stderr
    assert not told(hidden.stdout, "live-one")
    far = play(keywords={"connection": "far"}, description="on another machine")
    assert far.returncode == 0, far.stdout + far.stderr
    assert not told(far.stdout, "live-one")
    assert "actions=['update_description']" in far.stdout
    gone = play(state="absent", option_settings={})
    assert gone.returncode == 0, gone.stdout
    assert told(gone.stdout, "live-two")[-1][5] == "terminateEnvironment completed successfully."
    assert not list(tmp_path.glob("tmp/**/progress.jsonl")), "the followed files are removed"


def test_steps_of_a_cycle_are_printed(play: Play, run: Callable[..., Any]) -> None:
    settings = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
    live = {"application": "live", "cname_prefix": "live-steps"}
    made = {"platform": "Docker running on 64bit Amazon Linux 2023", "option_settings": settings, "poll_interval": 0.3}
    assert run("environment", name="live-steps", **live, **made)["changed"]
    done = play("--limit", "live-one", module="cycle", poll_interval=0.3, **live)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = told(done.stdout, "live-one")
    assert line["severity"] == "FINISH"
    assert "is only 0.0 hours old (limit 6.0)" in line[5]
    refused = play("--limit", "live-one", "--check", module="cycle", **live)
    assert not told(refused.stdout, "live-one")
    assert run("environment", state="absent", poll_interval=0.3, **live)["changed"]
